"""To which organisations the things of the inventory belong: links and devices through the sites behind them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from inventory.model import Inventory

Owners = Mapping[str, Mapping[str, frozenset[str]]]


def owners(inventory: Inventory) -> Owners:
    """Kind of entity (``link``, ``group``, ``device``, ``host``, ``tenant``, ``system``) to id to organisations."""
    return {
        "link": _of_links(inventory),
        "group": {name: frozenset(found) for name, found in inventory.organisations_behind_group.items()},
        "device": _of_devices(inventory),
        "host": {one.id: _some(one.organisation) for one in inventory.hosts}
        | {one.address: _some(one.organisation) for one in inventory.hosts},
        "tenant": {
            name: frozenset(span.organisation for span in spans) for name, spans in inventory.memberships.items()
        },
        "system": {one.id: _some(one.organisation) for one in inventory.systems},
    }


def _some(organisation: str | None) -> frozenset[str]:
    return frozenset() if organisation is None else frozenset({organisation})


def _of_links(inventory: Inventory) -> dict[str, frozenset[str]]:
    behind = inventory.organisations_behind_group
    return {one.id: frozenset(behind.get(one.group or "", ())) for one in inventory.links}


def _of_devices(inventory: Inventory) -> dict[str, frozenset[str]]:
    found = {one.id: _some(one.organisation) for one in inventory.devices}
    of_link = _of_links(inventory)
    for link in inventory.links:
        for end in (link.a, link.b):
            if end is not None:
                found[end.device] = _union((found.get(end.device, frozenset()), of_link[link.id]))
    return found


def _union(parts: Iterable[frozenset[str]]) -> frozenset[str]:
    return frozenset().union(*parts)
