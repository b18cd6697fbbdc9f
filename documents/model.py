"""A paper as data: cover, page zones, sections, tables, seals; no domain, no file format, and text is never markup."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import TypeAlias

Cell: TypeAlias = str | int | float | Decimal | datetime | None
"""One value of a table; None is missing and stands as ``—``, never as 0."""


PNG_START, PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"


class Kind(StrEnum):
    """What a column holds, and so how it is aligned and written."""

    TEXT = "text"
    NUMBER = "number"
    MONEY = "money"
    INSTANT = "instant"


class Align(StrEnum):
    """Where a column's values stand."""

    LEFT = "left"
    CENTER = "center"
    RIGHT = "right"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column (列).

    Attributes:
        kind: Money takes ``Decimal``, ``int`` or a plain decimal text, in yuan, never a float. An instant is aware and
            shown in UTC+8.
        width: Share of the table's width, relative to the other columns; 0 for as wide as it needs.
        align: None means by kind: numbers and money right, the rest left.
        places: Fraction digits at least; None means as the value has, 2 for money. A value with more keeps them all.
    """

    title: str
    kind: Kind = Kind.TEXT
    width: float = 1.0
    align: Align | None = None
    places: int | None = None

    @property
    def side(self) -> Align:
        """Where its values stand."""
        return self.align or (Align.RIGHT if self.kind in {Kind.NUMBER, Kind.MONEY} else Align.LEFT)


def columns(*titles: str) -> tuple[Column, ...]:
    """Text columns of equal width."""
    return tuple(Column(title=title) for title in titles)


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """A row that heads those below it, over the whole width (分组行)."""

    text: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """A row of totals (小计、合计): ``cells`` belong to the last columns, the label takes the rest."""

    label: str
    cells: tuple[Cell, ...]


Row: TypeAlias = tuple[Cell, ...] | Band | Sum


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table (表) whose heading is repeated on each page. Rows are as wide as the columns, ValueError otherwise."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    caption: str = ""

    def __post_init__(self) -> None:
        if not self.columns:
            raise ValueError(f"table {self.caption!r} has no columns")
        for place, row in enumerate(self.rows):
            width = len(row) if isinstance(row, tuple) else len(self.columns)
            if width != len(self.columns) or (isinstance(row, Sum) and len(row.cells) >= width):
                raise ValueError(f"table {self.caption!r}: row {place} does not fit {len(self.columns)} columns")


@dataclass(frozen=True, slots=True, kw_only=True)
class Paragraph:
    """Running text (正文); a line feed breaks the line."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A name and its value, e.g. 使用单位: 省财政厅."""

    name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Names and values side by side in a box (要素). ``widths`` are shares of its columns."""

    items: tuple[Fact, ...]
    widths: tuple[float, ...] = (1, 1, 1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A warning that nobody may overlook (提示)."""

    title: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Highlight:
    """The figure that a paper is about, with its words, framed (合计框)."""

    left: Fact
    right: Fact


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """Small print under its own title (备注)."""

    title: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture (图).

    Attributes:
        png: The bytes of a PNG; ValueError for anything else.
        alt: What it shows, for those who cannot see it.
        width: Share of the text's width, in (0, 1].
    """

    png: bytes
    alt: str
    caption: str = ""
    width: float = 1.0

    def __post_init__(self) -> None:
        if not self.png.startswith(PNG_START) or not self.png.endswith(PNG_END):
            raise ValueError(f"picture {self.alt!r} is no PNG")
        if not 0 < self.width <= 1:
            raise ValueError(f"picture {self.alt!r}: width is {self.width}, must be in (0, 1]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seals:
    """Places for seals (印章位置), side by side, each with its date."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signatures:
    """Lines to sign (签字): name, line, date."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PageBreak:
    """What follows begins a page."""


Leaf: TypeAlias = Paragraph | Table | Facts | Notice | Highlight | Remark | Picture | Seals | Signatures | PageBreak


@dataclass(frozen=True, slots=True, kw_only=True)
class Together:
    """Blocks that stay on one page (不分页)."""

    blocks: tuple[Leaf, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A titled part (章节); sections inside it are one level deeper."""

    title: str
    blocks: tuple[Leaf | Together | Section, ...]


Block: TypeAlias = Leaf | Together | Section


@dataclass(frozen=True, slots=True, kw_only=True)
class Cover:
    """A title page of its own (封面); the document's title, number, organisation and date stand on it.

    Attributes:
        classification: 密级 or 公开范围, e.g. ``内部资料``; empty for none.
    """

    subtitle: str = ""
    classification: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Masthead:
    """A title over the first page (报头), with a few facts at its right."""

    subtitle: str = ""
    facts: tuple[Fact, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A paper that is written as PDF or DOCX.

    Attributes:
        number: 编号; stands in the footer.
        created: Aware; the only clock that the file knows, so that the same document gives the same bytes.
        footer: Further words at the foot of each page; number, zone note and page x / y stand there anyway.
        watermark: Over each page (水印), e.g. name and time of the one who exports; up to 4 characters stand large.
        dense: A form with small type instead of a report.
        numbered: Sections are counted as public papers do: 一、（一） 1. （1）.
        contents: A list of the sections after the cover (目录).
    """

    title: str
    number: str
    organisation: str
    created: datetime
    blocks: tuple[Block, ...]
    head: Cover | Masthead = Masthead()
    header: str = ""
    footer: str = ""
    watermark: str = ""
    landscape: bool = False
    dense: bool = False
    numbered: bool = True
    contents: bool = False

    def __post_init__(self) -> None:
        if self.created.tzinfo is None:
            raise ValueError(f"document {self.number}: created is naive")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Rows of any number that are written as CSV or XLSX, one after the other.

    Attributes:
        rows: Read once.
        created: As a document's.
        trailer: A last line with the number of rows, their SM3, the zone and the watermark; no line for programs.
        watermark: Who exports, and when.
    """

    title: str
    columns: tuple[Column, ...]
    rows: Iterable[Sequence[Cell]]
    created: datetime
    trailer: bool = True
    watermark: str = ""

    def __post_init__(self) -> None:
        if self.created.tzinfo is None:
            raise ValueError(f"listing {self.title!r}: created is naive")
        if not self.columns:
            raise ValueError(f"listing {self.title!r} has no columns")
