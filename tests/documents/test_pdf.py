from __future__ import annotations

import io
import subprocess
from pathlib import Path

import pytest
from pypdf import PdfReader

from documents.model import Cover, Masthead, Table, columns
from documents.pdf import FONTS, breakable, pdf_bytes
from tests.conftest import RequirePeer
from tests.documents.sample import AT, MARK, paper, pdf_pages, report


@pytest.fixture(scope="module")
def data() -> bytes:
    return pdf_bytes(report())


@pytest.fixture(scope="module")
def pages(data: bytes) -> list[str]:
    return pdf_pages(data)


def test_the_cover_says_who_what_when(pages: list[str]) -> None:
    for wanted in ("网络安全等级保护自查报告", "财政核心系统（第三级）", "内部资料", "YW-2026-0801", "2026年8月1日"):
        assert wanted in pages[0]
    assert "第1页" not in pages[0]


def test_each_page_has_its_zones(pages: list[str]) -> None:
    for number, page in enumerate(pages[1:], 1):
        assert page.count(f"第{number}页/共{len(pages) - 1}页") == 1
        assert page.count("时间均为UTC+8（Asia/Shanghai）") == 1
        assert "自查报告" in page


def test_each_page_has_the_watermark(pages: list[str]) -> None:
    assert all("".join(MARK.split()) in page for page in pages)
    assert not any("张三" in page for page in pdf_pages(pdf_bytes(report(watermark=""))))


def test_headings_are_repeated(pages: list[str]) -> None:
    with_rows = [page for page in pages if "身份鉴别" in page]
    assert len(with_rows) > 1
    assert all("序号测评项结果金额（元）时间" in page for page in with_rows)


def test_contents_list_the_sections(pages: list[str]) -> None:
    assert all(one in pages[1] for one in ("目录", "一、总体情况", "（一）结果汇总", "二、链路运行", "三、结论"))


def test_missing_is_a_dash_and_an_empty_table_says_so(pages: list[str]) -> None:
    whole = "".join(pages)
    assert whole.count("—") == 30
    assert "0.00" not in whole.replace("100.00", "")
    assert "（无数据）" in whole


def test_fonts_are_inside_and_it_is_tagged(data: bytes) -> None:
    reader = PdfReader(io.BytesIO(data))
    used = [font for page in reader.pages for font in page["/Resources"]["/Font"].values()]
    fonts = [one for font in used for one in font["/DescendantFonts"]]
    assert fonts
    assert all("/FontFile2" in one.get_object()["/FontDescriptor"] for one in fonts)
    assert reader.trailer["/Root"]["/MarkInfo"]["/Marked"]
    assert reader.metadata is not None
    assert reader.metadata.creation_date == AT


def test_a_masthead_stands_over_the_first_page() -> None:
    found = pdf_pages(pdf_bytes(report(head=Masthead(subtitle="按需分配"), contents=False, dense=True)))
    assert "按需分配" in found[0]
    assert f"第1页/共{len(found)}页" in found[0]


def test_two_hundred_columns_all_stand_on_paper() -> None:
    names = [f"列{number:03d}" for number in range(200)]
    found = "".join(pdf_pages(pdf_bytes(report(blocks=(Table(columns=columns(*names), rows=(tuple(names),)),)))))
    assert all(found.count(name) >= 2 for name in names)


def test_a_digest_is_broken_where_its_column_ends() -> None:
    digest = "ab12" * 16
    narrow = Table(columns=columns("甲", "摘要", "丙"), rows=(("a", digest, "丙列"),))
    assert digest in "".join(pdf_pages(pdf_bytes(report(blocks=(narrow,)))))
    assert breakable(f"摘要 {digest} 完") == ["摘要 ", *["ab12"] * 16, " 完"]
    assert breakable("short") == "short"


SCRIPT = (
    "import sys;from {0} import {1};from tests.documents.sample import report;sys.stdout.buffer.write({1}(report()))"
)


@pytest.mark.parametrize("seed", ["1", "77"])
def test_another_process_makes_the_same_bytes(data: bytes, seed: str, another_process: object) -> None:
    assert another_process(SCRIPT.format("documents.pdf", "pdf_bytes"), seed) == data  # type: ignore[operator]  # a function


@pytest.mark.peer
def test_a_foreign_reader_finds_the_chinese(data: bytes, require_peer: RequirePeer, tmp_path: Path) -> None:
    tool = require_peer("poppler", "pdftotext", "apt-get install poppler-utils")
    (tmp_path / "paper.pdf").write_bytes(data)
    run = subprocess.run([tool, "-raw", tmp_path / "paper.pdf", "-"], check=True, capture_output=True, text=True)
    assert all(one in run.stdout for one in ("网络安全等级保护自查报告", "人民币壹佰元整", "8.1.4.60 身份鉴别"))


def test_characters_of_names_have_glyphs() -> None:
    document = report(organisation="亍丌兀龠鼯堃喆頔玥", head=Cover(), watermark="")
    reader = PdfReader(io.BytesIO(pdf_bytes(document)))
    assert "亍丌兀龠鼯堃喆頔玥" in "".join(reader.pages[0].extract_text().split())
    names = {font["/BaseFont"].split("+")[1] for font in reader.pages[0]["/Resources"]["/Font"].values()}
    assert {"YunwangSansRare-Regular", "YunwangSansMore-Regular"} <= names


@pytest.mark.parametrize(
    "name", ['#panic("x")', "$x$ *b* _i_ `c` <l> @r", '"]#eval("1")', "\\u{41} // c", "= h", "- a", "/* x"]
)
def test_data_never_become_markup(name: str) -> None:
    found = "".join(pdf_pages(pdf_bytes(paper(name))))
    assert found.count("".join(name.split())) >= 15


def test_fonts_are_small_and_licensed() -> None:
    sizes = {one.name: one.stat().st_size for one in FONTS.glob("*.ttf")}
    assert len(sizes) == 7
    assert max(sizes.values()) < 2_000_000
    assert all("SIL Open Font License" in one.read_text("utf-8") for one in FONTS.glob("OFL-*.txt"))
