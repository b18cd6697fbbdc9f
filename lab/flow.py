"""One flow of octets whose sum since ``ORIGIN`` is known exactly at any instant: integers only, no loop over time.

Within ten minutes the base rate is constant. Unrest is added in pairs of slots, once up, once down by the same whole
number of octets per second, so that it cancels at the end of each pair and the sum stays a closed form. There are two
layers: pairs of five minutes, which show in five-minute bins, and of thirty seconds, which show in single polls. Days
differ by a factor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import accumulate, cycle
from operator import mul

import numpy as np
import numpy.typing as npt

from inventory.model import Tier
from lab.shape import FULL, SLOT_SECONDS, SLOTS_OF_DAY, week

Whole = npt.NDArray[np.int64]

ORIGIN = 1_735_660_800  # Wednesday 2025-01-01 00:00 Asia/Shanghai, Unix seconds
ORIGIN_WEEKDAY = 2
SECOND = 1_000_000  # microseconds, the unit of time here
DAY = 86_400 * SECOND
SLOT = SLOT_SECONDS * SECOND
LONG, LONG_PERCENT = 300 * SECOND, 20  # slots of the slow unrest, and how far it goes from the base rate
SHORT, SHORT_PERCENT = 30 * SECOND, 9
DAYS = 4_000  # how far the table of days reaches: to the end of 2035
SCALE = FULL * 100  # octets/s at the busiest time of an ordinary day for a ``scale`` of 1
SEQUENCES = 64  # different courses of busy and calm days
_LOW_64 = 2**64 - 1


def mix(number: int) -> int:
    """A well-mixed 31-bit number of a 64-bit one: splitmix64's finisher."""
    number = (number ^ (number >> 30)) * 0xBF58476D1CE4E5B9 & _LOW_64
    number = (number ^ (number >> 27)) * 0x94D049BB133111EB & _LOW_64
    return (number ^ (number >> 31)) >> 33


def mix_many(numbers: npt.NDArray[np.uint64]) -> Whole:
    """``mix`` of each."""
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((numbers ^ (numbers >> np.uint64(31))) >> np.uint64(33)).astype(np.int64)


@dataclass(frozen=True, slots=True)
class _Tables:
    """What flows of one tier and one sequence of days share, for a ``scale`` of 1.

    Attributes:
        units: Weekday and slot to octets/s for each hundredth of a day's factor.
        slots: Weekday and slot to the octets from midnight to its begin, for each hundredth.
        factors: Day to hundredths, 90 to 110.
        days: Day to the octets before it.
        arrays: The same four for many instants at once.
    """

    units: Sequence[Sequence[int]]
    slots: Sequence[Sequence[int]]
    factors: Sequence[int]
    days: Sequence[int]
    arrays: tuple[Whole, Whole, Whole, Whole]


@cache
def _tables(tier: Tier, sequence: int) -> _Tables:
    units = week(tier)
    slots = [[share * SLOT_SECONDS for share in accumulate(day, initial=0)] for day in units]
    numbers = mix_many(np.arange(sequence * DAYS, (sequence + 1) * DAYS, dtype=np.uint64) + np.uint64(2**40))
    factors: list[int] = (90 + numbers % 21).tolist()
    whole = [day[SLOTS_OF_DAY] for day in slots]
    ordered = whole[ORIGIN_WEEKDAY:] + whole[:ORIGIN_WEEKDAY]
    days = list(accumulate(map(mul, factors, cycle(ordered)), initial=0))
    first, second, third, fourth = (np.array(table, dtype=np.int64) for table in (units, slots, factors, days))
    return _Tables(units, slots, factors, days, (first, second, third, fourth))


@dataclass(frozen=True)
class Flow:
    """Octets from ``ORIGIN`` on; 0 before it. Times are whole microseconds since ``ORIGIN``.

    Attributes:
        seed: 62-bit number that makes this flow unlike others.
        tier: Whose week it follows.
        scale: Octets/s for each share of ``FULL`` and each hundredth of a day's factor, at least 1.
    """

    seed: int
    tier: Tier
    scale: int

    @cached_property
    def _tables(self) -> _Tables:
        return _tables(self.tier, self.seed % SEQUENCES)

    def octets(self, at: int) -> int:
        """Octets in [ORIGIN, at)."""
        if at <= 0:
            return 0
        day, rest = divmod(at, DAY)
        slot, inside = divmod(rest, SLOT)
        weekday = (day + ORIGIN_WEEKDAY) % 7
        tables = self._tables
        base = self.scale * tables.units[weekday][slot] * tables.factors[day]
        slow = inside if inside <= LONG else 2 * LONG - inside
        step = inside % (2 * SHORT)
        fast = step if step <= SHORT else 2 * SHORT - step
        moved = base * inside + _unrest(self.seed + 5 * (at // (2 * LONG)), base, LONG_PERCENT) * slow
        moved += _unrest(self.seed + 7 * (at // (2 * SHORT)), base, SHORT_PERCENT) * fast
        return self.scale * (tables.days[day] + tables.factors[day] * tables.slots[weekday][slot]) + moved // SECOND

    def octets_many(self, at: Whole) -> Whole:
        """``octets`` of each instant."""
        at = np.maximum(at, 0)
        day, rest = np.divmod(at, DAY)
        slot, inside = np.divmod(rest, SLOT)
        weekday = (day + ORIGIN_WEEKDAY) % 7
        units, slots, factors, days = self._tables.arrays
        factor = factors[day]
        base = self.scale * units[weekday, slot] * factor
        slow = np.minimum(inside, 2 * LONG - inside)
        step = inside % (2 * SHORT)
        fast = np.minimum(step, 2 * SHORT - step)
        moved = base * inside + _unrest_many(self.seed, 5, at // (2 * LONG), base, LONG_PERCENT) * slow
        moved += _unrest_many(self.seed, 7, at // (2 * SHORT), base, SHORT_PERCENT) * fast
        found: Whole = self.scale * (days[day] + factor * slots[weekday, slot]) + moved // SECOND
        return found

    def rate(self, at: int) -> int:
        """Octets/s at an instant: what ``octets`` is the integral of."""
        day, rest = divmod(at, DAY)
        slot, inside = divmod(rest, SLOT)
        tables = self._tables
        base = self.scale * tables.units[(day + ORIGIN_WEEKDAY) % 7][slot] * tables.factors[day]
        slow = _unrest(self.seed + 5 * (at // (2 * LONG)), base, LONG_PERCENT)
        fast = _unrest(self.seed + 7 * (at // (2 * SHORT)), base, SHORT_PERCENT)
        return base + (slow if inside < LONG else -slow) + (fast if inside % (2 * SHORT) < SHORT else -fast)


def _unrest(number: int, base: int, percent: int) -> int:
    """Octets/s, at most ``percent`` of the base rate, of either sign."""
    return base * (mix(number) % (2 * percent + 1) - percent) // 100


def _unrest_many(seed: int, salt: int, pairs: Whole, base: Whole, percent: int) -> Whole:
    numbers = (seed + salt * pairs).astype(np.uint64)
    found: Whole = base * (mix_many(numbers) % (2 * percent + 1) - percent) // 100
    return found
