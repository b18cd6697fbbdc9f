"""What must hold between records: unique ids, references that meet something, a tree of regions, no overlap."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from datetime import date
from itertools import pairwise
from typing import Any

from inventory.model import SECTIONS, End, Inventory, Link, Tenant
from records.errors import Problem

REFERENCES: tuple[tuple[str, str, str], ...] = (  # section, attribute, section referred to
    ("regions", "parent", "regions"),
    ("organisations", "region", "regions"),
    ("organisations", "parent", "organisations"),
    ("devices", "region", "regions"),
    ("devices", "organisation", "organisations"),
    ("links", "group", "groups"),
    ("links", "carrier", "carriers"),
    ("systems", "organisation", "organisations"),
    ("tenants", "cloud", "clouds"),
    ("tenants", "organisation", "organisations"),
    ("tenants", "system", "systems"),
    ("hosts", "organisation", "organisations"),
    ("hosts", "system", "systems"),
    ("sites", "organisation", "organisations"),
    ("sites", "region", "regions"),
    ("sites", "group", "groups"),
    ("services", "host", "hosts"),
    ("log_sources", "device", "devices"),
    ("log_sources", "host", "hosts"),
    ("log_sources", "organisation", "organisations"),
)

Where = Callable[[object], str]
Known = Mapping[str, AbstractSet[str]]


def identity(section: str, record: Any) -> str:
    """What identifies a record within its section."""
    return str(record.code if section == "regions" else record.id)


def check(inventory: Inventory, places: Mapping[int, str], broken: Mapping[str, AbstractSet[str]]) -> list[Problem]:
    """All that is wrong across records.

    Args:
        inventory: What could be read.
        places: ``id(record)`` to ``FILE:LINE``.
        broken: Section to ids that stand in the file but could not be read; a reference to them is no fault of its own.
    """
    known = {section: _ids(inventory, section) | broken.get(section, set()) for section, _ in _sections(inventory)}

    def where(record: object) -> str:
        return places.get(id(record), "")

    return [
        *_duplicates(inventory, where),
        *_dangling(inventory, known, where),
        *_ends(inventory, known, where),
        *_cycles(inventory, "regions", where),
        *_cycles(inventory, "organisations", where),
        *_memberships(inventory, where),
        *_maintenance(inventory, known, where),
        *_snmp(inventory, where),
    ]


def _sections(inventory: Inventory) -> Iterator[tuple[str, tuple[Any, ...]]]:
    return ((name, getattr(inventory, name)) for name in SECTIONS)


def _ids(inventory: Inventory, section: str) -> frozenset[str]:
    return frozenset(identity(section, record) for record in getattr(inventory, section))


def _duplicates(inventory: Inventory, where: Where) -> Iterator[Problem]:
    for section, records in _sections(inventory):
        if section == "tenants":  # one id stands once for each membership
            continue
        first: dict[str, Any] = {}
        for record in records:
            earlier = first.setdefault(identity(section, record), record)
            if earlier is not record:
                values = {"id": identity(section, record), "section": section, "first": where(earlier)}
                yield Problem(
                    "{section}: '{id}' stands twice, first at {first}",
                    "give one of them another id",
                    where(record),
                    values,
                )


def _dangling(inventory: Inventory, known: Known, where: Where) -> Iterator[Problem]:
    for section, attribute, target in REFERENCES:
        for record in getattr(inventory, section):
            wanted = getattr(record, attribute)
            if wanted is not None and wanted not in known[target]:
                values = {"key": attribute, "id": wanted, "section": target}
                yield Problem(
                    "{key}: there is no '{id}' in {section}",
                    "add it to {section}, or correct the id",
                    where(record),
                    values,
                )


def _ends(inventory: Inventory, known: Known, where: Where) -> Iterator[Problem]:
    taken: dict[tuple[str, str], Link] = {}
    for link in inventory.links:
        for end in (link.a, link.b):
            if end is None:
                continue
            if end.device not in known["devices"]:
                yield Problem(
                    "there is no device '{id}'", "add it to devices, or correct the id", where(link), {"id": end.device}
                )
            yield from _taken(taken, end, link, where)


def _taken(taken: dict[tuple[str, str], Link], end: End, link: Link, where: Where) -> Iterator[Problem]:
    other = taken.setdefault((end.device, end.interface), link)
    if other is not link or end == link.a == link.b:
        values = {"device": end.device, "interface": end.interface, "link": other.id}
        yield Problem(
            "{device} {interface} already ends link '{link}'", "one interface ends one link", where(link), values
        )


def _cycles(inventory: Inventory, section: str, where: Where) -> Iterator[Problem]:
    parent = {identity(section, record): record.parent for record in getattr(inventory, section)}
    for record in getattr(inventory, section):
        seen = {identity(section, record)}
        above = record.parent
        while above is not None and above not in seen:
            seen.add(above)
            above = parent.get(above)
        if above == identity(section, record):
            yield Problem(
                "{section}: '{id}' lies above itself",
                "break the circle of parents",
                where(record),
                {"section": section, "id": above},
            )


def _memberships(inventory: Inventory, where: Where) -> Iterator[Problem]:
    for tenant in inventory.tenants:
        if tenant.start and tenant.end and tenant.end <= tenant.start:
            yield Problem(
                "tenant '{id}': `to` is not after `from`", "correct the dates", where(tenant), {"id": tenant.id}
            )
    for spans in inventory.memberships.values():
        for before, after in pairwise(spans):
            if _open_end(before) > (after.start or date.min):
                values = {"id": after.id, "first": where(before)}
                yield Problem(
                    "tenant '{id}' overlaps its membership at {first}",
                    "let `to` be the next `from`",
                    where(after),
                    values,
                )


def _open_end(tenant: Tenant) -> date:
    return tenant.end or date.max


def _maintenance(inventory: Inventory, known: Known, where: Where) -> Iterator[Problem]:
    for window in inventory.maintenance:
        if window.end <= window.start:
            yield Problem(
                "maintenance '{id}': `to` is not after `from`", "correct the instants", where(window), {"id": window.id}
            )
        for section, ids in window.scope.items():
            for one in sorted(set(ids) - known[section]):
                yield Problem(
                    "there is no '{id}' in {section}",
                    "correct the scope",
                    where(window),
                    {"id": one, "section": section},
                )


def _snmp(inventory: Inventory, where: Where) -> Iterator[Problem]:
    for device in inventory.devices:
        snmp = device.snmp
        if snmp is None:
            continue
        lacking = [
            name for name in (("user",) if snmp.version == "3" else ("community",)) if getattr(snmp, name) is None
        ]
        lacking += [
            f"{name}_key" for name in ("auth", "priv") if getattr(snmp, name) and not getattr(snmp, f"{name}_key")
        ]
        if snmp.priv and not snmp.auth:
            lacking.append("auth")
        for name in lacking:
            yield Problem("snmp of '{id}' lacks '{key}'", "add it", where(device), {"id": device.id, "key": name})
