"""Between the oracle's readings and the columns of the fast path."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from oracle import Reading, Row

from link_health.columns import STATUSES, Columns, Rates
from link_health.rates import Context
from link_health.series import Series


def columns_of(readings: Sequence[Reading]) -> Columns:
    def whole(name: str) -> np.ndarray:
        values = [getattr(one, name) for one in readings]
        return np.array([-1 if value is None else value for value in values], np.int64)

    def octets(place: int) -> np.ndarray:
        return np.array([one.octets[place] if one.octets else 0 for one in readings], np.uint64)

    return Columns(
        at_us=whole("at"),
        elapsed_ns=whole("elapsed"),
        run=whole("run"),
        ok=np.array([one.ok for one in readings], np.bool_),
        uptime=whole("uptime"),
        boots=whole("boots"),
        if_index=whole("if_index"),
        discontinuity=whole("discontinuity"),
        bits=whole("bits"),
        counted=np.array([one.octets is not None for one in readings], np.bool_),
        in_octets=octets(0),
        out_octets=octets(1),
        oper=whole("oper"),
        speed=whole("speed"),
    )


def row_of(rates: Rates, place: int) -> Row | None:
    if not rates.emit[place]:
        return None

    def pair(one: np.ndarray, other: np.ndarray) -> tuple[int, int] | None:
        return (int(one[place]), int(other[place])) if one[place] >= 0 else None

    return Row(
        at=int(rates.at_us[place]),
        status=STATUSES[rates.status[place]],
        length=int(rates.length_us[place]) if rates.length_us[place] >= 0 else None,
        rates=pair(rates.in_bps, rates.out_bps),
        raw=pair(rates.raw_in_bps, rates.raw_out_bps),
    )


def steady(count: int, interval_us: int) -> Context:
    """All series have a base, nothing is known of contracts and far ends."""
    none = np.zeros(count, np.int64)
    return Context(interval_us=interval_us, seen=none == 0, ceiling_bps=none, moved=none > 0, peer=none - 1)


def judge(readings: Sequence[Reading], interval_us: int, ceiling: int = 0) -> list[Row | None]:
    """One series through the fast path, one reading at a time."""
    series = Series()
    at = series.numbers([("d", "i")])
    series.memory.ceiling[:] = ceiling
    return [row_of(series.absorb(at, columns_of([one]), interval_us), 0) for one in readings]
