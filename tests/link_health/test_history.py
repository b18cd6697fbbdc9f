"""A history judged in one go is what the consumer would have made of it, reading by reading."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from columns_of import columns_of, row_of
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import Reading
from province import PROVINCE, START, T

from link_health.columns import Columns
from link_health.history import rates_of_history
from link_health.series import Series
from link_health.watch import Watch
from records.instants import microseconds

US = 1_000_000
KEYS = [(end.device, end.interface) for one in PROVINCE.links for end in (one.a, one.b) if end]


def readings_of(table: list[list[Reading]]):
    """Series after series, chosen by instant."""
    times = {one.at: step for step, one in enumerate(table[0])}

    def at(instants: np.ndarray) -> Columns:
        steps = [times[int(instant)] for instant in instants]
        return columns_of([series[step] for series in table for step in steps])

    return at


def told(faults: list[list[str]], steps: int) -> list[list[Reading]]:
    table = []
    for number, _ in enumerate(KEYS):
        row = []
        for step in range(steps):
            now = microseconds(START) + (1435 + step) * T * US  # crosses midnight after five steps
            plain = Reading(
                at=now,
                elapsed=now * 1000,
                uptime=(now // 10_000) % 2**32,
                octets=(step * 10**6 * (number + 1), step * 10**5),
            )
            fault = faults[number][step] if step < len(faults[number]) else ""
            changes = {
                "fail": {"ok": False, "octets": None, "uptime": None, "oper": 0},
                "partial": {"octets": None},
                "down": {"oper": 2},
                "reset": {"octets": (1, 1)},
                "same": {"octets": row[-1].octets if row else (0, 0)},
                "noindex": {"if_index": None},
                "index": {"if_index": 2},
            }
            row.append(replace(plain, **changes.get(fault, {})))
        table.append(row)
    return table


faults = st.lists(
    st.lists(
        st.sampled_from([""] * 8 + ["fail", "fail", "partial", "down", "reset", "same", "noindex", "index"]),
        max_size=12,
    ),
    min_size=6,
    max_size=6,
)


@settings(max_examples=40, deadline=None)
@given(faults)
def test_the_rates_are_those_of_reading_by_reading(plan: list[list[str]]) -> None:
    table = told(plan, 12)
    times = np.array([one.at for one in table[0]])
    days = list(rates_of_history(readings_of(table), times, KEYS, interval_us=T * US))
    found = {
        (row["device"], row["interface"], microseconds(row["at"])): row for day in days for row in day.rates.to_pylist()
    }
    series = Series()
    where = series.numbers(KEYS)
    for step in range(12):
        rates = series.absorb(where, columns_of([row[step] for row in table]), T * US)
        for place, key in enumerate(KEYS):
            expected = row_of(rates, place)
            row = found.pop((*key, int(times[step])), None)
            assert (row is None) == (expected is None)
            if row is not None and expected is not None:
                pair = (row["in_bps"], row["out_bps"]) if row["in_bps"] is not None else None
                assert (row["status"], pair) == (expected.status, expected.rates)
    assert found == {}


@settings(max_examples=40, deadline=None)
@given(faults)
def test_the_turns_are_those_of_the_watch(plan: list[list[str]]) -> None:
    table = told([[fault if fault in {"fail", "down"} else "" for fault in row] for row in plan], 12)
    times = np.array([one.at for one in table[0]])
    days = rates_of_history(readings_of(table), times, KEYS, interval_us=T * US, links=PROVINCE.links)
    found = sorted(turn for day in days for turn in day.turns)
    watch = Watch(T * US)
    watch.use(PROVINCE)
    watch.marks.append(-1)
    where = watch.series.numbers(KEYS)
    for step in range(12):
        watch.absorb(where, columns_of([row[step] for row in table]), 0)
    assert found == sorted(watch.take().turns)


def test_days_are_cut_at_midnight_utc() -> None:
    table = told([[]] * 6, 12)
    times = np.array([one.at for one in table[0]])
    days = list(rates_of_history(readings_of(table), times, KEYS, interval_us=T * US))
    assert [len(day.rates) for day in days] == [6 * 5, 6 * 7]


@pytest.mark.parametrize("count", [0, 1])
def test_short_histories(count: int) -> None:
    table = told([[]] * 6, max(count, 1))
    times = np.array([one.at for one in table[0]][:count], np.int64)
    days = list(rates_of_history(readings_of(table), times, KEYS, interval_us=T * US))
    assert [set(day.rates.column("status").to_pylist()) for day in days] == [{"first"}] * count
