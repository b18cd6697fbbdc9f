"""Changes as flat ECS documents (CONTRACT §5). Made once, kept until the spool has them: a repetition is no second."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from collectors.certificates.changes import GOOD, Action, Change
from crypto.pki.expiry import Expiry
from crypto.sm3 import sm3_hex
from records.instants import format_instant, parse_instant
from records.spool import Entry, Kind

DATASET, PROVIDER = "yunwang.crypto", "certificates"


def event_id(change: Change) -> str:
    """SM3 over dataset, action, name and instant."""
    parts = (DATASET, change.action.value, change.name, format_instant(change.at))
    return sm3_hex("\x1f".join(parts).encode())


def to_payload(change: Change) -> str:
    """One ECS event as JSON; names without a value are left out."""
    good = change.action in GOOD
    sighting = change.sighting
    fields: dict[str, Any] = {
        "@timestamp": format_instant(change.at),
        "event.id": event_id(change),
        "event.kind": "event",
        "event.category": ["configuration"],
        "event.type": ["change" if change.action in {Action.RENEWED, Action.REPLACED} else "info"],
        "event.action": change.action.value,
        "event.outcome": "success" if good else "failure",
        "event.dataset": DATASET,
        "event.provider": PROVIDER,
        "message": message(change),
        "yw.certificate": change.name,
        "file.path": sighting.file if sighting else None,
        "error.message": (sighting.why or None) if sighting else None,
        "labels.previous_fingerprint": _previous(change),
        **(_certificate(sighting.row) if sighting and sighting.row else {}),
    }
    kept = {name: value for name, value in fields.items() if value is not None}
    return json.dumps(kept, ensure_ascii=False, sort_keys=True)


def _certificate(row: Expiry) -> Mapping[str, Any]:
    """Names of ECS 8 ``x509``; its serial number is upper-case hex."""
    return {
        "file.x509.subject.distinguished_name": row.subject,
        "file.x509.issuer.distinguished_name": row.issuer,
        "file.x509.serial_number": row.serial.upper(),
        "file.x509.not_after": format_instant(row.not_after),
        "labels.fingerprint": row.fingerprint,
        "labels.level": row.level.value,
        "labels.days_left": str(row.days_left),
    }


def _previous(change: Change) -> str | None:
    replaced = change.action in {Action.RENEWED, Action.REPLACED}
    return change.previous.fingerprint if replaced and change.previous else None


def message(change: Change) -> str:
    """One line for people, English like all event texts."""
    sighting = change.sighting
    if sighting is None:
        return f"{change.action.value} {change.name}"
    if sighting.row is None:
        return f"{change.action.value} {change.name} {sighting.file} {sighting.why}".strip()
    row = sighting.row
    return f"{change.action.value} {change.name} {row.subject} until {format_instant(row.not_after)}"


def to_entry(payload: str) -> Entry:
    """The spool entry of a payload; the same each time it is made."""
    at = parse_instant(json.loads(payload)["@timestamp"])
    return Entry(kind=Kind.EVENT, source=PROVIDER, received_at=at, payload=payload.encode(), format="ecs")
