"""Values as text: nothing hidden, nothing rounded, missing is a dash, instants in UTC+8."""

from __future__ import annotations

import math
import re
from datetime import datetime
from decimal import Decimal

from documents.model import Cell, Column, Kind
from records.instants import SHANGHAI

MISSING = "—"
ZONE = "时间均为 UTC+8（Asia/Shanghai）"
MONEY_PLACES = 2
LONGEST_TEXT = 20_000  # characters of one text on paper: some ten pages
LONGEST_LINE = 200  # of a title, a name, a header, a footer
PLAIN_DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufffe\uffff]"
)
_LINE_END = re.compile("[ \t\n\r\u2028\u2029]*[\t\n\r\u2028\u2029][ \t\n\r\u2028\u2029]*")
_BREAKS = re.compile("\r\n?|[\u2028\u2029]")


def visible(text: str) -> str:
    """Characters that hide, turn the direction of reading or belong in no file become their number, e.g. ``[U+202E]``.

    A name must read the same in every format; XML 1.0 §2.2 forbids the controls, UTF-8 lone surrogates, and terminals
    obey escapes.
    """
    return _HIDDEN.sub(lambda found: f"[U+{ord(found[0]):04X}]", text)


def shortened(text: str, longest: int) -> str:
    """At most ``longest`` characters; what is cut is told at the end, never in silence."""
    if len(text) <= longest:
        return text
    end = f"…（全文 {len(text)} 字）"
    return text[: longest - len(end)] + end


def on_paper(text: str) -> str:
    """A text for PDF and DOCX: visible, line feeds only, of bearable length."""
    return _BREAKS.sub("\n", visible(shortened(text, LONGEST_TEXT)))


def on_line(text: str) -> str:
    """A text for a title, a name or a zone of the page: as ``on_paper``, on one line, of bearable length."""
    return _LINE_END.sub(" ", visible(shortened(text, LONGEST_LINE)))


def decimal_of(cell: str | Decimal | float) -> Decimal:
    """A number exactly; ValueError for what is none, or not finite."""
    if isinstance(cell, str) and not PLAIN_DECIMAL.fullmatch(cell):
        raise ValueError(f"no plain decimal: {cell[:40]!r}")
    value = Decimal(repr(cell)) if isinstance(cell, float) else Decimal(cell)
    if not value.is_finite():
        raise ValueError(f"no finite number: {cell!r}")
    return value


def number_text(cell: str | Decimal | float, places: int | None) -> str:
    """A number with at least ``places`` fraction digits and all that it has; never rounded, never with an exponent."""
    if isinstance(cell, float) and not math.isfinite(cell):
        raise ValueError(f"no finite number: {cell!r}")
    value = decimal_of(cell)
    text = f"{value:f}"
    has = len(text.partition(".")[2])
    return text if places is None or has >= places else f"{value:.{places}f}"


def instant_text(at: datetime) -> str:
    """Date and time in UTC+8; ValueError for a naive instant."""
    if at.tzinfo is None:
        raise ValueError(f"naive instant {at!r}")
    return at.astimezone(SHANGHAI).replace(tzinfo=None).isoformat(" ")


def money_places(column: Column) -> int | None:
    """Fraction digits that a column shows at least."""
    return MONEY_PLACES if column.kind is Kind.MONEY and column.places is None else column.places


def cell_text(cell: Cell, column: Column) -> str:
    """A cell as it stands in a file; empty if missing. ValueError names the column that a value does not fit."""
    try:
        return _text(cell, column)
    except (ValueError, TypeError) as error:
        raise ValueError(f"column {column.title!r}: {error}") from error


def _text(cell: Cell, column: Column) -> str:
    if cell is None or isinstance(cell, datetime):
        return instant_text(cell) if cell else ""
    if cell == "" or (isinstance(cell, str) and column.kind in {Kind.TEXT, Kind.INSTANT}):
        return str(cell)
    if isinstance(cell, float) and column.kind is Kind.MONEY:
        raise TypeError("money is never a float")
    return number_text(cell, money_places(column))


def paper_text(cell: Cell, column: Column) -> str:
    """A cell on paper: as ``cell_text``, visible, and a dash where it is missing."""
    return MISSING if cell is None else on_paper(cell_text(cell, column))
