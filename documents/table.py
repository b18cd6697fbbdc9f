"""Tables as CSV and XLSX, safe to open in a spreadsheet: no text of ours becomes a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

import xlsxwriter

BOM = "\ufeff"  # Excel takes a CSV for UTF-8 only with it
MOST_ROWS = 1_048_576  # of a worksheet, headings included
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
Cell = str | int | bool | None


def guarded(cell: Cell) -> str:
    """A cell's text; ``'`` before one that a spreadsheet would take for a formula, plain numbers excepted."""
    text = "" if cell is None else str(cell)
    return f"'{text}" if text.startswith(FORMULA_STARTS) and not _is_number(text) else text


def _is_number(text: str) -> bool:
    return text.lstrip("-").replace(".", "", 1).isdecimal() and text.isascii() and text.count("-") <= 1


def csv_lines(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Iterator[str]:
    """CSV in UTF-8 with BOM and CRLF (RFC 4180), row by row, so that any size streams."""
    yield BOM + _csv_line(columns)
    for row in rows:
        yield _csv_line(row)


def _csv_line(row: Sequence[Cell]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow([guarded(cell) for cell in row])
    return line.getvalue()


def csv_bytes(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> bytes:
    """The same as one file."""
    return "".join(csv_lines(columns, rows)).encode()


def xlsx_bytes(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[Cell]], created: datetime, *, money: Sequence[str] = ()
) -> bytes:
    """A workbook with frozen headings; goes on in further sheets where one is full.

    Args:
        title: Of the sheet.
        columns: Headings.
        rows: In constant memory, whatever their number.
        created: Stamped into the file, so that the same rows give the same bytes.
        money: Headings whose texts are decimals; written as they stand, right-aligned, never through a float.
    """
    target = io.BytesIO()
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(target, options) as book:
        book.set_properties({"title": title, "created": created.replace(tzinfo=None)})
        sheets = _Sheets(book, title, columns, money)
        for row in rows:
            sheets.add(row)
    return target.getvalue()


class _Sheets:
    """The sheet that is being filled, and the next when it is full."""

    def __init__(self, book: Any, title: str, columns: Sequence[str], money: Sequence[str]) -> None:
        self._book, self._title, self._columns = book, title, columns
        self._heading = book.add_format({"bold": True, "bg_color": "#EEF2F7", "bottom": 1})
        self._right = book.add_format({"align": "right"})
        self._money = [column in money for column in columns]
        self._number = 0
        self._open()

    def _open(self) -> None:
        self._number += 1
        name = self._title if self._number == 1 else f"{self._title} {self._number}"
        self._sheet = self._book.add_worksheet(name[:31])
        self._sheet.freeze_panes(1, 0)
        self._sheet.set_column(0, len(self._columns) - 1, 18)
        for place, column in enumerate(self._columns):
            self._sheet.write_string(0, place, column, self._heading)
        self._row = 1

    def add(self, row: Sequence[Cell]) -> None:
        """Write one row as texts and integers."""
        if self._row == MOST_ROWS:
            self._open()
        for place, cell in enumerate(row):
            if isinstance(cell, int) and not isinstance(cell, bool):
                self._sheet.write_number(self._row, place, cell)
            elif cell is not None:
                form = self._right if self._money[place] else None
                self._sheet.write_string(self._row, place, guarded(cell), form)
        self._row += 1
