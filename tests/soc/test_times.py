"""Years and zones that RFC 3164 leaves out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soc.parse.times import CHINA, any_instant, iso_instant, yearless


@pytest.mark.parametrize(
    ("month", "day", "hour", "received", "expected"),
    [
        pytest.param(
            12,
            31,
            23,
            datetime(2026, 1, 1, 0, 30, tzinfo=UTC),
            datetime(2025, 12, 31, 15, tzinfo=UTC),
            id="last year's line",
        ),
        pytest.param(
            1,
            1,
            0,
            datetime(2025, 12, 31, 15, 59, tzinfo=UTC),
            datetime(2025, 12, 31, 16, tzinfo=UTC),
            id="a clock ahead over new year",
        ),
        pytest.param(3, 2, 10, datetime(2026, 3, 2, 2, 1, tzinfo=UTC), datetime(2026, 3, 2, 2, tzinfo=UTC), id="China"),
        pytest.param(
            3,
            2,
            2,
            datetime(2026, 3, 2, 2, 1, tzinfo=UTC),
            datetime(2026, 3, 2, 2, tzinfo=UTC),
            id="UTC where only that is near",
        ),
        pytest.param(2, 29, 8, datetime(2026, 3, 1, tzinfo=UTC), datetime(2024, 2, 29, 0, tzinfo=UTC), id="leap day"),
        pytest.param(
            4, 1, 8, datetime(2026, 3, 1, tzinfo=UTC), datetime(2025, 4, 1, 0, tzinfo=UTC), id="old line of a file"
        ),
    ],
)
def test_year_and_zone(month: int, day: int, hour: int, received: datetime, expected: datetime) -> None:
    assert yearless(month, day, (hour, 0, 0, 0), received) == expected


def test_no_such_day() -> None:
    assert yearless(2, 30, (0, 0, 0, 0), datetime(2026, 3, 1, tzinfo=UTC)) is None


@given(st.datetimes(datetime(2010, 1, 1), datetime(2040, 1, 1)), st.integers(0, 299))
def test_a_live_line_is_dated_rightly(sent: datetime, delay: int) -> None:
    at = sent.replace(microsecond=0, tzinfo=UTC)
    local = at.astimezone(CHINA)
    found = yearless(local.month, local.day, (local.hour, local.minute, local.second, 0), at + timedelta(seconds=delay))
    assert found == at


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-02T10:00:00+08:00", datetime(2026, 3, 2, 2, tzinfo=UTC)),
        ("2026-03-02 10:00:00", datetime(2026, 3, 2, 2, tzinfo=UTC)),
        ("2026-03-02T02:00:00.123456789Z", datetime(2026, 3, 2, 2, 0, 0, 123456, tzinfo=UTC)),
        ("2026-03-02T02:00:00,5-0130", datetime(2026, 3, 2, 3, 30, 0, 500000, tzinfo=UTC)),
        ("2026-13-02T02:00:00Z", None),
        ("0001-01-01T00:00:00+08:00", None),
        ("soon", None),
    ],
)
def test_iso(text: str, expected: datetime | None) -> None:
    assert iso_instant(text) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1772416800, datetime(2026, 3, 2, 2, tzinfo=UTC)),
        (1772416800000, datetime(2026, 3, 2, 2, tzinfo=UTC)),
        (float("nan"), None),
        (1e300, None),
        (True, None),
        ([], None),
    ],
)
def test_numbers(value: object, expected: datetime | None) -> None:
    assert any_instant(value) == expected
