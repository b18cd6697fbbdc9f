from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from documents.model import Cell, Column, Kind
from documents.values import (
    LONGEST_LINE,
    LONGEST_TEXT,
    cell_text,
    number_text,
    on_line,
    on_paper,
    paper_text,
    shortened,
    visible,
)

AT = datetime(2026, 7, 31, 16, 30, tzinfo=UTC)
NUMBER, MONEY, TEXT, INSTANT = (
    Column(title="列", kind=kind) for kind in (Kind.NUMBER, Kind.MONEY, Kind.TEXT, Kind.INSTANT)
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("省财政厅\tA\nB", "省财政厅\tA\nB"), ("a\x00b", "a[U+0000]b"), ("\x1b[31m", "[U+001B][31m"),
        ("发票\u202egnp.exe", "发票[U+202E]gnp.exe"), ("\ud800", "[U+D800]"), ("\ufeffx", "[U+FEFF]x"), ("𠮷", "𠮷"),
    ],
)  # fmt: skip
def test_nothing_hides(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(st.text(st.characters()))
def test_what_is_visible_can_be_written_and_stays(text: str) -> None:
    shown = visible(text)
    assert shown.encode().decode() == shown
    assert visible(shown) == shown


def test_a_cut_is_told() -> None:
    assert shortened("一" * 30, 20) == "一" * 10 + "…（全文 30 字）"
    assert len(shortened("一" * 10_000_000, LONGEST_TEXT)) == LONGEST_TEXT
    assert shortened("一" * 20, 20) == "一" * 20


@pytest.mark.parametrize(
    ("cell", "column", "text"),
    [
        (None, NUMBER, "—"), (0, NUMBER, "0"), (None, TEXT, "—"), ("", TEXT, ""), (None, INSTANT, "—"), ("", MONEY, ""),
        (5, MONEY, "5.00"), (Decimal("48.9"), MONEY, "48.90"), ("30.000001", MONEY, "30.000001"), (0.1, NUMBER, "0.1"),
        (Decimal("1E+3"), NUMBER, "1000"), (1e-7, NUMBER, "0.0000001"), (AT, INSTANT, "2026-08-01 00:30:00"),
        (AT, TEXT, "2026-08-01 00:30:00"), ("-0.5", NUMBER, "-0.5"), ("a\r\nb\u2028c", TEXT, "a\nb\nc"),
    ],
)  # fmt: skip
def test_on_paper(cell: Cell, column: Column, text: str) -> None:
    assert paper_text(cell, column) == text


@pytest.mark.parametrize(
    ("cell", "column", "why"),
    [
        (0.1, MONEY, "never a float"), (float("nan"), NUMBER, "finite"), (float("inf"), NUMBER, "finite"),
        ("1,5", NUMBER, "plain decimal"), ("1E3", MONEY, "plain decimal"), ("٣", NUMBER, "plain decimal"),
        (Decimal("NaN"), MONEY, "finite"), (AT.replace(tzinfo=None), INSTANT, "naive"),
    ],
)  # fmt: skip
def test_what_does_not_fit_its_column_is_named(cell: Cell, column: Column, why: str) -> None:
    with pytest.raises(ValueError, match=f"column '列': .*{why}"):
        cell_text(cell, column)


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**15), max_value=10**15), st.integers(0, 9))
def test_a_number_is_never_rounded(value: Decimal, places: int) -> None:
    text = number_text(value, places)
    assert Fraction(text) == Fraction(value)
    assert len(text.partition(".")[2]) >= places


def test_a_title_stays_a_line() -> None:
    assert on_line("甲\n 乙\u2028丙") == "甲 乙 丙"
    assert len(on_line("长" * 1000)) == LONGEST_LINE


def test_line_feeds_of_every_system_are_one() -> None:
    assert on_paper("a\rb\r\nc") == "a\nb\nc"
