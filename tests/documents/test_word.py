from __future__ import annotations

import io
import zipfile
from xml.etree import ElementTree as ET

import docx
import pytest
from docx.oxml.ns import qn

from documents.model import Masthead, Table, columns
from documents.word import docx_bytes
from documents.word_xml import shares
from tests.documents.sample import AT, MARK, docx_text, png, report

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"


@pytest.fixture(scope="module")
def data() -> bytes:
    return docx_bytes(report())


def parts(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as package:
        assert package.testzip() is None
        return {name: package.read(name) for name in package.namelist()}


def tree(data: bytes, name: str) -> ET.Element:
    return ET.fromstring(parts(data)[name])  # noqa: S314 - of our own making


def test_chinese_can_be_read_back(data: bytes) -> None:
    text = docx_text(data)
    for wanted in (
        "网络安全等级保护自查报告", "财政核心系统（第三级）", "内部资料", "黑龙江省政务大数据中心", "2026年8月1日", "一、总体情况",
        "（一）结果汇总", "现将自查情况报告如下。", "表 1　测评结果", "8.1.4.60 身份鉴别", "97.82", "人民币壹佰元整", "（无数据）", "（印章位置）",
    ):  # fmt: skip
        assert wanted in text
    assert text.count("—") == 30


def test_every_part_is_well_formed_and_named(data: bytes) -> None:
    found = parts(data)
    for name, content in found.items():
        if name.endswith((".xml", ".rels")):
            ET.fromstring(content)  # noqa: S314 - of our own making
    assert found["word/media/image1.png"] == png()
    assert not [name for name in found if "stylesWithEffects" in name or "customXml" in name]


def test_fonts_are_those_of_chinese_offices(data: bytes) -> None:
    styles = tree(data, "word/styles.xml")
    fonts = {one.get(f"{W}eastAsia") for one in styles.iter(f"{W}rFonts")}
    assert fonts == {"仿宋_GB2312", "楷体_GB2312", "黑体", "宋体", "方正小标宋简体"}
    named = {one.get(f"{W}name") for one in tree(data, "word/fontTable.xml")}
    assert fonts <= named
    used = {one.get(f"{W}val") for one in tree(data, "word/document.xml").iter(f"{W}pStyle")}
    assert used <= {one.get(f"{W}styleId") for one in styles.iter(f"{W}style")}


def test_headings_are_repeated_and_rows_never_split(data: bytes) -> None:
    table = docx.Document(io.BytesIO(data)).tables[2]
    rows = table._tbl.tr_lst
    heads = [one.find(f".//{W}tblHeader") is not None for one in rows]
    assert heads == [True, *[False] * 62]
    assert all(one.find(f".//{W}cantSplit") is not None for one in rows)
    assert [one.text for one in table.rows[2].cells] == [
        "1",
        "8.1.4.1 身份鉴别",
        "符合",
        "48.91",
        "2026-08-01 09:00:00",
    ]


def test_zones_stand_after_the_cover(data: bytes) -> None:
    cover, body = docx.Document(io.BytesIO(data)).sections
    assert cover.footer.paragraphs[0].text == ""
    assert body.header.paragraphs[0].text == "自查报告\tYW-2026-0801"
    assert body.footer.paragraphs[0].text == "YW-2026-0801 · 时间均为 UTC+8（Asia/Shanghai）\t第 1 页 / 共 1 页"
    codes = [one.text.strip() for one in body.footer._element.iter(f"{W}instrText")]
    assert codes == ["PAGE", "SECTIONPAGES"]
    assert body._sectPr.find(qn("w:pgNumType")).get(qn("w:start")) == "1"


def test_without_a_cover_all_pages_are_counted() -> None:
    data = docx_bytes(report(head=Masthead(subtitle="按需分配"), dense=True, landscape=True))
    (only,) = docx.Document(io.BytesIO(data)).sections
    assert [one.text.strip() for one in only.footer._element.iter(f"{W}instrText")] == ["PAGE", "NUMPAGES"]
    assert only.page_width > only.page_height
    assert "按需分配" in docx_text(data)


def test_each_section_has_the_watermark(data: bytes) -> None:
    shape = "{urn:schemas-microsoft-com:vml}textpath"
    for number in (1, 2):
        marks = [one.get("string") for one in tree(data, f"word/header{number}.xml").iter(shape) if one.get("string")]
        assert marks == [MARK]
    assert b"textpath" not in b"".join(parts(docx_bytes(report(watermark=""))).values())


def test_tables_fill_the_text_and_no_more(data: bytes) -> None:
    document = docx.Document(io.BytesIO(data))
    body = document.sections[1]
    text = (body.page_width - body.left_margin - body.right_margin) // 635
    for table in document.tables:
        assert sum(int(one.get(qn("w:w"))) for one in table._tbl.tblGrid.iter(qn("w:gridCol"))) == text
    assert shares((1, 0, 2), 1001) == [263, 210, 528]


def test_two_hundred_columns_are_cut_to_pages() -> None:
    names = [f"列{number:03d}" for number in range(200)]
    data = docx_bytes(report(blocks=(Table(columns=columns(*names), rows=(tuple(names),)),)))
    assert max(len(one.columns) for one in docx.Document(io.BytesIO(data)).tables) <= 14
    assert all(docx_text(data).count(name) >= 2 for name in names)


def test_what_the_file_says_of_itself(data: bytes) -> None:
    core = docx.Document(io.BytesIO(data)).core_properties
    assert (core.title, core.author, core.created) == ("网络安全等级保护自查报告", "黑龙江省政务大数据中心", AT)
    entries = zipfile.ZipFile(io.BytesIO(data)).infolist()
    assert {one.date_time for one in entries} == {(2026, 8, 1, 9, 0, 0)}


def test_a_date_before_zip_and_a_long_title_are_taken() -> None:
    assert docx_bytes(report(title="长" * 300, created=AT.replace(year=1970)))


def test_a_text_is_never_taken_for_the_place_of_the_body() -> None:
    trap = "<w:p><w:r><w:t>yw-body</w:t></w:r></w:p>yw-cover"
    assert trap in docx_text(docx_bytes(report(organisation=trap)))


SCRIPT = "import sys;from documents.word import docx_bytes as made;from tests.documents.sample import report;sys.stdout.buffer.write(made(report()))"


@pytest.mark.parametrize("seed", ["1", "77"])
def test_another_process_makes_the_same_bytes(data: bytes, seed: str, another_process: object) -> None:
    assert another_process(SCRIPT, seed) == data  # type: ignore[operator]  # a function
