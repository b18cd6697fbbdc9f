"""A link's samples as a chart and as the table beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from records.instants import parse_instant

Row = Mapping[str, Any]
MOST_POINTS = 720


def _at(row: Row) -> datetime:
    at: datetime | str = row["at"]
    return parse_instant(at) if isinstance(at, str) else at


def thinned(rows: Sequence[Row], most: int = MOST_POINTS) -> list[Row]:
    """At most so many points: each the mean of neighbours at the newest one's instant; null where none is known."""
    step = -(-len(rows) // most) if rows else 1
    return [_mean(rows[start : start + step]) for start in range(0, len(rows), step)]


def _mean(rows: Sequence[Row]) -> Row:
    worst = next((row["status"] for row in rows if row["status"] != "ok"), "ok")
    figures = {name: _mean_of([row[name] for row in rows if row[name] is not None]) for name in ("in_bps", "out_bps")}
    return {"at": _at(rows[-1]), **figures, "status": worst if any(one is None for one in figures.values()) else "ok"}


def _mean_of(values: Sequence[int]) -> int | None:
    return round(sum(values) / len(values)) if values else None


def series(points: Sequence[Row]) -> dict[str, list[Any]]:
    """Columns for the chart; instants in milliseconds since 1970."""
    return {
        "at": [round(_at(row).timestamp() * 1000) for row in points],
        "in": [row["in_bps"] for row in points],
        "out": [row["out_bps"] for row in points],
    }


def completeness(rows: Sequence[Row]) -> float | None:
    """The part of samples that have both figures; None without samples."""
    if not rows:
        return None
    return sum(row["in_bps"] is not None and row["out_bps"] is not None for row in rows) / len(rows)
