"""Windows of fixed length, and how much of a meter a life fills in each: exact integers, many at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from collectors.openstack.lives import Life
from records.errors import UserError

Integers = npt.NDArray[np.int64]
_MICRO = 1_000_000
_HOUR = 3600
_NEVER = np.iinfo(np.int64).max // _MICRO * _MICRO


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """A quantity that lives hold.

    Attributes:
        size: Field of a ``Life``.
        divisor: How many of that field make one unit: memory is kept in MiB and metered in GiB.
        unit: As in CONTRACT §3.
    """

    name: str
    size: str
    divisor: int
    unit: str


METERS = (
    Meter(name="vcpu", size="vcpus", divisor=1, unit="vcpu*h"),
    Meter(name="memory", size="memory_mb", divisor=1024, unit="GB*h"),
    Meter(name="disk", size="disk_gb", divisor=1, unit="GB*h"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlaps:
    """One element for each life and window that share time, ordered by server, then window, then life.

    Attributes:
        life: Index into the lives.
        start: Start of the window, seconds since 1970.
        micros: Shared time in microseconds.
    """

    life: Integers
    start: Integers
    micros: Integers


def check_window(seconds: int) -> None:
    """UserError unless windows of this length fill an hour: so none crosses a day, a month or a price change."""
    if seconds < 60 or _HOUR % seconds:  # noqa: PLR2004 - one minute
        raise UserError(
            "windows of {seconds} s do not fill an hour", "use 3600, 1800, 900, 600, 300 or 60", seconds=seconds
        )


def whole_windows(start: datetime, end: datetime, seconds: int) -> tuple[int, int]:
    """Start of the first, end of the last window wholly in [start, end), seconds since 1970; equal if there is none."""
    first = -(-_micros(start) // (seconds * _MICRO)) * seconds
    last = _micros(end) // (seconds * _MICRO) * seconds
    return first, max(first, last)


def overlaps(lives: Sequence[Life], first: int, last: int, seconds: int) -> Overlaps:
    """What lives and the windows of [first, last) share.

    Args:
        lives: Those of one server stand together, in order of time, and do not overlap.
        first: Start of the first window, seconds since 1970.
        last: End of the last window.
        seconds: Length of a window.
    """
    began = np.fromiter((_micros(one.started_at) for one in lives), np.int64, len(lives))
    ended = np.fromiter(
        (_NEVER if one.ended_at is None else _micros(one.ended_at) for one in lives), np.int64, len(lives)
    )
    lower = np.maximum(began, first * _MICRO)
    upper = np.minimum(ended, last * _MICRO)
    width = seconds * _MICRO
    from_window, to_window = lower // width, -(-upper // width)
    counts = np.where(upper > lower, to_window - from_window, 0)
    life = np.repeat(np.arange(len(lives)), counts)
    nth = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    window = (from_window[life] + nth) * width
    micros = np.minimum(upper[life], window + width) - np.maximum(lower[life], window)
    return Overlaps(life=life, start=window // _MICRO, micros=micros)


def nano_quantities(amounts: Integers, divisor: int) -> Integers:
    """Microseconds x size to 10**-9 unit hours, rounded half to even, the meter's resolution: 1e9 / 3.6e9 = 5 / 18."""
    below = 18 * divisor
    whole, rest = np.divmod(amounts * 5, below)
    up: Integers = whole + ((rest * 2 > below) | ((rest * 2 == below) & (whole % 2 == 1)))
    return up


def _micros(at: datetime) -> int:
    delta = at - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * _MICRO + delta.microseconds
