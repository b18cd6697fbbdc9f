from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from cloud_metering.findings import conflicts, overlaps
from records.instants import parse_instant
from tests.cloud_metering.conftest import row, usage

START = 1_782_835_200  # 2026-07-01T00:00:00+08:00


def span(number: int, start: int, end: int, **more: str) -> dict:
    from datetime import UTC, datetime  # noqa: PLC0415 - beside its only use

    at = [datetime.fromtimestamp(START + 3600 * hour, UTC) for hour in (start, end)]
    return row(event_id=f"e{number}", start=at[0], end=at[1]) | more


def test_only_the_same_series_overlaps() -> None:
    rows = [
        span(1, 0, 2),
        span(2, 1, 3, resource="vm-2"),
        span(3, 1, 3, source="other"),
        span(4, 1, 3, meter="memory"),
        span(5, 2, 3),
    ]
    assert overlaps(usage(*rows), "2026-07") == []


def test_an_overlap_tells_the_later_window() -> None:
    (found,) = overlaps(usage(span(1, 0, 2), span(2, 1, 3)), "2026-07")
    assert found.as_json() == {
        "what": "overlap", "where": "prov-cloud/e2", "tenant": "fin-core", "meter": "vcpu", "sku": None,
        "quantity": "4.000000",
        "unit": "vcpu*h", "start": "2026-06-30T17:00:00Z", "end": "2026-06-30T19:00:00Z",
    }  # fmt: skip


def test_an_overlap_in_another_month_is_not_this_months() -> None:
    rows = usage(span(1, -5, 1), span(2, -3, 1))
    assert overlaps(usage(span(1, -5, -1), span(2, -3, 1)), "2026-07") == []
    assert [one.quantity for one in overlaps(rows, "2026-07")] == [Fraction(1)]
    assert [one.quantity for one in overlaps(rows, "2026-06")] == [Fraction(3)]


def test_mixed_units_have_no_sum() -> None:
    (found,) = conflicts(usage(span(1, 0, 1), span(2, 0, 1, unit="vcpu*month")), "2026-07")
    assert (found.what, found.quantity, found.unit) == ("conflict", None, None)
    assert found.start == parse_instant("2026-06-30T16:00:00Z")


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 8), st.sampled_from("ab")), max_size=12))
def test_overlap_is_what_the_naive_look_finds(windows: list[tuple[int, int, str]]) -> None:
    rows = [span(n, start, start + length, resource=resource) for n, (start, length, resource) in enumerate(windows)]
    shared = any(
        one["resource"] == two["resource"] and one["start"] < two["end"] and two["start"] < one["end"]
        for n, one in enumerate(rows)
        for two in rows[:n]
    )
    assert bool(overlaps(usage(*rows), "2026-07")) == shared
