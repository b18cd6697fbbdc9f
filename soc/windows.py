"""One group of a correlation: its events as a set by id, in order of time, and when they meet the condition."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson

from soc.sigma.rule import Correlation

MOST_EVENTS = 20_000  # of one group; the oldest go, counted


class Mark(NamedTuple):
    """One event in a group, ordered by time; ids make equal times distinct.

    Attributes:
        at: Event time, µs since 1970.
        rule: Index among the correlation's rules.
        value: What ``value_count`` counts; empty otherwise.
        entities: Pairs of kind and id.
    """

    at: int
    event: str
    rule: int
    value: str
    entities: tuple[tuple[str, str], ...]


class Group:
    """The window of one (correlation, group key)."""

    __slots__ = ("_blob", "_known", "marks", "pending", "touched")

    def __init__(self, marks: Sequence[Mark] = (), pending: Sequence[tuple[str, int]] = ()) -> None:
        self.marks: list[Mark] = sorted(marks)
        self.touched = 0
        self._known = {(mark.event, mark.rule): mark for mark in self.marks}
        self.pending = {key: self._known[key] for key in pending}  # not yet part of a firing
        self._blob: orjson.Fragment | None = None

    def add(self, mark: Mark) -> bool:
        """Put an event in; False if it is there already, so that a repetition changes nothing."""
        key = (mark.event, mark.rule)
        if key in self._known:
            return False
        self._known[key] = self.pending[key] = mark
        insort(self.marks, mark)
        self._blob = None
        return True

    def forget_before(self, horizon: int) -> int:
        """Drop events before ``horizon`` and what is too many; returns how many of the latter."""
        cut = bisect_left(self.marks, horizon, key=_time)
        crowd = max(0, len(self.marks) - cut - MOST_EVENTS)
        if cut + crowd:
            for mark in self.marks[: cut + crowd]:
                self._known.pop((mark.event, mark.rule), None)
                self.pending.pop((mark.event, mark.rule), None)
            del self.marks[: cut + crowd]
            self._blob = None
        return crowd

    def fire(self, rule: Correlation, mark: Mark) -> list[Mark]:
        """Events of satisfied windows around a new one that no firing has told yet; empty if none is satisfied."""
        span = _satisfied_span(rule, self.marks, mark)
        if span is None:
            return []
        earliest, latest = self.marks[span[0]].at, self.marks[span[1] - 1].at
        told = sorted(one for one in self.pending.values() if earliest <= one.at <= latest)
        for one in told:
            del self.pending[one.event, one.rule]
        return told

    def as_json(self) -> orjson.Fragment:
        """For the snapshot; made once until something changes."""
        if self._blob is None:
            marks = [[mark.at, mark.event, mark.rule, mark.value, mark.entities] for mark in self.marks]
            self._blob = orjson.Fragment(orjson.dumps({"marks": marks, "pending": sorted(self.pending)}))
        return self._blob


def group_from_json(blob: Any) -> Group:
    """The group of a snapshot."""
    marks = [
        Mark(at, event, rule, value, tuple((kind, one) for kind, one in pairs))
        for at, event, rule, value, pairs in blob["marks"]
    ]
    return Group(marks, [(event, rule) for event, rule in blob["pending"]])


def _time(mark: Mark) -> int:
    return mark.at


def _satisfied_span(rule: Correlation, marks: list[Mark], new: Mark) -> tuple[int, int] | None:
    """The indexes that all satisfied windows around ``new`` cover together.

    A window begins at an event and lasts the time span. For the newest event the widest window decides alone; an event
    that comes late may lie inside several.
    """
    length = rule.timespan_seconds * 1_000_000
    first = bisect_left(marks, new.at - length, key=_time)
    at = bisect_left(marks, new)
    last = at if at == len(marks) - 1 else bisect_right(marks, new.at, key=_time) - 1
    starts = (first,) if last == len(marks) - 1 else range(first, at + 1)
    low = high = None
    for start in starts:
        end = bisect_right(marks, marks[start].at + length, key=_time)
        if end > at and _holds(rule, marks, start, end):
            low, high = start if low is None else low, max(high or 0, end)
    return None if low is None or high is None else (low, high)


def _holds(rule: Correlation, marks: list[Mark], start: int, end: int) -> bool:
    if rule.type == "event_count":
        count = end - start if len(rule.rules) == 1 else len({mark.event for mark in marks[start:end]})
        return count >= _least(rule)
    if rule.type == "value_count":
        return len({mark.value for mark in marks[start:end]}) >= _least(rule)
    window = marks[start:end]
    if rule.type == "temporal":
        return len({mark.rule for mark in window}) == len(rule.rules)
    return _in_order(len(rule.rules), window)


def _least(rule: Correlation) -> int:
    return rule.count + 1 if rule.operator == ">" else rule.count


def _in_order(steps: int, window: list[Mark]) -> bool:
    """Whether the rules hit one after the other, by different events; what has the same time is in any order."""
    earliest, used = 0, set[str]()
    for step in range(steps):
        found = next((one for one in window if one.rule == step and one.at >= earliest and one.event not in used), None)
        if found is None:
            return False
        earliest = found.at
        used.add(found.event)
    return True
