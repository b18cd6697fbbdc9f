"""A past that was never polled, for the demo: f(t) through the same rate and state code as at work."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from inventory.model import Inventory
from link_health.columns import Columns, Int
from link_health.history import rates_of_history
from link_health.tables import save_transitions
from records.instants import microseconds
from records.schemas import RATES
from storage.state import writing

if TYPE_CHECKING:
    import sqlalchemy as sa

    from lab.traffic import Traffic
    from storage.port import RecordStore

STEP = timedelta(minutes=5)
_TICK_US = 10_000


def load_links(
    state: sa.Engine, store: RecordStore, inventory: Inventory, traffic: Traffic, start: datetime, end: datetime
) -> None:
    """Rates of each link at end ``a`` every five minutes of [start, end), and its turns; days that are there stay."""
    keys = [(link.a.device, link.a.interface) for link in inventory.links]
    times = np.arange(microseconds(start), microseconds(end), STEP // timedelta(microseconds=1), dtype=np.int64)
    interval = STEP // timedelta(microseconds=1)
    days = rates_of_history(_readings(traffic, keys), times, keys, interval_us=interval, links=inventory.links)
    for day in days:
        store.load_sealed(RATES, day.rates)
        with writing(state) as connection:
            save_transitions(connection, day.turns)


def _readings(traffic: Traffic, keys: list[tuple[str, str]]) -> Callable[[Int], Columns]:
    def readings(times: Int) -> Columns:
        seconds = times // 1_000_000
        counted = [traffic.counters(*key, seconds) for key in keys]
        count, steps = len(keys), len(times)
        rows = count * steps
        whole = np.ones(rows, np.bool_)
        return Columns(
            at_us=np.tile(times, count),
            elapsed_ns=np.tile(times * 1000, count),
            run=np.zeros(rows, np.int64),
            ok=whole,
            uptime=np.tile(times // _TICK_US % 2**32, count),
            boots=np.full(rows, -1, np.int64),
            if_index=np.repeat(np.arange(1, count + 1, dtype=np.int64), steps),
            discontinuity=np.zeros(rows, np.int64),
            bits=np.full(rows, 64, np.int64),
            counted=whole,
            in_octets=np.concatenate([one[0] for one in counted]).astype(np.uint64),
            out_octets=np.concatenate([one[1] for one in counted]).astype(np.uint64),
            oper=np.concatenate([traffic.oper_status_many(*key, seconds) for key in keys]).astype(np.int64),
            speed=np.repeat(np.array([traffic.speed_bps(*key) for key in keys], np.int64), steps),
        )

    return readings
