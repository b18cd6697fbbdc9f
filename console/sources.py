"""Where a table's rows come from: memory or SQL, behind one question and one kind of answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Protocol

from console import cursors
from console.cursors import Place
from console.table import Column, Query, Table
from records.instants import format_instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Rows of one page, how many there are in all, and the cursors beside it (empty at an end)."""

    rows: Sequence[Mapping[str, Any]]
    total: int
    next: str = ""
    previous: str = ""


class Source(Protocol):
    """Answers one question; a page and the whole list come from the same filter and order."""

    def page(self, query: Query) -> Page:
        """At most ``query.limit`` rows."""
        ...

    def rows(self, query: Query) -> Iterator[Mapping[str, Any]]:
        """All rows, in the same order."""
        ...


def order_value(value: Any) -> Any:
    """A cell as something that JSON carries and that sorts: instants, days and decimals as text."""
    if isinstance(value, datetime):
        return format_instant(value)
    if isinstance(value, (date, Decimal)):
        return str(value)
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)


class MemorySource:
    """Rows in memory: for lists of at most some ten thousand, such as links and bills."""

    def __init__(self, table: Table, rows: Iterable[Mapping[str, Any]]) -> None:
        self.table = table
        self._rows = rows

    def rows(self, query: Query) -> Iterator[Mapping[str, Any]]:
        return iter(self._ordered(query))

    def page(self, query: Query) -> Page:
        ordered = self._ordered(query)
        start = self._start(ordered, query)
        shown = ordered[start : start + query.limit]
        more = start + query.limit < len(ordered)
        return Page(
            rows=shown,
            total=len(ordered),
            next=self._cursor("after", shown[-1], query) if shown and more else "",
            previous=self._cursor("before", shown[0], query) if shown and start > 0 else "",
        )

    def _ordered(self, query: Query) -> list[Mapping[str, Any]]:
        kept = [row for row in self._rows if meets(self.table.columns, row, query)]
        kept.sort(key=lambda row: str(row[self.table.key]))
        known = [row for row in kept if row.get(query.sort) is not None]
        known.sort(key=lambda row: row[query.sort], reverse=query.descending)
        return known + [row for row in kept if row.get(query.sort) is None]

    def _start(self, ordered: list[Mapping[str, Any]], query: Query) -> int:
        if not query.cursor:
            return 0
        place = cursors.decode(query.cursor)
        here = next((index for index, row in enumerate(ordered) if str(row[self.table.key]) == place.key), None)
        if here is None:
            here = self._where_it_was(ordered, place, query)
        elif place.side == "after":
            here += 1
        return max(0, here - query.limit) if place.side == "before" else here

    def _where_it_was(self, ordered: list[Mapping[str, Any]], place: Place, query: Query) -> int:
        """The row of the cursor is gone: the first one that stands behind its place."""
        for index, row in enumerate(ordered):
            value = order_value(row.get(query.sort))
            if value is None or (
                place.value is not None and type(value) is type(place.value) and _beyond(value, place.value, query)
            ):
                return index
        return len(ordered)

    def _cursor(self, side: Any, row: Mapping[str, Any], query: Query) -> str:
        return cursors.encode(Place(side, order_value(row.get(query.sort)), str(row[self.table.key])))


def _beyond(value: Any, mark: Any, query: Query) -> bool:
    return bool(value < mark if query.descending else value > mark)


def meets(columns: Sequence[Column], row: Mapping[str, Any], query: Query) -> bool:
    """Whether a row passes all filters and, if asked, holds the text ``q`` in one of the searched columns."""
    by_key = {one.key: one for one in columns}
    if not all(_matches(by_key[key], row.get(key), wanted) for key, wanted in query.filters.items()):
        return False
    needle = query.q.casefold()
    return not needle or any(needle in str(row.get(one.key) or "").casefold() for one in columns if one.searched)


def _matches(column: Column, value: Any, wanted: str) -> bool:
    if column.choices:
        return str(value).lower() == wanted.lower() if isinstance(value, bool) else str(value) == wanted
    return wanted.casefold() in str("" if value is None else value).casefold()
