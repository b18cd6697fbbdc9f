"""A document as the plain sequence that renderers write: headings counted, wide tables cut, totals placed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias

from documents.model import Block, Document, Leaf, Row, Section, Sum, Table, Together

MOST_COLUMNS = 14  # on one page; Word itself ends at 63
_NUMERALS = "零一二三四五六七八九"
_SECOND, _THIRD = 2, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """A section's title with its number, ``level`` from 1."""

    level: int
    text: str


Piece: TypeAlias = Heading | Leaf | Together


def pieces(document: Document) -> list[Piece]:
    """The whole document in order."""
    return list(_walk(document.blocks, 1, numbered=document.numbered))


def _walk(blocks: Iterable[Block], level: int, *, numbered: bool) -> Iterator[Piece]:
    count = 0
    for block in blocks:
        if isinstance(block, Section):
            count += 1
            lead = heading_number(level, count) if numbered else ""
            yield Heading(level=level, text=lead + block.title)
            yield from _walk(block.blocks, level + 1, numbered=numbered)
        elif isinstance(block, Table):
            yield from narrow(block)
        else:
            yield block


def heading_number(level: int, count: int) -> str:
    """一、 （一） 1. （1）: GB/T 9704-2012 §7.3.3."""
    if level == 1:
        return f"{chinese_numeral(count)}、"
    if level == _SECOND:
        return f"（{chinese_numeral(count)}）"
    return f"{count}. " if level == _THIRD else f"（{count}）"


def chinese_numeral(count: int) -> str:
    """1 to 99 in Chinese numerals, e.g. 十二; beyond that in digits."""
    tens, ones = divmod(count, 10)
    if not 0 < tens * 10 + ones < 100:  # noqa: PLR2004 - two digits
        return str(count)
    lead = "" if tens == 0 else "十" if tens == 1 else f"{_NUMERALS[tens]}十"
    return lead + (_NUMERALS[ones] if ones else "")


def narrow(table: Table) -> Iterator[Table]:
    """The table, or where it is wider than a page its parts side by side, each led by the first column."""
    if len(table.columns) <= MOST_COLUMNS:
        yield table
        return
    step = MOST_COLUMNS - 1
    starts = range(1, len(table.columns), step)
    for part, start in enumerate(starts, 1):
        end = min(start + step, len(table.columns))
        caption = f"{table.caption}（第 {part}/{len(starts)} 部分，第 {start + 1} 至 {end} 列）"
        rows = tuple(_part(row, start, end, len(table.columns)) for row in table.rows)
        yield Table(columns=(table.columns[0], *table.columns[start:end]), rows=rows, caption=caption)


def _part(row: Row, start: int, end: int, width: int) -> Row:
    if isinstance(row, tuple):
        return (row[0], *row[start:end])
    if not isinstance(row, Sum):
        return row
    first = width - len(row.cells)  # the column of its first cell
    return replace(row, cells=row.cells[max(start - first, 0) : max(end - first, 0)])
