"""One hostile text a line, wherever a text can stand, in every format."""

from __future__ import annotations

import csv
import io
import zipfile
from xml.etree import ElementTree as ET

import openpyxl
import pytest
from openpyxl.utils.escape import unescape

from documents.model import Listing, Table, columns
from documents.pdf import pdf_bytes
from documents.rows import csv_bytes, guarded
from documents.sheet import xlsx_bytes
from documents.values import on_paper, visible
from documents.word import docx_bytes
from tests.documents.sample import AT, docx_text, paper, pdf_pages, report

HOSTILE = [
    pytest.param("a\x00\x07\x1b[31mb", id="control characters"),
    pytest.param("a\ud800b", id="lone surrogate"),
    pytest.param("发票\u202egpj.exe", id="right-to-left override"),
    pytest.param("\ufeff\u2066x\u2069", id="isolates and a BOM"),
    pytest.param("\ufffe\uffff", id="noncharacters"),
    pytest.param('=HYPERLINK("http://x","y")', id="formula"),
    pytest.param("+cmd|' /C calc'!A0", id="DDE"),
    pytest.param("<w:t>&amp;</w:t>]]><!--", id="XML"),
    pytest.param("<script>alert(1)</script>", id="HTML"),
    pytest.param("#panic() $x$ *b* `c` \\ @a <l> [x] // y", id="typst"),
    pytest.param("${jndi:ldap://x} {{7*7}} %s {0}", id="templates"),
    pytest.param("_x0041_ _x005F_", id="escapes of Excel"),
    pytest.param("C:\\..\\..\\etc/passwd", id="path"),
    pytest.param("'; DROP TABLE bill;--", id="SQL"),
    pytest.param("𠮷😀é", id="beyond the BMP"),
    pytest.param("W" * 190, id="no place to break"),
]  # fmt: skip


def squeezed(text: str) -> str:
    return "".join(text.split())


@pytest.mark.parametrize("text", HOSTILE)
def test_docx(text: str) -> None:
    data = docx_bytes(paper(text))
    with zipfile.ZipFile(io.BytesIO(data)) as package:
        for name in package.namelist():
            if name.endswith(".xml"):
                ET.fromstring(package.read(name))  # noqa: S314 - of our own making
    assert docx_text(data).count(on_paper(text)) >= 15


@pytest.mark.parametrize("text", HOSTILE)
def test_pdf(text: str) -> None:
    whole = "".join(pdf_pages(pdf_bytes(paper(text))))
    if "😀" not in text:  # no glyph, no promise
        assert whole.count(squeezed(on_paper(text))) >= 10


@pytest.mark.parametrize("text", HOSTILE)
def test_xlsx_and_csv(text: str) -> None:
    def listing() -> Listing:
        return Listing(title=text, columns=columns(text), rows=[(text,)], created=AT, watermark=text)

    wanted = visible(guarded(text))
    sheet = openpyxl.load_workbook(io.BytesIO(xlsx_bytes(listing()))).worksheets[0]
    found = [unescape(str(row[0])) for row in sheet.iter_rows(max_row=2, values_only=True)]  # as Excel does, ECMA-376
    assert found == [wanted, wanted]
    lines = list(csv.reader(io.StringIO(csv_bytes(listing()).decode("utf-8-sig"), newline="")))
    assert lines[:2] == [[wanted], [wanted]]
    assert len(lines) == 3


@pytest.mark.parametrize("write", [pdf_bytes, docx_bytes], ids=["pdf", "docx"])
def test_a_text_of_ten_megabytes_is_cut_and_told(write: object) -> None:
    table = Table(columns=columns("甲"), rows=(("长" * 10_000_000,),))
    data = write(report(blocks=(table,)))  # type: ignore[operator]  # one of the two
    text = "".join(pdf_pages(data)) if write is pdf_bytes else docx_text(data)
    assert "…（全文10000000字）" in squeezed(text)
    assert text.count("长") < 20_000


@pytest.mark.parametrize("write", [pdf_bytes, docx_bytes], ids=["pdf", "docx"])
def test_a_title_of_ten_megabytes_stays_a_line(write: object) -> None:
    assert len(write(paper("长" * 1_000_000))) < 2_000_000  # type: ignore[operator]  # one of the two
