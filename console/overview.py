"""What the overview and the wall show (一屏统览): pure summaries of the lists' rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

Row = Mapping[str, Any]
CROWDED = 0.7
"""Utilisation from which a link needs eyes."""
_WORST_FIRST = {"down": 0, "degraded": 1, "unknown": 2, "up": 3}
_PROTECTION_WORST = {"lost": 0, "degraded": 1, "unknown": 2, "normal": 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkSummary:
    """Links by state, groups by protection, the highest utilisation, and how old the newest figure is."""

    states: Mapping[str, int]
    protection: Mapping[str, int]
    total: int
    busiest: Row | None
    as_of: datetime | None


def summarise_links(rows: Sequence[Row]) -> LinkSummary:
    """One pass over the rows of the link list."""
    groups = {row["group"]: row["protection"] for row in rows if row["group"]}
    measured = [row for row in rows if row["utilisation"] is not None]
    return LinkSummary(
        states=Counter(row["state"] for row in rows),
        protection=Counter(groups.values()),
        total=len(rows),
        busiest=max(measured, key=lambda row: row["utilisation"], default=None),
        as_of=max((row["as_of"] for row in rows if row["as_of"] is not None), default=None),
    )


def worst_links(rows: Iterable[Row], count: int) -> list[Row]:
    """Links in trouble: down first, then unprotected, then by utilisation; none where all is well."""
    return sorted((row for row in rows if _needs_eyes(row)), key=_badness)[:count]


def busiest_links(rows: Iterable[Row], count: int) -> list[Row]:
    """The highest utilisation first; what is not measured is left out."""
    measured = (row for row in rows if row["utilisation"] is not None)
    return sorted(measured, key=lambda row: (-row["utilisation"], row["link"]))[:count]


def _needs_eyes(row: Row) -> bool:
    return row["state"] != "up" or row["protection"] != "normal" or (row["utilisation"] or 0.0) >= CROWDED


def _badness(row: Row) -> tuple[int, int, float, str]:
    return (
        _WORST_FIRST.get(row["state"], 2),
        _PROTECTION_WORST.get(row["protection"], 2),
        -(row["utilisation"] or 0.0),
        row["link"],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """One bar: its amount and its part of the largest, 0 to 100."""

    id: str
    name: str
    amount: Decimal
    part: int


def shares(rows: Iterable[Row], count: int) -> list[Share]:
    """The largest amounts by organisation, from the rows of the bill list."""
    largest = sorted(rows, key=lambda row: (-row["amount"], row["organisation"]))[:count]
    top = largest[0]["amount"] if largest else Decimal(0)
    return [_share(row, top) for row in largest]


def _share(row: Row, top: Decimal) -> Share:
    part = int(row["amount"] * 100 / top) if top > 0 else 0
    return Share(id=row["organisation"], name=row["organisation_name"], amount=row["amount"], part=max(part, 0))
