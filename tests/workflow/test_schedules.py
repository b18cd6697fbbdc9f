"""Schedules: one job for one time, and what becomes of the times that were missed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import takewhile

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from records.errors import UserError
from records.instants import SHANGHAI, parse_instant
from storage.state import reading
from tests.workflow.conftest import AT
from workflow import jobs
from workflow.schedules import MOST_AT_ONCE, Misfire, Schedule, due, shown, tick

HOURLY = Schedule(name="rate", cron="10 * * * *", kind="meter.rate", parameters={"source": "c"}, misfire=Misfire.ALL)
HOUR = timedelta(hours=1)


def times(engine: sa.Engine) -> list[datetime]:
    """What the jobs are for, oldest first."""
    with reading(engine) as connection:
        found = jobs.list_jobs(connection)
    assert {(one.kind, one.actor) for one in found} <= {("meter.rate", "schedule")}
    return sorted(parse_instant(one.parameters["scheduled_for"]) for one in found)


def begun(engine: sa.Engine, plan: Schedule = HOURLY) -> datetime:
    """The plan is known; returns its first time."""
    assert tick(engine, [plan], AT) == 0
    return AT + timedelta(minutes=10)


def test_times_are_those_of_shanghai() -> None:
    month = replace(HOURLY, cron="0 0 1 * *")

    assert next(month.after(AT)).astimezone(UTC) == datetime(2026, 11, 30, 16, tzinfo=UTC)
    assert next(month.after(AT)) == datetime(2026, 12, 1, tzinfo=SHANGHAI)


def test_one_time_is_one_job_however_often_one_looks(engine: sa.Engine) -> None:
    first = begun(engine)
    assert tick(engine, [HOURLY], first - timedelta(seconds=1)) == 0
    assert [tick(engine, [HOURLY], first + timedelta(seconds=n)) for n in range(3)] == [1, 0, 0]
    assert times(engine) == [first]


def test_a_job_that_stands_is_not_ordered_again_after_a_crash(engine: sa.Engine) -> None:
    first = begun(engine)
    tick(engine, [HOURLY], first)
    with engine.begin() as connection:  # as if the schedule's own row had not been kept
        connection.execute(sa.text("UPDATE schedule SET next_at = :at"), {"at": int(first.timestamp() * 1_000_000)})
    tick(engine, [HOURLY], first)

    assert times(engine) == [first]


@pytest.mark.parametrize(
    ("misfire", "expected", "skipped"),
    [(Misfire.ALL, [0, 1, 2, 3, 4], 0), (Misfire.ONCE, [4], 4), (Misfire.SKIP, [], 5)],
)
def test_missed_times(engine: sa.Engine, misfire: Misfire, expected: list[int], skipped: int) -> None:
    plan = replace(HOURLY, misfire=misfire)
    first = begun(engine, plan)

    tick(engine, [plan], first + 4 * HOUR + timedelta(minutes=30))

    assert times(engine) == [first + n * HOUR for n in expected]
    (row,) = shown(engine, [plan])
    assert (row["skipped"], row["next_at"]) == (skipped, first + 5 * HOUR)
    assert row["last_at"] == (first + expected[-1] * HOUR if expected else None)


def test_a_time_within_the_grace_is_met(engine: sa.Engine) -> None:
    plan = replace(HOURLY, misfire=Misfire.SKIP)
    first = begun(engine, plan)

    tick(engine, [plan], first + 3 * HOUR + plan.grace)

    assert times(engine) == [first + 3 * HOUR]


def test_a_long_absence_is_made_up_for_bit_by_bit(engine: sa.Engine) -> None:
    first = begun(engine)
    late = first + 250 * HOUR

    assert [tick(engine, [HOURLY], late) for _ in range(4)] == [MOST_AT_ONCE, MOST_AT_ONCE, 51, 0]
    assert shown(engine, [HOURLY])[0]["next_at"] == first + 251 * HOUR


def test_a_changed_plan_begins_anew(engine: sa.Engine) -> None:
    begun(engine)
    changed = replace(HOURLY, cron="30 * * * *")

    assert tick(engine, [changed], AT + 5 * HOUR) == 0
    assert tick(engine, [changed], AT + 6 * HOUR) == 1
    assert times(engine) == [AT + 5 * HOUR + timedelta(minutes=30)]


def test_a_clock_set_back_repeats_nothing(engine: sa.Engine) -> None:
    first = begun(engine)
    tick(engine, [HOURLY], first)
    for at in (first - 3 * HOUR, first - HOUR, first):
        assert tick(engine, [HOURLY], at) == 0

    assert times(engine) == [first]


@pytest.mark.parametrize("cron", ["", "* * * *", "61 * * * *", "x", "0 2 * * * *; rm"])
def test_what_is_no_plan_is_told(cron: str) -> None:
    with pytest.raises(UserError, match="no plan of times"):
        replace(HOURLY, cron=cron)


@settings(deadline=None)
@given(
    st.sampled_from(["*/7 * * * *", "10 * * * *", "0 2 * * *", "5,35 8-18 * * 1-5"]),
    st.sampled_from(list(Misfire)),
    st.lists(st.integers(1, 4 * 24 * 60), min_size=1, max_size=6),
)
def test_however_often_one_looks_each_time_is_judged_once(cron: str, misfire: Misfire, pauses: list[int]) -> None:
    """The oracle: all times up to the last look, taken by one pass minute by minute."""
    plan = replace(HOURLY, cron=cron, misfire=misfire)
    at, following = AT, next(plan.after(AT))
    start, met, skipped = following, [], 0
    for pause in pauses:
        at += timedelta(minutes=pause)
        while following <= at:
            found, missed, following = due(plan, following, at)
            met += found
            skipped += missed
    every = list(takewhile(lambda one: one <= at, [start, *_until(plan, start, at)]))

    assert len(met) + skipped == len(every)
    assert set(met) <= set(every)
    assert sorted(set(met)) == met
    assert following > at
    if misfire is Misfire.ALL:
        assert met == every


def _until(plan: Schedule, start: datetime, end: datetime) -> list[datetime]:
    return list(takewhile(lambda one: one <= end, plan.after(start)))
