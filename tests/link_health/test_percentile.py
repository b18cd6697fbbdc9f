"""P95 against exact rational arithmetic, and the rules about gaps, completeness and groups."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from link_health.columns import IMPLAUSIBLE, INTERPOLATED, MISSING, OK, RESET, Rates
from link_health.percentile import Bins, Grid, Percentile, add_members, fill_bins, nearest_rank, percentile, stand_in

S = 1_000_000
GRID = Grid(start_us=10**15, length_us=300 * S, count=12)

Sample = tuple[int, int, int, int, int]  # end in us after the grid's start, length, in, out, status


def rates_of(samples: list[Sample]) -> Rates:
    columns = (
        [np.array(values, np.int64) for values in zip(*samples, strict=True)]
        if samples
        else [np.zeros(0, np.int64)] * 5
    )
    end, length, rate_in, rate_out, status = columns
    null = np.full(len(end), -1, np.int64)
    shown, raw = np.isin(status, (OK, INTERPOLATED)), status == MISSING
    yes = np.ones(len(end), np.bool_)
    return Rates(
        at_us=GRID.start_us + end, length_us=length, status=status, oper=yes.astype(np.int64), emit=yes, stale=~yes,
        seed=yes,
        clock=~yes, in_bps=np.where(shown, rate_in, null), out_bps=np.where(shown, rate_out, null),
        raw_in_bps=np.where(raw, rate_in, null), raw_out_bps=np.where(raw, rate_out, null),
    )  # fmt: skip


def bins_of(samples: list[Sample], grid: Grid = GRID) -> Bins:
    return fill_bins(rates_of(samples), np.zeros(len(samples), np.int64), grid, 1)


Kind = tuple[str, int, int]  # real | interpolated | missing, in, out


def kinds(bins: Bins) -> list[Kind]:
    """The only row, bin by bin; figures are whole numbers and not floats."""
    assert [bins.in_bps.dtype, bins.out_bps.dtype] == [np.int64] * 2
    names = np.where(bins.real, "real", np.where(bins.interpolated, "interpolated", "missing"))
    assert not (bins.real & bins.interpolated).any()
    return list(zip(names[0].tolist(), bins.in_bps[0].tolist(), bins.out_bps[0].tolist(), strict=True))


def oracle_bins(samples: list[Sample], grid: Grid = GRID) -> list[Kind]:
    """Bin by bin with fractions."""
    found = []
    for place in range(grid.count):
        low, high = place * grid.length_us, (place + 1) * grid.length_us
        fine: list[tuple[int, int, int]] = []
        coarse: list[tuple[int, int, int]] = []
        for end, length, rate_in, rate_out, status in samples:
            share = min(end, high) - max(end - length, low)
            if share <= 0 or length <= 0 or status == RESET:
                continue
            if status in {OK, INTERPOLATED} and length <= grid.length_us:
                fine.append((share, rate_in, rate_out))
            elif status in {OK, INTERPOLATED} or length <= 5 * grid.length_us:
                coarse.append((share, rate_in, rate_out))
        real = sum(share for share, *_ in fine) >= Fraction(9, 10) * grid.length_us
        used = fine if real else fine + coarse
        covered = sum(share for share, *_ in used)
        partly = sum(share for share, *_ in fine) * 2 >= grid.length_us
        kind = (
            "real" if real else "interpolated" if partly else "filled" if covered * 2 >= grid.length_us else "missing"
        )
        total = [Fraction(sum(one[0] * one[side] for one in used), covered or 1) for side in (1, 2)]
        found.append((kind, *[int((one + Fraction(1, 2)) // 1) for one in total]))
    return without_long_gaps(found)


def without_long_gaps(bins: list[Kind]) -> list[Kind]:
    found, place = [], 0
    while place < len(bins):
        end = place
        while end < len(bins) and bins[end][0] in {"filled", "missing"}:
            end += 1
        for one in bins[place:end]:
            kept = one[0] == "filled" and end - place <= 3
            found.append(("interpolated", *one[1:]) if kept else ("missing", -1, -1))
        found += bins[end : end + 1]
        place = end + 1
    return found


samples = st.lists(
    st.tuples(
        st.integers(-100 * S, 3700 * S),
        st.sampled_from([0, 1, 17 * S, 60 * S, 60 * S, 300 * S, 301 * S, 900 * S, 1500 * S, 1501 * S]),
        st.integers(0, 4 * 10**11),
        st.integers(0, 4 * 10**11),
        st.sampled_from([OK, OK, INTERPOLATED, MISSING, RESET]),
    ),
    max_size=80,
)


@settings(max_examples=150, deadline=None)
@given(samples)
def test_bins_are_the_exact_means(told: list[Sample]) -> None:
    assert kinds(bins_of(told)) == oracle_bins(told)


GAP = st.sampled_from([0] * 9 + [30 * S, 100 * S, 150 * S, 151 * S, 400 * S, 950 * S])
LENGTH = st.sampled_from([60 * S] * 5 + [30 * S, 150 * S, 270 * S, 300 * S, 301 * S, 900 * S, 1500 * S, 1501 * S])
RATE = st.sampled_from([0, 0, 1, 1000, 4 * 10**11])
STATUS = st.sampled_from([OK] * 6 + [INTERPOLATED, MISSING, MISSING, RESET])


@st.composite
def courses(draw: st.DrawFn) -> list[Sample]:
    """One interval behind the other, as a port is polled, over all bins."""
    end, found = draw(st.integers(-400 * S, 300 * S)), list[Sample]()
    while end < 3700 * S:
        length = draw(LENGTH)
        end += draw(GAP) + length
        found.append((end, length, draw(RATE), draw(RATE), draw(STATUS)))
    return found


@settings(max_examples=150, deadline=None)
@given(courses())
def test_bins_of_a_polled_port_are_the_exact_means(told: list[Sample]) -> None:
    assert kinds(bins_of(told)) == oracle_bins(told)


@given(st.lists(st.integers(0, 10**12), max_size=300))
def test_nearest_rank_is_the_element_at_ceil_of_95_percent(values: list[int]) -> None:
    rank = -(-95 * len(values) // 100)
    assert nearest_rank(np.array(values, np.int64)) == (sorted(values)[rank - 1] if values else None)


@pytest.mark.parametrize(("count", "dropped"), [(1, 0), (19, 0), (20, 1), (8640, 432)])
def test_how_many_bins_are_dropped(count: int, dropped: int) -> None:
    assert nearest_rank(np.arange(count)) == count - dropped - 1


def minutes(first: int, last: int, rate: int = 1000, status: int = OK) -> list[Sample]:
    return [(step * 60 * S, 60 * S, rate, 2 * rate, status) for step in range(first, last + 1)]


def figure(told: list[Sample], *, running: bool = False) -> Percentile:
    return percentile(bins_of(told), 0, running=running)


def test_a_whole_month_is_complete_and_bills_the_larger_direction() -> None:
    assert figure(minutes(1, 60)) == Percentile(
        p95_in_bps=1000,
        p95_out_bps=2000,
        billed_bps=2000,
        samples=12,
        interpolated=0,
        missing=0,
        completeness=1.0,
        provisional=False,
    )


def test_a_running_month_is_provisional() -> None:
    assert figure(minutes(1, 60), running=True).provisional


def test_without_a_complete_bin_there_is_no_figure() -> None:
    assert figure(minutes(1, 3)) == Percentile(
        p95_in_bps=None,
        p95_out_bps=None,
        billed_bps=None,
        samples=0,
        interpolated=1,
        missing=11,
        completeness=0.0,
        provisional=True,
    )


def test_of_a_month_that_has_just_begun_nothing_is_known() -> None:
    assert percentile(bins_of([], Grid(start_us=0, length_us=300 * S, count=0)), 0, running=True) == Percentile(
        p95_in_bps=None,
        p95_out_bps=None,
        billed_bps=None,
        samples=0,
        interpolated=0,
        missing=0,
        completeness=0.0,
        provisional=True,
    )


def test_completeness_has_six_places() -> None:
    assert figure(minutes(1, 40)).completeness == 0.666667


def steps(length: int, count: int, every: int = 300) -> list[Sample]:
    """The first ``length`` seconds of each bin at 1000 bit/s."""
    return [((step * every + length) * S, length * S, 1000, 2000, OK) for step in range(count)]


REAL, FILLED, NONE = ("real", 1000, 2000), ("interpolated", 1000, 2000), ("missing", -1, -1)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        pytest.param(steps(270, 12), [REAL] * 12, id="nine tenths are real"),
        pytest.param(steps(269, 12), [FILLED] * 12, id="less is interpolated"),
        pytest.param(steps(150, 12), [FILLED] * 12, id="a half is enough for it, bin after bin"),
        pytest.param(steps(149, 12), [NONE] * 12, id="less is missing"),
        pytest.param(
            [*steps(300, 11), (3600 * S - 1, 149 * S, 9, 9, MISSING)],
            [REAL] * 11 + [NONE],
            id="a gap's volume over less than half a bin",
        ),
        pytest.param(
            [*steps(300, 11), (3600 * S, 150 * S, 1000, 2000, MISSING)],
            [REAL] * 11 + [FILLED],
            id="a gap's volume over half a bin",
        ),
        pytest.param(
            [*steps(180, 1), (1680 * S, 1500 * S, 6000, 6000, MISSING), *steps(300, 12)[6:]],
            [("interpolated", 3000, 3600)] + [NONE] * 5 + [REAL] * 6,
            id="five bins of a gap count in the bin that they begin in",
        ),
        pytest.param(
            [*steps(180, 1), (1681 * S, 1501 * S, 6000, 6000, MISSING), *steps(300, 12)[6:]],
            [FILLED] + [NONE] * 5 + [REAL] * 6,
            id="more than five bins of a gap count for nothing",
        ),
        pytest.param([(step * 300 * S, 300 * S, 0, 0, OK) for step in range(1, 13)], [("real", 0, 0)] * 12, id="idle"),
    ],
)
def test_what_a_bin_is(told: list[Sample], expected: list[Kind]) -> None:
    assert kinds(bins_of(told)) == expected


def test_a_figure_that_is_not_believed_fills_no_bin() -> None:
    rates = rates_of(minutes(1, 60))
    doubted = rates.take(slice(0, 10))
    null = np.full(10, -1, np.int64)
    raw = {"raw_in_bps": doubted.in_bps, "raw_out_bps": doubted.out_bps, "in_bps": null, "out_bps": null}
    for status in (IMPLAUSIBLE, OK):  # the second: a figure that was never stored
        one = replace(doubted, **raw, status=np.full(10, status, np.int64))
        joined = Rates.joined([one, rates.take(slice(10, 60))])
        assert kinds(fill_bins(joined, np.zeros(60, np.int64), GRID, 1)) == [NONE] * 2 + [REAL] * 10


def test_a_gap_of_three_bins_is_filled_with_the_mean_over_it() -> None:
    gap = [(1200 * S, 960 * S, 7000, 7000, MISSING)]  # four minutes of the first bin, then nothing until minute 20
    bins = bins_of([*minutes(1, 4), *gap, *minutes(21, 60)])
    assert bins.interpolated[0].tolist() == [True] * 4 + [False] * 8
    assert bins.in_bps[0].tolist()[:5] == [(4 * 1000 + 7000) // 5, 7000, 7000, 7000, 1000]
    short = bins_of([*minutes(1, 5), (1200 * S, 900 * S, 7000, 7000, MISSING), *minutes(21, 60)])
    assert short.interpolated[0].tolist() == [False, True, True, True] + [False] * 8
    assert short.in_bps[0].tolist() == [1000, 7000, 7000, 7000] + [1000] * 8


def test_a_gap_of_four_bins_is_missing_and_never_zero() -> None:
    told = figure([*minutes(1, 5), (1500 * S, 1200 * S, 7000, 7000, MISSING), *minutes(26, 60)])
    assert (told.samples, told.interpolated, told.missing, told.p95_in_bps) == (8, 0, 4, 1000)
    assert told.provisional


def test_a_reset_costs_its_minute_and_marks_the_bin() -> None:
    told = figure([*minutes(1, 2), *minutes(3, 3, status=RESET), *minutes(4, 60)])
    assert (told.samples, told.interpolated, told.missing) == (11, 1, 0)


def test_completeness_below_95_percent_is_provisional() -> None:
    grid = Grid(start_us=GRID.start_us, length_us=300 * S, count=20)
    one_lost = percentile(bins_of(minutes(1, 95), grid), 0, running=False)
    assert (one_lost.completeness, one_lost.provisional) == (0.95, False)
    two_lost = percentile(bins_of(minutes(1, 90), grid), 0, running=False)
    assert (two_lost.completeness, two_lost.provisional) == (0.9, True)


def test_a_group_is_summed_before_its_percentile() -> None:
    calm, busy = minutes(1, 60, 10), minutes(1, 60, 10)
    calm[2] = (calm[2][0], 60 * S, 10**6, 10**6, OK)
    busy[32] = (busy[32][0], 60 * S, 10**6, 10**6, OK)
    number = np.repeat([0, 1], 60)
    both = fill_bins(rates_of(calm + busy), number, GRID, 2)
    apart = [percentile(both, row, running=False).p95_in_bps for row in (0, 1)]
    together = add_members(both)
    assert apart == [200_008, 200_008]
    assert percentile(together, 0, running=False).p95_in_bps == 200_018
    assert together.in_bps[0].max() == 200_018


def test_a_bin_that_one_member_misses_is_missing_in_the_group() -> None:
    number = np.array([0] * 60 + [1] * 30)
    bins = add_members(fill_bins(rates_of(minutes(1, 60) + minutes(1, 30)), number, GRID, 2))
    assert (bins.real.sum(), bins.in_bps[0].tolist()) == (6, [2000] * 6 + [-1] * 6)


def bins_like(names: str, rate_in: int, rate_out: int) -> Bins:
    """One row: r real, i interpolated, - missing."""
    known = np.array([[one != "-" for one in names]])
    return Bins(
        in_bps=np.where(known, rate_in, -1),
        out_bps=np.where(known, rate_out, -1),
        real=np.array([[one == "r" for one in names]]),
        interpolated=np.array([[one == "i" for one in names]]),
    )


def test_the_far_end_stands_in_mirrored_where_it_knows_better() -> None:
    whole = stand_in(bins_like("rrriii---", 1, 2), bins_like("ri-ri-ri-", 30, 40))
    near, far = [(1, 2)], [(40, 30)]
    assert kinds(whole) == [
        (name, *figures)
        for name, figures in zip(
            ["real"] * 4 + ["interpolated"] * 2 + ["real", "interpolated", "missing"],
            near * 3 + far + near * 2 + far * 2 + [(-1, -1)],
            strict=True,
        )
    ]


def test_a_group_bin_is_as_good_as_its_worst_member() -> None:
    parts = [bins_like("rri-r", 1, 20), bins_like("riiir", 3, 40)]
    names = ("in_bps", "out_bps", "real", "interpolated")
    both = add_members(Bins(**{name: np.concatenate([getattr(one, name) for one in parts]) for name in names}))
    assert [getattr(both, name).shape for name in names] == [(1, 5)] * 4
    assert kinds(both) == [
        ("real", 4, 60),
        ("interpolated", 4, 60),
        ("interpolated", 4, 60),
        ("missing", -1, -1),
        ("real", 4, 60),
    ]
