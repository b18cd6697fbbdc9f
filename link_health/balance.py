"""Both ends of a link must count the same: volumes by the hour, compared (research: network §5 rule 9)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from link_health.columns import INTERPOLATED, OK, Int, Rates

HOUR_US = 3_600_000_000
COVERED_US = HOUR_US * 95 // 100  # an hour known to less is not judged
QUIET_BPS = 1_000_000  # below it polling at different instants shows more than the line does
TOLERANCE = 50  # one in fifty: 2 %
MISMATCH = "mismatch"

_FIELDS = ("hour", "bits_in", "bits_out", "covered", "done_hour", "done_in", "done_out", "done_covered")


@dataclass(slots=True)
class Balance:
    """Sums of the running hour and of the finished one; shape (8, series), rows as ``_FIELDS``; hour -1 is none."""

    sums: Int = field(default_factory=lambda: np.zeros((len(_FIELDS), 0), np.int64))

    def absorb(self, at: Int, rates: Rates, count: int) -> None:
        """Add the rates of the series ``at``; each lies wholly in the hour in which it ends."""
        self._grow(count)
        known = ((rates.status == OK) | (rates.status == INTERPOLATED)) & rates.emit
        at, rates = at[known], rates.take(known)
        hour = (rates.at_us - 1) // HOUR_US
        turned = hour > self.sums[0, at]
        self._finish(at[turned], hour[turned])
        milliseconds = rates.length_us // 1000
        for place, values in ((1, rates.in_bps), (2, rates.out_bps)):
            self.sums[place, at] += values // 1000 * milliseconds
        self.sums[3, at] += rates.length_us

    def _grow(self, count: int) -> None:
        more = np.zeros((len(_FIELDS), count - self.sums.shape[1]), np.int64)
        more[[0, 4]] = -1
        self.sums = np.concatenate([self.sums, more], axis=1)

    def _finish(self, at: Int, hour: Int) -> None:
        self.sums[4:, at] = self.sums[:4, at]
        self.sums[0, at] = hour
        self.sums[1:4, at] = 0

    def compare(self, a: Int, b: Int) -> Iterator[tuple[int, int, bool, tuple[int, int]]]:
        """Links whose hour is finished at both ends: (row, end of the hour, differs, bit/s counted by end a and by b).

        The means are those of the direction that differs more. Each hour of a link is told once.
        """
        size = self.sums.shape[1]
        both = np.flatnonzero((b >= 0) & (a < size) & (b < size)) if size else np.zeros(0, np.int64)
        hour = self.sums[4, a[both]] if size else both
        ready = both[(hour >= 0) & (hour == self.sums[4, b[both]])] if size else both
        for row in ready.tolist():
            yield from self._judge(row, self.sums[4:, a[row]], self.sums[4:, b[row]])
            self.sums[4, a[row]] = -1

    def _judge(self, row: int, one: Int, other: Int) -> Iterator[tuple[int, int, bool, tuple[int, int]]]:
        if one[3] < COVERED_US or other[3] < COVERED_US:
            return
        pairs = [(_mean(one, 1), _mean(other, 2)), (_mean(one, 2), _mean(other, 1))]
        means = max(pairs, key=lambda pair: abs(pair[0] - pair[1]) / (max(pair) or 1))
        loud = max(means) >= QUIET_BPS
        yield row, int(one[0] + 1) * HOUR_US, loud and abs(means[0] - means[1]) * TOLERANCE > max(means), means


def _mean(sums: Int, place: int) -> int:
    """Mean rate in bit/s of a finished hour: the sums are in bits, as kbit/s times ms."""
    return int(sums[place]) * 1_000_000 // int(sums[3])
