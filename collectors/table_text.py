"""Lines of a usage table to cells: CSV by RFC 4180, NDJSON by RFC 8259; a bad line is told, the rest goes on.

A line is a record and a cell holds no line break: so one broken quote spoils its own line only.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from collectors.table_rows import ATTRIBUTE, COLUMNS
from records.errors import Problem, UserError

Record = tuple[int, list[str] | Problem]  # number of the line and its cells, or why it has none

LONGEST_LINE = 131_072  # characters; not more than the csv module takes in one cell
BLANK = re.compile(r"\n\r?\n")
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_NAMES = ",".join(COLUMNS)


def csv_header(text: str, name: str, source: str | None) -> Sequence[str]:
    """The first line; UserError with all that is wrong with it."""
    where = f"{name}:1"
    try:
        header = next(csv.reader([text.partition("\n")[0].removesuffix("\r")], strict=True), [])
    except csv.Error as error:
        raise UserError("the header is broken: {reason}", "quote as in RFC 4180", where=where, reason=error) from error
    needed = [one for one in COLUMNS if one != "source" or not source]
    problems = [
        *(_missing_column(one, where) for one in needed if one not in header),
        *(_unknown_column(one, where) for one in header if not _is_column(one)),
        *(_twice(one, where) for one in dict.fromkeys(header) if header.count(one) > 1),
    ]
    if problems:
        raise UserError.of(problems)
    return header


def _is_column(name: str) -> bool:
    return name in COLUMNS or (name.startswith(ATTRIBUTE) and name != ATTRIBUTE)


def _missing_column(name: str, where: str) -> Problem:
    values = {"column": name, "columns": _NAMES}
    return Problem("column '{column}' is missing", "the columns are {columns} and any attr.*", where, values)


def _unknown_column(name: str, where: str = "") -> Problem:
    values = {"column": name, "columns": _NAMES}
    return Problem("unknown column '{column}'", "the columns are {columns} and any attr.*", where, values)


def _twice(name: str, where: str) -> Problem:
    return Problem("column '{column}' stands twice", "leave one of them", where, {"column": name})


def csv_records(text: str) -> Iterator[Record]:
    """Cells of each line after the header; blank lines are none."""
    broken: dict[int, Problem] = {}
    reader = csv.reader(_fed(text, broken), strict=True)
    next(reader)
    while True:
        try:
            for cells in reader:
                if cells:
                    yield reader.line_num, cells
                elif reader.line_num in broken:
                    yield reader.line_num, broken.pop(reader.line_num)
        except csv.Error as error:
            problem = Problem("the row is no CSV: {reason}", "quote as in RFC 4180", values={"reason": str(error)})
            yield reader.line_num, problem
        else:
            return


def _fed(text: str, broken: dict[int, Problem]) -> Iterator[str]:
    """Lines for the reader; what it cannot take alone goes to ``broken`` and to it as a blank line, for it counts."""
    for number, line in enumerate(io.StringIO(text, newline="\n"), start=1):
        problem = _line_problem(line)
        if problem:
            broken[number] = problem
        yield "\n" if problem else line


def _line_problem(line: str) -> Problem | None:
    if len(line) > LONGEST_LINE:
        return _too_long()
    if line.count('"') % 2:
        return Problem("a quote is not closed on its line", "close it; a cell must not hold a line break")
    return _binary(line)


def _too_long() -> Problem:
    values = {"limit": LONGEST_LINE}
    return Problem("the line is longer than {limit} characters", "write one record a line", values=values)


def _binary(text: str) -> Problem | None:
    if CONTROL.search(text):
        return Problem("the row holds control characters", "export the table anew, as text")
    return None


def json_header(text: str) -> Sequence[str]:
    """All names of the contract, and whichever ``attr.*`` occur anywhere."""
    return [*COLUMNS, *dict.fromkeys(re.findall(r'"(attr\.[^"\\]+)"\s*:', text))]


def json_records(text: str, header: Sequence[str]) -> Iterator[Record]:
    """Cells of each line in header order; a number is its own digits, null an empty cell; blank lines are none."""
    for number, line in enumerate(io.StringIO(text, newline="\n"), start=1):
        if line.strip():
            yield number, _json_cells(line.strip(), header)


class _Digits(str):
    """A JSON number as its own digits."""

    __slots__ = ()


def _json_cells(line: str, header: Sequence[str]) -> list[str] | Problem:
    if len(line) > LONGEST_LINE:
        return _too_long()
    try:
        found = _DECODER.decode(line)
    except (ValueError, RecursionError) as error:
        reason = {"reason": str(error)}
        return Problem("the line is no JSON: {reason}", "write one object a line, as in RFC 8259", values=reason)
    if not isinstance(found, dict):
        return Problem("the line is no JSON object", "write one object a line, as in RFC 8259")
    return _object_problem(found, header, line) or [_cell(found.get(one)) for one in header]


def _cell(value: str | None) -> str:
    return "" if value is None else str(value)


def _object_problem(found: dict[str, Any], header: Sequence[str], line: str) -> Problem | None:
    for name, value in found.items():
        if name not in header:
            return _unknown_column(name)
        numeric = name == "quantity" or name.startswith(ATTRIBUTE)
        if value is not None and (not isinstance(value, str) or (isinstance(value, _Digits) and not numeric)):
            return Problem("'{column}' is no text", "put it in quotes", values={"column": name})
    return _escaped_problem(found) if "\\u" in line else None


def _escaped_problem(found: dict[str, Any]) -> Problem | None:
    """What only an escape can bring in: control characters and halves of surrogate pairs."""
    text = "".join(map(_cell, found.values()))
    if any("\ud800" <= character <= "\udfff" for character in text):
        return Problem("the row holds half a character", "write surrogate pairs whole")
    return _binary(text)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is no JSON number")


_DECODER = json.JSONDecoder(
    parse_float=_Digits,
    parse_int=_Digits,
    parse_constant=_no_constant,
    object_pairs_hook=_once,
)
