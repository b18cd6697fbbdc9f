"""Parsers by name and version. What none can read becomes an event of kind ``pipeline_error`` with the reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from soc.event import Event
from soc.parse.objects import domain_event, parse_json
from soc.parse.raw import Raw, UnparsableError
from soc.parse.sources import dataset_source
from soc.parse.syslog import parse_syslog


@dataclass(frozen=True, slots=True, kw_only=True)
class Parser:
    """One way to read a payload.

    Attributes:
        version: Raised whenever the same payload would give other fields; events carry it as ``yw.parser``.
    """

    name: str
    version: int
    read: Callable[[Raw], Event]


PARSERS = {
    one.name: one
    for one in (
        Parser(name="syslog", version=1, read=parse_syslog),
        Parser(name="json", version=1, read=parse_json),
        Parser(name="ecs", version=1, read=domain_event),
    )
}
FORMATS = ("auto", "evtx", "ndjson", *PARSERS)


def parse(raw: Raw) -> Event:
    """The event of a payload; never raises for what is in it."""
    try:
        event = _chosen(raw).read(raw)
    except UnparsableError as error:
        return _failure(raw, str(error))
    except (RecursionError, OverflowError) as error:
        return _failure(raw, f"{type(error).__name__}: {error}")
    return event


def _chosen(raw: Raw) -> Parser:
    if raw.format in PARSERS:
        return PARSERS[raw.format]
    if raw.format in {"evtx", "ndjson"} or raw.payload.lstrip()[:1] == b"{":
        return PARSERS["json"]
    return PARSERS["syslog"]


def _failure(raw: Raw, reason: str) -> Event:
    original = raw.payload.decode("utf-8", "backslashreplace")
    fields = {
        "event.kind": "pipeline_error",
        "event.dataset": "yunwang.pipeline",
        "event.original": original,
        "error.message": reason,
        "message": reason,
    }
    if raw.peer:
        fields["source.ip"] = raw.peer
    return Event(fields, raw.received_at, dataset_source("yunwang.pipeline"), "none/1", failed=True)
