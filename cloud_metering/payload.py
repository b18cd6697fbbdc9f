"""Usage rows as the ledger keeps them, and the digest that tells a repetition from a conflict."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from crypto.chain import link_digest
from crypto.sm3 import sm3
from records.instants import month_bounds, month_of, next_month
from records.schemas import USAGE

NANO = 10**9
_TWO_64 = 2**64


class Row(NamedTuple):
    """One usage record; ``start`` and ``end`` in seconds since 1970, quantity = whole + nano / 10**9.

    Bulk paths carry the same values as plain tuples, which cost a third.
    """

    source: str
    event_id: str
    tenant: str
    resource: str
    meter: str
    whole: int
    nano: int
    unit: str
    start: int
    end: int
    attributes: str


Values = tuple[str, str, str, str, str, int, int, str, int, int, str]  # a Row as a plain tuple


def digests(rows: Iterable[Values]) -> Iterator[bytes]:
    """SM3 over the canonical JSON (RFC 8785) list of each row's parsed values, in the order of ``Row``."""
    return (sm3(orjson.dumps(row)) for row in rows)


def links(head: bytes, marks: Iterable[bytes]) -> Iterator[bytes]:
    """The chain values that follow ``head``: h_n = SM3(h_(n-1) || mark_n), CONTRACT §7."""
    for mark in marks:
        head = link_digest(head, mark)
        yield head


def rows_of(table: pa.Table) -> list[Values]:
    """Rows of a USAGE table in ledger form; ValueError on a null or negative value, which no reader lets through."""
    table = table.select(USAGE.schema.names).cast(USAGE.schema)
    if any(table.column(name).null_count for name in USAGE.schema.names if name != "attributes"):
        raise ValueError("a usage row has a null value")
    whole, nano = split_quantity(table.column("quantity"))
    columns = {name: table.column(name) for name in USAGE.schema.names}
    ready = [
        *(columns[name].to_pylist() for name in ("source", "event_id", "tenant", "resource", "meter")),
        whole.tolist(),
        nano.tolist(),
        columns["unit"].to_pylist(),
        *(pc.cast(columns[name], pa.int64()).to_pylist() for name in ("start", "end")),
        pc.fill_null(columns["attributes"], "{}").to_pylist(),
    ]
    return list(zip(*ready, strict=True))


def split_quantity(column: pa.ChunkedArray) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Whole and nano parts of a decimal128(21, 9) column, exact; raises ValueError for a negative quantity."""
    parts = [_split_chunk(chunk) for chunk in column.chunks] or [(np.zeros(0, np.int64), np.zeros(0, np.int64))]
    return np.concatenate([one for one, _ in parts]), np.concatenate([other for _, other in parts])


def _split_chunk(chunk: pa.Array) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    words = np.frombuffer(chunk.buffers()[1], np.uint64)[2 * chunk.offset : 2 * (chunk.offset + len(chunk))]
    low, high = words[0::2], words[1::2].astype(np.int64)  # a decimal128 is two little-endian words
    if (high < 0).any():
        raise ValueError("a usage quantity is negative")
    low_whole, low_nano = (one.astype(np.int64) for one in np.divmod(low, np.uint64(NANO)))
    carry, nano = np.divmod(high * (_TWO_64 % NANO) + low_nano, NANO)
    return high * (_TWO_64 // NANO) + low_whole + carry, nano


def crossing(starts: Sequence[int], ends: Sequence[int]) -> list[bool]:
    """For each window in seconds, whether it touches more than one month in Asia/Shanghai."""
    if not starts:
        return []
    edges = _month_edges(min(starts), max(ends))
    first = np.searchsorted(edges, np.asarray(starts), side="right")
    last = np.searchsorted(edges, np.asarray(ends) - 1, side="right")
    found: list[bool] = (first != last).tolist()
    return found


def _month_edges(start: int, end: int) -> list[int]:
    """Seconds at which months begin, from the month after ``start`` to past ``end``."""
    edges: list[int] = []
    month = month_of(datetime.fromtimestamp(start, UTC))
    while not edges or edges[-1] <= end:
        month = next_month(month)
        edges.append(int(month_bounds(month)[0].timestamp()))
    return edges
