"""Routes (通知路由): from a notice to the deliveries that follow from it, escalation included. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from notify.notice import Notice
from notify.rosters import Span
from records.alarms import Level


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Where a notice goes when nobody has acknowledged it after so long; the first step has 0."""

    channels: tuple[str, ...]
    rosters: tuple[str, ...] = ()
    after: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Which notices go where; empty ``organisations`` and ``kinds`` mean all.

    Attributes:
        hours: The route works within these spans only; none: always.
        quiet: Within these nothing is sent: it waits for their end.
        breaks: Levels that quiet hours do not hold back.
        steps: The first at once, later ones while nobody acknowledges; ``after`` rises.
    """

    name: str
    steps: tuple[Step, ...]
    organisations: frozenset[str] = frozenset()
    kinds: frozenset[str] = frozenset()
    levels: frozenset[Level] = frozenset({Level.HIGH, Level.CRITICAL})
    hours: tuple[Span, ...] = ()
    quiet: tuple[Span, ...] = ()
    breaks: frozenset[Level] = frozenset({Level.CRITICAL})

    def takes(self, notice: Notice, at: datetime) -> bool:
        """Whether a notice goes this way now."""
        return (
            notice.level in self.levels
            and (not self.organisations or notice.organisation in self.organisations)
            and (not self.kinds or notice.kind in self.kinds)
            and (not self.hours or any(span.holds(at) for span in self.hours))
        )

    def due(self, notice: Notice, at: datetime) -> datetime:
        """The first instant from ``at`` on outside of the quiet hours; deferred, never dropped."""
        if notice.level in self.breaks:
            return at
        return after_quiet(self.quiet, at)


def after_quiet(quiet: Sequence[Span], at: datetime) -> datetime:
    """The end of the quiet spans that hold an instant, also where one adjoins the next.

    Spans that leave no hour of a week free are looked at for one week only: then the notice goes out all the same.
    """
    week = at + timedelta(days=7)
    while (ends := [end for span in quiet if (end := span.end_after(at))]) and at < week:
        at = max(ends)
    return at


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One delivery to be: a notice to a channel in one step of the escalation."""

    channel: str
    step: int
    due: datetime
    rosters: tuple[str, ...] = field(default=())


def plan(notice: Notice, routes: Iterable[Route], at: datetime) -> tuple[Planned, ...]:
    """All deliveries of a notice; empty if no route takes it.

    Every route that takes it counts. Where two lead to the same channel in the same step there is one delivery, at the
    earlier time, to the people of both: nothing is sent twice for one notice, channel and step.
    """
    found: dict[tuple[str, int], Planned] = {}
    for route in routes:
        if route.takes(notice, at):
            for one in _planned(route, notice, at):
                key = (one.channel, one.step)
                found[key] = _merged(found[key], one) if key in found else one
    return tuple(found.values())


def _planned(route: Route, notice: Notice, at: datetime) -> Iterable[Planned]:
    first = route.due(notice, at)
    for number, step in enumerate(route.steps):
        due = route.due(notice, first + step.after)
        for channel in step.channels:
            yield Planned(channel=channel, step=number, due=due, rosters=step.rosters)


def _merged(one: Planned, other: Planned) -> Planned:
    return Planned(
        channel=one.channel,
        step=one.step,
        due=min(one.due, other.due),
        rosters=tuple(dict.fromkeys((*one.rosters, *other.rosters))),
    )
