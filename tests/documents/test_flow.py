from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from documents.flow import MOST_COLUMNS, Heading, chinese_numeral, narrow, pieces
from documents.model import Band, Cell, Paragraph, Section, Sum, Table, columns
from tests.documents.sample import report


@pytest.mark.parametrize(
    ("count", "text"), [(1, "一"), (9, "九"), (10, "十"), (12, "十二"), (20, "二十"), (99, "九十九"), (100, "100")]
)
def test_chinese_numerals(count: int, text: str) -> None:
    assert chinese_numeral(count) == text


def test_sections_are_counted_as_public_papers_do() -> None:
    deep = Section(title="丙", blocks=(Section(title="丁", blocks=(Section(title="戊", blocks=()),)),))
    document = report(blocks=(Section(title="甲", blocks=(deep, Paragraph(text="x"))), Section(title="乙", blocks=())))
    assert pieces(document) == [
        Heading(level=1, text="一、甲"), Heading(level=2, text="（一）丙"), Heading(level=3, text="1. 丁"),
        Heading(level=4, text="（1）戊"), Paragraph(text="x"), Heading(level=1, text="二、乙"),
    ]  # fmt: skip


def test_counting_can_be_left_out() -> None:
    document = report(blocks=(Section(title="甲", blocks=()),), numbered=False)
    assert pieces(document) == [Heading(level=1, text="甲")]


@given(st.integers(1, 210), st.integers(0, 209))
def test_a_wide_table_loses_no_column(width: int, totals: int) -> None:
    row: tuple[Cell, ...] = tuple(range(width))
    sums = (Sum(label="合计", cells=row[-totals:]),) if 0 < totals < width else ()
    table = Table(columns=columns(*map(str, row)), rows=(row, Band(text="组"), *sums))
    parts = list(narrow(table))
    assert all(len(part.columns) <= MOST_COLUMNS for part in parts)
    assert [one.title for part in parts for one in part.columns[1 if len(parts) > 1 else 0 :]] == [
        one.title for one in table.columns[1 if len(parts) > 1 else 0 :]
    ]
    assert {cell for part in parts for cell in part.rows[0]} == set(row)  # type: ignore[arg-type]  # a plain row
    found = [cell for part in parts for one in part.rows[2:] for cell in one.cells]  # type: ignore[union-attr]  # a Sum
    assert found == list(row[-totals:] if sums else ())
