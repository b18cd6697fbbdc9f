"""The readable parts of a bill, in Chinese as bureaus want it: table for XLSX, and what the PDF's template asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from cloud_metering.amounts import fen_of, yuan_text
from cloud_metering.model import Catalogue, Policy
from documents.amount import chinese_amount
from documents.pdf import render
from documents.table import xlsx_bytes
from records.instants import SHANGHAI, month_bounds

TITLE = "政务云资源结算单"
ISSUER = "云网 Yunwang"
COLUMNS = ("租户", "服务项", "价格版本", "阶梯", "用量", "单位", "单价（元）", "金额（元）")
MONEY = ("用量", "单价（元）", "金额（元）")
_KEYS = ("tenant", "sku", "price_version", "tier", "quantity", "unit", "unit_price", "amount")
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
    total = ("合计", None, None, None, None, None, None, bill["total"])
    title = f"{bill['month']} {'演示' if heading.demo else ''}账单"
    return xlsx_bytes(title, COLUMNS, [*rows, total], heading.issued_at, money=MONEY)


def paper(bill: Mapping[str, Any], catalogue: Catalogue, heading: Heading) -> bytes:
    """The bill as PDF."""
    data = {
        "title": TITLE,
        "issuer": ISSUER,
        "number": heading.number,
        "demo": heading.demo,
        "issued": heading.issued_at.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S"),
        "organisation": heading.organisation_name,
        "month": bill["month"],
        "span": _span(bill["month"]),
        "tenants": _tenants(bill["lines"], catalogue, heading.systems),
        "total": bill["total"],
        "total_words": chinese_amount(fen_of(bill["total"])),
        "policy": policy_words(catalogue.policy),
        "findings": len(bill["findings"]),
        "ledger_seq": heading.seq,
        "ledger_head": heading.head,
    }
    return render("bill", data, heading.issued_at)


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


def _tenants(
    lines: Sequence[Mapping[str, Any]], catalogue: Catalogue, systems: Mapping[str, str]
) -> list[dict[str, Any]]:
    meters = {price.sku: price.meter for price in catalogue.prices}
    return [
        {
            "name": tenant,
            "system": systems.get(tenant, ""),
            "subtotal": yuan_text(sum(fen_of(line["amount"]) for line in group)),
            "lines": [_shown(line, meters) for line in group],
        }
        for tenant, group in ((key, list(found)) for key, found in groupby(lines, key=lambda line: line["tenant"]))
    ]


def _shown(line: Mapping[str, Any], meters: Mapping[str, str]) -> dict[str, str]:
    shown = {key: str(line[key]) for key in ("sku", "quantity", "unit", "unit_price", "amount")}
    return shown | {"meter": meters[line["sku"]], "tier": "—" if line["tier"] is None else str(line["tier"])}
