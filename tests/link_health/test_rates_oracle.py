"""Rates: any history, many at once, and any pair of readings at the edges give what the slow oracle gives."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from columns_of import columns_of, judge, row_of
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import SECOND, Oracle, Reading
from steady_port import BOOT, STEP, T

from link_health.columns import Columns
from link_health.rates import LONGEST_US, Context, bits_per_second, compute_rates, next_base
from link_health.series import Series


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
