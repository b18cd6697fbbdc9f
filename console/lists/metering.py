"""Tenants, usage, bills (租户、用量、账单)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from access.scope import Scope
from console import words
from console.ports import Row, Views
from console.sources import MemorySource
from console.table import Column, Table
from inventory.model import Inventory

TENANTS = Table(
    name="tenants",
    title="租户",
    key="key",
    sort="tenant",
    topic="usage",
    empty="还没有租户。请在资产清单的 tenants 一节登记。",
    columns=(
        Column(key="key", title="成员关系", kind="code"),
        Column(key="tenant", title="租户", kind="code", searched=True),
        Column(key="cloud", title="云平台", searched=True),
        Column(key="project", title="项目", kind="code", searched=True),
        Column(key="organisation", title="委办局编号", kind="code", searched=True),
        Column(key="organisation_name", title="委办局", searched=True),
        Column(key="system", title="业务系统", searched=True),
        Column(key="start", title="起", kind="date"),
        Column(key="end", title="止", kind="date"),
    ),
)

USAGE = Table(
    name="usage",
    title="用量",
    key="key",
    sort="tenant",
    topic="usage",
    empty="这个月还没有用量。请用 yw meter import 导入，或用 yw meter collect 采集。",
    columns=(
        Column(key="tenant", title="租户", kind="code", searched=True),
        Column(key="organisation_name", title="委办局", searched=True),
        Column(key="meter", title="计量项", kind="code", searched=True),
        Column(key="quantity", title="用量", kind="quantity"),
        Column(key="unit", title="单位", kind="unit", searched=True),
        Column(key="days", title="有数据的天数", kind="number"),
        Column(key="last", title="数据截至", kind="date"),
    ),
)

BILLS = Table(
    name="bills",
    title="账单",
    key="key",
    sort="amount",
    descending=True,
    topic="bills",
    empty="这个月还没有账单。导入用量和价目后用 yw bill draft 试算。",
    columns=(
        Column(key="month", title="账期", kind="code", room="extra"),
        Column(key="organisation", title="委办局编号", kind="code", searched=True, room="wide"),
        Column(key="organisation_name", title="委办局", href="/bills/{month}/{organisation}", searched=True),
        Column(key="tenants", title="租户数", kind="number", room="wide"),
        Column(key="lines", title="明细行", kind="number", room="wide"),
        Column(key="amount", title="金额", kind="yuan"),
        Column(key="state", title="状态", kind="period_state", choices=words.choices(words.PERIOD_STATE)),
    ),
)

LINES = Table(
    name="bill-lines",
    title="账单明细",
    key="key",
    sort="amount",
    descending=True,
    topic="bills",
    empty="没有明细行。",
    columns=(
        Column(key="tenant", title="租户", kind="code", searched=True),
        Column(key="sku", title="计费项", kind="code", searched=True),
        Column(key="price_version", title="价格版本", kind="number", room="wide"),
        Column(key="tier", title="阶梯", kind="number", room="wide"),
        Column(key="quantity", title="数量", kind="quantity"),
        Column(key="unit", title="单位", kind="unit"),
        Column(key="unit_price", title="单价（元）", kind="price"),
        Column(key="amount", title="金额", kind="yuan"),
        Column(key="kind", title="类别", kind="line_kind", searched=True, room="wide"),
    ),
)


def tenants(inventory: Inventory, scope: Scope) -> MemorySource:
    """One row a membership."""
    seen = scope.rows(inventory.tenants, lambda one: (one.organisation,))
    return MemorySource(
        TENANTS,
        [
            {
                "key": f"{one.id}@{one.start or ''}",
                "tenant": one.id,
                "cloud": one.cloud,
                "project": one.project,
                "organisation": one.organisation,
                "organisation_name": organisation_name(inventory, one.organisation),
                "system": one.system,
                "start": one.start,
                "end": one.end,
            }
            for one in seen
        ],
    )


def organisation_name(inventory: Inventory, name: str | None) -> str | None:
    """The name of a bureau, or its id while the inventory does not know it."""
    known = inventory.organisation.get(name or "")
    return known.name if known else name


def daily_usage(views: Views, scope: Scope, month: str) -> list[Row]:
    """Usage of the month by tenant, meter and day, within the scope."""
    return scope.rows(views.usage(month), lambda row: (row["organisation"],))


def usage(inventory: Inventory, rows: Iterable[Row]) -> MemorySource:
    """One row a tenant and meter, from the daily ones."""
    totals: dict[tuple[str, str, str, str], list[Row]] = {}
    for row in rows:
        totals.setdefault((row["tenant"], row["organisation"] or "", row["meter"], row["unit"]), []).append(row)
    return MemorySource(USAGE, [_total(inventory, key, parts) for key, parts in totals.items()])


def _total(inventory: Inventory, key: tuple[str, str, str, str], parts: Sequence[Row]) -> Mapping[str, Any]:
    tenant, organisation, meter, unit = key
    return {
        "key": "/".join(key),
        "tenant": tenant,
        "organisation": organisation or None,
        "organisation_name": organisation_name(inventory, organisation or None),
        "meter": meter,
        "unit": unit,
        "quantity": sum((one["quantity"] for one in parts), Decimal(0)),
        "days": len({one["day"] for one in parts}),
        "last": max(one["day"] for one in parts),
    }


def visible_lines(bill: Row | None, scope: Scope) -> list[Row]:
    """Lines of a bill within the scope."""
    return [] if bill is None else scope.rows(bill["lines"], lambda row: (row["organisation"],))


def bills(inventory: Inventory, month: str, bill: Row | None, scope: Scope) -> MemorySource:
    """One row an organisation of a month's bill."""
    by_organisation: dict[str, list[Row]] = {}
    for line in visible_lines(bill, scope):
        by_organisation.setdefault(line["organisation"], []).append(line)
    state = "" if bill is None else bill["state"]
    rows = [_bill_row(inventory, month, name, state, lines) for name, lines in by_organisation.items()]
    return MemorySource(BILLS, rows)


def _bill_row(inventory: Inventory, month: str, name: str, state: str, lines: Sequence[Row]) -> Mapping[str, Any]:
    return {
        "key": f"{month}/{name}",
        "month": month,
        "organisation": name,
        "organisation_name": organisation_name(inventory, name),
        "tenants": len({one["tenant"] for one in lines}),
        "lines": len(lines),
        "amount": total(lines),
        "state": state,
    }


def total(lines: Iterable[Row]) -> Decimal:
    """The sum of the amounts, exact."""
    return sum((Decimal(one["amount"]) for one in lines), Decimal(0))


def subtotals(lines: Iterable[Row], key: str) -> list[Row]:
    """The lines' amounts summed by a column; rows for ``console.overview.shares``."""
    sums: dict[str, Decimal] = {}
    for one in lines:
        name = one.get(key) or ""
        sums[name] = sums.get(name, Decimal(0)) + Decimal(one["amount"])
    return [{"organisation": name, "organisation_name": name, "amount": amount} for name, amount in sums.items()]


def bill_lines(bill: Row | None, scope: Scope, organisation: str) -> MemorySource:
    """The lines of one organisation."""
    seen = [one for one in visible_lines(bill, scope) if one["organisation"] == organisation]
    return MemorySource(
        LINES, [{**one, "amount": Decimal(one["amount"]), "key": f"{index:06}"} for index, one in enumerate(seen)]
    )
