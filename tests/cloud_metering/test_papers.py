from __future__ import annotations

import io
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import openpyxl
import pytest
from pypdf import PdfReader

from cloud_metering.papers import Heading, paper, workbook

LINES = [
    ("fin-core", "vcpu-std", None, "4.000000", "vcpu*month", "48.91", "195.64"),
    ("fin-core", "mem-std", 1, "1000.000000", "GB*month", "24.67", "24670.00"),
    ("fin-web", "eip", None, "1.000000", "eip*month", "30.000001", "30.00"),
]
KEYS = ("tenant", "sku", "tier", "quantity", "unit", "unit_price", "amount")
BILL: dict[str, Any] = {
    "month": "2026-07", "total": "24895.64", "findings": [],
    "lines": [dict(zip(KEYS, line, strict=True)) | {"price_version": 1} for line in LINES],
}  # fmt: skip
POLICY = SimpleNamespace(basis="allocated", month_hours="actual", rounding="half_up", partial_month="by_usage")
METERS = {"vcpu-std": "vcpu", "mem-std": "memory", "eip": "eip"}
CATALOGUE: Any = SimpleNamespace(
    prices=[SimpleNamespace(sku=sku, meter=meter) for sku, meter in METERS.items()], policy=POLICY
)


def heading(**more: Any) -> Heading:
    return Heading(**{
        "number": "YW-202607-0001", "organisation": "fin", "organisation_name": "黑龙江省财政厅", "demo": False,
        "issued_at": datetime(2026, 8, 1, 1, tzinfo=UTC), "systems": {"fin-core": "财政核心系统"}, "seq": 7, "head": "ab" * 32,
    } | more)  # fmt: skip


def text(bill: dict[str, Any] = BILL, **more: Any) -> str:
    reader = PdfReader(io.BytesIO(paper(bill, CATALOGUE, heading(**more))))
    return "".join("".join(page.extract_text().split()) for page in reader.pages)


@pytest.mark.parametrize(
    "wanted",
    [
        "政务云资源结算单", "按需分配·按实结算", "账单编号YW-202607-0001", "出账时间2026-08-0109:00:00", "使用单位", "黑龙江省财政厅",
        "2026-07-01至2026-07-31", "人民币CNY", "fin-core财政核心系统", "vcpu-stdvcpu—4.000000vcpu*month48.91195.64",
        "mem-stdmemory11000.000000GB*month24.6724670.00", "小计24865.64", "eipeip—1.000000eip*month30.00000130.00", "小计30.00",
        "人民币贰万肆仟捌佰玖拾伍元陆角肆分", "¥24895.64", "计量口径：按分配量", "每行金额一次舍入到分，合计为各行之和。", f"用量台账截至第7条，链首{'ab' * 32}",
        "出账单位（盖章）", "使用单位（盖章）", "审核人（签字）", "YW-202607-0001·核验：ywverify·时间均为UTC+8（Asia/Shanghai）", "第1页/共1页",
    ],
)  # fmt: skip
def test_what_a_bill_says(wanted: str) -> None:
    assert wanted in text()


def test_only_a_demo_says_so() -> None:
    assert "演示" not in text()
    found = text(demo=True)
    assert "演示账单本单使用演示价格，不作为结算依据。" in found
    assert found.count("演示") == 3


def test_open_findings_are_told() -> None:
    assert "疑点" not in text()
    assert "本月另有2项疑点待核实，见bill.json。" in text(BILL | {"findings": [{}, {}]})


def test_the_workbook_counts() -> None:
    sheet = openpyxl.load_workbook(io.BytesIO(workbook(BILL, heading()))).worksheets[0]
    rows = [list(row) for row in sheet.iter_rows(values_only=True)]
    assert rows == [
        ["租户", "服务项", "价格版本", "阶梯", "用量", "单位", "单价（元）", "金额（元）"],
        ["fin-core", "vcpu-std", 1, "—", 4, "vcpu*month", 48.91, 195.64],
        ["fin-core", "mem-std", 1, 1, 1000, "GB*month", 24.67, 24670],
        ["fin-web", "eip", 1, "—", 1, "eip*month", 30.000001, 30],
        ["合计", None, None, None, None, None, None, 24895.64],
    ]
    assert [cell.number_format for cell in sheet[2]][4:] == ["0.000000", "General", "0.00", "0.00"]
    assert sheet.title == "2026-07 账单"
