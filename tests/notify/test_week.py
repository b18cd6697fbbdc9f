"""Spans of the week and rosters, in the time of Shanghai."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notify.notice import Person
from notify.rosters import Duty, Roster, Span
from notify.routing import after_quiet
from notify.week import DAYS, parse_span
from records.instants import SHANGHAI

WANG, LI = Person(name="王"), Person(name="李")


def shanghai(text: str) -> datetime:
    """2026-11-23 is a Monday."""
    return datetime.fromisoformat(f"2026-11-{text}").replace(tzinfo=SHANGHAI).astimezone(UTC)


@pytest.mark.parametrize(
    ("text", "at", "end"),
    [
        pytest.param("08:00-18:00", "23T08:00", "23T18:00", id="starts inclusive"),
        pytest.param("08:00-18:00", "23T18:00", None, id="ends exclusive"),
        pytest.param("22:00-07:00", "23T23:00", "24T07:00", id="over midnight, evening"),
        pytest.param("22:00-07:00", "24T06:59", "24T07:00", id="over midnight, morning"),
        pytest.param("22:00-07:00", "24T07:00", None, id="over midnight, over"),
        pytest.param("mon 22:00-07:00", "24T01:00", "24T07:00", id="Tuesday night belongs to Monday"),
        pytest.param("tue 22:00-07:00", "24T01:00", None, id="but not to Tuesday"),
        pytest.param("mon-fri", "22T12:00", None, id="Sunday is no workday"),
        pytest.param("sat,sun", "22T12:00", "23T00:00", id="the whole of Sunday"),
        pytest.param("fri-mon 09:00-10:00", "22T09:30", "22T10:00", id="days run over the week's end"),
        pytest.param("00:00-24:00", "23T00:00", "24T00:00", id="a whole day"),
        pytest.param("18:00-24:00", "23T23:59", "24T00:00", id="up to midnight"),
    ],
)
def test_span(text: str, at: str, end: str | None) -> None:
    assert parse_span(text).end_after(shanghai(at)) == (shanghai(end) if end else None)


@pytest.mark.parametrize(
    "text", ["", "8-18", "25:00-26:00", "08:00-24:30", "monday", "mon-", "mon fri 08:00-09:00", "08:00-09:00 mon", "-"]
)
def test_no_span(text: str) -> None:
    with pytest.raises(ValueError, match="no span"):
        parse_span(text)


spans = st.builds(
    Span,
    start=st.times().map(lambda at: at.replace(second=0, microsecond=0)),
    end=st.times().map(lambda at: at.replace(second=0, microsecond=0)),
    days=st.sets(st.integers(0, 6), min_size=1).map(frozenset),
)
instants = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC))


def slow_holds(span: Span, at: datetime) -> bool:
    """Minute by minute of the local week, as one would read it from a table on the wall."""
    local = at.astimezone(SHANGHAI)
    minute, day = local.hour * 60 + local.minute, local.weekday()
    start, end = (one.hour * 60 + one.minute for one in (span.start, span.end))
    if start < end:
        return day in span.days and start <= minute < end
    return (day in span.days and minute >= start) or ((day - 1) % 7 in span.days and minute < end)


@given(spans, instants)
def test_a_span_is_what_the_table_on_the_wall_says(span: Span, at: datetime) -> None:
    assert span.holds(at) == slow_holds(span, at)


@given(st.lists(spans, max_size=3), instants)
def test_what_quiet_hours_defer_comes_outside_of_them_and_never_earlier(quiet: list[Span], at: datetime) -> None:
    due = after_quiet(quiet, at)

    assert due >= at
    assert due >= at + timedelta(days=7) or not any(span.holds(due) for span in quiet)
    assert all(any(span.holds(at + part * (due - at) / 7) for span in quiet) for part in range(7) if due > at)


def test_spans_that_leave_no_hour_free_hold_nothing_back_for_ever() -> None:
    assert after_quiet([Span()], shanghai("23T12:00")) <= shanghai("23T12:00") + timedelta(days=8)


@pytest.mark.parametrize(
    ("at", "people"),
    [
        pytest.param("23T09:00", (WANG,), id="day"),
        pytest.param("23T17:30", (WANG, LI), id="hand-over: both"),
        pytest.param("23T23:00", (LI,), id="night"),
        pytest.param("22T12:00", (WANG, LI), id="nobody on duty: everybody"),
    ],
)
def test_who_is_on_duty(at: str, people: tuple[Person, ...]) -> None:
    day = Duty(person=WANG, span=parse_span("mon-fri 08:00-18:00"))
    night = Duty(person=LI, span=parse_span("mon-fri 17:00-08:00"))
    again = Duty(person=WANG, span=parse_span("mon-fri 09:00-09:30"))

    assert Roster(duties=(day, night, again)).on_duty(shanghai(at)) == people


def test_days_are_named_from_monday() -> None:
    assert [parse_span(day).days for day in DAYS] == [frozenset({number}) for number in range(7)]
    assert parse_span("mon 08:00-09:00") == Span(start=time(8), end=time(9), days=frozenset({0}))
