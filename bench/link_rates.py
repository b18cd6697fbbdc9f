"""Readings -> rates -> states: samples and objects (polled values) a CPU-second. ``python bench/link_rates.py``.

Three figures: the judgement alone, the consumer end to end (Arrow in, Arrow rows and state tables out), and a history
fed in. The peer of the first and the last is the scalar oracle of the tests, on readings of the same kind.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa

sys.path[:0] = [str(Path(__file__).parent.parent), str(Path(__file__).parent.parent / "tests" / "link_health")]

from oracle import Oracle, Reading  # noqa: E402 - after the path is set

from inventory.model import Device, End, Inventory, Link, Role, Tier  # noqa: E402 - after the path is set
from link_health.columns import Columns  # noqa: E402 - after the path is set
from link_health.consumer import LinkConsumer  # noqa: E402 - after the path is set
from link_health.history import rates_of_history  # noqa: E402 - after the path is set
from link_health.rates import Context, compute_rates  # noqa: E402 - after the path is set
from records.schemas import READINGS  # noqa: E402 - after the path is set
from records.spool import Entry, Kind, Position  # noqa: E402 - after the path is set
from storage.state import metadata, open_state, writing  # noqa: E402 - after the path is set

T = 60
START = datetime(2026, 3, 1, tzinfo=UTC)
START_US = int(START.timestamp()) * 1_000_000
VALUES = 7  # of a reading: uptime, octets in and out, two states, speed, discontinuity


def columns(series: int, steps: np.ndarray) -> Columns:
    """Readings of ``series`` ports at the steps, series after series."""
    number, step = (one.ravel() for one in np.meshgrid(np.arange(series), steps, indexing="ij"))
    octets = (step * T * (10**6 + number * 1000)).astype(np.uint64)
    plain = np.ones(len(step), np.int64)
    return Columns(
        at_us=START_US + step * T * 1_000_000, elapsed_ns=step * T * 10**9 + 1, run=plain * 0, ok=plain > 0,
        uptime=10**6 + step * T * 100, boots=-plain, if_index=plain, discontinuity=plain * 0, bits=plain * 64,
        counted=plain > 0, in_octets=octets, out_octets=octets // np.uint64(2), oper=plain, speed=plain * 10**10,
    )  # fmt: skip


def cpu(work: object) -> float:
    start = time.process_time()
    work()  # type: ignore[operator]
    return time.process_time() - start


def bench_rates(series: int) -> float:
    before, after = columns(series, np.array([0])), columns(series, np.array([1]))
    unknown = np.zeros(series, np.int64)
    context = Context(
        interval_us=T * 1_000_000, seen=unknown == 0, ceiling_bps=unknown, moved=unknown > 0, peer=unknown - 1
    )
    return series / min(cpu(lambda: compute_rates(before, after, context)) for _ in range(5))


def bench_oracle(count: int) -> float:
    def work() -> None:
        oracle = Oracle(T * 1_000_000)
        for step in range(count):
            now = step * T * 1_000_000
            oracle.read(
                Reading(at=START_US + now, elapsed=now * 1000, uptime=step * 6000, octets=(step * 10**8, step * 10**7))
            )

    return count / cpu(work)


def province(links: int) -> Inventory:
    names = [f"d{number}" for number in range(links // 2 + 2)]
    devices = tuple(
        Device(id=one, name=one, region="230000", role=Role.CORE, vendor="h3c", platform="x", address="127.0.0.1")
        for one in names
    )
    ends = [
        (End(device=names[one // 2], interface=f"x{one}"), End(device=names[one // 2 + 1], interface=f"y{one}"))
        for one in range(links)
    ]
    return Inventory(
        devices=devices,
        links=tuple(
            Link(id=f"l{one}", tier=Tier.METRO, contract_bps=10**10, a=a, b=b) for one, (a, b) in enumerate(ends)
        ),
    )


def entries(inventory: Inventory, step: int) -> list[tuple[Position, Entry]]:
    keys = [(end.device, end.interface) for one in inventory.links for end in (one.a, one.b) if end]
    count = len(keys)
    constant = {
        "run": "r", "status": "ok", "if_index": 1, "discontinuity_ticks": 0, "counter_bits": 64, "oper_status": 1,
        "admin_status": 1, "speed_bps": 10**10, "elapsed_ns": step * T * 10**9 + 1,
        "uptime_ticks": 10**6 + step * T * 100, "in_octets": step * T * 10**7, "out_octets": step * T * 10**6,
    }  # fmt: skip
    arrays = {
        "device": pa.array([device for device, _ in keys]),
        "interface": pa.array([name for _, name in keys]),
        "at": pa.array([START + timedelta(seconds=step * T)] * count, READINGS.schema.field("at").type),
    }
    for one in READINGS.schema:
        if one.name not in arrays:
            arrays[one.name] = pa.array([constant.get(one.name)] * count, one.type)
    table = pa.table([arrays[name] for name in READINGS.schema.names], schema=READINGS.schema)
    buffer = pa.BufferOutputStream()
    with pa.ipc.new_stream(buffer, table.schema) as writer:
        writer.write_table(table)
    entry = Entry(kind=Kind.SAMPLES, source="snmp", received_at=START, payload=bytes(buffer.getvalue().to_pybytes()))
    return [(Position("collect", step), entry)]


def bench_consumer(links: int, rounds: int) -> float:
    inventory = province(links)
    with tempfile.TemporaryDirectory() as folder:
        state = open_state(f"sqlite:///{folder}/state.db")
        metadata.create_all(state)
        consumer = LinkConsumer(state, lambda: inventory, interval_seconds=T)
        batches = [entries(inventory, step) for step in range(rounds + 1)]

        def work(step: int) -> None:
            result = consumer.process(batches[step], START + timedelta(seconds=step * T))
            with writing(state) as connection:
                for apply in result.apply:
                    apply(connection)

        work(0)
        return 2 * links * rounds / cpu(lambda: [work(step) for step in range(1, rounds + 1)])


def bench_history(links: int, steps: int) -> tuple[float, float]:
    inventory = province(links)
    keys = [(end.device, end.interface) for one in inventory.links for end in (one.a, one.b) if end]
    times = START_US + np.arange(steps) * 300_000_000
    own = [0.0]

    def readings_at(instants: np.ndarray) -> Columns:
        start = time.process_time()
        found = columns(len(keys), (instants - START_US) // 300_000_000 * 5)
        own[0] += time.process_time() - start
        return found

    def work() -> None:
        for _ in rates_of_history(readings_at, times, keys, interval_us=300_000_000, links=inventory.links):
            pass

    seconds = cpu(work) - own[0]
    return len(keys) * steps / seconds, seconds


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--series", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--steps", type=int, default=15_000)
    chosen = parser.parse_args()
    fast, slow = bench_rates(chosen.series), bench_oracle(20_000)
    print(f"rates: {fast:,.0f} samples/CPU-s, oracle {slow:,.0f}, ratio {fast / slow:.0f}")
    for links in (268, 5000):
        rate = bench_consumer(links, chosen.rounds)
        print(f"consumer, {links} links: {rate:,.0f} samples/CPU-s = {rate * VALUES:,.0f} objects/CPU-s")
    rate, seconds = bench_history(268, chosen.steps)
    print(
        f"history, 268 links x 2 x {chosen.steps} steps: {seconds:.1f} CPU-s, {rate:,.0f} samples/CPU-s, "
        f"ratio {rate / slow:.0f}"
    )


if __name__ == "__main__":
    main()
