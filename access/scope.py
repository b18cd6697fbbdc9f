"""Organisation scope (数据范围): the one hook through which every list of organisation-bound things passes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import sqlalchemy as sa

from inventory.model import Inventory
from storage.port import Where

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Scope:
    """Which organisations a person may see; None means all, the empty set none.

    What belongs to no organisation is seen by those who see all.
    """

    organisations: frozenset[str] | None

    def __or__(self, other: Scope) -> Scope:
        if self.organisations is None or other.organisations is None:
            return EVERYWHERE
        return Scope(self.organisations | other.organisations)

    def admits(self, organisations: Iterable[str | None]) -> bool:
        """Whether something that belongs to these organisations may be seen: one of them suffices."""
        return self.organisations is None or any(one in self.organisations for one in organisations)

    def statement(self, statement: sa.Select[Any], column: sa.ColumnElement[Any]) -> sa.Select[Any]:
        """The statement, narrowed on the column that holds the organisation."""
        return statement if self.organisations is None else statement.where(column.in_(sorted(self.organisations)))

    def where(self, column: str) -> tuple[Where, ...]:
        """The same for the record store."""
        return () if self.organisations is None else (Where(column, "in", tuple(sorted(self.organisations))),)

    def rows(self, rows: Iterable[Row], owners: Callable[[Row], Iterable[str | None]]) -> list[Row]:
        """The same for rows in memory; ``owners`` names the organisations of a row."""
        return [row for row in rows if self.admits(owners(row))]

    def widened(self, inventory: Inventory) -> Scope:
        """With the organisations below each one named."""
        if self.organisations is None:
            return self
        return Scope(
            frozenset(one.id for one in inventory.organisations if _above(one.id, inventory) & self.organisations)
            | self.organisations
        )


EVERYWHERE = Scope(None)
NOWHERE = Scope(frozenset())


def _above(name: str | None, inventory: Inventory) -> set[str]:
    found: set[str] = set()
    while name is not None and name not in found:
        found.add(name)
        name = inventory.organisation[name].parent if name in inventory.organisation else None
    return found


def scope_of(grants: Iterable[tuple[bool, Iterable[str]]]) -> Scope:
    """One scope of several grants, each ``(everywhere, organisations)``."""
    total = NOWHERE
    for everywhere, organisations in grants:
        total |= EVERYWHERE if everywhere else Scope(frozenset(organisations))
    return total


def owners_of_entities(entities: Mapping[str, Any], owners: Mapping[str, Mapping[str, frozenset[str]]]) -> set[str]:
    """Organisations of an alert's or incident's entities, by ``access.ownership.owners``; a value is one id or many."""
    found: set[str] = set()
    for kind, value in entities.items():
        for one in (value,) if isinstance(value, str) else value:
            found |= {one} if kind in {"org", "organisation"} else owners.get(kind, {}).get(one, frozenset())
    return found
