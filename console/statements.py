"""A table's rows from SQL: filter, order and place become one statement, so a page costs the same at any depth."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal

import sqlalchemy as sa

from console import cursors
from console.cursors import Place
from console.sources import Page, order_value
from console.table import Query, Table
from records.instants import parse_instant
from storage.state import Instant, reading

_BATCH = 500
Columns = Mapping[str, sa.ColumnElement[Any]]
Decode = Callable[[sa.Connection, Sequence[sa.Row[Any]]], list[Mapping[str, Any]]]


class StatementSource:
    """Rows of one SELECT.

    Args:
        table: What is asked about.
        engine: The state database.
        statement: SELECT with the scope applied already, without order and limit.
        columns: Column key to the expression that it is sorted and filtered by; ``table.key`` must be among them.
        decode: From rows of the statement to rows of the table, in as many statements however many rows.
    """

    def __init__(
        self, table: Table, engine: sa.Engine, statement: sa.Select[Any], columns: Columns, decode: Decode
    ) -> None:
        self.table = table
        self._engine = engine
        self._statement = statement
        self._columns = columns
        self._decode = decode

    def rows(self, query: Query) -> Iterator[Mapping[str, Any]]:
        statement = self._ordered(self._filtered(query), query)
        with reading(self._engine) as connection:
            for rows in connection.execute(statement, execution_options={"yield_per": _BATCH}).partitions():
                yield from self._decode(connection, rows)

    def page(self, query: Query) -> Page:
        filtered = self._filtered(query)
        place = cursors.decode(query.cursor) if query.cursor else None
        backwards = place is not None and place.side == "before"
        wanted = self._ordered(self._from(filtered, place, query), query, backwards=backwards).limit(query.limit + 1)
        with reading(self._engine) as connection:
            found = self._decode(connection, connection.execute(wanted).all())
            total = connection.execute(sa.select(sa.func.count()).select_from(filtered.subquery())).scalar_one()
        more, shown = len(found) > query.limit, found[: query.limit]
        if backwards:
            shown.reverse()
        return self._answer(
            shown, total, query, behind=more if backwards else place is not None, ahead=more or backwards
        )

    def _answer(self, shown: list[Mapping[str, Any]], total: int, query: Query, *, behind: bool, ahead: bool) -> Page:
        return Page(
            rows=shown,
            total=total,
            next=self._cursor("after", shown[-1], query) if shown and ahead else "",
            previous=self._cursor("before", shown[0], query) if shown and behind else "",
        )

    def _filtered(self, query: Query) -> sa.Select[Any]:
        statement = self._statement
        for key, wanted in query.filters.items():
            column, chosen = self._columns[key], (self.table.column(key) or self.table.columns[0]).choices
            statement = statement.where(column == wanted if chosen else column.icontains(wanted, autoescape=True))
        if query.q:
            searched = [
                self._columns[one.key] for one in self.table.columns if one.searched and one.key in self._columns
            ]
            statement = statement.where(sa.or_(*(one.icontains(query.q, autoescape=True) for one in searched)))
        return statement

    def _ordered(self, statement: sa.Select[Any], query: Query, *, backwards: bool = False) -> sa.Select[Any]:
        value, key = self._columns[query.sort], self._columns[self.table.key]
        down = query.descending != backwards
        order = [value.desc() if down else value, key.desc() if backwards else key]
        if _may_be_null(value):
            order.insert(0, value.is_(None).desc() if backwards else value.is_(None))
        return statement.order_by(*order)

    def _from(self, statement: sa.Select[Any], place: Place | None, query: Query) -> sa.Select[Any]:
        if place is None:
            return statement
        value, key = self._columns[query.sort], self._columns[self.table.key]
        mark, here, forwards = _typed(value, place.value), _typed(key, place.key), place.side == "after"
        same = key > here if forwards else key < here
        if mark is None:
            tied = sa.and_(value.is_(None), same)
            return statement.where(tied if forwards else sa.or_(tied, value.is_not(None)))
        falling = query.descending == forwards
        beyond, reached = (value < mark, value <= mark) if falling else (value > mark, value >= mark)
        further = sa.and_(reached, sa.or_(beyond, same))  # the first half is what an index can seek
        return statement.where(sa.or_(further, value.is_(None)) if forwards and _may_be_null(value) else further)

    def _cursor(self, side: Literal["after", "before"], row: Mapping[str, Any], query: Query) -> str:
        return cursors.encode(Place(side, order_value(row.get(query.sort)), str(row[self.table.key])))


def _may_be_null(value: sa.ColumnElement[Any]) -> bool:
    return bool(getattr(value, "nullable", True))


def _typed(column: sa.ColumnElement[Any], value: Any) -> Any:
    """A cursor's value in the column's type."""
    try:
        if isinstance(column.type, Instant) and value is not None:
            return parse_instant(value)
        if isinstance(column.type, sa.Integer) and value is not None:
            return int(value)
    except (TypeError, ValueError) as error:
        raise cursors.bad_cursor() from error
    return value
