from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.sm3 import sm3_hex
from documents.model import Column, Kind, Listing, columns
from documents.rows import Tally, csv_bytes, csv_chunks, guarded
from documents.values import visible
from tests.documents.sample import AT


def listing(*rows: Any, **more: Any) -> Listing:
    return Listing(
        **{"title": "单", "columns": columns("甲", "乙"), "rows": rows, "created": AT, "trailer": False} | more
    )


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("=1+1", "'=1+1"), ("+86", "'+86"), ("-1.50", "-1.50"), ("-1", "-1"), ("--1", "'--1"),
        ("-a", "'-a"), ("@x", "'@x"), ("＝1+1", "'＝1+1"), ("＠SUM", "'＠SUM"), ("\n=1", "'\n=1"),
        ("\tx", "'\tx"), ("12", "12"), (None, ""), (5, "5"), ("省财政厅", "省财政厅"), ("-", "'-"), ("-1-2", "'-1-2"),
    ],
)  # fmt: skip
def test_no_text_becomes_a_formula(cell: str | int | None, text: str) -> None:
    assert guarded(cell) == text


@given(st.lists(st.lists(st.text(st.characters()), min_size=2, max_size=2), max_size=5))
def test_csv_reads_back(rows: list[list[str]]) -> None:
    data = csv_bytes(listing(*rows))
    assert data.startswith(b"\xef\xbb\xbf")
    back = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))
    assert back == [["甲", "乙"], *([visible(guarded(cell)) for cell in row] for row in rows)]


def test_each_kind_is_written_for_programs() -> None:
    kinds = tuple(Column(title=kind.value, kind=kind) for kind in Kind)
    rows = ((None, None, None, None), ("=x", Decimal("1E+3"), Decimal(-5), AT))
    text = csv_bytes(listing(*rows, columns=kinds)).decode("utf-8-sig")
    assert text == "text,number,money,instant\r\n,,,\r\n'=x,1000,-5.00,2026-08-01T09:00:00+08:00\r\n"


def test_the_last_line_counts_and_digests_the_rows() -> None:
    tally = Tally()
    data = b"".join(csv_chunks(listing(("省财政厅", 1), ("=x", None), trailer=True, watermark="张三 09:00"), tally))
    head, *rows, last = data.splitlines(keepends=True)
    assert head == "\ufeff甲,乙\r\n".encode()
    assert (tally.rows, tally.sm3) == (2, sm3_hex(b"".join(rows)))
    assert last.decode() == f"# 共 2 行；行摘要 SM3 {tally.sm3}；时间均为 UTC+8（Asia/Shanghai）；导出 张三 09:00\r\n"


def test_the_watermark_cannot_break_the_last_line() -> None:
    data = csv_bytes(listing(trailer=True, watermark='"\n=1+1\u202e'))
    assert len(list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))) == 2
    assert "\u202e" not in data.decode()


def test_it_streams() -> None:
    asked = []

    def rows() -> Iterator[tuple[str, int]]:
        for number in range(2000):
            asked.append(number)
            yield "省财政厅", number

    chunks = csv_chunks(listing(rows=rows()))
    assert next(chunks) == "\ufeff甲,乙\r\n".encode()
    assert asked == []
    assert next(chunks) == "省财政厅,0\r\n".encode()
    assert asked == [0]
    assert b"".join(chunks).count(b"\r\n") == 1999


@pytest.mark.parametrize("row", [("a",), ("a", "b", "c")])
def test_a_row_of_another_width_is_refused(row: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="argument 2 is"):
        csv_bytes(listing(("a", "b"), row))


def test_a_naive_instant_is_refused() -> None:
    with pytest.raises(ValueError, match="naive"):
        csv_bytes(listing(("a", AT.replace(tzinfo=None))))
