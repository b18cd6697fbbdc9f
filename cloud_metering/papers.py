"""The readable parts of a bill, in Chinese as bureaus want it: rows for XLSX, a document for PDF."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from cloud_metering.amounts import fen_of, yuan_text
from cloud_metering.model import Catalogue, Policy
from documents.amount import chinese_amount
from documents.model import (
    Align,
    Band,
    Column,
    Document,
    Fact,
    Facts,
    Highlight,
    Kind,
    Listing,
    Masthead,
    Notice,
    Remark,
    Row,
    Seals,
    Sum,
    Table,
    Together,
)
from documents.pdf import pdf_bytes
from documents.sheet import xlsx_bytes
from documents.values import instant_text
from records.instants import SHANGHAI, month_bounds

TITLE = "政务云资源结算单"
ISSUER = "云网 Yunwang"
SEALS = ("出账单位（盖章）", "使用单位（盖章）", "审核人（签字）")
_TIER = Column(title="阶梯", kind=Kind.NUMBER, width=0, align=Align.CENTER)
_USED = (Column(title="用量", kind=Kind.NUMBER, width=1.3), Column(title="单位", width=1.1))
_MONEY = (
    Column(title="单价（元）", kind=Kind.MONEY, width=0),
    Column(title="金额（元）", kind=Kind.MONEY, width=1.2),
)
LINES = (Column(title="服务项", width=1.6), Column(title="计量项", width=1.1), _TIER, *_USED, *_MONEY)
SHEET = (
    Column(title="租户"),
    Column(title="服务项"),
    Column(title="价格版本", kind=Kind.NUMBER),
    Column(title="阶梯", kind=Kind.NUMBER),
    *_USED,
    *_MONEY,
)
_KEYS = ("tenant", "sku", "price_version", "tier", "quantity", "unit", "unit_price", "amount")
_LINE_KEYS = _KEYS[3:]
_BASIS = {"allocated": "按分配量", "used": "按实际使用量"}
_HOURS = {"actual": "当月实际小时数", "720": "720 小时", "730": "730 小时"}
_ROUNDING = {"half_up": "四舍五入到分", "half_even": "四舍六入五成双到分"}
_PARTIAL = {"by_usage": "按用量折算"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """What stands on a bill beside its lines.

    Attributes:
        systems: Tenant to the name of its information system.
        seq: Number of the newest ledger event that the month rests on, ``head`` the chain value there.
    """

    number: str
    organisation: str
    organisation_name: str
    demo: bool
    issued_at: datetime
    systems: Mapping[str, str]
    seq: int
    head: str


def workbook(bill: Mapping[str, Any], heading: Heading) -> bytes:
    """The lines and the total as XLSX."""
    rows = [tuple(line[key] for key in _KEYS) for line in bill["lines"]]
    total = ("合计", "", "", "", "", "", "", bill["total"])
    title = f"{bill['month']} {'演示' if heading.demo else ''}账单"
    listing = Listing(title=title, columns=SHEET, rows=[*rows, total], created=heading.issued_at, trailer=False)
    return xlsx_bytes(listing)


def paper(bill: Mapping[str, Any], catalogue: Catalogue, heading: Heading) -> bytes:
    """The bill as PDF."""
    return pdf_bytes(document(bill, catalogue, heading))


def document(bill: Mapping[str, Any], catalogue: Catalogue, heading: Heading) -> Document:
    """The bill as the documents package lays it out."""
    lines = Table(columns=LINES, rows=tuple(_rows(bill["lines"], catalogue, heading.systems)))
    return Document(
        title=TITLE,
        number=heading.number,
        organisation=ISSUER,
        created=heading.issued_at,
        head=_masthead(heading),
        footer="核验：yw verify",
        watermark="演示" if heading.demo else "",
        dense=True,
        blocks=(*_warning(heading), _facts(bill, heading), lines, _closing(bill, catalogue, heading)),
    )


def _masthead(heading: Heading) -> Masthead:
    facts = (
        Fact(name="账单编号", value=heading.number),
        Fact(name="出账时间", value=instant_text(heading.issued_at)),
    )
    return Masthead(subtitle="按需分配 · 按实结算", facts=facts)


def _warning(heading: Heading) -> tuple[Notice, ...]:
    text = "本单使用演示价格，不作为结算依据。"
    return (Notice(title="演示账单", text=text),) if heading.demo else ()


def _facts(bill: Mapping[str, Any], heading: Heading) -> Facts:
    items = (
        Fact(name="使用单位", value=heading.organisation_name),
        Fact(name="结算月份", value=bill["month"]),
        Fact(name="计费区间", value=_span(bill["month"])),
        Fact(name="币种", value="人民币 CNY"),
    )
    return Facts(items=items, widths=(1.5, 0.8, 1.9, 0.9))


def _closing(bill: Mapping[str, Any], catalogue: Catalogue, heading: Heading) -> Together:
    total = Highlight(
        left=Fact(name="应付合计（大写）", value=chinese_amount(fen_of(bill["total"]))),
        right=Fact(name="应付合计（小写）", value=f"¥ {bill['total']}"),
    )
    rules = Remark(
        title="计费规则",
        lines=(
            f"{'；'.join(policy_words(catalogue.policy))}。每行金额一次舍入到分，合计为各行之和。",
            f"用量台账截至第 {heading.seq} 条，链首 {heading.head}",
        ),
    )
    return Together(blocks=(total, *_doubts(len(bill["findings"])), rules, Seals(names=SEALS)))


def _doubts(findings: int) -> tuple[Remark, ...]:
    line = f"本月另有 {findings} 项疑点待核实，见 bill.json。"
    return (Remark(title="疑点", lines=(line,)),) if findings else ()


def _span(month: str) -> str:
    first, end = (at.astimezone(SHANGHAI) for at in month_bounds(month))
    return f"{first:%Y-%m-%d} 至 {end - timedelta(days=1):%Y-%m-%d}"


def policy_words(policy: Policy) -> list[str]:
    """The policy in words."""
    return [
        f"计量口径：{_BASIS[policy.basis]}",
        f"月小时数：{_HOURS[policy.month_hours]}",
        f"舍入：{_ROUNDING[policy.rounding]}",
        f"不足整月：{_PARTIAL.get(policy.partial_month, policy.partial_month)}",
    ]


def _rows(lines: Sequence[Mapping[str, Any]], catalogue: Catalogue, systems: Mapping[str, str]) -> Iterator[Row]:
    """Each tenant's band, lines and subtotal."""
    meters = {price.sku: price.meter for price in catalogue.prices}
    for tenant, group in ((key, list(found)) for key, found in groupby(lines, key=lambda line: line["tenant"])):
        yield Band(text=tenant, note=systems.get(tenant, ""))
        for line in group:
            yield line["sku"], meters[line["sku"]], *(line[key] for key in _LINE_KEYS)
        yield Sum(label="小计", cells=(yuan_text(sum(fen_of(line["amount"]) for line in group)),))
