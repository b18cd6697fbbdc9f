"""Events -> rows of the record store."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import orjson
import pyarrow as pa

from records.instants import microseconds
from records.schemas import EVENTS
from soc.ecs import column
from soc.event import Event

_TEXTS = {
    "dataset": "event.dataset",
    "action": "event.action",
    "outcome": "event.outcome",
    "host": "host.name",
    "user": "user.name",
    "source_ip": "source.ip",
    "org": "yw.org",
    "region": "yw.region",
    "message": "message",
}


def event_rows(events: Sequence[Event], ingested: Sequence[datetime]) -> pa.Table:
    """A table of EVENTS; ``ingested`` holds the time of receipt of each."""
    known = [event.fields for event in events]
    columns: dict[str, Sequence[object]] = {
        "id": [event.id for event in events],
        "at": [microseconds(event.at) for event in events],
        "ingested": [microseconds(at) for at in ingested],
        "doc": [document(event) for event in events],
    }
    for name, field in _TEXTS.items():
        columns[name] = [_text(fields.get(field)) for fields in known]
    return pa.Table.from_arrays(
        [_array(columns[field.name], field.type) for field in EVENTS.schema], schema=EVENTS.schema
    )


def _array(values: Sequence[object], kind: pa.DataType) -> pa.Array:
    """Instants come as whole µs: Arrow takes those ten times sooner than datetimes."""
    return pa.array(values, pa.int64()).cast(kind) if pa.types.is_timestamp(kind) else pa.array(values, kind)


def _text(value: object) -> str | None:
    return value if type(value) is str else column(value)


def document(event: Event) -> bytes:
    """The whole event as JSON, flat dotted names."""
    fields = event.fields
    if event.standalone:
        fields = {**{f"winlog.event_data.{name}": value for name, value in event.aliases.items()}, **fields}
    return orjson.dumps(fields, default=str)
