"""An import: the store becomes what the file names, and loses only with ``--prune`` (CONTRACT §2)."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from inventory.checking import identity
from inventory.model import SECTIONS, Inventory, Tenant


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What an import would change, ids by section."""

    added: dict[str, list[str]]
    changed: dict[str, list[str]]
    removed: dict[str, list[str]]

    @property
    def nothing(self) -> bool:
        return not (self.added or self.changed or self.removed)

    def as_json(self) -> dict[str, Any]:
        return {"added": self.added, "changed": self.changed, "removed": self.removed}


def merge(stored: Inventory, wanted: Inventory, *, prune: bool) -> Inventory:
    """Stored records replaced and joined by the wanted ones; without ``prune`` what the file does not name stays."""
    return Inventory(
        **{name: _merge(name, getattr(stored, name), getattr(wanted, name), prune=prune) for name in SECTIONS}
    )


def _key(section: str, record: Any) -> Hashable:
    return (record.id, record.start) if isinstance(record, Tenant) else identity(section, record)


def _merge(section: str, stored: tuple[Any, ...], wanted: tuple[Any, ...], *, prune: bool) -> tuple[Any, ...]:
    if prune:
        return wanted
    new = {_key(section, record): record for record in wanted}
    named = {identity(section, record) for record in wanted} if section == "tenants" else set()
    kept = [new.pop(_key(section, record), record) for record in stored if identity(section, record) not in named]
    return (*kept, *new.values())


def compare(before: Inventory, after: Inventory) -> Difference:
    """Ids that came, changed and went, by section; sections without a difference are left out."""
    added: dict[str, list[str]] = {}
    changed: dict[str, list[str]] = {}
    removed: dict[str, list[str]] = {}
    for section in SECTIONS:
        old = {_key(section, record): record for record in getattr(before, section)}
        new = {_key(section, record): record for record in getattr(after, section)}
        for found, keys in (
            (added, [key for key in new if key not in old]),
            (changed, [key for key, record in new.items() if key in old and old[key] != record]),
            (removed, [key for key in old if key not in new]),
        ):
            if keys:
                found[section] = [key if isinstance(key, str) else str(key[0]) for key in keys]  # type: ignore[index]  # a tenant's (id, from)
    return Difference(added=added, changed=changed, removed=removed)
