"""Schedules (定时任务): at their times they order jobs, one job for one time, whichever process looks.

The key of such a job is the schedule and the time it is for, so that two processes that look at once, or one that is
killed between two statements, make one job. Times are those of Asia/Shanghai, which has no summer time.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from cronsim import CronSim, CronSimError

from records.errors import UserError
from records.instants import SHANGHAI, format_instant
from storage.state import reading, writing
from workflow.jobs import Order, submit
from workflow.tables import schedule

ACTOR = "schedule"
MOST_AT_ONCE = 100  # times made up for in one look; the rest follows with the next


class Misfire(StrEnum):
    """What becomes of times that passed while nothing ran.

    ``ONCE`` makes up for all of them with one job, for the newest; ``ALL`` with a job each, as metering wants;
    ``SKIP`` forgets those that are older than the grace.
    """

    ONCE = "once"
    ALL = "all"
    SKIP = "skip"


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A plan in the code or the configuration; its times are kept in the state database.

    Attributes:
        name: Unique.
        cron: Minute, hour, day of month, month, day of week, as cron(8) writes them, in Asia/Shanghai.
        kind: Of the job; its parameters get ``scheduled_for``, the time it is for.
        grace: How late a time may be met under ``SKIP``.
    """

    name: str
    cron: str
    kind: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    organisation: str | None = None
    misfire: Misfire = Misfire.ONCE
    grace: timedelta = timedelta(minutes=5)

    def __post_init__(self) -> None:
        try:
            CronSim(self.cron, datetime(2026, 1, 1, tzinfo=SHANGHAI))
        except CronSimError as error:
            raise UserError(
                "'{cron}' is no plan of times",
                "write minute, hour, day, month, day of week, such as `0 2 * * *`",
                where=f"schedule:{self.name}",
                cron=self.cron,
            ) from error

    def after(self, at: datetime) -> Iterator[datetime]:
        """The times after an instant, in order, without end."""
        return iter(CronSim(self.cron, at.astimezone(SHANGHAI)))

    @property
    def text(self) -> str:
        """What its times are made of: another text begins anew."""
        return json.dumps([self.cron, self.kind, dict(self.parameters)], ensure_ascii=False, sort_keys=True)


def due(plan: Schedule, since: datetime, at: datetime) -> tuple[list[datetime], int, datetime]:
    """The times of [since, at] that get a job, how many are skipped, and from when on to look next.

    ``since`` is itself a time of the plan.
    """
    passed = [since] if since <= at else []
    later = since
    for later in plan.after(since):
        if later > at or (plan.misfire is Misfire.ALL and len(passed) == MOST_AT_ONCE):
            break
        passed.append(later)
    if plan.misfire is Misfire.ALL:
        return passed, 0, later
    kept = [one for one in passed if plan.misfire is Misfire.ONCE or one >= at - plan.grace][-1:]
    return kept, len(passed) - len(kept), later


def tick(engine: sa.Engine, plans: Iterable[Schedule], at: datetime) -> int:
    """Order what is due; returns how many jobs were ordered. Looks only, while nothing is."""
    known = _known(engine)
    made = 0
    for plan in plans:
        row = known.get(plan.name)
        if row is None or row.plan != plan.text or row.next_at <= at:
            made += _look(engine, plan, at)
    return made


def _known(engine: sa.Engine) -> dict[str, Any]:
    with reading(engine) as connection:
        return {row.name: row for row in connection.execute(sa.select(schedule))}


def _look(engine: sa.Engine, plan: Schedule, at: datetime) -> int:
    """One schedule in one transaction: its jobs, and from when on to look next."""
    with writing(engine) as connection:
        mine = schedule.c.name == plan.name
        row = connection.execute(sa.select(schedule).where(mine)).first()
        if row is None or row.plan != plan.text:
            _begin(connection, plan, at)
            return 0
        if row.next_at > at:
            return 0  # another process was quicker
        times, skipped, following = due(plan, row.next_at, at)
        for one in times:
            submit(connection, _order(plan, one), at)
        last = times[-1] if times else row.last_at
        values = {"next_at": following, "last_at": last, "skipped": row.skipped + skipped}
        connection.execute(sa.update(schedule).where(mine).values(**values))
        return len(times)


def _begin(connection: sa.Connection, plan: Schedule, at: datetime) -> None:
    """A new or changed plan begins with its next time; what passed before it was there is not made up for."""
    connection.execute(sa.delete(schedule).where(schedule.c.name == plan.name))
    connection.execute(
        sa.insert(schedule).values(name=plan.name, plan=plan.text, next_at=next(plan.after(at)), skipped=0)
    )


def _order(plan: Schedule, time: datetime) -> Order:
    told = format_instant(time)
    return Order(
        kind=plan.kind,
        parameters={**plan.parameters, "scheduled_for": told},
        actor=ACTOR,
        organisation=plan.organisation,
        key=f"{plan.name}@{told}",
    )


def shown(engine: sa.Engine, plans: Sequence[Schedule]) -> list[dict[str, Any]]:
    """Each plan with its next and last time; null while it has not been looked at."""
    known = _known(engine)
    return [
        {
            "name": one.name,
            "cron": one.cron,
            "kind": one.kind,
            "misfire": one.misfire.value,
            "next_at": known[one.name].next_at if one.name in known else None,
            "last_at": known[one.name].last_at if one.name in known else None,
            "skipped": known[one.name].skipped if one.name in known else 0,
        }
        for one in plans
    ]
