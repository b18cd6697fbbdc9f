"""Listings as CSV, in a stream: UTF-8 with BOM, no text becomes a formula, rows counted and digested on the way."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice

from crypto.sm3 import Sm3
from documents.model import Cell, Column, Kind, Listing
from documents.values import ZONE, cell_text, visible
from records.instants import SHANGHAI

BOM = b"\xef\xbb\xbf"  # Excel takes a CSV for UTF-8 only with it
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
FIRST_ROWS, MOST_ROWS_AT_ONCE = 1, 512
Write = Callable[[Cell], str]


def guarded(cell: Cell) -> str:
    """A cell's text; ``'`` before one that a spreadsheet would take for a formula, plain numbers excepted."""
    text = "" if cell is None else str(cell)
    return f"'{text}" if text.startswith(FORMULA_STARTS) and not _is_number(text) else text


def _is_number(text: str) -> bool:
    return text.lstrip("-").replace(".", "", 1).isdecimal() and text.isascii() and text.count("-") <= 1


class Tally:
    """Rows so far and their SM3 over CSV lines, the same for CSV and XLSX of the same rows."""

    def __init__(self) -> None:
        self.rows = 0
        self._digest = Sm3()

    def add(self, rows: int, lines: bytes) -> None:
        self.rows += rows
        self._digest.update(lines)

    @property
    def sm3(self) -> str:
        """In hex."""
        return self._digest.hexdigest()

    def words(self, watermark: str) -> str:
        """The last line of a file."""
        mark = f"；导出 {visible(watermark)}" if watermark else ""
        return f"共 {self.rows} 行；行摘要 SM3 {self.sm3}；{ZONE}{mark}"


def csv_chunks(listing: Listing, tally: Tally | None = None) -> Iterator[bytes]:
    """CSV with CRLF (RFC 4180) in pieces, the first one before the second row is asked for.

    Args:
        listing: Instants are written with their offset, RFC 3339; missing is empty.
        tally: Counts while the pieces are taken, for a manifest; its digest is over the lines below the heading,
            without the last one.
    """
    tally = tally or Tally()
    yield BOM + encoded([[guarded(visible(one.title)) for one in listing.columns]])
    for block in row_blocks(listing):
        lines = encoded(block)
        tally.add(len(block), lines)
        yield lines
    if listing.trailer:
        yield encoded([[f"# {tally.words(listing.watermark)}"]])


def csv_bytes(listing: Listing) -> bytes:
    """The same as one file."""
    return b"".join(csv_chunks(listing))


def row_blocks(listing: Listing) -> Iterator[list[list[str]]]:
    """Rows as texts, the first one alone, so that its reader has something at once.

    ValueError for a row of another width, or a value that its column does not take.
    """
    writers = [writer(column) for column in listing.columns]
    rows, size = iter(listing.rows), FIRST_ROWS
    while block := [_texts(row, writers) for row in islice(rows, size)]:
        yield block
        size = MOST_ROWS_AT_ONCE


def _texts(row: Sequence[Cell], writers: Sequence[Write]) -> list[str]:
    return [write(cell) for write, cell in zip(writers, row, strict=True)]


def writer(column: Column) -> Write:
    """How a column's cells are written: texts guarded, instants with their offset, numbers exactly."""
    return _free if column.kind in {Kind.TEXT, Kind.INSTANT} else lambda cell: cell_text(cell, column)


def _free(cell: Cell) -> str:
    if isinstance(cell, datetime):
        if cell.tzinfo is None:
            raise ValueError(f"naive instant {cell!r}")
        return cell.astimezone(SHANGHAI).isoformat()
    return guarded(cell)


def encoded(rows: Iterable[Sequence[str]]) -> bytes:
    """CSV lines in UTF-8; what hides is made visible, lone surrogates among it."""
    lines = io.StringIO()
    csv.writer(lines, lineterminator="\r\n").writerows(rows)
    return visible(lines.getvalue()).encode()
