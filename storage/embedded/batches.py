"""Rows as they come in: checked against the table, cut into days."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa

from records.schemas import Table
from storage.embedded.cells import DAY
from storage.embedded.order import codes_of, first_of_each, instants_of, permutation


def conform(table: Table, rows: pa.Table) -> pa.Table:
    """Rows in the table's own columns and types; ValueError if they are of another table or lack a key."""
    if set(rows.schema.names) != set(table.schema.names):
        raise ValueError(f"rows of table {table.name} have columns {sorted(rows.schema.names)}")
    rows = rows.select(table.schema.names).cast(table.schema)
    for name in (*table.key, table.time):
        if rows[name].null_count:
            raise ValueError(f"a row of table {table.name} has no {name}")
    return rows


def ordered_days(table: Table, rows: pa.Table) -> list[tuple[int, pa.Table]]:
    """Distinct rows of each day (days since 1970), sorted by series and time; of rows with one key the first stays."""
    if not len(rows):
        return []
    first = first_of_each([codes_of(rows[name]) for name in table.key])
    if len(first) < len(rows):
        rows = rows.take(pa.array(first))
    days = instants_of(table, rows) // DAY
    order = permutation([days - days.min(), *(codes_of(rows[name]) for name in (*table.series, table.time))])
    if order is not None:
        rows, days = rows.take(pa.array(order)), days[order]
    edges = [0, *(np.flatnonzero(np.diff(days)) + 1).tolist(), len(days)]
    return [(int(days[start]), rows.slice(start, end - start)) for start, end in pairwise(edges)]
