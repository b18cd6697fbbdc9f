from __future__ import annotations

import io
import zipfile
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import openpyxl
import pytest

from documents.model import Column, Kind, Listing, columns
from documents.rows import Tally, csv_chunks
from documents.sheet import MOST_CHARACTERS, sheet_name, write_xlsx, xlsx_bytes, zone_text
from tests.documents.sample import AT, MARK

KINDS = tuple(
    Column(title=title, kind=kind) for title, kind in zip(("名称", "数量", "金额", "时间"), Kind, strict=True)
)


def listing(*rows: Any, **more: Any) -> Listing:
    return Listing(**{"title": "账单", "columns": KINDS, "rows": rows, "created": AT, "trailer": False} | more)


def sheets(data: bytes) -> list[Any]:
    return openpyxl.load_workbook(io.BytesIO(data)).worksheets


def values(data: bytes) -> list[list[Any]]:
    return [[cell.value for cell in row] for row in sheets(data)[0].iter_rows()]


def raw(data: bytes) -> list[tuple[str, str]]:
    """(kind, text) of each cell of the first sheet as it stands in the file."""
    space = {"x": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}
    sheet = ET.fromstring(zipfile.ZipFile(io.BytesIO(data)).read("xl/worksheets/sheet1.xml"))  # noqa: S314 - of our own making
    assert sheet.find(".//x:f", space) is None
    return [
        (cell.get("t", "n"), cell.findtext("x:v", "", space) or "".join(one.text or "" for one in cell.iterfind(".//x:t", space)))
        for cell in sheet.iterfind(".//x:c", space)
    ]  # fmt: skip


def test_each_kind_stands_as_what_it_is() -> None:
    data = xlsx_bytes(listing(("省财政厅", 4, Decimal("48.91"), AT), (None, None, None, None)))
    assert values(data) == [
        ["名称", "数量", "金额", "时间（UTC+8）"],
        ["省财政厅", 4, 48.91, datetime(2026, 8, 1, 9)],
        ["—", "—", "—", "—"],
    ]
    assert [cell.number_format for cell in sheets(data)[0][2]] == ["General", "0", "0.00", "yyyy-mm-dd hh:mm:ss"]


@pytest.mark.parametrize(
    ("amount", "cell"),
    [
        ("48.910000", ("n", "48.910000")), (Decimal("0.10"), ("n", "0.10")), ("-1.00", ("n", "-1.00")), (0, ("n", "0.00")),
        ("999999999999.99", ("n", "999999999999.99")), (Decimal("12345678901234567.89"), ("inlineStr", "12345678901234567.89")),
    ],
)  # fmt: skip
def test_money_keeps_its_digits(amount: object, cell: tuple[str, str]) -> None:
    assert raw(xlsx_bytes(listing((amount,), columns=(KINDS[2],))))[1] == cell


@pytest.mark.parametrize("text", ["=1+1", "+86", "@x", "-a", "＝1", "{=1}", "=HYPERLINK(1)"])
def test_no_text_becomes_a_formula(text: str) -> None:
    shown = text if text.startswith("{") else f"'{text}"
    assert raw(xlsx_bytes(listing((text,), columns=columns("甲"))))[1] == ("inlineStr", shown)


def test_the_last_line_is_that_of_the_csv() -> None:
    rows = [("省财政厅", 4, Decimal("48.91"), AT)] * 300
    tally = Tally()
    list(csv_chunks(listing(*rows), tally))
    data = xlsx_bytes(listing(*rows, trailer=True, watermark=MARK))
    assert values(data)[-1][0] == tally.words(MARK)
    assert (tally.rows, len(tally.sm3)) == (300, 64)


def test_each_page_is_named_and_counted() -> None:
    sheet = sheets(xlsx_bytes(listing(watermark="甲&乙 09:00")))[0]
    assert (sheet.oddHeader.left.text, sheet.oddHeader.right.text) == ("账单", "甲&&乙 09:00")
    assert sheet.oddFooter.left.text == "时间均为 UTC+8（Asia/Shanghai）"
    assert sheet.print_title_rows == "$1:$1"
    assert sheet.freeze_panes == "A2"


def test_a_header_is_never_longer_than_excel_takes() -> None:
    assert len(zone_text("&" * 1000)) <= 250


def test_a_full_sheet_goes_on_in_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("documents.sheet.MOST_ROWS", 3)
    found = sheets(xlsx_bytes(listing(*[(str(number),) for number in range(6)], columns=columns("乙"), trailer=True)))
    texts = [[row[0] for row in sheet.iter_rows(values_only=True)] for sheet in found]
    assert texts[:3] == [["乙", "0", "1"], ["乙", "2", "3"], ["乙", "4", "5"]]
    assert texts[3][1].startswith("共 6 行")
    assert [one.title for one in found] == ["账单", "账单 2", "账单 3", "账单 4"]


def test_a_long_cell_is_cut_and_told() -> None:
    whole = values(
        xlsx_bytes(listing(("x" * MOST_CHARACTERS,), ("𠮷" * 20_000,), ("x" * 10_000_000,), columns=columns("甲")))
    )
    assert whole[1][0] == "x" * MOST_CHARACTERS
    assert whole[2][0].endswith("…（全文 20000 字）")
    assert whole[3][0].endswith("…（全文 10000000 字）")


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("a/b:c*d?[e]\\f", "a_b_c_d__e__f"),
        ("'x'", "x"),
        ("", "Sheet"),
        ("长" * 40, "长" * 31),
        ("a\x00b", "a_U+0000_b"),
    ],
)
def test_any_title_makes_a_sheet(title: str, name: str) -> None:
    assert sheet_name(title, 1) == name
    assert sheets(xlsx_bytes(listing(title=title)))[0].title == name


def test_two_hundred_columns() -> None:
    names = [f"列{number}" for number in range(200)]
    assert values(xlsx_bytes(listing(names, columns=columns(*names)))) == [names, names]


def test_an_empty_listing_has_its_headings() -> None:
    assert values(xlsx_bytes(listing(columns=columns("甲")))) == [["甲"]]


def test_a_file_holds_what_the_bytes_hold(tmp_path: Path) -> None:
    rows = [("省财政厅", 4, Decimal("48.91"), AT)] * 5
    tally = write_xlsx(listing(*rows), tmp_path / "a.xlsx")
    assert (tmp_path / "a.xlsx").read_bytes() == xlsx_bytes(listing(*rows))
    assert tally.rows == 5


SCRIPT = """
import sys
from documents.sheet import xlsx_bytes
from tests.documents.test_sheet import AT, Decimal, listing
sys.stdout.buffer.write(xlsx_bytes(listing(("省财政厅", 4, Decimal("48.91"), AT), trailer=True)))
"""


@pytest.mark.parametrize("seed", ["1", "77"])
def test_another_process_makes_the_same_bytes(seed: str, another_process: object) -> None:
    row = ("省财政厅", 4, Decimal("48.91"), AT)
    assert another_process(SCRIPT, seed) == xlsx_bytes(listing(row, trailer=True))  # type: ignore[operator]  # a function
