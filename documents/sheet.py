"""Listings as XLSX in constant memory: numbers stay numbers, texts texts, and a full sheet goes on in the next."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import xlsxwriter

from documents.model import Align, Cell, Column, Kind, Listing
from documents.rows import Tally, Write, encoded, guarded, writer
from documents.values import MISSING, ZONE, cell_text, decimal_of, shortened, visible
from records.instants import SHANGHAI

MOST_ROWS = 1_048_576  # of a worksheet, headings included
MOST_CHARACTERS = 32_767  # of a cell, in UTF-16 units
MOST_DIGITS = 15  # that Excel keeps of a number
MOST_NAME = 31
MOST_ZONE = 250  # characters of a header or footer; Excel ends at 255
BATCH = 256
_NAME_REFUSED = re.compile(r"[\[\]:*?/\\]")
_OPTIONS = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
}


def write_xlsx(listing: Listing, target: Path | BinaryIO) -> Tally:
    """A workbook with frozen, repeated headings, in constant memory if the target is a file.

    Returns:
        The number of rows and their digest, as in the CSV of the same listing; they stand in the last line too.
    """
    with xlsxwriter.Workbook(target if not isinstance(target, Path) else str(target), _OPTIONS) as book:
        title = visible(listing.title)
        book.set_properties({"title": title, "created": listing.created.astimezone(SHANGHAI).replace(tzinfo=None)})
        sheets = _Sheets(book, listing)
        for row in listing.rows:
            sheets.add(row)
        return sheets.end()


def xlsx_bytes(listing: Listing) -> bytes:
    """The same as bytes, for small ones."""
    target = io.BytesIO()
    write_xlsx(listing, target)
    return target.getvalue()


def sheet_name(title: str, number: int) -> str:
    """A name that Excel takes: 31 characters, no brackets, colons, asterisks, slashes, and no ``'`` at an end."""
    tail = "" if number == 1 else f" {number}"
    name = _NAME_REFUSED.sub("_", visible(title).replace("\n", " ")).strip("' ")[: MOST_NAME - len(tail)]
    return (name or "Sheet") + tail


def zone_text(text: str) -> str:
    """Words for a header or footer, where ``&`` begins a code."""
    return visible(text)[: MOST_ZONE // 2].replace("&", "&&")


class _Sheets:
    """The sheet that is being filled, and the next when it is full."""

    def __init__(self, book: Any, listing: Listing) -> None:
        self._book, self._listing = book, listing
        self._heading = book.add_format({"bold": True, "bg_color": "#EEF2F7", "bottom": 1, "text_wrap": True})
        self._forms: dict[tuple[Align, str], Any] = {}
        self._writers = [writer(column) for column in listing.columns]
        self._tally, self._waiting = Tally(), list[Sequence[str]]()
        self._number = 0
        self._open()

    def _open(self) -> None:
        self._number += 1
        self._sheet = sheet = self._book.add_worksheet(sheet_name(self._listing.title, self._number))
        sheet.freeze_panes(1, 0)
        sheet.repeat_rows(0)
        sheet.set_paper(9)  # A4
        sheet.set_landscape()
        sheet.set_header(f"&L{zone_text(self._listing.title)}&R{zone_text(self._listing.watermark)}")
        sheet.set_footer(f"&L{ZONE}&R第 &P 页 / 共 &N 页")
        for place, column in enumerate(self._listing.columns):
            sheet.set_column(place, place, 18 * (column.width or 1))
            sheet.write_string(0, place, heading(column), self._heading)
        self._row = 1

    def add(self, row: Sequence[Cell]) -> None:
        """Write one row."""
        if self._row == MOST_ROWS:
            self._open()
        self._waiting.append(_texts(row, self._writers))
        if len(self._waiting) == BATCH:
            self._count()
        for place, (cell, column) in enumerate(zip(row, self._listing.columns, strict=True)):
            self._cell(place, cell, column)
        self._row += 1

    def _cell(self, place: int, cell: Cell, column: Column) -> None:
        if cell == "":
            return
        if cell is None:
            self._sheet.write_string(self._row, place, MISSING, self._form(column.side))
        elif isinstance(cell, datetime):
            naive = cell.astimezone(SHANGHAI).replace(tzinfo=None)
            self._sheet.write_datetime(self._row, place, naive, self._form(column.side, "yyyy-mm-dd hh:mm:ss"))
        elif isinstance(cell, str) and column.kind in {Kind.TEXT, Kind.INSTANT}:
            self._sheet.write_string(self._row, place, cell_string(cell), self._form(column.side))
        else:
            self._number_cell(place, cell_text(cell, column), column)

    def _number_cell(self, place: int, text: str, column: Column) -> None:
        """A number by its own digits, never through a float; one with more than Excel keeps is a text."""
        value = decimal_of(text)
        form = self._form(column.side, number_format(text))
        if len(value.as_tuple().digits) > MOST_DIGITS:
            self._sheet.write_string(self._row, place, text, form)
        else:
            self._sheet.write_number(self._row, place, value, form)

    def _form(self, side: Align, number: str = "") -> Any:
        found = self._forms.get((side, number))
        if found is None:
            found = self._book.add_format(
                {"align": side.value, "valign": "top"} | ({"num_format": number} if number else {})
            )
            self._forms[side, number] = found
        return found

    def _count(self) -> None:
        self._tally.add(len(self._waiting), encoded(self._waiting))
        self._waiting.clear()

    def end(self) -> Tally:
        """Count what is left and write the last line."""
        self._count()
        if self._listing.trailer:
            if self._row == MOST_ROWS:
                self._open()
            self._sheet.write_string(self._row, 0, self._tally.words(self._listing.watermark))
        return self._tally


def _texts(row: Sequence[Cell], writers: Sequence[Write]) -> list[str]:
    return [write(cell) for write, cell in zip(writers, row, strict=True)]


def heading(column: Column) -> str:
    """A column's title; an instant's with its zone."""
    zone = "（UTC+8）" if column.kind is Kind.INSTANT else ""
    return cell_string(column.title) + zone


def cell_string(text: str) -> str:
    """A text that a cell takes: guarded, visible, and no longer than Excel allows; what is cut is told."""
    shown = visible(guarded(text))
    units = len(shown.encode("utf-16-le")) // 2 if len(shown) > MOST_CHARACTERS // 2 else 0
    return shortened(shown, MOST_CHARACTERS // 2) if units > MOST_CHARACTERS else shown


def number_format(text: str) -> str:
    """As many places as the digits have."""
    places = len(text.partition(".")[2])
    return f"0.{'0' * places}" if places else "0"
