"""Domain events of metering as flat ECS documents (CONTRACT §5); ids come from the cause: a repetition is no second."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from cloud_metering.amounts import quantity_text
from cloud_metering.bursts import Burst
from cloud_metering.payload import Row
from crypto.sm3 import sm3_hex
from inventory.model import Inventory, Tenant
from records.instants import format_instant, midnight
from records.spool import Entry, Kind

DATASET, PROVIDER = "yunwang.cloud", "cloud_metering"


def burst_entry(one: Burst, inventory: Inventory, now: datetime) -> Entry:
    """``usage_burst``: a tenant holds far more vCPU than in the day before."""
    fields: dict[str, object] = {
        **_common("usage_burst", one.tenant, format_instant(one.start), format_instant(one.end)),
        **_owner(one.tenant, one.start, inventory),
        "@timestamp": format_instant(one.end),
        "event.type": ["change"],
        "event.outcome": "success",
        "message": (f"usage_burst {one.tenant} vcpu={quantity_text(one.held)} trailing_mean={quantity_text(one.mean)}"),
        "labels.vcpu": quantity_text(one.held),
        "labels.trailing_mean": quantity_text(one.mean),
    }
    return _entry(fields, now)


def conflict_entry(row: Row, mark: bytes, inventory: Inventory, now: datetime) -> Entry:
    """``usage_conflict``: a known event id came with another payload, which was quarantined."""
    at = datetime.fromtimestamp(row.start, UTC)
    fields: dict[str, object] = {
        **_common("usage_conflict", row.source, row.event_id, mark.hex()),
        **_owner(row.tenant, at, inventory),
        "@timestamp": format_instant(now),
        "event.type": ["error"],
        "event.outcome": "failure",
        "message": f"usage_conflict {row.source}/{row.event_id} tenant={row.tenant} meter={row.meter}",
        "labels.source": row.source,
        "labels.event_id": row.event_id,
    }
    return _entry(fields, now)


def _common(action: str, *cause: str) -> dict[str, object]:
    return {
        "event.id": sm3_hex("\x1f".join((DATASET, action, *cause)).encode()),
        "event.kind": "event",
        "event.category": ["host"],
        "event.action": action,
        "event.dataset": DATASET,
        "event.provider": PROVIDER,
    }


def _owner(tenant: str, at: datetime, inventory: Inventory) -> dict[str, object]:
    """Tenant, organisation and system by the membership at that instant."""
    spans = inventory.memberships.get(tenant, ())
    held = next((one for one in spans if _holds(one, at)), None)
    found = {"yw.tenant": tenant, "yw.org": held and held.organisation, "yw.system": held and held.system}
    organisation = inventory.organisation.get(held.organisation) if held else None
    return found | {"yw.region": organisation and organisation.region}


def _holds(one: Tenant, at: datetime) -> bool:
    return (one.start is None or midnight(one.start) <= at) and (one.end is None or at < midnight(one.end))


def _entry(fields: dict[str, object], now: datetime) -> Entry:
    document = {name: value for name, value in fields.items() if value is not None}
    payload = json.dumps(document, ensure_ascii=False, sort_keys=True).encode()
    return Entry(kind=Kind.EVENT, source=PROVIDER, received_at=now, payload=payload, format="ecs")
