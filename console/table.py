"""The one table (列表): its columns, and the question that a URL's query string asks of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import urlencode

from records.errors import UserError

Kind = Literal[
    "text", "code", "id", "number", "quantity", "price", "unit", "bps", "percent", "bar", "yuan", "instant", "due",
    "date", "bool", "list", "pairs",
    "level", "link_state", "protection", "alert_state", "incident_state", "period_state", "outcome", "line_kind",
    "approval_action", "approval_state", "certificate_level", "key_state", "key_use", "self_test",
]  # fmt: skip
PAGE_ROWS = 50
LONGEST_PAGE = 200
_RESERVED = frozenset({"sort", "cursor", "limit", "q", "format"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column.

    Attributes:
        key: Its name in the row, in the URL, in CSV and in the API.
        title: Heading, a Chinese message id.
        kind: How a cell is shown.
        href: Address of a cell's link, a template over the row such as ``/links/{link}``.
        choices: Values of a filter by choice, with their titles; a column without filters by text where ``searched``.
        searched: Whether ``q`` and a filter by text look into it.
        sortable: Whether the list can be ordered by it.
        room: On which screens it is left out: ``wide`` below a tablet, ``extra`` below a large desktop.
        loose: May break into lines.
    """

    key: str
    title: str
    kind: Kind = "text"
    href: str = ""
    choices: Sequence[tuple[str, str]] = ()
    searched: bool = False
    sortable: bool = True
    room: Literal["", "wide", "extra"] = ""
    loose: bool = False

    @property
    def numeric(self) -> bool:
        """Whether it is aligned to the right."""
        return self.kind in {"number", "quantity", "price", "bps", "percent", "yuan"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A list page: columns, identity and order of its rows, and what to do when there are none."""

    name: str
    title: str
    columns: Sequence[Column]
    key: str
    sort: str
    empty: str
    descending: bool = False
    topic: str = ""
    tones: Mapping[str, str] | None = None

    def column(self, key: str) -> Column | None:
        return next((one for one in self.columns if one.key == key), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What is asked: filters, order and place.

    Attributes:
        filters: Column key to the wanted value; every one must hold.
        q: Text to be found in any searched column.
        cursor: From a page's ``next`` or ``previous``; empty for the first page.
    """

    sort: str
    descending: bool
    filters: Mapping[str, str]
    q: str = ""
    cursor: str = ""
    limit: int = PAGE_ROWS

    def whole(self) -> Query:
        """The same question without paging."""
        return replace(self, cursor="", limit=0)


def parse_query(table: Table, params: Mapping[str, str]) -> Query:
    """The question of a query string.

    Raises:
        UserError: A name that is no column, an order that the table does not have, or a limit out of range.
    """
    sort = params.get("sort", ("-" if table.descending else "") + table.sort)
    _check_sort(table, sort.removeprefix("-"))
    filters = {key: value for key, value in params.items() if key not in _RESERVED and value != ""}
    for key in filters:
        _check_filter(table, key)
    return Query(
        sort=sort.removeprefix("-"),
        descending=sort.startswith("-"),
        filters=filters,
        q=params.get("q", "").strip(),
        cursor=params.get("cursor", ""),
        limit=_limit(params.get("limit", "")),
    )


def _check_sort(table: Table, key: str) -> None:
    column = table.column(key)
    if column is None or not column.sortable:
        known = ", ".join(one.key for one in table.columns if one.sortable)
        raise UserError("cannot sort by '{key}'", "sort by one of {known}", where="sort", key=key, known=known)


def _check_filter(table: Table, key: str) -> None:
    filterable = [one.key for one in table.columns if one.choices or one.searched]
    if key not in filterable:
        raise UserError(
            "no filter '{key}' here", "filter by one of {known}", where=key, key=key, known=", ".join(filterable)
        )


def _limit(text: str) -> int:
    if not text:
        return PAGE_ROWS
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= LONGEST_PAGE:
        raise UserError(
            "'{value}' is no page size", "use 1 to {most}", where="limit", value=text[:20], most=LONGEST_PAGE
        )
    return int(text)


def query_string(table: Table, query: Query, **changes: str) -> str:
    """The query string of a question, without what is the default; ``changes`` replace or (when empty) drop a name."""
    wanted = {"q": query.q, **query.filters}
    order = ("-" if query.descending else "") + query.sort
    if order != ("-" if table.descending else "") + table.sort:
        wanted["sort"] = order
    if query.limit != PAGE_ROWS:
        wanted["limit"] = str(query.limit)
    return urlencode({name: value for name, value in {**wanted, **changes}.items() if value})
