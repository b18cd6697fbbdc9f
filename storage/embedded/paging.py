"""Pages by cursor: the next page begins behind the last row shown, whatever arrives or is sealed in between."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from records.errors import UserError
from records.schemas import Table
from storage.embedded.cells import to_cells, to_table
from storage.embedded.conditions import Clause, quoted
from storage.embedded.order import codes_of, permutation
from storage.embedded.view import Segment


def page_columns(table: Table) -> tuple[str, ...]:
    """What a page is ordered by: time, then the key."""
    return tuple(dict.fromkeys((table.time, *table.key)))


def encode_cursor(table: Table, rows: pa.Table, *, newest_first: bool) -> str:
    """Opaque text that names the last of these rows and the direction."""
    last = [to_cells(rows[name].slice(len(rows) - 1))[0] for name in page_columns(table)]
    return base64.urlsafe_b64encode(json.dumps([table.name, newest_first, *last]).encode()).decode().rstrip("=")


def decode_cursor(table: Table, cursor: str, *, newest_first: bool) -> dict[str, Any]:
    """The cells of the row behind which the page begins; UserError for anything that ``encode_cursor`` did not make."""
    try:
        name, direction, *cells = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if (name, direction) != (table.name, newest_first) or None in cells:
            raise ValueError("a cursor of another list")  # noqa: TRY301 - told below with all that is wrong with cursors
        last = dict(zip(page_columns(table), cells, strict=True))
        decoded(table, last)
    except (ValueError, TypeError, OverflowError) as error:
        raise UserError("the cursor is not one of this list", "begin again without a cursor", where="cursor") from error
    return last


def behind(table: Table, last: dict[str, Any], *, newest_first: bool, values: Sequence[Any]) -> Clause:
    """Rows that come after the cursor's; ``values`` are the cursor's in the form that the engine compares."""
    sign = "<" if newest_first else ">"
    names = ", ".join(map(quoted, last))
    marks = ", ".join("?" * len(last))
    time = quoted(table.time)
    # the plain condition on time is what indexes and row groups understand
    return Clause(f"{time} {sign}= ? AND ({names}) {sign} ({marks})", (values[0], *values))


def order_by(table: Table, *, newest_first: bool, limit: int) -> str:
    """ORDER BY and LIMIT of one page."""
    direction = "DESC" if newest_first else "ASC"
    return "ORDER BY " + ", ".join(f"{quoted(name)} {direction}" for name in page_columns(table)) + f" LIMIT {limit:d}"


def narrowed(
    table: Table, last: dict[str, Any], bounds: tuple[int | None, int | None], *, newest_first: bool
) -> tuple[int | None, int | None]:
    """[start, end) in µs of what can still come after the cursor."""
    start, end = bounds
    at = int(last[table.time])
    return (start, at + 1) if newest_first else (at, end)


def decoded(table: Table, last: dict[str, Any]) -> list[Any]:
    """The cursor's cells as Python values, for an engine that compares real types."""
    schema = pa.schema([table.schema.field(name) for name in last])
    return list(to_table([tuple(last.values())], schema).to_pylist()[0].values())


def merge(table: Table, parts: Sequence[pa.Table], *, newest_first: bool, limit: int) -> pa.Table:
    """The first ``limit`` rows of all parts in page order."""
    rows = pa.concat_tables(parts)
    order = permutation([codes_of(rows[name]) for name in page_columns(table)])
    if order is not None:
        rows = rows.take(pa.array(order))
    if newest_first:
        rows = rows.slice(max(len(rows) - limit, 0))
        return rows.take(pa.array(np.arange(len(rows) - 1, -1, -1)))
    return rows.slice(0, limit)


def walk(
    segments: Sequence[Segment],
    first: pa.Table,
    fetch: Callable[[Sequence[Segment]], pa.Table],
    join: Callable[[Sequence[pa.Table]], pa.Table],
    enough: Callable[[pa.Table, Segment], bool],
) -> pa.Table:
    """Add segments in time order, 1, 2, 4 … at once, until those left can add nothing to the page."""
    rows, step, waiting = first, 1, list(segments)
    while waiting and not enough(rows, waiting[0]):
        some, waiting = waiting[:step], waiting[step:]
        rows = join((rows, fetch(some)))
        step *= 2
    return rows
