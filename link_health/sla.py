"""Availability (可用率) of links over a month: from the history of states, agreed maintenance excluded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from link_health.maintenance import Span
from link_health.states import PASSING, LinkState

SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """A span in one state, [start, end) in microseconds."""

    start_us: int
    end_us: int
    state: LinkState


@dataclass(frozen=True, slots=True, kw_only=True)
class Sla:
    """One link's month.

    Attributes:
        availability: Time up / (time up + time down); None if neither is known. Unknown time counts for neither.
        down_seconds: Time down outside agreed maintenance.
        excluded_seconds: Agreed maintenance within the period.
        unknown_seconds: Time outside maintenance of which nothing is known.
        outages: Spans down outside maintenance.
    """

    availability: float | None
    down_seconds: int
    excluded_seconds: int
    unknown_seconds: int
    outages: tuple[Stay, ...]


def stays(turns: Sequence[tuple[int, str]], start_us: int, end_us: int, known_until_us: int) -> list[Stay]:
    """Spans of [start, end) by the turns of one link; unknown before the first, and from ``known_until_us`` on."""
    last = min(end_us, max(known_until_us, start_us))
    marks = [(start_us, LinkState.UNKNOWN.value), *turns, (last, LinkState.UNKNOWN.value), (end_us, "")]
    found = []
    for (low, state), (high, _) in pairwise(marks):
        begin, end = max(low, start_us), min(high, end_us if low == last else last)
        if begin < end:
            found.append(Stay(start_us=begin, end_us=end, state=LinkState(state)))
    return found


def without(stay: Stay, windows: Iterable[Span]) -> list[Stay]:
    """The parts of a stay outside the windows, which are in order and apart."""
    parts, low = [], stay.start_us
    for begin, end in windows:
        if end <= low or begin >= stay.end_us:
            continue
        if begin > low:
            parts.append(Stay(start_us=low, end_us=begin, state=stay.state))
        low = max(low, end)
    if low < stay.end_us:
        parts.append(Stay(start_us=low, end_us=stay.end_us, state=stay.state))
    return parts


def compute_sla(history: Sequence[Stay], windows: Sequence[Span]) -> Sla:
    """Availability from the stays of a period and the agreed windows in it."""
    parts = [part for stay in history for part in without(stay, windows)]
    up = _total(part for part in parts if part.state in PASSING)
    down = [part for part in parts if part.state is LinkState.DOWN]
    lost = _total(down)
    return Sla(
        availability=round(up / (up + lost), 6) if up + lost else None,
        down_seconds=_seconds(lost),
        excluded_seconds=_seconds(sum(high - low for low, high in windows)),
        unknown_seconds=_seconds(_total(part for part in parts if part.state is LinkState.UNKNOWN)),
        outages=tuple(down),
    )


def _total(stays_of_one_kind: Iterable[Stay]) -> int:
    return sum(stay.end_us - stay.start_us for stay in stays_of_one_kind)


def _seconds(microseconds: int) -> int:
    """Whole seconds, half up."""
    return (microseconds + SECOND_US // 2) // SECOND_US
