"""Usage tables (用量表): CSV with header, or NDJSON with the same names, CONTRACT §3.

CSV is told from NDJSON by its first character: a header never begins with a brace. A line is a record, a cell holds no line break: so one
broken quote spoils its own line only.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv

from collectors.table_rows import ATTRIBUTE, COLUMNS, Columns, Fault, check_rows
from records.errors import Problem, UserError
from records.schemas import USAGE

_CHUNK_ROWS = 50_000
_LONGEST_LINE = 131_072  # characters; also the csv module's own limit for a cell
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_ENCODINGS = ("utf-8-sig", "gb18030")
_SAVE_AS = "save it as UTF-8, with or without BOM, or as GB18030"
_HEADER_ADVICE = "the columns are {columns} and any attr.*"

Record = tuple[int, list[str] | Fault]  # line and its cells, or why it has none


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
    if text.lstrip()[:1] == "{":
        header = _json_header(text)
        chunks = _chunks(header, _json_records(text, header))
    else:
        header = _csv_header(text, name, source)
        chunks = _plain_chunks(header, text) or _chunks(header, _csv_records(text))
    return _check(chunks, name, source, known_tenants)


def decode(data: bytes, name: str) -> str:
    """UTF-8 with or without BOM, else GB18030, each strictly; UserError if it is neither."""
    for encoding in _ENCODINGS:
        try:
            return data.decode(encoding).removeprefix("\ufeff")
        except UnicodeDecodeError:
            continue
    raise UserError("the table is neither UTF-8 nor GB18030 text", _SAVE_AS, where=name)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(
            "cannot read the table: {reason}", "check path and permissions", where=str(path), reason=reason
        ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Some lines of a table: cells of the sound ones with their line numbers, and what is wrong with the others."""

    columns: Columns
    lines: Sequence[int]
    faults: Sequence[tuple[int, Fault]] = ()


def _check(chunks: Iterable[Chunk], name: str, source: str | None, tenants: Container[str]) -> TableResult:
    """Rows of all chunks; a chunk at a time, so that cells need memory only once as text."""
    tables, rejected, received = [USAGE.schema.empty_table()], list[Problem](), 0
    for chunk in chunks:
        rows, refused = check_rows(chunk.columns, source, tenants)
        faults = [*chunk.faults, *((chunk.lines[at], fault) for at, fault in refused)]
        rejected += [_problem(name, line, fault) for line, fault in sorted(faults, key=lambda one: one[0])]
        received += len(chunk.lines) + len(chunk.faults)
        tables.append(rows)
    return TableResult(rows=pa.concat_tables(tables), received=received, rejected=tuple(rejected))


def _plain_chunks(header: Sequence[str], text: str) -> Iterable[Chunk] | None:
    """Chunks through Arrow's parser, many times quicker; None where it may differ from RFC 4180 or cannot tell the line."""
    if '"' in text or text.count("\r") != text.count("\r\n") or _CONTROL.search(text):
        return None
    try:
        table = pyarrow.csv.read_csv(
            pa.py_buffer(text.encode()),
            read_options=pyarrow.csv.ReadOptions(
                use_threads=False, block_size=1 << 23, skip_rows=1, column_names=header
            ),
            parse_options=pyarrow.csv.ParseOptions(quote_char=False, double_quote=False, ignore_empty_lines=False),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(header, pa.string()), strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid:
        return None  # a row has too few or too many cells, or is blank, or is too long
    return _batches(table)


def _batches(table: pa.Table) -> Iterator[Chunk]:
    line = 2
    for batch in table.to_batches():
        yield Chunk(
            columns=dict(zip(table.column_names, batch.columns, strict=True)), lines=range(line, line + len(batch))
        )
        line += len(batch)


def _chunks(header: Sequence[str], records: Iterator[Record]) -> Iterator[Chunk]:
    while chunk := list(islice(records, _CHUNK_ROWS)):
        sound = [(line, cells) for line, cells in chunk if not isinstance(cells, tuple) and len(cells) == len(header)]
        faults = [
            (line, _width_fault(header, cells))
            for line, cells in chunk
            if isinstance(cells, tuple) or len(cells) != len(header)
        ]
        cells = list(zip(*(row for _, row in sound), strict=True)) or [()] * len(header)
        columns = {name: pa.array(column, pa.string()) for name, column in zip(header, cells, strict=True)}
        yield Chunk(columns=columns, lines=[line for line, _ in sound], faults=faults)


def _width_fault(header: Sequence[str], cells: Sequence[str] | Fault) -> Fault:
    if isinstance(cells, tuple):
        return cells
    values: dict[str, object] = {"found": len(cells), "wanted": len(header)}
    return "the row has {found} cells, the header {wanted}", "quote cells that hold commas", values


def _problem(name: str, line: int, fault: Fault) -> Problem:
    what, advice, values = fault
    return Problem(what, advice, f"{name}:{line}", values)


def _csv_header(text: str, name: str, source: str | None) -> Sequence[str]:
    """The first line; UserError with all that is wrong with it."""
    try:
        header = next(csv.reader([text.partition("\n")[0].removesuffix("\r")], strict=True), [])
    except csv.Error as error:
        raise UserError(
            "the header is broken: {reason}", "quote as in RFC 4180", where=f"{name}:1", reason=error
        ) from error
    columns = ",".join(COLUMNS)
    advice = (_HEADER_ADVICE, f"{name}:1")
    known = {*COLUMNS, *(one for one in header if one.startswith(ATTRIBUTE) and one != ATTRIBUTE)}
    optional = {"source"} if source else set()
    problems = [
        *(Problem("column '{column}' is missing", *advice, {"column": one, "columns": columns}) for one in COLUMNS if one not in {*header, *optional}),
        *(Problem("unknown column '{column}'", *advice, {"column": one, "columns": columns}) for one in header if one not in known),
        *(Problem("column '{column}' stands twice", *advice, {"column": one, "columns": columns}) for one in dict.fromkeys(header) if header.count(one) > 1),
    ]  # fmt: skip
    if problems:
        raise UserError.of(problems)
    return header


def _csv_records(text: str) -> Iterator[Record]:
    """Cells of each line after the header; blank lines are none."""
    broken: dict[int, Fault] = {}
    reader = csv.reader(_fed(text, broken), strict=True)
    next(reader)
    while True:
        try:
            for cells in reader:
                if cells:
                    yield reader.line_num, cells
                elif broken:
                    yield from broken.items()
                    broken.clear()
        except csv.Error as error:
            yield reader.line_num, ("the row is no CSV: {reason}", "quote as in RFC 4180", {"reason": str(error)})
        else:
            return


def _fed(text: str, broken: dict[int, Fault]) -> Iterator[str]:
    """Lines for the reader; one that it cannot take alone goes to ``broken``, and as a blank line to the reader, which keeps count."""
    lines = io.StringIO(text, newline="\n")
    if '"' not in text and not _CONTROL.search(text):
        yield from lines
        return
    for number, line in enumerate(lines, start=1):
        fault = _line_fault(line)
        if fault:
            broken[number] = fault
        yield "\n" if fault else line


def _line_fault(line: str) -> Fault | None:
    if line.count('"') % 2:
        return "a quote is not closed on its line", "close it; a cell must not hold a line break", {}
    return _binary(line)


def _binary(text: str) -> Fault | None:
    if _CONTROL.search(text):
        return "the row holds control characters", "export the table anew, as text", {}
    return None


def _json_header(text: str) -> Sequence[str]:
    """All names of the contract, and whichever ``attr.*`` occur anywhere."""
    return [*COLUMNS, *dict.fromkeys(re.findall(r'"(attr\.[^"\\]+)"\s*:', text))]


def _json_records(text: str, header: Sequence[str]) -> Iterator[Record]:
    for number, line in enumerate(io.StringIO(text, newline="\n"), start=1):
        if line.strip():
            yield number, _json_cells(line, header)


class _Digits(str):
    """A JSON number as its own digits."""

    __slots__ = ()


def _json_cells(line: str, header: Sequence[str]) -> list[str] | Fault:
    """Cells in header order, or what is wrong with the line."""
    if len(line) > _LONGEST_LINE:
        return "the line is longer than {limit} characters", "one record a line", {"limit": _LONGEST_LINE}
    try:
        found = _DECODER.decode(line.strip())
    except (ValueError, RecursionError) as error:
        return "the line is no JSON object: {reason}", "write one object a line, as in RFC 8259", {"reason": str(error)}
    if not isinstance(found, dict):
        return (
            "the line is no JSON object: {reason}",
            "write one object a line, as in RFC 8259",
            {"reason": line[:40].strip()},
        )
    return _object_fault(found, header, line) or [
        "" if found.get(name) is None else str(found[name]) for name in header
    ]


def _object_fault(found: dict[str, Any], header: Sequence[str], line: str) -> Fault | None:
    for name, value in found.items():
        if name not in header:
            return "unknown field '{field}'", _HEADER_ADVICE, {"field": name, "columns": ",".join(COLUMNS)}
        number = isinstance(value, _Digits)
        if value is not None and (
            not isinstance(value, str) or (number and name != "quantity" and not name.startswith(ATTRIBUTE))
        ):
            return "field '{field}' is no text", "put it in quotes", {"field": name}
    return _escaped_fault(found) if "\\u" in line else None


def _escaped_fault(found: dict[str, Any]) -> Fault | None:
    """What only an escape can bring in: control characters and halves of surrogate pairs."""
    text = "".join(str(value) for value in found.values())
    try:
        text.encode()
    except UnicodeEncodeError:
        return "the row holds half a character", "write surrogate pairs whole", {}
    return _binary(text)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is no JSON number")


_decode: Callable[..., Any] = json.JSONDecoder
_DECODER = _decode(parse_float=_Digits, parse_int=_Digits, parse_constant=_no_constant, object_pairs_hook=_once)
