"""Domain events of links as flat ECS documents (CONTRACT §5); ids come from the cause: a repetition is no second."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime

from crypto.sm3 import sm3_hex
from inventory.model import Inventory, Link, RegionLevel
from link_health.tables import to_instant
from link_health.turns import Action, Announcement
from records.instants import format_instant
from records.spool import Entry, Kind

LINKS, PLATFORM = "yunwang.link", "yunwang.platform"
_PLATFORM = frozenset({Action.COLLECTION_SILENT, Action.COLLECTION_RESUMED})
_GOOD = frozenset(
    {
        Action.LINK_UP,
        Action.PROTECTION_RESTORED,
        Action.DEVICE_REACHABLE,
        Action.QUALITY_RESTORED,
        Action.COLLECTION_RESUMED,
    }
)
_LEVELS = tuple(RegionLevel)


def event_id(dataset: str, announcement: Announcement, organisation: str | None) -> str:
    """SM3 over dataset, action, object, instant of the causing reading; and the organisation where several are told."""
    parts = (dataset, announcement.action.value, announcement.name, str(announcement.at_us), organisation or "")
    return sm3_hex("\x1f".join(parts).encode())


def entries(announcement: Announcement, inventory: Inventory, now: datetime) -> Iterator[Entry]:
    """The spool entries of one announcement: one, or one for each of several organisations behind the group."""
    behind = organisations(announcement, inventory)
    for organisation in behind or (None,):
        document = to_document(announcement, inventory, organisation, several=len(behind) > 1)
        payload = json.dumps(document, ensure_ascii=False, sort_keys=True).encode()
        yield Entry(kind=Kind.EVENT, source="link_health", received_at=now, payload=payload, format="ecs")


def organisations(announcement: Announcement, inventory: Inventory) -> tuple[str, ...]:
    """The organisations whose sites sit behind the group concerned."""
    group = announcement.group or _group_of(announcement.link, inventory)
    return inventory.organisations_behind_group.get(group, ()) if group else ()


def _group_of(link: str | None, inventory: Inventory) -> str | None:
    found = inventory.link.get(link) if link else None
    return found.group if found else None


def to_document(
    announcement: Announcement, inventory: Inventory, organisation: str | None, *, several: bool
) -> dict[str, object]:
    """One ECS event; names without a value are left out."""
    dataset = PLATFORM if announcement.action in _PLATFORM else LINKS
    device = announcement.device or _observer(announcement, inventory)
    fields: dict[str, object] = {
        "@timestamp": format_instant(to_instant(announcement.at_us)),
        "event.id": event_id(dataset, announcement, organisation if several else None),
        "event.kind": "event",
        "event.category": ["network"],
        "event.type": ["info" if announcement.action in _GOOD else "error"],
        "event.action": announcement.action.value,
        "event.outcome": "success" if announcement.action in _GOOD else "failure",
        "event.dataset": dataset,
        "event.provider": "link_health",
        "message": message(announcement),
        "observer.name": device,
        "yw.org": organisation,
        "yw.region": _region(announcement, device, inventory),
        "yw.link": announcement.link,
        "yw.group": announcement.group or _group_of(announcement.link, inventory),
        "yw.root": announcement.root,
        "yw.flapping": announcement.flapping if announcement.link else None,
        **_labels(announcement, inventory),
    }
    return {name: value for name, value in fields.items() if value is not None}


def message(announcement: Announcement) -> str:
    """One line for people, English like all event texts."""
    behind = f" behind {announcement.root}" if announcement.root else ""
    details = " ".join(f"{name}={value}" for name, value in announcement.details.items())
    return f"{announcement.action.value} {announcement.name}{behind} {details}".strip()


def _labels(announcement: Announcement, inventory: Inventory) -> Mapping[str, str]:
    labels = {name: str(value) for name, value in announcement.details.items()}
    link = inventory.link.get(announcement.link or "")
    if link is not None:
        labels.update({"tier": link.tier.value, "carrier": link.carrier or "", "circuit": link.circuit or ""})
    return {f"labels.{name}": value for name, value in labels.items() if value}


def _observer(announcement: Announcement, inventory: Inventory) -> str | None:
    link = inventory.link.get(announcement.link or "")
    return link.a.device if link else None


def _region(announcement: Announcement, device: str | None, inventory: Inventory) -> str | None:
    link = inventory.link.get(announcement.link or "")
    if link is None and announcement.group:
        link = next(iter(inventory.links_of_group.get(announcement.group, ())), None)
    if link is not None:
        return lower_region(link, inventory)
    found = inventory.device.get(device or "")
    return found.region if found else None


def lower_region(link: Link, inventory: Inventory) -> str | None:
    """The region that the link serves: that of its end on the lower level, of end ``b`` among equals."""
    codes = [inventory.device[end.device].region for end in (link.a, link.b) if end and end.device in inventory.device]
    known = [code for code in codes if code in inventory.region]
    return max(reversed(known), key=lambda code: _LEVELS.index(inventory.region[code].level), default=None)
