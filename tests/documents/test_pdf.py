from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from documents.pdf import FONTS, render
from tests.conftest import RequirePeer

AT = datetime(2026, 8, 1, tzinfo=UTC)


def bill(**more: object) -> dict:
    line = {
        "sku": "vcpu-std",
        "meter": "vcpu",
        "tier": "—",
        "quantity": "4.000000",
        "unit": "vcpu*month",
        "unit_price": "48.91",
        "amount": "195.64",
    }
    return {
        "title": "政务云资源结算单", "number": "YW-202607-0001", "issuer": "云网", "demo": False,
        "issued": "2026-08-01 09:00:00",
        "organisation": "黑龙江省财政厅", "month": "2026-07", "span": "2026-07-01 至 2026-07-31",
        "tenants": [{"name": "fin-core", "system": "财政核心系统", "subtotal": "195.64", "lines": [line]}],
        "total": "195.64", "total_words": "人民币壹佰玖拾伍元陆角肆分", "policy": ["计量口径：按分配量"],
        "ledger_seq": 7, "ledger_head": "ab" * 32, "findings": 0,
    } | more  # fmt: skip


def text_of(data: bytes, tool: str, folder: Path) -> str:
    (folder / "bill.pdf").write_bytes(data)
    return subprocess.run(
        [tool, "-layout", str(folder / "bill.pdf"), "-"], check=True, capture_output=True, text=True
    ).stdout


@pytest.fixture
def pdftotext(require_peer: RequirePeer) -> str:
    return require_peer("poppler", "pdftotext", "apt-get install poppler-utils")


@pytest.mark.peer
def test_chinese_and_amounts_can_be_read_back(pdftotext: str, tmp_path: Path) -> None:
    text = text_of(render("bill", bill(), AT), pdftotext, tmp_path)
    for wanted in (
        "政务云资源结算单",
        "黑龙江省财政厅",
        "195.64",
        "人民币壹佰玖拾伍元陆角肆分",
        "UTC+8",
        "第1页/共1页",
    ):
        assert wanted in text.replace(" ", "") or wanted in text
    assert "演示" not in text


@pytest.mark.peer
def test_a_demo_says_so(pdftotext: str, tmp_path: Path) -> None:
    assert "演示账单" in text_of(render("bill", bill(demo=True), AT), pdftotext, tmp_path)


@pytest.mark.peer
def test_rare_characters_have_glyphs(pdftotext: str, tmp_path: Path) -> None:
    assert "亍丌兀龠鼯" in text_of(render("bill", bill(organisation="亍丌兀龠鼯"), AT), pdftotext, tmp_path)


@pytest.mark.peer
@pytest.mark.parametrize("name", ['#panic("x")', "$x$ *b* _i_ `c` <l> @r", '"]#eval("1")', "\\u{41} // c", "= h"])
def test_data_never_become_markup(pdftotext: str, tmp_path: Path, name: str) -> None:
    text = text_of(render("bill", bill(organisation=name), AT), pdftotext, tmp_path)
    assert "".join(name.split()) in "".join(text.split())


def test_the_same_data_give_the_same_bytes() -> None:
    first = render("bill", bill(), AT)
    assert first.startswith(b"%PDF-")
    assert first == render("bill", bill(), AT)


def test_fonts_are_small_and_licensed() -> None:
    sizes = {one.name: one.stat().st_size for one in FONTS.glob("*.ttf")}
    assert len(sizes) == 4
    assert max(sizes.values()) < 1_500_000
    assert "SIL Open Font License" in (FONTS / "OFL.txt").read_text("utf-8")
