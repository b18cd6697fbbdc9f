from __future__ import annotations

import csv
import io
import zipfile
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from documents.table import csv_bytes, guarded, xlsx_bytes

AT = datetime(2026, 8, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("=1+1", "'=1+1"), ("+86", "'+86"), ("-1.50", "-1.50"), ("-1", "-1"), ("--1", "'--1"),
        ("-a", "'-a"), ("@x", "'@x"),
        ("\tx", "'\tx"), ("12", "12"), (None, ""), (5, "5"), ("省财政厅", "省财政厅"), ("-", "'-"), ("-1-2", "'-1-2"),
    ],
)  # fmt: skip
def test_no_text_becomes_a_formula(cell: str | int | None, text: str) -> None:
    assert guarded(cell) == text


@given(
    st.lists(
        st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\x00")), min_size=2, max_size=2), max_size=5
    )
)
def test_csv_reads_back(rows: list[list[str]]) -> None:
    data = csv_bytes(("甲", "乙"), rows)
    assert data.startswith(b"\xef\xbb\xbf")
    back = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))
    assert back == [["甲", "乙"], *([guarded(cell) for cell in row] for row in rows)]


def cells(data: bytes) -> list[tuple[str, str]]:
    """(kind, text) of each cell of the first sheet, read without the writing library."""
    space = {"x": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}
    sheet = ET.fromstring(zipfile.ZipFile(io.BytesIO(data)).read("xl/worksheets/sheet1.xml"))  # noqa: S314 - of our own making
    found = []
    for cell in sheet.iterfind(".//x:c", space):
        assert cell.find("x:f", space) is None
        text = "".join(one.text or "" for one in cell.iterfind(".//x:t", space)) or cell.findtext("x:v", "", space)
        found.append((cell.get("t", "n"), text))
    return found


def test_xlsx_keeps_texts_and_integers() -> None:
    data = xlsx_bytes(
        "账单",
        ("名称", "金额", "阶梯"),
        [("=省财政厅", "48.910000", 2), ("http://x", "-1.00", None)],
        AT,
        money=("金额",),
    )
    assert cells(data) == [
        ("inlineStr", "名称"), ("inlineStr", "金额"), ("inlineStr", "阶梯"),
        ("inlineStr", "'=省财政厅"), ("inlineStr", "48.910000"), ("n", "2"),
        ("inlineStr", "http://x"), ("inlineStr", "-1.00"),
    ]  # fmt: skip


def test_the_same_rows_give_the_same_bytes() -> None:
    assert xlsx_bytes("a", ("b",), [("c",)], AT) == xlsx_bytes("a", ("b",), [("c",)], AT)


def test_a_full_sheet_goes_on_in_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("documents.table.MOST_ROWS", 3)
    data = xlsx_bytes("a", ("b",), [(str(n),) for n in range(5)], AT)
    names = [name for name in zipfile.ZipFile(io.BytesIO(data)).namelist() if name.startswith("xl/worksheets/sheet")]
    assert len(names) == 3
