"""Readings and rates as numpy columns, one element a sample; null is -1, so that all arithmetic stays integer.

Strings (device, interface, run) never enter the columns: a series is its position, a poller process a number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Int = NDArray[np.int64]
Octets = NDArray[np.uint64]
Mask = NDArray[np.bool_]

STATUSES = ("ok", "first", "reset", "missing", "implausible", "interpolated", "unknown")
OK, FIRST, RESET, MISSING, IMPLAUSIBLE, INTERPOLATED, UNKNOWN = range(len(STATUSES))
MEASURED = (OK, INTERPOLATED)  # the statuses whose figures are the truth of their interval


@dataclass(frozen=True, slots=True, kw_only=True)
class _Arrays:
    """A record of equally long arrays."""

    def __len__(self) -> int:
        return len(getattr(self, fields(self)[0].name))

    def take(self, positions: Any) -> Self:
        """The elements at the positions, or those of a mask or slice."""
        return replace(self, **{one.name: getattr(self, one.name)[positions] for one in fields(self)})

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """All parts behind each other."""
        names = [one.name for one in fields(cls)]
        return cls(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns(_Arrays):
    """Readings.

    Attributes:
        at_us: Wall clock at receipt, microseconds since 1970.
        elapsed_ns: The poller's monotonic clock; compares only where ``run`` is equal.
        run: Number of the poller process.
        ok: The device answered for this interface.
        uptime: sysUpTime.0 of the same PDU in ticks of 10 ms, modulo 2**32.
        boots: snmpEngineBoots.
        if_index: ifIndex.
        discontinuity: ifCounterDiscontinuityTime in ticks.
        bits: 64 for ifHC counters, else 32.
        counted: Both octet counters are there.
        in_octets: Octets received, raw.
        out_octets: Octets sent, raw.
        oper: ifOperStatus, 0 if unknown.
        speed: Port speed in bit/s, 0 or less if unknown.
    """

    at_us: Int
    elapsed_ns: Int
    run: Int
    ok: Mask
    uptime: Int
    boots: Int
    if_index: Int
    discontinuity: Int
    bits: Int
    counted: Mask
    in_octets: Octets
    out_octets: Octets
    oper: Int
    speed: Int

    @classmethod
    def empty(cls, count: int) -> Columns:
        """Readings of ``count`` series that nobody has seen yet."""
        blank = {one.name: np.full(count, -1, np.int64) for one in fields(cls)}
        octets = {name: np.zeros(count, np.uint64) for name in ("in_octets", "out_octets")}
        masks = {name: np.zeros(count, np.bool_) for name in ("ok", "counted")}
        return cls(**{**blank, **octets, **masks})  # type: ignore[arg-type]  # each name has its own type


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates(_Arrays):
    """What each reading comes to.

    Attributes:
        at_us: End of the interval: the reading's receipt.
        length_us: Length of the interval by the chosen clock; -1 where there is none.
        in_bps: Mean over the interval in whole bit/s; -1 where there is no truth.
        out_bps: As ``in_bps``.
        raw_in_bps: What an implausible reading, or one after a long gap, would have meant; else -1.
        raw_out_bps: As ``raw_in_bps``.
        oper: ifOperStatus, 0 if unknown.
        status: Position in ``STATUSES``.
        emit: A row follows; false for a duplicate and for a reading merged with the next.
        stale: The reading is a duplicate or older than its predecessor: it counts for nothing.
        seed: The reading is the base of the next one.
        clock: The agent's clock and ours disagree by more than max(2 s, 2 %).
    """

    at_us: Int
    length_us: Int
    in_bps: Int
    out_bps: Int
    raw_in_bps: Int
    raw_out_bps: Int
    oper: Int
    status: Int
    emit: Mask
    stale: Mask
    seed: Mask
    clock: Mask
