"""Sorting Arrow rows by series and time: one 64-bit key a row where it fits, which merges sorted runs in one pass."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from records.schemas import Table

Codes = npt.NDArray[np.int64]
_KEY_BITS = 63


def sorted_by(rows: pa.Table, columns: Sequence[str]) -> pa.Table:
    """Rows in rising order of these columns, missing values first; rows that are equal keep their order."""
    order = permutation([codes_of(rows[name]) for name in columns])
    return rows if order is None else rows.take(pa.array(order))


def permutation(codes: Sequence[Codes]) -> Codes | None:
    """Indices that sort by these codes, first the most significant; None if the rows are in order already."""
    key = _packed(codes)
    if key is None:
        return np.lexsort(tuple(reversed(codes)))
    if bool(np.all(key[1:] >= key[:-1])):
        return None
    order: Codes = np.argsort(key, kind="stable")
    return order


def first_of_each(codes: Sequence[Codes]) -> Codes:
    """Rising indices of the first row of each distinct combination of codes."""
    key = _packed(codes)
    if key is None:
        _, first = np.unique(np.stack(codes, axis=1), axis=0, return_index=True)
    else:
        _, first = np.unique(key, return_index=True)
    rising: Codes = np.sort(first)
    return rising


def instants_of(table: Table, rows: pa.Table) -> Codes:
    """The time column in whole µs since 1970."""
    kind = rows.schema.field(table.time).type
    instants: Codes = rows[table.time].cast(pa.timestamp("us", tz=kind.tz)).cast(pa.int64()).to_numpy()
    return instants


def codes_of(column: pa.ChunkedArray) -> Codes:
    """Integers >= 0 that sort as the column's values do."""
    if pa.types.is_string(column.type):
        return _text_codes(column)
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.int64())
    if not pa.types.is_signed_integer(column.type):
        raise ValueError(f"rows are not sorted by columns of type {column.type}")
    if len(column) == 0:
        return np.zeros(0, np.int64)
    least = pc.min(column).as_py() or 0
    shifted = pc.subtract(column, pa.scalar(least - 1, column.type)).fill_null(0)
    codes: Codes = shifted.to_numpy().astype(np.int64)
    return codes


def _text_codes(column: pa.ChunkedArray) -> Codes:
    coded = (
        pa.chunked_array(column).unify_dictionaries()
        if pa.types.is_dictionary(column.type)
        else column.dictionary_encode()
    )
    coded = coded.combine_chunks()
    if isinstance(coded, pa.ChunkedArray):
        return np.zeros(0, np.int64)
    order = pc.sort_indices(coded.dictionary).to_numpy()
    rank = np.empty(len(order) + 1, np.int64)
    rank[order] = np.arange(1, len(order) + 1)
    rank[-1] = 0
    codes: Codes = rank[coded.indices.fill_null(len(order)).to_numpy(zero_copy_only=False)]
    return codes


def _packed(codes: Sequence[Codes]) -> Codes | None:
    """One key for all codes; None if they do not fit."""
    key: Codes | None = None
    bits = 0
    for one in codes:
        width = int(one.max()).bit_length() if len(one) else 0
        bits += width
        if bits > _KEY_BITS:
            return None
        key = one if key is None else (key << width) | one
    return key
