"""Who an event belongs to, from the inventory: organisation (委办局), system, asset, region, link group."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from inventory.model import Inventory, Tenant
from records.instants import midnight
from soc.event import Event, Fields

REMEMBERED = 50_000  # names and addresses


class Enricher:
    """Adds ``yw.*`` fields that follow from the inventory; never replaces one that an event brings."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory
        self._assets: dict[tuple[str | None, str | None], Fields] = {}
        self._by_name = {one.name: one.id for one in inventory.devices}
        self._log_sources = {
            one.device or one.host: one.organisation for one in inventory.log_sources if one.organisation
        }

    def enrich(self, event: Event, peer: str = "") -> None:
        """Complete the fields of an event that came from ``peer``."""
        fields = event.fields
        name = fields.get("host.name")
        key = (name if isinstance(name, str) else None, peer or None)
        found = self._assets.get(key)
        if found is None:
            if len(self._assets) >= REMEMBERED:
                self._assets.clear()
            found = self._assets[key] = self._asset(*key)
        if found:
            _add(fields, found)
        if "yw.link" in fields or "yw.group" in fields:
            _add(fields, self._link(fields.get("yw.link"), fields.get("yw.group")))
        if "yw.tenant" in fields:
            _add(fields, self._tenant(str(fields["yw.tenant"]), event.at))
        if "yw.device" in fields and "yw.asset" not in fields:
            _add(fields, self._device(str(fields["yw.device"])))
        if "yw.org" in fields and "yw.region" not in fields:
            _add(fields, self._region(fields["yw.org"]))

    def _asset(self, name: str | None, peer: str | None) -> Fields:
        """By the name that the message gives; by the sender's address only for a device: a server may be a relay."""
        key = name or peer or ""
        host = self._inventory.host.get(key) or self._inventory.host_at.get(key)
        if host is not None:
            return self._host(host.id)
        at = self._inventory.device_at.get(key) or self._inventory.device_at.get(peer or "")
        device = key if key in self._inventory.device else self._by_name.get(key) or (at.id if at else None)
        return self._device(device) if device is not None else {}

    def _host(self, identifier: str) -> Fields:
        host = self._inventory.host[identifier]
        system = self._inventory.system.get(host.system) if host.system else None
        organisation = (
            host.organisation or (system.organisation if system else None) or self._log_sources.get(identifier)
        )
        found = {"yw.asset": identifier, "yw.org": organisation, "yw.system": host.system}
        return _present(found) | (self._region(organisation) if organisation else {})

    def _device(self, identifier: str) -> Fields:
        device = self._inventory.device.get(identifier)
        if device is None:
            return {}
        organisation = device.organisation or self._log_sources.get(identifier)
        return _present(
            {"yw.asset": identifier, "yw.device": identifier, "yw.region": device.region, "yw.org": organisation}
        )

    def _link(self, link_id: object, group_id: object) -> Fields:
        """A link's group, the region it leads to, and the organisations whose sites sit behind it."""
        link = self._inventory.link.get(str(link_id)) if link_id is not None else None
        group = str(group_id) if group_id is not None else link.group if link else None
        behind = self._inventory.organisations_behind_group.get(group or "", ())
        end = self._inventory.device.get((link.b or link.a).device) if link else None
        organisations: Any = behind[0] if len(behind) == 1 else list(behind) or None
        return _present({"yw.group": group, "yw.region": end.region if end else None, "yw.org": organisations})

    def _tenant(self, identifier: str, at: datetime) -> Fields:
        """The organisation and system of a tenant at that time; its first membership where none covers it."""
        spans = self._inventory.memberships.get(identifier, ())
        span = next((one for one in spans if _covers(one, at)), spans[0] if spans else None)
        return _present({"yw.org": span.organisation, "yw.system": span.system}) if span else {}

    def _region(self, organisation: object) -> Fields:
        found = self._inventory.organisation.get(organisation) if isinstance(organisation, str) else None
        return {"yw.region": found.region} if found else {}


Enrich = Callable[[Event, str], None]


def _covers(span: Tenant, at: datetime) -> bool:
    return (span.start is None or midnight(span.start) <= at) and (span.end is None or at < midnight(span.end))


def _present(fields: dict[str, Any]) -> Fields:
    return {name: value for name, value in fields.items() if value is not None}


def _add(fields: Fields, found: Fields) -> None:
    for name, value in found.items():
        fields.setdefault(name, value)
