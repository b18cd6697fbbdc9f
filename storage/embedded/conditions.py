"""``Where`` to SQL, for SQLite and for DuckDB, with every value as a parameter; both mean the same."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from records.schemas import Table
from storage.embedded.cells import to_cell
from storage.port import Where

FOLD = "yw_fold"  # SQL function that the hot database registers: str.lower


@dataclass(frozen=True, slots=True)
class Clause:
    """A boolean SQL expression and its parameters."""

    sql: str
    values: tuple[Any, ...] = ()


def quoted(name: str) -> str:
    """A column or table name in SQL."""
    return '"' + name.replace('"', '""') + '"'


def window(table: Table, start: datetime | None, end: datetime | None) -> list[Where]:
    """[start, end) as conditions."""
    ends = [Where(table.time, ">=", start)] if start is not None else []
    return ends + ([Where(table.time, "<", end)] if end is not None else [])


def sqlite_clause(table: Table, where: Sequence[Where]) -> Clause:
    """All conditions for the hot database."""
    return _joined(table, where, _sqlite)


def duckdb_clause(table: Table, where: Sequence[Where]) -> Clause:
    """All conditions for the sealed files."""
    return _joined(table, where, _duckdb)


def _joined(table: Table, where: Sequence[Where], render: Callable[[str, pa.DataType, Where], Clause]) -> Clause:
    parts = [render(quoted(one.column), _type_of(table, one), one) for one in where]
    return Clause(
        " AND ".join(part.sql for part in parts) or "TRUE", tuple(value for part in parts for value in part.values)
    )


def _type_of(table: Table, where: Where) -> pa.DataType:
    index = table.schema.get_field_index(where.column)
    if index < 0:
        raise ValueError(f"table {table.name} has no column {where.column}")
    kind = table.schema.field(index).type
    if where.operator == "contains" and not (pa.types.is_string(kind) and isinstance(where.value, str)):
        raise ValueError(f"'contains' looks for a text in a text column, not in {where.column}")
    if where.operator == "in" and not isinstance(where.value, tuple):
        raise ValueError("'in' takes a tuple")
    return kind


def _sqlite(column: str, kind: pa.DataType, where: Where) -> Clause:
    match where.operator:
        case "=":
            return Clause(f"{column} IS ?", (to_cell(where.value, kind),))
        case "!=":
            return Clause(f"{column} IS NOT ?", (to_cell(where.value, kind),))
        case "in":
            cells = [to_cell(one, kind) for one in _several(where)]
            return Clause(f"{column} IN (SELECT value FROM json_each(?))", (json.dumps(cells),))  # noqa: S608 - a quoted name
        case "contains":
            return _sqlite_contains(column, str(where.value))
        case "<" | "<=" | ">" | ">=":
            return Clause(f"{column} {where.operator} ?", (to_cell(where.value, kind),))
    raise ValueError(f"unknown operator {where.operator!r}")


def _sqlite_contains(column: str, text: str) -> Clause:
    """SQLite's own lower() knows ASCII only, and a Python function costs 1 µs a row: called only where needed."""
    lowered = text.lower()
    if text.isascii():
        return Clause(f"instr(lower({column}), ?) > 0", (lowered,))
    if lowered == text.upper():
        return Clause(f"instr({column}, ?) > 0", (text,))
    return Clause(f"instr({FOLD}({column}), ?) > 0", (lowered,))


def _duckdb(column: str, _kind: pa.DataType, where: Where) -> Clause:
    match where.operator:
        case "=":
            return Clause(f"{column} IS NULL") if where.value is None else Clause(f"{column} = ?", (where.value,))
        case "!=":
            return Clause(f"{column} IS DISTINCT FROM ?", (where.value,))
        case "in":
            values = _several(where)
            return Clause(f"{column} IN ({', '.join('?' * len(values))})", values) if values else Clause("FALSE")
        case "contains":
            return Clause(f"contains(lower({column}), ?)", (str(where.value).lower(),))
        case "<" | "<=" | ">" | ">=":
            return Clause(f"{column} {where.operator} ?", (where.value,))
    raise ValueError(f"unknown operator {where.operator!r}")


def _several(where: Where) -> tuple[Any, ...]:
    """The values of an ``in``; a missing value is in no set."""
    values = where.value
    assert isinstance(values, tuple)  # noqa: S101 - _type_of has refused everything else
    return tuple(one for one in values if one is not None)
