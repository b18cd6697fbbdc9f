"""Between Arrow tables and columns: READINGS in, RATES out. Names become numbers here, and only here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from link_health.columns import STATUSES, Columns, Int, Mask, Rates
from records.schemas import RATES, READINGS

_INTEGERS = {
    "elapsed_ns": "elapsed_ns",
    "uptime": "uptime_ticks",
    "boots": "engine_boots",
    "if_index": "if_index",
    "discontinuity": "discontinuity_ticks",
    "bits": "counter_bits",
    "speed": "speed_bps",
}


def read_samples(payload: bytes) -> pa.Table:
    """The READINGS table of one spool entry; ValueError if it is none, or if a key column holds a null."""
    try:
        with pa.ipc.open_stream(payload) as stream:
            table = stream.read_all().select(READINGS.schema.names).cast(READINGS.schema)
        table.validate(full=True)
    except (pa.ArrowException, KeyError, OSError, ValueError) as error:
        raise ValueError(f"not a READINGS stream: {error}") from error
    if any(table.column(name).null_count for name in READINGS.key):
        raise ValueError("a reading without device, interface or time")
    return table


def codes_of(column: pa.ChunkedArray) -> tuple[Int, list[str]]:
    """Each element's position in the list of distinct texts; null becomes the empty text."""
    encoded = pc.fill_null(column, "").combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    return encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64), encoded.dictionary.to_pylist()


def _integers(table: pa.Table, name: str, absent: int = -1) -> Int:
    return np.asarray(pc.fill_null(table.column(name).cast(pa.int64()), absent).to_numpy(), np.int64)


def _octets(table: pa.Table, name: str) -> Any:
    return pc.fill_null(table.column(name), pa.scalar(0, pa.uint64())).to_numpy()


def to_columns(table: pa.Table, run: Int) -> Columns:
    """Readings as columns; ``run`` numbers the poller process of each row."""
    return Columns(
        at_us=table.column("at").cast(pa.int64()).to_numpy(),
        run=run,
        ok=pc.equal(pc.fill_null(table.column("status"), ""), "ok").to_numpy(zero_copy_only=False),
        counted=_both(table, "in_octets", "out_octets"),
        in_octets=_octets(table, "in_octets"),
        out_octets=_octets(table, "out_octets"),
        oper=_integers(table, "oper_status", 0),
        **{name: _integers(table, column) for name, column in _INTEGERS.items()},
    )


def _both(table: pa.Table, one: str, other: str) -> Mask:
    valid = pc.and_(pc.is_valid(table.column(one)), pc.is_valid(table.column(other)))
    return np.asarray(valid.to_numpy(zero_copy_only=False), np.bool_)


def from_rates(rates: Rates, device: pa.Array, interface: pa.Array) -> pa.Table:
    """RATES rows of all elements; select those with ``emit`` before."""

    def figure(values: Int, kind: pa.DataType) -> pa.Array:
        return pa.array(values, mask=values < 0).cast(kind)

    seconds = pa.array(rates.length_us / 1e6, mask=rates.length_us < 0)
    arrays = {
        "device": device,
        "interface": interface,
        "at": pa.array(rates.at_us).cast(pa.timestamp("us")).cast(RATES.schema.field("at").type),
        "seconds": seconds,
        "oper_status": pa.array(rates.oper, mask=rates.oper <= 0).cast(pa.int8(), safe=False),
        "status": pa.DictionaryArray.from_arrays(pa.array(rates.status.astype(np.int8)), list(STATUSES)).cast(
            pa.string()
        ),
        **{
            name: figure(getattr(rates, name), pa.int64())
            for name in ("in_bps", "out_bps", "raw_in_bps", "raw_out_bps")
        },
    }
    return pa.table([arrays[name] for name in RATES.schema.names], schema=RATES.schema)


def to_rates(table: pa.Table) -> Rates:
    """RATES rows back as columns, for the percentile."""
    seconds = pc.fill_null(table.column("seconds"), -1e-6).to_numpy()
    codes = pc.index_in(table.column("status"), value_set=pa.array(STATUSES))
    yes = np.ones(len(table), np.bool_)
    return Rates(
        at_us=table.column("at").cast(pa.int64()).to_numpy(),
        length_us=np.rint(seconds * 1e6).astype(np.int64),
        status=pc.fill_null(codes, STATUSES.index("unknown")).to_numpy().astype(np.int64),
        oper=_integers(table, "oper_status", 0),
        emit=yes,
        stale=~yes,
        seed=yes,
        clock=~yes,
        **{name: _integers(table, name) for name in ("in_bps", "out_bps", "raw_in_bps", "raw_out_bps")},
    )


def names_of(keys: Sequence[tuple[str, str]]) -> tuple[pa.Array, pa.Array]:
    """Devices and interfaces of series as Arrow arrays, to take from by position."""
    return pa.array([device for device, _ in keys], pa.string()), pa.array([name for _, name in keys], pa.string())
