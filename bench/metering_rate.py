"""Rate a month of usage with graduated tiers and a price change: seconds, and the ratio to exact Python.

Usage: python bench/metering_rate.py [RECORDS]
"""

from __future__ import annotations

import resource
import sys
import time
from datetime import date
from fractions import Fraction

import numpy as np
import pyarrow as pa

from cloud_metering.aggregate import aggregate
from cloud_metering.findings import overlaps
from cloud_metering.model import Catalogue, Charge, Membership, Policy, Price, Rule, Tier
from cloud_metering.rating import rate
from records.instants import month_bounds
from records.schemas import USAGE

MONTH, TENANTS, METERS = "2026-07", 200, 20
CHANGE = date(2026, 7, 16)


def usage(count: int) -> pa.Table:
    """Hourly records of 50 000 resources and 20 meters; one in a hundred is a daily window that crosses an edge."""
    draw = np.random.default_rng(7)
    first = int(month_bounds(MONTH)[0].timestamp())
    resources = draw.integers(0, 50_000, count)
    start = first + 3600 * draw.integers(0, 743, count)
    length = np.where(draw.random(count) < 0.01, 86_400, 3600)
    quantity = pa.array(draw.integers(1, 64_000_000_000, count)).cast(pa.decimal128(21, 0))
    columns = {
        "source": pa.array(["prov-cloud"]).take(pa.array(np.zeros(count, np.int64))),
        "event_id": pa.array(np.arange(count)).cast(pa.string()),
        "tenant": pa.array([f"tenant-{i:03d}" for i in range(TENANTS)]).take(pa.array(resources % TENANTS)),
        "resource": pa.array([f"vm-{i:05d}" for i in range(50_000)]).take(pa.array(resources)),
        "meter": pa.array([f"meter-{i:02d}" for i in range(METERS)]).take(pa.array(draw.integers(0, METERS, count))),
        "quantity": pa.Array.from_buffers(pa.decimal128(21, 9), count, quantity.buffers()),
        "unit": pa.array(["vcpu*h"]).take(pa.array(np.zeros(count, np.int64))),
        "start": pa.array(start).cast(pa.timestamp("s", tz="UTC")),
        "end": pa.array(start + length).cast(pa.timestamp("s", tz="UTC")),
        "attributes": pa.array(['{"class":"std"}', '{"class":"big"}']).take(pa.array(resources % 2)),
    }
    return pa.table(columns, schema=USAGE.schema)


def catalogue() -> Catalogue:
    prices = [
        price(f"sku-{i:02d}-{kind}", f"meter-{i:02d}", v)
        for i in range(METERS)
        for kind in ("std", "big")
        for v in (1, 2)
    ]
    rules = [
        Rule(sku=f"sku-{i:02d}-{kind}", where={"attr.class": kind}) for i in range(METERS) for kind in ("std", "big")
    ]
    return Catalogue(policy=Policy(), prices=tuple(prices), rules=tuple(rules))


def price(sku: str, meter: str, version: int) -> Price:
    tiers = tuple(
        Tier(up_to=None if top is None else Fraction(top), price=Fraction(cents + version, 100))
        for top, cents in ((10, 4891), (100, 4000), (None, 3500))
    )
    span = {"valid_to": CHANGE} if version == 1 else {"valid_from": CHANGE}
    return Price(sku=sku, meter=meter, unit="vcpu*month", model="graduated", tiers=tiers, version=version, **span)


def python(table: pa.Table, prices: Catalogue) -> dict[tuple, Fraction]:
    """The same work record by record in Fractions: split, convert, fill tiers in time order."""
    low, high = (int(at.timestamp()) for at in month_bounds(MONTH))
    change = low + 15 * 86_400
    filled: dict[tuple, Fraction] = {}
    amounts: dict[tuple, Fraction] = {}
    pieces = []
    for row in table.to_pylist():
        start, end = int(row["start"].timestamp()), int(row["end"].timestamp())
        sku = f"sku-{row['meter'][-2:]}-{'std' if 'std' in row['attributes'] else 'big'}"
        for version, since, until in ((1, low, change), (2, change, high)):
            seconds = min(end, until) - max(start, since)
            if seconds > 0:
                part = Fraction(row["quantity"]) * seconds / (end - start) / 744
                pieces.append((max(start, since), row["tenant"], sku, version, part))
    for _, tenant, sku, version, part in sorted(pieces, key=lambda piece: piece[:4]):
        before = filled.get((tenant, sku), Fraction(0))
        filled[tenant, sku] = before + part
        under = Fraction(0)
        for number, tier in enumerate(prices.versions[sku][version - 1].tiers, 1):
            top = before + part if tier.up_to is None else min(tier.up_to, before + part)
            if top > max(under, before):
                key = (tenant, sku, version, number)
                amounts[key] = amounts.get(key, Fraction(0)) + (top - max(under, before)) * tier.price
            under = top if tier.up_to is None else tier.up_to
    return amounts


def ours(table: pa.Table, prices: Catalogue) -> list[Charge]:
    members = {
        f"tenant-{i:03d}": [Membership(tenant=f"tenant-{i:03d}", organisation="hlj-finance")] for i in range(TENANTS)
    }
    found = aggregate(table, prices, members, MONTH)
    assert not found.findings
    overlaps(table, MONTH)
    return rate(found.segments, prices, MONTH)


def seconds_of(work, *args):  # noqa: ANN001, ANN002, ANN201 - any work
    wall, begin = time.perf_counter(), time.process_time()
    result = work(*args)
    return result, time.process_time() - begin, time.perf_counter() - wall


if __name__ == "__main__":
    records = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    prices, table = catalogue(), usage(records)
    charges, cpu, wall = seconds_of(ours, table, prices)
    sample = table.slice(0, min(records, 50_000))
    exact, slow, _ = seconds_of(python, sample, prices)
    same = {(one.tenant, one.sku, one.version, one.tier): one.amount for one in ours(sample, prices)}
    assert same == exact, "differs from exact Python"
    ratio = (records / cpu) / (sample.num_rows / slow)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"{records:,} records, {len(charges):,} charges: {cpu:.2f} CPU-s, {wall:.2f} s wall, peak {peak} MiB")
    print(
        f"exact Python, record by record: {sample.num_rows / slow:,.0f} records/CPU-s; ratio {ratio:.0f}; difference 0"
    )
