"""The course of a week (流量曲线): how busy a link is at each ten minutes, by its tier."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from inventory.model import Tier

SLOT_SECONDS = 600
SLOTS_OF_DAY = 86_400 // SLOT_SECONDS
FULL = 100  # the busiest ten minutes of the week
_WORKDAY = (  # hour of the day, share of the peak: an office's day with its noon rest, and backups at night
    (0.0, 0.20), (1.0, 0.34), (2.5, 0.34), (3.5, 0.18), (6.5, 0.20), (7.5, 0.38), (8.5, 0.82), (9.5, 0.98), (10.5, 1.0),
    (11.5, 0.88), (12.3, 0.52), (13.2, 0.54), (14.0, 0.86), (15.0, 0.96), (16.5, 0.90), (17.5, 0.62), (18.5, 0.42),
    (20.0, 0.36), (22.0, 0.26), (24.0, 0.20),
)  # fmt: skip
_WEEKEND = (
    (0.0, 0.20), (1.0, 0.34), (2.5, 0.34), (3.5, 0.16), (7.5, 0.18), (9.5, 0.36), (11.0, 0.38), (13.0, 0.32),
    (16.0, 0.38), (19.0, 0.40), (21.0, 0.34), (24.0, 0.20),
)  # fmt: skip
SATURDAY = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Habit:
    """What a tier is like.

    Attributes:
        busiest: Share of the contract at the peak, towards end ``b``, per link of a pair that shares.
        upward: Traffic towards end ``a`` as a share of that.
        evening: What homes add in the evening, as a share of the peak.
    """

    busiest: float
    upward: float
    evening: float


HABITS = {
    Tier.PROVINCE_PREFECTURE: Habit(busiest=0.36, upward=0.55, evening=0.05),
    Tier.PREFECTURE_COUNTY: Habit(busiest=0.33, upward=0.38, evening=0.08),
    Tier.COUNTY_TOWNSHIP: Habit(busiest=0.28, upward=0.30, evening=0.12),
    Tier.TOWNSHIP_VILLAGE: Habit(busiest=0.22, upward=0.25, evening=0.20),
    Tier.METRO: Habit(busiest=0.30, upward=0.60, evening=0.02),
}


@cache
def week(tier: Tier) -> tuple[tuple[int, ...], ...]:
    """Seven days from Monday, Asia/Shanghai, each of 144 shares of ``FULL``, none of them 0."""
    return tuple(_day(_WEEKEND if day >= SATURDAY else _WORKDAY, HABITS[tier].evening) for day in range(7))


def _day(points: tuple[tuple[float, float], ...], evening: float) -> tuple[int, ...]:
    hours = ((slot + 0.5) * 24 / SLOTS_OF_DAY for slot in range(SLOTS_OF_DAY))
    return tuple(round(FULL * min(1.0, _between(points, hour) + evening * _hump(hour))) for hour in hours)


def _between(points: tuple[tuple[float, float], ...], hour: float) -> float:
    """Linear between the given points."""
    later = next(at for at, (when, _) in enumerate(points) if when >= hour)
    (begin, low), (end, high) = points[later - 1], points[later]
    return low + (high - low) * (hour - begin) / (end - begin)


def _hump(hour: float) -> float:
    """0 to 1 and back between 18 and 23 o'clock."""
    return max(0.0, 1 - abs(hour - 20.5) / 2.5)
