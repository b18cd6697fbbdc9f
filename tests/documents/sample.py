"""A report with one of everything, and how each format is read back."""

from __future__ import annotations

import io
import struct
import zlib
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import docx
from pypdf import PdfReader

from documents.model import (
    Align,
    Band,
    Block,
    Column,
    Cover,
    Document,
    Fact,
    Facts,
    Highlight,
    Kind,
    Notice,
    Paragraph,
    Picture,
    Remark,
    Seals,
    Section,
    Signatures,
    Sum,
    Table,
    Together,
    columns,
)

AT = datetime(2026, 8, 1, 1, 0, tzinfo=UTC)
MARK = "张三 2026-08-01 09:00"
COLUMNS = (
    Column(title="序号", kind=Kind.NUMBER, width=0.6),
    Column(title="测评项", width=2),
    Column(title="结果", align=Align.CENTER),
    Column(title="金额（元）", kind=Kind.MONEY),
    Column(title="时间", kind=Kind.INSTANT, width=1.6),
)


def png(width: int = 40, height: int = 20) -> bytes:
    """A plain picture, written by the PNG specification (ISO/IEC 15948)."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress((b"\0" + b"\x1f\x5f\xa8" * width) * height)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def item(number: int) -> tuple[Any, ...]:
    verdict = "符合" if number % 3 else "不符合"
    return number, f"8.1.4.{number} 身份鉴别", verdict, Decimal("48.91") if number % 2 else None, AT


def report(rows: int = 60, **more: Any) -> Document:
    found = (
        Band(text="安全计算环境", note="8.1.4"),
        *map(item, range(1, rows + 1)),
        Sum(label="合计", cells=("97.82", "")),
    )
    facts = tuple(Fact(name=name, value=name * 2) for name in ("使用单位", "系统", "级别", "得分", "时间"))
    blocks: tuple[Block, ...] = (
        Section(title="总体情况", blocks=(
            Paragraph(text="现将自查情况报告如下。"), Facts(items=facts), Notice(title="提示", text="含不确定项。"),
            Section(title="结果汇总", blocks=(Table(columns=COLUMNS, rows=found, caption="表 1　测评结果"),)),
        )),
        Section(title="链路运行", blocks=(
            Picture(png=png(), alt="出口带宽", caption="图 1　出口带宽", width=0.5), Table(columns=columns("甲", "乙"), rows=()),
        )),
        Section(title="结论", blocks=(
            Remark(title="说明", lines=("第一条", "第二条")),
            Highlight(left=Fact(name="大写", value="人民币壹佰元整"), right=Fact(name="小写", value="¥ 100.00")),
            Together(blocks=(Signatures(names=("编制人",)), Seals(names=("报告单位（盖章）",)))),
        )),
    )  # fmt: skip
    cover = Cover(subtitle="财政核心系统（第三级）", classification="内部资料")
    return Document(**{
        "title": "网络安全等级保护自查报告", "number": "YW-2026-0801", "organisation": "黑龙江省政务大数据中心",
        "created": AT, "head": cover, "header": "自查报告", "watermark": MARK, "contents": True, "blocks": blocks,
    } | more)  # fmt: skip


def paper(text: str) -> Document:
    """A document that says one text wherever a text can stand."""
    cell = Table(columns=columns(text), rows=((text,), Band(text=text, note=text), (None,)), caption=text)
    fact = Fact(name=text, value=text)
    blocks: tuple[Block, ...] = (
        Section(title=text, blocks=(Paragraph(text=text), cell)),
        Facts(items=(fact,)), Notice(title=text, text=text), Highlight(left=fact, right=fact), Remark(title=text, lines=(text,)),
        Picture(png=png(), alt=text, caption=text), Signatures(names=(text,)), Seals(names=(text,)),
    )  # fmt: skip
    return Document(
        title=text, number=text, organisation=text, created=AT, head=Cover(subtitle=text, classification=text),
        header=text, footer=text, watermark=text, contents=True, blocks=blocks,
    )  # fmt: skip


def pdf_pages(data: bytes) -> list[str]:
    """The text of each page, without spaces: where a line ends is the layout's affair."""
    return ["".join(page.extract_text().split()) for page in PdfReader(io.BytesIO(data)).pages]


def docx_text(data: bytes) -> str:
    """All paragraphs, those of tables too."""
    body = docx.Document(io.BytesIO(data)).element.body
    return "\n".join(one.text for one in body.iterfind(".//{*}t") if one.text)
