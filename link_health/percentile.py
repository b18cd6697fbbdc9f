"""95th percentile (P95) of aligned bins by nearest rank, exact, with the evidence of completeness.

A bin's value is the time-weighted mean of the rates over it in whole bit/s, half up. A bin that is covered to nine
tenths by rates no longer than a bin is real; one that they cover to a half is ``interpolated``. So is one in a gap of
at most three bins that longer rates cover to a half (missed polls: the volume is known, its course is not). Any other
is missing. Missing is never zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from link_health.columns import MEASURED, MISSING, Int, Mask, Rates

REAL_NUMERATOR, REAL_DENOMINATOR = 9, 10  # of a bin must be covered for it to count as measured
LONGEST_GAP = 3  # bins
COMPLETE = (95, 100)  # below it a figure is provisional
_SPLIT = np.int64(2**20)  # rates are summed in two halves, so that float64 counters stay exact


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Aligned bins: ``count`` bins of ``length_us`` from ``start_us`` on."""

    start_us: int
    length_us: int
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bins:
    """Values of several series, shape (series, bins), in bit/s.

    Attributes:
        in_bps: Mean of each bin; -1 where there is none.
        out_bps: As ``in_bps``.
        real: The bin is measured.
        interpolated: The bin is filled by rule.
    """

    in_bps: Int
    out_bps: Int
    real: Mask
    interpolated: Mask


@dataclass(frozen=True, slots=True, kw_only=True)
class Percentile:
    """One line of the month's report; figures None without a real bin."""

    p95_in_bps: int | None
    p95_out_bps: int | None
    billed_bps: int | None
    samples: int
    interpolated: int
    missing: int
    completeness: float
    provisional: bool


def fill_bins(rates: Rates, series: Int, grid: Grid, count: int) -> Bins:
    """Bins of ``count`` series; ``series[i]`` is the one that ``rates`` element i belongs to."""
    known = np.isin(rates.status, MEASURED) & (rates.in_bps >= 0)
    spread = (rates.status == MISSING) & (rates.raw_in_bps >= 0)
    short = known & (rates.length_us <= grid.length_us)
    fine = _Sums.of(rates.take(short), series[short], grid, count)
    long = (known & ~short) | (spread & (rates.length_us <= (LONGEST_GAP + 2) * grid.length_us))
    coarse = _Sums.of(_with_raw(rates.take(long)), series[long], grid, count)
    real = fine.covered * REAL_DENOMINATOR >= grid.length_us * REAL_NUMERATOR
    both = fine.plus(coarse)
    partly = ~real & (fine.covered * 2 >= grid.length_us)
    empty = ~real & ~partly
    filled = empty & (both.covered * 2 >= grid.length_us) & (_run_lengths(empty) <= LONGEST_GAP)
    interpolated = partly | filled
    value_in = np.where(real, fine.mean(0), np.where(interpolated, both.mean(0), -1))
    value_out = np.where(real, fine.mean(1), np.where(interpolated, both.mean(1), -1))
    return Bins(in_bps=value_in, out_bps=value_out, real=real, interpolated=interpolated)


def _with_raw(rates: Rates) -> Rates:
    """Rates in which the mean over a long gap stands where the figure does."""
    rate_in = np.where(rates.in_bps >= 0, rates.in_bps, rates.raw_in_bps)
    rate_out = np.where(rates.out_bps >= 0, rates.out_bps, rates.raw_out_bps)
    values = {name: getattr(rates, name) for name in Rates.__dataclass_fields__}
    return Rates(**{**values, "in_bps": rate_in, "out_bps": rate_out})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sums:
    """Covered microseconds, and rate x microseconds for in and out, each in two halves; exact below 2**53."""

    covered: Int
    high: tuple[Int, Int]
    low: tuple[Int, Int]

    @classmethod
    def of(cls, rates: Rates, series: Int, grid: Grid, count: int) -> _Sums:
        place, source, share = _overlaps(rates, grid)
        cell = series[source] * grid.count + place
        size = count * grid.count

        def total(weights: Int) -> Int:
            return (
                np.bincount(cell, weights=weights.astype(np.float64), minlength=size)
                .astype(np.int64)
                .reshape(count, grid.count)
            )

        halves = [np.divmod(values[source], _SPLIT) for values in (rates.in_bps, rates.out_bps)]
        high = total(halves[0][0] * share), total(halves[1][0] * share)
        return cls(covered=total(share), high=high, low=(total(halves[0][1] * share), total(halves[1][1] * share)))

    def plus(self, other: _Sums) -> _Sums:
        return _Sums(
            covered=self.covered + other.covered,
            high=(self.high[0] + other.high[0], self.high[1] + other.high[1]),
            low=(self.low[0] + other.low[0], self.low[1] + other.low[1]),
        )

    def mean(self, direction: int) -> Int:
        """Whole bit/s, half up; 0 where nothing is covered (the caller masks it)."""
        covered = np.maximum(self.covered, 1)
        whole, rest = np.divmod(self.high[direction], covered)
        mean: Int = whole * _SPLIT + (rest * _SPLIT + self.low[direction] + covered // 2) // covered
        return mean


def _overlaps(rates: Rates, grid: Grid) -> tuple[Int, Int, Int]:
    """(bin, element, microseconds) for each bin that each interval (at - length, at] reaches into."""
    end = np.minimum(rates.at_us - grid.start_us, grid.count * grid.length_us)
    start = np.maximum(rates.at_us - rates.length_us - grid.start_us, 0)
    inside = np.flatnonzero(end > start)
    end, start = end[inside], start[inside]
    first, last = start // grid.length_us, (end - 1) // grid.length_us
    reach = last - first + 1
    index = np.repeat(np.arange(len(inside)), reach)
    place = first[index] + np.arange(len(index)) - np.repeat(np.cumsum(reach) - reach, reach)
    share = np.minimum(end[index], (place + 1) * grid.length_us) - np.maximum(start[index], place * grid.length_us)
    return place, inside[index], share


def _run_lengths(mask: Mask) -> Int:
    """For each true element, how many stand in a row with it along the last axis."""
    flat = np.pad(mask, ((0, 0), (1, 1))).ravel()
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    lengths = np.zeros(len(flat), np.int64)
    starts, ends = edges[0::2], edges[1::2]
    lengths[np.flatnonzero(flat)] = np.repeat(ends - starts, ends - starts)
    return lengths.reshape(mask.shape[0], -1)[:, 1:-1]


def stand_in(a: Bins, b: Bins) -> Bins:
    """Bins of end ``a``; where it has none, or only a filled one and ``b`` measured, end ``b`` mirrored."""
    use_b = (~a.real & b.real) | (~a.real & ~a.interpolated & b.interpolated)
    return Bins(
        in_bps=np.where(use_b, b.out_bps, a.in_bps),
        out_bps=np.where(use_b, b.in_bps, a.out_bps),
        real=a.real | b.real,
        interpolated=~(a.real | b.real) & (a.interpolated | b.interpolated),
    )


def add_members(members: Bins) -> Bins:
    """One row for a group: the sum of its members in each bin; a bin that one member misses is missing."""
    known = members.real | members.interpolated
    whole: Mask = np.all(known, axis=0, keepdims=True)
    real: Mask = np.all(members.real, axis=0, keepdims=True)
    return Bins(
        in_bps=np.where(whole, members.in_bps.sum(axis=0, keepdims=True), -1),
        out_bps=np.where(whole, members.out_bps.sum(axis=0, keepdims=True), -1),
        real=real,
        interpolated=whole & ~real,
    )


def nearest_rank(values: Int) -> int | None:
    """The element of rank k = ceil(0.95 n) in rising order, counted from 1; None of none."""
    count = len(values)
    if count == 0:
        return None
    position = (95 * count + 99) // 100 - 1
    return int(np.partition(values, position)[position])


def percentile(bins: Bins, row: int, *, running: bool) -> Percentile:
    """P95 of one row of bins; in and out separately, the larger is billed.

    Args:
        bins: The bins that are expected: those of the month that have ended.
        row: Series or group.
        running: The month has not ended.
    """
    real, filled = int(bins.real[row].sum()), int(bins.interpolated[row].sum())
    expected = bins.real.shape[1]
    used = bins.real[row] | bins.interpolated[row]
    p95_in = nearest_rank(bins.in_bps[row][used]) if real else None
    p95_out = nearest_rank(bins.out_bps[row][used]) if real else None
    return Percentile(
        p95_in_bps=p95_in,
        p95_out_bps=p95_out,
        billed_bps=max(p95_in, p95_out) if p95_in is not None and p95_out is not None else None,
        samples=real,
        interpolated=filled,
        missing=expected - real - filled,
        completeness=round(real / expected, 6) if expected else 0.0,
        provisional=running or real * COMPLETE[1] < expected * COMPLETE[0],
    )
