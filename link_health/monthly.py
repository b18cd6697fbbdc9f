"""Percentiles of a month from the record store: rates in, bins by link, a few devices at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa

from inventory.model import End, Link
from link_health.arrow import codes_of, to_rates
from link_health.columns import Int
from link_health.percentile import LONGEST_GAP, Bins, Grid, Percentile, add_members, fill_bins, percentile, stand_in
from link_health.tables import to_instant
from records.instants import microseconds
from records.schemas import RATES
from storage.port import RecordStore, Where

LINKS_AT_ONCE = 48  # their month of one-minute rates fits into a few hundred megabytes
COLUMNS = (
    "device",
    "interface",
    "at",
    "seconds",
    "in_bps",
    "out_bps",
    "oper_status",
    "status",
    "raw_in_bps",
    "raw_out_bps",
)


def grid_of(start: datetime, end: datetime, bin_seconds: int) -> Grid:
    """The bins of [start, end) that have ended."""
    length = bin_seconds * 1_000_000
    span = microseconds(end) - microseconds(start)
    return Grid(start_us=microseconds(start), length_us=length, count=max(0, span // length))


def percentiles(
    store: RecordStore, links: Sequence[Link], grid: Grid, *, running: bool, together: bool
) -> list[Percentile]:
    """One figure a link, or one of their sum in each bin."""
    parts = link_bins(store, links, grid)
    if together:
        whole = joined(list(parts))
        return [percentile(add_members(whole), 0, running=running)]
    return [percentile(bins, row, running=running) for bins in parts for row in range(len(bins.real))]


def link_bins(store: RecordStore, links: Sequence[Link], grid: Grid) -> Iterator[Bins]:
    """Bins of the links in their order, seen from end ``a``, some links at a time."""
    for first in range(0, len(links), LINKS_AT_ONCE):
        some = links[first : first + LINKS_AT_ONCE]
        yield _some_bins(store, some, grid)


def _some_bins(store: RecordStore, links: Sequence[Link], grid: Grid) -> Bins:
    ends = [end for link in links for end in (link.a, link.b or link.a)]
    keys = list(dict.fromkeys((end.device, end.interface) for end in ends))
    number = {key: position for position, key in enumerate(keys)}
    table = _read(store, ends, grid)
    series = _numbers(table, number)
    known = series >= 0
    bins = fill_bins(to_rates(table).take(known), series[known], grid, len(keys))
    a = np.array([number[link.a.device, link.a.interface] for link in links], np.int64)
    far = [link.b for link in links]
    b = np.array([number[end.device, end.interface] if end else -1 for end in far], np.int64)
    mirrored = _rows(bins, b)
    return stand_in(_rows(bins, a), _only(mirrored, b >= 0))


def _read(store: RecordStore, ends: Sequence[End], grid: Grid) -> pa.Table:
    """Rates that can reach into the grid: an interval ends after it covers a bin."""
    devices = tuple(sorted({end.device for end in ends}))
    where = [Where("device", "=", devices[0]) if len(devices) == 1 else Where("device", "in", devices)]
    interfaces = tuple(sorted({end.interface for end in ends}))
    where.append(Where("interface", "in", interfaces))
    start = to_instant(grid.start_us)
    reach = timedelta(microseconds=(LONGEST_GAP + 2) * grid.length_us)
    end = to_instant(grid.start_us + grid.count * grid.length_us) + reach
    return store.read(RATES, start=start, end=end, where=where, columns=COLUMNS)


def _numbers(table: pa.Table, number: dict[tuple[str, str], int]) -> Int:
    devices, device_names = codes_of(table.column("device"))
    interfaces, interface_names = codes_of(table.column("interface"))
    known = np.array(
        [[number.get((device, name), -1) for name in interface_names] for device in device_names], np.int64
    ).reshape(len(device_names), len(interface_names))
    found: Int = known[devices, interfaces] if len(table) else np.zeros(0, np.int64)
    return found


def _rows(bins: Bins, rows: Int) -> Bins:
    return Bins(
        in_bps=bins.in_bps[rows],
        out_bps=bins.out_bps[rows],
        real=bins.real[rows],
        interpolated=bins.interpolated[rows],
    )


def _only(bins: Bins, mask: np.ndarray) -> Bins:
    return Bins(
        in_bps=bins.in_bps,
        out_bps=bins.out_bps,
        real=bins.real & mask[:, None],
        interpolated=bins.interpolated & mask[:, None],
    )


def joined(parts: Sequence[Bins]) -> Bins:
    """Bins below each other."""
    return Bins(
        in_bps=np.concatenate([part.in_bps for part in parts]),
        out_bps=np.concatenate([part.out_bps for part in parts]),
        real=np.concatenate([part.real for part in parts]),
        interpolated=np.concatenate([part.interpolated for part in parts]),
    )
