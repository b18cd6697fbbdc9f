"""Spans of the week and rosters (值班表): who is on duty at an instant, in the time of Asia/Shanghai."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta

from notify.notice import Person
from records.instants import SHANGHAI

ALL_DAYS = frozenset(range(7))
DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A part of each named day; one that ends before it starts runs over midnight and belongs to the day it starts on.

    Attributes:
        start: Inclusive; the same as ``end`` means the whole day.
        end: Exclusive.
        days: 0 is Monday.
    """

    start: time = time(0)
    end: time = time(0)
    days: frozenset[int] = ALL_DAYS

    @property
    def length(self) -> timedelta:
        """How long it lasts; the whole day if it starts and ends alike."""
        seconds = (_seconds(self.end) - _seconds(self.start)) % DAY_SECONDS
        return timedelta(seconds=seconds or DAY_SECONDS)

    def end_after(self, at: datetime) -> datetime | None:
        """When the span that holds this instant ends; None if none does. Shanghai has no summer time."""
        local = at.astimezone(SHANGHAI)
        for back in (0, 1):
            day = local.date() - timedelta(days=back)
            begun = datetime.combine(day, self.start, SHANGHAI)
            if day.weekday() in self.days and begun <= local < begun + self.length:
                return (begun + self.length).astimezone(at.tzinfo)
        return None

    def holds(self, at: datetime) -> bool:
        """Whether the instant lies inside."""
        return self.end_after(at) is not None


def _seconds(at: time) -> int:
    return at.hour * 3600 + at.minute * 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """One person's regular time."""

    person: Person
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Roster:
    """Who is to be asked when."""

    duties: tuple[Duty, ...]

    def on_duty(self, at: datetime) -> tuple[Person, ...]:
        """Those on duty; everybody of the roster if nobody is, for somebody must hear it. Each once, in file order."""
        present = [one.person for one in self.duties if one.span.holds(at)]
        return tuple(dict.fromkeys(present or [one.person for one in self.duties]))
