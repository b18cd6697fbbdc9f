"""Record store: 268 links, two months of 5-minute rates, a month of one link by the minute.

python bench/storage_records.py
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa

from records.schemas import RATES
from storage.embedded import EmbeddedStore
from storage.port import Where

LINKS, START = 268, datetime(2026, 7, 1, tzinfo=UTC)


def rates(start: datetime, days: int, seconds: int, links: int = LINKS, prefix: str = "d") -> pa.Table:
    steps = days * 86_400 // seconds
    total = steps * links
    random = np.random.default_rng(7)
    columns = {
        "device": np.tile(np.array([f"{prefix}{n // 4:03d}" for n in range(links)], dtype=object), steps),
        "interface": np.tile(np.array([f"xge0/0/{n % 4}" for n in range(links)], dtype=object), steps),
        "at": pa.array(np.repeat(np.arange(steps) * seconds * 10**6 + int(start.timestamp()) * 10**6, links)).cast(
            RATES.schema.field("at").type
        ),
        "seconds": np.full(total, float(seconds)),
        "in_bps": random.integers(0, 10**10, total),
        "out_bps": random.integers(0, 10**10, total),
        "oper_status": np.ones(total, np.int8),
        "status": np.full(total, "ok", dtype=object),
        "raw_in_bps": pa.nulls(total, pa.int64()),
        "raw_out_bps": pa.nulls(total, pa.int64()),
    }
    return pa.table(columns, schema=RATES.schema)


def timed(what: str, bar: str, work: Callable[[], int]) -> None:
    wall, cpu = time.perf_counter(), time.process_time()
    rows = work()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    rate = rows / max(cpu, 1e-9)
    print(f"{what:34} {rows:>9,} rows {wall:7.3f} s wall {cpu:7.3f} s CPU {rate:>11,.0f} rows/CPU-s  bar {bar}")


def main() -> None:
    end = START + timedelta(days=31)
    with tempfile.TemporaryDirectory() as folder:
        store = EmbeddedStore(Path(folder), writer=True)
        history, minute = rates(START, 62, 300), rates(START - timedelta(days=31), 31, 60, 1, "one")
        hot = rates(START + timedelta(days=70), 2, 300)
        one = (Where("device", "=", "one000"), Where("interface", "=", "xge0/0/0"))
        timed("append, hot", ">= 100,000 rows/CPU-s", lambda: store.append(RATES, hot))
        timed("append again, all known", "", lambda: store.append(RATES, hot) + len(hot))
        timed("load_sealed", "4 M rows in well under 10 s", lambda: store.load_sealed(RATES, history))
        timed("load_sealed, one link by the minute", "", lambda: store.load_sealed(RATES, minute))
        timed("read 31 days, 268 links, cold", "< 1.5 s", lambda: store.read(RATES, start=START, end=end).num_rows)
        timed("read 31 days, 268 links", "< 1.5 s", lambda: store.read(RATES, start=START, end=end).num_rows)
        month = START - timedelta(days=31)
        for _ in range(2):
            timed(
                "read 31 days, one link",
                "< 0.060 s",
                lambda: store.read(RATES, start=month, end=START, where=one).num_rows,
            )
        timed("newest page", "< 0.150 s", lambda: store.page(RATES, limit=50).rows.num_rows)
        timed("page of last month", "< 0.150 s", lambda: store.page(RATES, limit=50, end=end).rows.num_rows)
        timed("seal two days", "", lambda: store.seal(START + timedelta(days=80)))
        timed("append late, all known and sealed", "", lambda: store.append(RATES, hot.slice(0, 5000)) + 5000)
        store.close()


if __name__ == "__main__":
    main()
