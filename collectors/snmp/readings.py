"""Readings (采样): rows of ``records.schemas.READINGS`` and the spool entry that carries them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from collectors.snmp.plan import Port, text_of
from collectors.snmp.port import Value
from records.schemas import READINGS
from records.spool import Entry, Kind

Row = tuple[Any, ...]
"""One reading, columns in the order of ``READINGS.schema``."""

COLUMNS: tuple[str, ...] = tuple(READINGS.schema.names)
_UNSIGNED = 2**64 - 1
_SIGNED = 2**63 - 1
_WIDEST = {64: _UNSIGNED, 32: 2**32 - 1}
_STATE = 127
SPEED_LIMIT = 2**32 - 1  # ifSpeed of a port that is too fast for it, RFC 2863 §3.1.19


@dataclass(frozen=True, slots=True)
class Stamp:
    """When an answer came.

    Attributes:
        at: Wall clock, aware UTC.
        elapsed_ns: Monotonic clock of this process.
        uptime: sysUpTime of the same answer, ticks; None if the agent kept it back.
        boots: snmpEngineBoots of the same answer, where asked for.
    """

    at: datetime
    elapsed_ns: int
    uptime: int | None = None
    boots: int | None = None


def whole(value: Value, limit: int = _SIGNED) -> int | None:
    """A counter or gauge as the agent gave it; None for what is no whole number of [0, limit]: agents lie."""
    return value if type(value) is int and 0 <= value <= limit else None


def speed_bps(high: int | None, low: int | None) -> int | None:
    """Port speed in bit/s: ifHighSpeed, else ifSpeed below its limit, else None; 0 is an agent's "unknown"."""
    if high:
        return high * 1_000_000
    return low if low and low < SPEED_LIMIT else None


def reading(device: str, run: str, port: Port, stamp: Stamp, values: Mapping[str, Value]) -> Row:
    """The row of an answered port: ``ok``, or ``gone`` if this index bears another name or none by now."""
    get = values.get
    name, received, sent, oper, admin, high, low, changed, bad_in, bad_out, lost_in, lost_out = port.oids
    if text_of(get(name)) != port.name:
        return missing(device, run, port.name, stamp, "gone")
    most = _WIDEST[port.bits]
    return (
        device, port.name, stamp.at, stamp.elapsed_ns, run, "ok", stamp.uptime, stamp.boots, port.index,
        whole(get(changed)), port.bits, whole(get(received), most), whole(get(sent), most),
        whole(get(bad_in), most), whole(get(bad_out), most), whole(get(lost_in), most), whole(get(lost_out), most),
        whole(get(oper), _STATE), whole(get(admin), _STATE), speed_bps(whole(get(high), 10**9), whole(get(low))),
    )  # fmt: skip


def missing(device: str, run: str, interface: str, stamp: Stamp, status: str) -> Row:
    """The row of an interface without values: every wanted interface leaves one at every poll."""
    head = (device, interface, stamp.at, stamp.elapsed_ns, run, status, stamp.uptime, stamp.boots)
    return head + (None,) * (len(COLUMNS) - len(head))


def to_batch(rows: Sequence[Row]) -> pa.RecordBatch:
    """Rows as one Arrow batch of ``READINGS``."""
    columns = zip(*rows, strict=True) if rows else ([] for _ in COLUMNS)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, READINGS.schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=READINGS.schema)


def to_entry(rows: Sequence[Row], source: str, received_at: datetime) -> Entry:
    """One spool entry, kind ``samples``, with all rows as an Arrow IPC stream."""
    batch = to_batch(rows)
    buffer = pa.BufferOutputStream()
    with pa.ipc.new_stream(buffer, batch.schema) as writer:
        writer.write_batch(batch)
    payload = buffer.getvalue().to_pybytes()
    return Entry(kind=Kind.SAMPLES, source=source, received_at=received_at, payload=payload, format="arrow")


def as_values(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Rows as mappings, for ``yw collect once``."""
    return [dict(zip(COLUMNS, row, strict=True)) for row in rows]
