"""JSON: ECS documents nested or flat, Windows records, and other objects, which keep their names."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import orjson

from soc.ecs import flat
from soc.event import Event
from soc.parse.raw import Raw, UnparsableError, decode
from soc.parse.sources import dataset_source
from soc.parse.times import any_instant
from soc.parse.windows import is_windows, windows_event
from soc.sigma.route import NONE, Source

PARSER = "json/1"
_TIMES = ("@timestamp", "timestamp", "time", "ts", "eventTime", "date")
_SCALARS = {
    "host": "host.name",
    "hostname": "host.name",
    "user": "user.name",
    "src_ip": "source.ip",
    "dest_ip": "destination.ip",
}


def parse_json(raw: Raw) -> Event:
    """One object; raises UnparsableError with the reason."""
    record = _object(raw.payload)
    if not isinstance(record, dict):
        raise UnparsableError("the JSON is no object")
    inner = record.get("_source")
    if isinstance(inner, dict):  # a hit as Elasticsearch exports it
        record = inner
    if is_windows(record):
        return windows_event(record, raw)
    return _document(flat(record), decode(raw.payload).strip(), raw.received_at)


def _object(payload: bytes) -> Any:
    try:
        return orjson.loads(payload)
    except orjson.JSONDecodeError:
        pass
    try:
        return orjson.loads(decode(payload).strip().removeprefix("\ufeff"))
    except orjson.JSONDecodeError as error:
        raise UnparsableError(f"not JSON: {error}") from None


def _document(fields: dict[str, Any], original: str, received_at: datetime) -> Event:
    for plain, name in _SCALARS.items():
        if plain in fields and name not in fields:
            fields[name] = fields[plain]
    at = next((found for name in _TIMES if (found := any_instant(fields.get(name))) is not None), received_at)
    fields.setdefault("event.kind", "event")
    fields.setdefault("event.original", original)
    dataset = fields.get("event.dataset") or fields.get("event.module") or "json.document"
    fields["event.dataset"] = dataset = str(dataset)
    return Event(fields, at, _source(fields, dataset), PARSER)


def _source(fields: dict[str, Any], dataset: str) -> Source:
    """What the document says of its log source itself, else by its dataset."""
    product, category, service = (fields.get(f"logsource.{part}") for part in ("product", "category", "service"))
    if product is None and category is None and service is None:
        return dataset_source(dataset)
    low = [str(one).lower() if one is not None else None for one in (product, category, service)]
    return Source(low[0], frozenset({low[1]}) if low[1] else NONE, frozenset({low[2]}) if low[2] else NONE)


def domain_event(raw: Raw) -> Event:
    """An event of our own packages: flat ECS names already; raises UnparsableError if it is not."""
    event = parse_json(raw)
    if not isinstance(event.fields.get("event.id"), str):
        raise UnparsableError("a domain event without event.id")
    event.parser = "ecs/1"
    return event
