"""Rates: the fault matrix with known bytes, and any history against the oracle."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import numpy as np
import pytest
from columns_of import columns_of, judge, row_of, steady
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import SECOND, Oracle, Reading, Row

from link_health.columns import Columns
from link_health.rates import LONGEST_US, Context, bits_per_second, compute_rates, next_base
from link_health.series import Series

T = 60 * SECOND
BPS = 80_000_000
STEP = BPS // 8 * 60  # octets in one interval
BOOT = 7_777_777  # ticks of uptime at the first reading


def at(step: float, total: int | None = None, **changes: object) -> Reading:
    """The reading at ``step`` intervals of a port that carries 80 Mbit/s in and half of it out."""
    now = int(step * T)
    count = int(step * STEP) if total is None else total
    plain = Reading(
        at=10**15 + now,
        elapsed=now * 1000 + 5,
        uptime=(BOOT + now // 10_000) % 2**32,
        octets=(count, count // 2),
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


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
    assert with_peer(1, 3) is None
    stuck = with_peer(1, 5)
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


@given(
    st.lists(st.tuples(st.integers(0, 2**60 - 1), st.integers(1, LONGEST_US)), min_size=1, max_size=20),
)
def test_bits_per_second_is_exact(pairs: list[tuple[int, int]]) -> None:
    octets, lengths = (
        np.array(values, kind) for values, kind in zip(zip(*pairs, strict=True), (np.uint64, np.int64), strict=True)
    )
    exact = [(2 * one * 8_000_000 + length) // (2 * length) for one, length in pairs]
    small = [rate if rate // SECOND < (2**63 - 1) // SECOND else 2**63 - 1 for rate in exact]
    assert bits_per_second(octets, lengths).tolist() == small


readings = st.fixed_dictionaries(
    {
        "gap": st.sampled_from(
            [0, 1, SECOND, T // 2, T, T, T, T + 3 * SECOND, 2 * T, 3 * T, 5 * T, 400 * T, -T, -5 * T]
        ),
        "drift": st.sampled_from([0, 0, 0, 0, 1, 300, -300, -5000, 10**6]),
        "octets": st.tuples(*[st.sampled_from([0, 0, 1, 9_999, STEP, 2**31, 2**33, -50, -(2**30)])] * 2),
        "reboot": st.sampled_from([False] * 9 + [True]),
        "kind": st.sampled_from(["ok"] * 8 + ["fail", "partial"]),
        "run": st.sampled_from([0, 0, 0, 0, 1]),
        "wall": st.sampled_from([0, 0, 0, 0, 3600 * SECOND, -3600 * SECOND]),
        "index": st.sampled_from([1, 1, 1, 1, 1, 1, 2, None]),
        "discontinuity": st.sampled_from([0] * 8 + [5, None]),
        "boots": st.sampled_from([None] * 6 + [1, 1, 2]),
        "speed": st.sampled_from([10**10, 10**10, 10**9, 10**8, 0, None]),
        "bits": st.sampled_from([64] * 7 + [32]),
        "oper": st.sampled_from([1, 1, 1, 2, 7]),
        "no_uptime": st.sampled_from([False] * 8 + [True]),
    }
)


def history(steps: list[dict[str, object]]) -> list[Reading]:
    """Readings of an agent that lives through the steps; its clocks and counters move as told."""
    now, wall, uptime, counts = 10**13, 10**15, 2**32 - 30_000, [2**32 - 10**6, 10**7]
    found = []
    for one in steps:
        gap = int(one["gap"])  # type: ignore[call-overload]
        now, wall = now + gap, wall + gap + int(one["wall"])  # type: ignore[call-overload]
        uptime = 50 if one["reboot"] else max(uptime + gap // 10_000 + int(one["drift"]), 0)  # type: ignore[call-overload]
        octets: tuple[int, int] = one["octets"]  # type: ignore[assignment]
        counts = [0, 0] if one["reboot"] else [max(0, count + more) for count, more in zip(counts, octets, strict=True)]
        modulus = 2**32 if one["bits"] == 32 else 2**64
        reading = Reading(
            at=wall, elapsed=now * 1000, run=one["run"], ok=one["kind"] != "fail", bits=one["bits"],  # type: ignore[arg-type]
            uptime=None if one["no_uptime"] or one["kind"] == "fail" else uptime % 2**32, boots=one["boots"],  # type: ignore[arg-type]
            if_index=one["index"], discontinuity=one["discontinuity"], oper=one["oper"], speed=one["speed"],  # type: ignore[arg-type]
            octets=(counts[0] % modulus, counts[1] % modulus) if one["kind"] == "ok" else None,
        )  # fmt: skip
        found.append(reading)
    return found


@settings(max_examples=200, deadline=None)
@given(st.lists(readings, max_size=25), st.sampled_from([0, 10**9]))
def test_any_history_gives_what_the_oracle_gives(steps: list[dict[str, object]], ceiling: int) -> None:
    told = history(steps)
    oracle = Oracle(T, ceiling)
    assert judge(told, T, ceiling) == [oracle.read(one) for one in told]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(readings, min_size=6, max_size=6), min_size=1, max_size=12))
def test_many_series_at_once_give_what_each_gives_alone(histories: list[list[dict[str, object]]]) -> None:
    told = [history(steps) for steps in histories]
    series = Series()
    where = series.numbers([("d", str(one)) for one in range(len(told))])
    together = [series.absorb(where, columns_of(moment), T) for moment in zip(*told, strict=True)]
    for place, one in enumerate(told):
        assert [row_of(rates, place) for rates in together] == judge(one, T)


EDGES = [
    -3 * T,
    -2 * T,
    -T,
    0,
    1,
    3 * SECOND,
    4 * SECOND,
    T // 2,
    T,
    T,
    T,
    100 * SECOND,
    3 * T // 2,
    7 * T // 2,
    400 * T,
]
NARROW_US = 2**32 * 8 * 9 // 10 * SECOND


def near(random: Random, *values: int) -> int:
    return random.choice(values) + random.choice((-1, 0, 0, 0, 1))


def uptimes(random: Random, local: int) -> tuple[int | None, int | None]:
    """Around each edge: of the tolerance, of the wrap, of a boot within the interval."""
    before = near(random, 1, BOOT, 2**32 - 2, 2**32 - local * 3 // 2 // 10_000)
    tolerance = max(2 * SECOND, local // 50)
    drift = random.choice((0, 0, 0, 0, tolerance, -tolerance, -local // 2))
    after = near(random, *[before + (local + drift) // 10_000] * 4, (local - tolerance) // 10_000, before, 1)
    return random.choice((before % 2**32,) * 9 + (None,)), random.choice((after % 2**32,) * 9 + (None,))


def pair(random: Random) -> tuple[Reading, Reading]:
    """Two readings whose every quantity lies at an edge of some rule."""
    local, limit = near(random, *EDGES), near(random, 1, 10**6, 10**9, NARROW_US // 10**8)
    if random.random() < 0.2:
        limit = near(random, max(NARROW_US // max(local, 1), 1))
    begun = random.choice((None, 0, 1, 10**15, 10**15, 10**15))
    elapsed = None if begun is None else random.choice((begun + local * 1000 + random.choice((0, 999)), None, 0, 1))
    up, later = uptimes(random, local)
    octets = [random.choice((0, 0, 1, 2**32 - 1, 2**40)) for _ in range(2)]
    full = limit * 21 // 20 * max(local, 1) // (8 * SECOND)
    moved = [max(0, one + random.choice((0, 0, 0, 1, 9999, full, full + 1, 2**31, -1))) for one in octets]
    kept = {
        "boots": (None, None, None, 0, 1),
        "if_index": (None, 0, 1, 1, 1, 1),
        "discontinuity": (None, 0, 0, 0, 0, 1),
    }
    known = [{name: random.choice(values) for name, values in kept.items()} for _ in range(2)]
    width = random.choice((64, 64, 64, 32))
    before = Reading(
        at=10**15, elapsed=begun, uptime=up, octets=(octets[0] % 2**width, octets[1] % 2**width), bits=width,
        speed=random.choice((None, 0, limit)), **known[0],
    )  # fmt: skip
    wide = random.choice((width,) * 9 + (64,))
    after = Reading(
        at=10**15 + (local if random.random() < 0.5 else near(random, *EDGES)), run=random.choice((0, 0, 0, 1)),
        elapsed=None if elapsed is None or elapsed < 0 else elapsed, uptime=later, bits=wide,
        octets=random.choice(((moved[0] % 2**wide, moved[1] % 2**wide),) * 9 + (None,)),
        speed=random.choice((None, 0, limit)), oper=random.choice((0, 1, 1, 1, 2)), ok=random.random() < 0.9, **known[1],
    )  # fmt: skip
    return before, after


def clocks_disagree(before: Reading, after: Reading, interval: int) -> bool:
    """Of answers that are no reboot."""
    oracle = Oracle(interval)
    local, same_run = oracle._local(before, after)
    if before.uptime is None or after.uptime is None or (local <= 0 and (same_run or local > -2 * interval)):
        return False
    agent = (after.uptime - before.uptime) % 2**32 * 10_000
    put_back = not same_run and local <= -2 * interval
    reboot = put_back or oracle._length(before, after, local, same_run)[1]
    return after.ok and after.octets is not None and not reboot and abs(agent - local) > max(2 * SECOND, local // 50)


@pytest.mark.parametrize("seed", range(8))
def test_any_pair_at_the_edges_gives_what_the_oracle_gives(seed: int) -> None:
    random = Random(seed)  # noqa: S311 - made-up readings, the same each time
    pairs = [pair(random) for _ in range(1500)]
    ceiling = np.array([random.choice((0, 10**6, 10**9)) for _ in pairs], np.int64)
    seen, moved = (np.array([random.random() < share for _ in pairs]) for share in (0.95, 0.5))
    peer = np.array([random.choice((-1, -1, 0, 1)) for _ in pairs], np.int64)
    before, after = (columns_of(side) for side in zip(*pairs, strict=True))
    context = Context(interval_us=T, seen=seen, ceiling_bps=ceiling, moved=moved, peer=peer)
    rates = compute_rates(before, after, context)
    nullable = (rates.length_us, rates.in_bps, rates.out_bps, rates.raw_in_bps, rates.raw_out_bps)
    assert [one.min() for one in nullable] == [-1] * 5
    base = next_base(before, after, rates)
    for place, (one, other) in enumerate(pairs):
        oracle = Oracle(T, int(ceiling[place]), None if peer[place] < 0 else bool(peer[place]))
        oracle.base, oracle.moved = one if seen[place] else None, bool(moved[place])
        assert row_of(rates, place) == oracle.read(other), (one, other)
        kept = columns_of([oracle.base or one])
        assert not seen[place] or all(
            getattr(base, name)[place] == getattr(kept, name)[0] for name in Columns.__dataclass_fields__
        )
        assert rates.clock[place] == (bool(seen[place]) and clocks_disagree(one, other, T)), (one, other)
        assert rates.oper[place] == (other.oper if other.ok else 0)


def test_columns_can_be_cut_and_joined() -> None:
    whole = columns_of([at(step) for step in range(4)])
    again = Columns.joined([whole.take(slice(0, 2)), whole.take(np.array([2, 3]))])
    assert all(np.array_equal(getattr(whole, name), getattr(again, name)) for name in ("at_us", "in_octets", "ok"))
