"""Rates: the fault matrix with known bytes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from columns_of import columns_of, judge, row_of, steady
from oracle import SECOND, Reading, Row
from steady_port import BOOT, BPS, STEP, T, at

from link_health.columns import Columns
from link_health.rates import LONGEST_US, bits_per_second, compute_rates
from link_health.series import Series


def seen(*readings: Reading, ceiling: int = 0) -> list[tuple[str, int | None] | None]:
    """Status and rate in of each reading; None where no row follows."""
    rows = judge(readings, T, ceiling)
    return [None if row is None else (row.status, row.rates[0] if row.rates else None) for row in rows]


FIRST = ("first", None)
GOOD = ("ok", BPS)


def test_steady() -> None:
    assert judge([at(0), at(1)], T)[1] == Row(at=10**15 + T, status="ok", length=T, rates=(BPS, BPS // 2))


def test_reboot_between_polls_gives_null_then_the_true_rate() -> None:
    rebooted = [at(1, 900, uptime=500), at(2, 900 + STEP, uptime=500 + 6000), at(3, 900 + 2 * STEP, uptime=500 + 12000)]
    assert seen(at(0), *rebooted) == [FIRST, ("reset", None), GOOD, GOOD]


def test_reboot_that_hides_behind_a_higher_uptime_and_higher_counters() -> None:
    young = at(0, 10, uptime=100)
    after_gap = at(60, 10**9, uptime=55 * 6000)  # booted five intervals after the first reading
    assert seen(young, after_gap, at(61, 10**9 + STEP, uptime=56 * 6000)) == [FIRST, ("reset", None), GOOD]


def test_uptime_wrap_after_497_days_is_no_reboot() -> None:
    assert seen(at(0, uptime=2**32 - 100), at(1, uptime=5900), at(2, uptime=11900)) == [FIRST, GOOD, GOOD]


def test_reboot_just_before_the_uptime_wrap_is_none_of_it() -> None:
    assert seen(at(0, 10**6, uptime=2**32 - 100), at(1, 5, uptime=200)) == [FIRST, ("reset", None)]


def test_cleared_counters_are_a_reset_and_no_wrap() -> None:
    assert seen(at(5), at(6, 0), at(7, STEP)) == [FIRST, ("reset", None), GOOD]


def narrow(step: float, octets: int, speed: int = 10**8) -> Reading:
    return at(step, bits=32, speed=speed, octets=(octets % 2**32, octets % 2**32))


def test_counter32_wrapped_once() -> None:
    start = 2**32 - 1000
    assert seen(narrow(0, start), narrow(1, start + STEP)) == [FIRST, GOOD]


def test_counter32_that_may_have_wrapped_twice_is_unknown() -> None:
    start = 2**32 - 1000
    seconds = 2**32 * 8 * 9 // 10 / 10**8  # 309 s for a port of 100 Mbit/s
    readings = [
        narrow(0, start),
        narrow(seconds / 60 + 0.1, start + 2 * 2**32 + 5),
        narrow(seconds / 60 + 1.1, start + 5 + STEP),
    ]
    assert seen(*readings) == [FIRST, ("unknown", None), GOOD]


def test_counter32_of_a_fast_port_is_refused_even_without_a_visible_wrap() -> None:
    assert seen(narrow(0, 0, 10**9), narrow(1, STEP, 10**9)) == [FIRST, ("unknown", None)]


def test_counter32_without_any_speed_is_unknown() -> None:
    assert seen(narrow(0, 0, 0), narrow(1, STEP, 0)) == [FIRST, ("unknown", None)]


def test_renumbered_interface_starts_anew() -> None:
    assert seen(at(0), at(1, if_index=9), at(2, if_index=9)) == [FIRST, ("reset", None), GOOD]


def test_discontinuity_starts_anew() -> None:
    assert seen(at(0), at(1, discontinuity=42), at(2, discontinuity=42)) == [FIRST, ("reset", None), GOOD]


def test_a_partial_answer_does_not_make_us_forget_the_discontinuity() -> None:
    readings = [at(0, discontinuity=7), at(1, discontinuity=None, if_index=None), at(2, discontinuity=8)]
    assert seen(*readings) == [FIRST, GOOD, ("reset", None)]


def test_engine_boots_change_is_a_reboot() -> None:
    assert seen(at(0, boots=3), at(1, boots=4), at(2, boots=4)) == [FIRST, ("reset", None), GOOD]


def test_counters_change_width() -> None:
    assert seen(at(0, bits=32), at(1), at(2)) == [FIRST, ("reset", None), GOOD]


def test_one_missed_poll_is_one_sample_of_two_intervals() -> None:
    silent = at(1, ok=False, octets=None, uptime=None)
    assert seen(at(0), silent, at(2), at(3)) == [FIRST, ("missing", None), ("interpolated", BPS), GOOD]


def test_three_intervals_are_interpolated_and_four_are_missing_with_the_volume_kept() -> None:
    assert seen(at(0), at(3)) == [FIRST, ("interpolated", BPS)]
    row = judge([at(0), at(4)], T)[1]
    assert row == Row(at=10**15 + 4 * T, status="missing", length=4 * T, raw=(BPS, BPS // 2))


def test_duplicates_and_late_replies_count_for_nothing() -> None:
    assert seen(at(0), at(1), at(1), at(0.5), at(2)) == [FIRST, GOOD, None, None, GOOD]


def test_port_speed_unknown_uses_the_contract() -> None:
    assert seen(at(0, speed=0), at(1, speed=None), ceiling=BPS) == [FIRST, GOOD]
    assert seen(at(0, speed=0), at(1, speed=None), ceiling=BPS // 2) == [FIRST, ("implausible", None)]


def test_implausible_is_kept_raw_and_never_clamped() -> None:
    row = judge([at(0, speed=10**7), at(1, speed=10**7)], T)[1]
    assert row == Row(at=10**15 + T, status="implausible", length=T, raw=(BPS, BPS // 2))


@pytest.mark.parametrize(("extra", "status"), [(0, "ok"), (1, "implausible")])
def test_plausible_up_to_a_twentieth_above_port_speed(extra: int, status: str) -> None:
    octets = 10**9 * 21 // 20 // 8 * 60 + extra * 60
    assert judge([at(0, 0, speed=10**9), at(1, octets, speed=10**9)], T)[1].status == status  # type: ignore[union-attr]


def test_cached_counters_are_merged_with_the_next_interval() -> None:
    assert seen(at(0), at(1), at(2, STEP), at(3), at(4)) == [FIRST, GOOD, None, ("interpolated", BPS), GOOD]


def test_an_idle_line_is_zero_in_the_end() -> None:
    idle = [at(step, STEP) for step in (2, 3, 4)]
    assert seen(at(0), at(1), *idle) == [FIRST, GOOD, None, ("interpolated", 0), ("ok", 0)]


def test_far_end_decides_about_cached_counters() -> None:
    def with_peer(peer: int, step: float) -> Row | None:
        context = replace(steady(1, T), peer=np.array([peer]))
        return row_of(compute_rates(columns_of([at(0, 7)]), columns_of([at(step, 7)]), context), 0)

    assert with_peer(1, 1) is None
    assert with_peer(1, 3.5) is None
    for long in (3.6, 5):
        stuck = with_peer(1, long)
        assert stuck is not None
        assert (stuck.status, stuck.rates) == ("unknown", None)
    idle = with_peer(0, 1)
    assert idle is not None
    assert (idle.status, idle.rates) == ("ok", (0, 0))


def test_partial_get_keeps_the_base() -> None:
    assert seen(at(0), at(1, octets=None), at(2)) == [FIRST, ("unknown", None), ("interpolated", BPS)]


def test_wall_clock_step_of_the_poller_changes_no_rate() -> None:
    stepped = at(1, at=10**15 + T + 3600 * SECOND)
    back = at(2, at=10**15 + 2 * T - 7200 * SECOND)
    assert seen(at(0), stepped, back) == [FIRST, GOOD, GOOD]


def test_new_poller_process_trusts_the_agent_over_the_wall() -> None:
    other = at(1, run=2, elapsed=3, at=10**15 + 3 * T)
    assert seen(at(0), other) == [FIRST, GOOD]


def test_wall_put_back_between_two_runs_starts_anew_instead_of_waiting() -> None:
    other = [
        at(step, run=2, elapsed=int(step) * T * 1000, at=10**15 - 3600 * SECOND + int(step) * T) for step in (1, 2)
    ]
    assert seen(at(0), *other) == [FIRST, ("reset", None), GOOD]


def test_an_agent_whose_clock_runs_wrong_is_measured_by_ours_and_flagged() -> None:
    slow = [at(step, uptime=BOOT + int(step * 3000)) for step in (0, 1)]
    series = Series()
    where = series.numbers([("d", "i")])
    rates = [series.absorb(where, columns_of([one]), T) for one in slow][1]
    assert (row_of(rates, 0), bool(rates.clock[0])) == (
        Row(at=10**15 + T, status="ok", length=T, rates=(BPS, BPS // 2)),
        True,
    )


def test_a_late_answer_is_measured_by_the_agents_clock() -> None:
    late = at(1, elapsed=(T + 1_500_000) * 1000 + 5)
    assert seen(at(0), late) == [FIRST, GOOD]


def test_year_long_gap_overflows_nothing() -> None:
    row = judge([at(0, 0, uptime=None), at(525_600, 2**63, uptime=None)], T)[1]
    assert row == Row(at=10**15 + 525_600 * T, status="implausible", length=525_600 * T)


@pytest.mark.parametrize("more", [0, 1])
def test_a_figure_is_kept_of_gaps_up_to_104_days(more: int) -> None:
    length = LONGEST_US + more
    told = Reading(at=10**15 + length, elapsed=length * 1000, octets=(9 * 10**12, 0))
    row = judge([Reading(at=10**15, elapsed=0), told], T)[1]
    assert row == Row(at=told.at, status="missing", length=length, raw=None if more else (8_000_000, 0))


@pytest.mark.parametrize("octets", [(2**60, 0), (0, 2**60)])
def test_what_no_port_carries_is_implausible_even_without_a_limit(octets: tuple[int, int]) -> None:
    row = judge([at(0, 0, speed=0), at(1, octets=octets, speed=0)], T)[1]
    highest = (2**63 - 1, 0) if octets[0] else (0, 2**63 - 1)
    assert row == Row(at=10**15 + T, status="implausible", length=T, raw=highest)


@pytest.mark.parametrize(
    ("octets", "length_us", "bps"),
    [
        (0, 1, 0),
        (1, 16_000_000, 1),  # half up
        (1, 16_000_001, 0),
        (2**60 - 1, LONGEST_US, 1_024_819_115_206),
        (2**60, LONGEST_US, 2**63 - 1),
        (1_152_921_504_606, 1, 9_223_372_036_848_000_000),
        (1_152_921_504_607, 1, 2**63 - 1),
        (2**63, 10**12, 2**63 - 1),
    ],
)
def test_bits_per_second_at_its_edges(octets: int, length_us: int, bps: int) -> None:
    found = bits_per_second(np.array([octets], np.uint64), np.array([length_us], np.int64))
    assert (found.tolist(), found.dtype) == ([bps], np.int64)


def test_columns_can_be_cut_and_joined() -> None:
    whole = columns_of([at(step) for step in range(4)])
    again = Columns.joined([whole.take(slice(0, 2)), whole.take(np.array([2, 3]))])
    assert all(np.array_equal(getattr(whole, name), getattr(again, name)) for name in ("at_us", "in_octets", "ok"))
