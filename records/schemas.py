"""Column names and types of the bulk records: Arrow schemas that every engine stores and every package reads."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

INSTANT = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table of the record store.

    Attributes:
        name: File and index name.
        schema: Columns.
        key: Columns that identify a row; a second row with the same key changes nothing.
        time: The column that orders and partitions the rows.
        series: Columns by which sealed rows are sorted before time.
    """

    name: str
    schema: pa.Schema
    key: tuple[str, ...]
    time: str
    series: tuple[str, ...]


READINGS = Table(
    name="readings",
    key=("device", "interface", "at"),
    time="at",
    series=("device", "interface"),
    schema=pa.schema(
        [
            ("device", pa.string()),  # inventory id
            ("interface", pa.string()),  # ifName, RFC 2863: the series key, never ifIndex
            ("at", INSTANT),  # wall clock at receipt (for a failed poll: at the time-out)
            ("elapsed_ns", pa.int64()),  # the poller's monotonic clock at receipt
            ("run", pa.string()),  # the poller process; elapsed_ns compares only within one run
            ("status", pa.string()),  # ok | timeout | gone (no such instance) | error
            ("uptime_ticks", pa.int64()),  # sysUpTime.0 of the same PDU, 1/100 s, wraps at 2**32
            ("engine_boots", pa.int64()),  # snmpEngineBoots where the version has it
            ("if_index", pa.int64()),
            ("discontinuity_ticks", pa.int64()),  # ifCounterDiscontinuityTime
            ("counter_bits", pa.int8()),  # 64 for ifHC*, else 32
            ("in_octets", pa.uint64()),
            ("out_octets", pa.uint64()),
            ("in_errors", pa.uint64()),
            ("out_errors", pa.uint64()),
            ("in_discards", pa.uint64()),
            ("out_discards", pa.uint64()),
            ("oper_status", pa.int8()),  # ifOperStatus: 1 up, 2 down, 3 testing ... 7 lowerLayerDown
            ("admin_status", pa.int8()),
            ("speed_bps", pa.int64()),  # ifHighSpeed x 1e6, or ifSpeed below its limit; null if unknown
        ]
    ),
)

RATES = Table(
    name="rates",
    key=("device", "interface", "at"),
    time="at",
    series=("device", "interface"),
    schema=pa.schema(
        [
            ("device", pa.string()),
            ("interface", pa.string()),
            ("at", INSTANT),  # end of the interval
            ("seconds", pa.float64()),  # its length by the agent's clock where that is plausible
            ("in_bps", pa.int64()),  # mean over the interval, whole bit/s; null where there is no truth
            ("out_bps", pa.int64()),
            ("oper_status", pa.int8()),
            ("status", pa.string()),  # ok | first | reset | missing | implausible | interpolated | unknown
            ("raw_in_bps", pa.int64()),  # what an implausible one, or one after a long gap, would be; else null
            ("raw_out_bps", pa.int64()),
        ]
    ),
)

USAGE = Table(
    name="usage",
    key=("source", "event_id"),
    time="start",
    series=("tenant", "meter", "resource"),
    schema=pa.schema(
        [
            ("source", pa.string()),
            ("event_id", pa.string()),
            ("tenant", pa.string()),
            ("resource", pa.string()),
            ("meter", pa.string()),
            ("quantity", pa.decimal128(21, 9)),  # accumulated over [start, end) in unit, CONTRACT §3
            ("unit", pa.string()),
            ("start", pa.timestamp("s", tz="UTC")),
            ("end", pa.timestamp("s", tz="UTC")),
            ("attributes", pa.string()),  # canonical JSON of the attr.* columns
        ]
    ),
)

EVENTS = Table(
    name="events",
    key=("id",),
    time="at",
    series=("dataset", "host"),
    schema=pa.schema(
        [
            ("id", pa.string()),  # event.id: SM3 hex, or the domain's own
            ("at", INSTANT),  # @timestamp
            ("ingested", INSTANT),  # event.ingested
            ("dataset", pa.string()),  # event.dataset
            ("action", pa.string()),  # event.action
            ("outcome", pa.string()),  # event.outcome
            ("host", pa.string()),  # host.name
            ("user", pa.string()),  # user.name
            ("source_ip", pa.string()),  # source.ip
            ("org", pa.string()),  # yw.org
            ("region", pa.string()),  # yw.region
            ("message", pa.string()),
            ("doc", pa.string()),  # the whole ECS event, flat dotted names, JSON
        ]
    ),
)

TABLES = (READINGS, RATES, EVENTS)
