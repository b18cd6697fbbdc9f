"""Usage tables (用量表): CSV with header, or NDJSON with the same names, CONTRACT §3.

CSV is told from NDJSON by its first character: a header never begins with a brace.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import islice
from operator import itemgetter
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from collectors.table_rows import Columns, check_rows
from collectors.table_text import (
    BLANK,
    CONTROL,
    LONGEST_LINE,
    Record,
    csv_header,
    csv_records,
    json_header,
    json_records,
)
from records.errors import Problem, UserError
from records.schemas import USAGE

_CHUNK_ROWS = 50_000
_ENCODINGS = ("utf-8", "gb18030")


@dataclass(frozen=True, slots=True, kw_only=True)
class TableResult:
    """What a table holds; received = rows + rejected.

    Attributes:
        rows: ``records.schemas.USAGE``, in the table's order.
        rejected: One for each row that was refused, with ``FILE:LINE``, in the table's order.
    """

    rows: pa.Table
    received: int
    rejected: tuple[Problem, ...]


def read_usage(data: bytes | Path, name: str, source: str | None, known_tenants: Container[str]) -> TableResult:
    """Read a whole usage table; nothing is rounded or guessed.

    Args:
        data: The bytes, or the file that holds them.
        name: What the table is called in ``FILE:LINE``.
        source: Fills an absent column or empty cell ``source``; a row that names another one is rejected.
        known_tenants: Ids of the inventory's tenants.

    Raises:
        UserError: The table is refused whole: no text, no header, wrong columns.
    """
    text = decode(_read(data) if isinstance(data, Path) else data, name)
    return _check(_chunks_of(text, name, source), name, source, known_tenants)


def decode(data: bytes, name: str) -> str:
    """UTF-8 with or without BOM, else GB18030, each strictly; UserError if it is neither."""
    for encoding in _ENCODINGS:
        try:
            return data.decode(encoding).removeprefix("\ufeff")
        except UnicodeDecodeError:
            continue
    raise UserError("the table is neither UTF-8 nor GB18030 text", "save it as UTF-8, then import it again", where=name)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        where = str(path)
        raise UserError("cannot read the table: {reason}", "check its path", where=where, reason=reason) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Some lines of a table: cells of the sound ones with their line numbers, and what is wrong with the others."""

    columns: Columns
    lines: Sequence[int]
    faults: Sequence[tuple[int, Problem]] = ()


def _chunks_of(text: str, name: str, source: str | None) -> Iterable[Chunk]:
    if text.lstrip()[:1] == "{":
        names = json_header(text)
        return _chunks(names, json_records(text, names))
    header = csv_header(text, name, source)
    return _plain_chunks(header, text) or _chunks(header, csv_records(text))


def _check(chunks: Iterable[Chunk], name: str, source: str | None, tenants: Container[str]) -> TableResult:
    """Rows of all chunks; a chunk at a time, so that cells need memory only once as text."""
    tables, rejected, received = [USAGE.schema.empty_table()], list[Problem](), 0
    for chunk in chunks:
        rows, refused = check_rows(chunk.columns, source, tenants)
        faults = [*chunk.faults, *((chunk.lines[at], problem) for at, problem in refused)]
        rejected += [replace(problem, where=f"{name}:{line}") for line, problem in sorted(faults, key=itemgetter(0))]
        received += len(chunk.lines) + len(chunk.faults)
        tables.append(rows)
    return TableResult(rows=pa.concat_tables(tables), received=received, rejected=tuple(rejected))


def _plain_chunks(header: Sequence[str], text: str) -> Iterable[Chunk] | None:
    """Chunks through Arrow's parser, the quick way; None where it may differ from RFC 4180 or cannot tell lines."""
    if '"' in text or text.count("\r") != text.count("\r\n") or CONTROL.search(text) or BLANK.search(text):
        return None
    strings = dict.fromkeys(header, pa.string())
    try:
        table = pyarrow.csv.read_csv(
            pa.py_buffer(text.encode()),
            pyarrow.csv.ReadOptions(use_threads=False, block_size=1 << 23, skip_rows=1, column_names=header),
            pyarrow.csv.ParseOptions(quote_char=False, double_quote=False, ignore_empty_lines=False),
            pyarrow.csv.ConvertOptions(column_types=strings, strings_can_be_null=False),
        )
    except pa.ArrowInvalid:
        return None  # a row has too few or too many cells
    return None if _longest(table) > LONGEST_LINE else _batches(table)


def _longest(table: pa.Table) -> int:
    """Bytes in the cells of the longest row."""
    lengths = [pc.binary_length(column) for column in table.columns]
    return pc.max(reduce(pc.add, lengths)).as_py() or 0


def _batches(table: pa.Table) -> Iterator[Chunk]:
    line = 2
    for batch in table.to_batches():
        columns = dict(zip(table.column_names, batch.columns, strict=True))
        yield Chunk(columns=columns, lines=range(line, line + len(batch)))
        line += len(batch)


def _chunks(header: Sequence[str], records: Iterator[Record]) -> Iterator[Chunk]:
    while chunk := list(islice(records, _CHUNK_ROWS)):
        sound: list[tuple[int, list[str]]] = []
        faults: list[tuple[int, Problem]] = []
        for line, cells in chunk:
            if isinstance(cells, Problem):
                faults.append((line, cells))
            elif len(cells) != len(header):
                faults.append((line, _width_problem(header, cells)))
            else:
                sound.append((line, cells))
        found = list(zip(*(row for _, row in sound), strict=True)) or [()] * len(header)
        columns = {name: pa.array(column, pa.string()) for name, column in zip(header, found, strict=True)}
        yield Chunk(columns=columns, lines=[line for line, _ in sound], faults=faults)


def _width_problem(header: Sequence[str], cells: Sequence[str]) -> Problem:
    values = {"found": len(cells), "wanted": len(header)}
    return Problem("the row has {found} cells, the header {wanted}", "quote cells that hold commas", values=values)
