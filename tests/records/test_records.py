"""Instants, months, errors, secrets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from records.errors import Problem, RefusedError, UnreachableError, UsageError, UserError
from records.instants import format_instant, month_bounds, month_of, next_month, parse_instant, previous_month
from records.secret import Secret

AWARE = st.datetimes(
    min_value=datetime(1971, 1, 1),
    max_value=datetime(2200, 1, 1),
    timezones=st.just(UTC),
)


def test_a_month_is_cut_at_midnight_in_shanghai() -> None:
    assert month_bounds("2026-10") == (datetime(2026, 9, 30, 16, tzinfo=UTC), datetime(2026, 10, 31, 16, tzinfo=UTC))
    assert (previous_month("2026-01"), next_month("2026-12")) == ("2025-12", "2027-01")


@given(AWARE)
def test_every_instant_lies_in_its_month(at: datetime) -> None:
    start, end = month_bounds(month_of(at))

    assert start <= at < end
    assert month_bounds(next_month(month_of(at)))[0] == end


@given(AWARE, st.integers(-14 * 60, 14 * 60))
def test_an_instant_survives_writing_in_any_zone(at: datetime, minutes: int) -> None:
    zone = timezone(timedelta(minutes=minutes))

    assert parse_instant(format_instant(at)) == at
    assert parse_instant(at.astimezone(zone).isoformat()) == at


@pytest.mark.parametrize(
    "text", ["2026-01-01", "2026-01-01T00:00:00", "now", "2026-13-01T00:00:00Z", "", "2026-1-1T0:0:0Z"]
)
def test_what_is_no_instant_with_offset_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"instant|month|range"):
        parse_instant(text)


@pytest.mark.parametrize("text", ["2026-00", "2026-13", "26-01", "2026-1", "2026-01-01", "x"])
def test_what_is_no_month_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a month"):
        month_bounds(text)


def test_naive_instants_are_refused() -> None:
    with pytest.raises(ValueError, match="naive"):
        format_instant(datetime(2026, 1, 1))


def test_errors_carry_their_exit_code_and_are_translated_before_they_are_filled() -> None:
    error = UserError("unknown tenant '{tenant}'", "run {command}", where="u.csv:7", tenant="x", command="ls")

    assert [kind.exit_code for kind in (UserError, UsageError, UnreachableError, RefusedError)] == [3, 2, 4, 5]
    assert error.problems[0].as_json() == {"where": "u.csv:7", "what": "unknown tenant 'x'", "next": "run ls"}
    assert error.problems[0].text(lambda template: template.replace("unknown tenant", "未知租户")) == "未知租户 'x'"


def test_many_problems_are_one_error() -> None:
    problems = [Problem("a", "b", "f:1"), Problem("c", "d", "f:2")]

    assert UserError.of(problems).problems == tuple(problems)
    with pytest.raises(ValueError, match="at least one"):
        UserError.of([])


def test_a_secret_never_shows() -> None:
    secret = Secret("hunter2")

    assert "hunter2" not in f"{secret} {secret!r} {[secret]} {secret!s}"
    assert secret.reveal() == "hunter2"
    assert secret == Secret("hunter2") != Secret("x")
