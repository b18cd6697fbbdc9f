"""Events -> rows of the record store."""

from __future__ import annotations

from collections.abc import Sequence

import orjson
import pyarrow as pa

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


def event_rows(events: Sequence[Event], ingested: Sequence[object]) -> pa.Table:
    """A table of EVENTS; ``ingested`` holds the time of receipt of each."""
    columns: dict[str, Sequence[object]] = {
        "id": [event.id for event in events],
        "at": [event.at for event in events],
        "ingested": ingested,
        "doc": [document(event) for event in events],
    }
    for name, field in _TEXTS.items():
        columns[name] = [_text(event.fields.get(field)) for event in events]
    arrays = [pa.array(columns[field.name], type=field.type) for field in EVENTS.schema]
    return pa.Table.from_arrays(arrays, schema=EVENTS.schema)


def _text(value: object) -> str | None:
    return value if type(value) is str else column(value)


def document(event: Event) -> str:
    """The whole event as JSON, flat dotted names."""
    fields = event.fields
    if event.standalone:
        fields = {**{f"winlog.event_data.{name}": value for name, value in event.aliases.items()}, **fields}
    return orjson.dumps(fields, default=str).decode()
