"""Arrow columns to SQLite cells and back, exactly, in an order that SQLite sorts as Arrow does.

Instants are whole microseconds since 1970. A uint64 is stored less 2**63, because SQLite's integers are signed. A
decimal is its unscaled number plus ten to its precision, as text of fixed width, because it does not fit 64 bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from records.instants import microseconds

DAY = 86_400_000_000  # µs
_BIAS = 2**63


def declared_type(kind: pa.DataType) -> str:
    """SQLite's column type."""
    if pa.types.is_integer(kind) or pa.types.is_timestamp(kind) or pa.types.is_boolean(kind):
        return "INTEGER"
    return "REAL" if pa.types.is_floating(kind) else "TEXT"


def to_cell(value: object, kind: pa.DataType) -> object:
    """One value as SQLite holds it."""
    if value is None:
        return None
    if isinstance(value, datetime):
        return microseconds(value)
    if pa.types.is_uint64(kind):
        return int(str(value)) - _BIAS
    return _decimal_text(Decimal(str(value)), kind) if pa.types.is_decimal(kind) else value


def to_cells(column: pa.ChunkedArray) -> list[Any]:
    """A column as SQLite holds it."""
    kind = column.type
    if pa.types.is_string(kind):
        return _texts(column)
    if pa.types.is_decimal(kind):
        return [None if value is None else _decimal_text(value, kind) for value in column.to_pylist()]
    if pa.types.is_timestamp(kind):
        column = column.cast(pa.timestamp("us", tz=kind.tz)).cast(pa.int64())
    elif pa.types.is_boolean(kind):
        column = column.cast(pa.int8())
    return _numbers(column)


def _numbers(column: pa.ChunkedArray) -> list[Any]:
    if column.null_count == len(column):
        return [None] * len(column)
    values = column.fill_null(0).to_numpy() if column.null_count else column.to_numpy()
    if values.dtype == np.uint64:
        values = (values ^ np.uint64(_BIAS)).view(np.int64)
    cells: list[Any] = values.tolist()
    if column.null_count:
        for index in np.flatnonzero(column.is_null().to_numpy()).tolist():
            cells[index] = None
    return cells


def _texts(column: pa.ChunkedArray) -> list[Any]:
    """Few different texts in many rows: each is decoded once."""
    whole = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    if isinstance(whole, pa.ChunkedArray):
        return list(whole.to_pylist())
    coded = whole.dictionary_encode()
    if len(coded.dictionary) * 4 > len(whole):
        return list(whole.to_pylist())
    names = np.array([*coded.dictionary.to_pylist(), None], dtype=object)
    return list(names[coded.indices.fill_null(len(names) - 1).to_numpy(zero_copy_only=False)])


def to_array(cells: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """SQLite cells as an Arrow column."""
    if pa.types.is_timestamp(kind):
        return pa.array(cells, pa.int64()).cast(pa.timestamp("us", tz=kind.tz)).cast(kind)
    if pa.types.is_uint64(kind):
        signed = pa.array(cells, pa.int64())
        numbers = signed.fill_null(0).to_numpy(zero_copy_only=False).view(np.uint64) ^ np.uint64(_BIAS)
        return pc.if_else(signed.is_null(), pa.scalar(None, kind), pa.array(numbers))
    if pa.types.is_decimal(kind):
        return pa.array([None if cell is None else _decimal(cell, kind) for cell in cells], kind)
    if pa.types.is_boolean(kind):
        return pa.array(cells, pa.int8()).cast(kind)
    return pa.array(cells, kind)


def to_table(rows: Sequence[tuple[Any, ...]], schema: pa.Schema) -> pa.Table:
    """SQLite rows as an Arrow table."""
    if not rows:
        return schema.empty_table()
    columns = zip(*rows, strict=True)
    return pa.table([to_array(cells, field.type) for cells, field in zip(columns, schema, strict=True)], schema=schema)


def _decimal_text(value: Decimal, kind: pa.Decimal128Type) -> str:
    unscaled = int(value.scaleb(kind.scale))
    return f"{unscaled + 10**kind.precision:0{kind.precision + 1}d}"


def _decimal(text: str, kind: pa.Decimal128Type) -> Decimal:
    return Decimal(int(text) - 10**kind.precision).scaleb(-kind.scale)
