"""Events of an alert or incident as runs (时间线): sixty failed logins are one line that opens, not sixty."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

Row = Mapping[str, Any]
_SAME = ("event.dataset", "event.action", "host.name", "source.ip", "yw.link", "yw.tenant")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Neighbouring events of one kind about the same things; ``others`` follow the first."""

    first: Row
    others: Sequence[Row]


def runs(events: Iterable[Row]) -> list[Run]:
    """The runs, in the order of the events."""
    found = [list(alike) for _, alike in groupby(events, key=lambda one: [one.get(name) for name in _SAME])]
    return [Run(first=alike[0], others=alike[1:]) for alike in found]
