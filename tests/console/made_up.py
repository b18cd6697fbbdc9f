"""Made-up data of the demo province, in the shapes that the domain packages give."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from access.ownership import owners
from access.scope import Scope, owners_of_entities
from console.language import Language
from console.lists import security
from console.ports import Views
from console.sources import MemorySource
from inventory.model import Inventory
from records.instants import format_instant

AT = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
Row = Mapping[str, Any]


def fake_links(inventory: Inventory) -> list[Row]:
    """One county's first uplink is cut; a few are degraded or silent."""
    rows = []
    for index, link in enumerate(inventory.links):
        state = "down" if index == 41 else "degraded" if index == 60 else "unknown" if index == 83 else "up"
        share = None if state == "unknown" else 0.0 if state == "down" else ((index * 37) % 100) / 104
        rate = None if share is None else int(link.contract_bps * share)
        row = {"link": link.id, "group": link.group, "state": state, "in_bps": rate, "out_bps": rate and rate * 2 // 3}
        more = {
            "contract_bps": link.contract_bps,
            "utilisation": share,
            "as_of": format_instant(AT - timedelta(seconds=index % 50)),
        }
        rows.append({**row, **more, "completeness": 1.0 if state != "unknown" else 0.0})
    return [{**row, "protection": _protection(row, rows)} for row in rows]


def _protection(row: Row, rows: Sequence[Row]) -> str:
    states = {one["state"] for one in rows if one["group"] == row["group"]}
    return (
        "normal"
        if states <= {"up", "degraded"}
        else "degraded"
        if "up" in states
        else "unknown"
        if "unknown" in states
        else "lost"
    )


def fake_samples(inventory: Inventory) -> Callable[[str, datetime, datetime], list[Row]]:
    def samples(link: str, start: datetime, end: datetime) -> list[Row]:
        size = inventory.link[link].contract_bps
        found = []
        for index in range(0, int((end - start).total_seconds()), 300):
            at = start + timedelta(seconds=index)
            busy = (
                0.25 + 0.3 * max(0.0, 1 - abs((at.hour + 8) % 24 - 14) / 7) + 0.04 * ((index // 300 * 7919) % 17) / 17
            )
            gap = 40_000 <= index < 43_000
            rates = (None, None) if gap else (int(size * busy), int(size * busy * 0.62))
            found.append(
                {
                    "at": format_instant(at),
                    "in_bps": rates[0],
                    "out_bps": rates[1],
                    "status": "missing" if gap else "ok",
                }
            )
        return found

    return samples


def fake_usage(inventory: Inventory) -> Callable[[str], list[Row]]:
    def usage(month: str) -> list[Row]:
        if month != "2026-11":
            return []
        rows = []
        for number, tenant in enumerate(inventory.tenants):
            for day in range(1, 22):
                for meter, unit, size in (
                    ("vcpu", "vcpu*h", 24 * 4),
                    ("memory", "GB*h", 24 * 16),
                    ("storage", "GB*h", 24 * 200),
                ):
                    quantity = Decimal(size) * (number % 5 + 1) * (3 if day > 18 and number == 3 else 1)
                    row = {"tenant": tenant.id, "organisation": tenant.organisation, "meter": meter, "unit": unit}
                    rows.append({**row, "day": date(2026, 11, day), "quantity": quantity})
        return rows

    return usage


def fake_bill(inventory: Inventory) -> Callable[[str], Row | None]:
    def bill(month: str) -> Row | None:
        if month not in {"2026-11", "2026-10"}:
            return None
        lines = [_line(tenant.id, tenant.organisation, number) for number, tenant in enumerate(inventory.tenants)]
        finding = {
            "what": "no_price",
            "where": "catalogue",
            "tenant": inventory.tenants[0].id,
            "meter": "eip",
            "sku": None,
        }
        finding |= {"quantity": "720", "unit": "eip*h", "start": "2026-11-01T00:00:00Z", "end": "2026-11-22T00:00:00Z"}
        total = sum((Decimal(one["amount"]) for one in lines), Decimal(0))
        state = "issued" if month == "2026-10" else "draft"
        return {
            "month": month,
            "state": state,
            "total": str(total),
            "complete": month == "2026-10",
            "lines": lines,
            "findings": [finding],
        }

    return bill


def _line(tenant: str, organisation: str, number: int) -> Row:
    amount = Decimal("48.91") * (number % 7 + 1) * 61
    row = {
        "tenant": tenant,
        "organisation": organisation,
        "sku": "vcpu-std",
        "price_version": 1,
        "tier": None,
        "kind": "usage",
    }
    return {**row, "quantity": "61.000000", "unit": "vcpu*month", "unit_price": "48.91", "amount": str(amount)}


def fake_alerts(inventory: Inventory) -> list[Row]:
    titles = (
        ("暴力破解登录成功", "critical"),
        ("链路中断", "high"),
        ("单租户 vCPU 突增", "medium"),
        ("配额使用超过 80%", "low"),
        ("证书即将到期", "informational"),
    )
    sites = inventory.sites
    rows = []
    for number in range(130):
        title, level = titles[number % 5]
        site = sites[number % len(sites)]
        row = {
            "id": f"al-{number:04}",
            "key": f"k{number}",
            "rule_id": f"yw-rule-{number % 5}",
            "rule_title": title,
            "level": level,
        }
        row |= {
            "entities": {"org": site.organisation, "group": site.group},
            "events": [f"ev-{number}"],
            "count": number % 9 + 1,
        }
        row |= {"first_at": AT - timedelta(minutes=7 * number + 5), "last_at": AT - timedelta(minutes=7 * number)}
        state = ("new", "acknowledged", "closed", "suppressed")[number % 4]
        rows.append(
            {
                **row,
                "attack": ["T1110"] if number % 5 == 0 else [],
                "root": None,
                "incident": f"in-{number % 12:03}",
                "state": state,
            }
        )
    return rows


def fake_incidents(alerts: Sequence[Row]) -> list[Row]:
    rows = []
    for number in range(12):
        mine = [one for one in alerts if one["incident"] == f"in-{number:03}"]
        entities = {"org": sorted({one["entities"]["org"] for one in mine})}
        why = ["第一条告警"] + [f"与前一条同属委办局 {one['entities']['org']}，相隔不到 30 分钟" for one in mine[1:]]
        row = {
            "id": f"in-{number:03}",
            "title": f"省级单位登录风暴与链路中断相关联 {number + 1}",
            "level": mine[0]["level"],
        }
        row |= {
            "state": ("new", "triage", "confirmed", "closed")[number % 4],
            "opened_at": mine[0]["first_at"],
            "owner": None,
            "entities": entities,
        }
        rows.append(
            {
                **row,
                "alerts": [one["id"] for one in mine],
                "alert_count": len(mine),
                "why": why,
                "gb20986": {},
                "clocks": [],
            }
        )
    return rows


def fake_events(ids: Sequence[str]) -> list[Row]:
    return [
        {
            "event.id": one,
            "@timestamp": format_instant(AT - timedelta(minutes=3 * index)),
            "event.dataset": "yunwang.link",
            "event.action": "link-down",
            "message": "GE0/0/1 状态变为 down <script>alert(1)</script>",
            "host.name": "hrb-pe1",
        }
        for index, one in enumerate(ids)
    ]


def fake_views(inventory: Inventory) -> Views:
    owner = owners(inventory)

    def owned(rows: Sequence[Row]) -> list[Row]:
        return [{**row, "organisations": owners_of_entities(row["entities"], owner)} for row in rows]

    alerts = owned(fake_alerts(inventory))
    incidents = owned(fake_incidents(alerts))

    def scoped(table: Any, rows: Sequence[Row]) -> Callable[[Scope, Language], MemorySource]:
        return lambda scope, _language: MemorySource(table, scope.rows(rows, lambda row: row["organisations"]))

    def one_of(rows: Sequence[Row], name: str, scope: Scope) -> Row | None:
        return next((one for one in rows if one["id"] == name and scope.admits(one["organisations"])), None)

    links = fake_links(inventory)
    p95 = {"p95_in_bps": 5_000_000_000, "p95_out_bps": 3_000_000_000, "billed_bps": 5_000_000_000, "samples": 6010}
    p95 |= {"interpolated": 3, "missing": 12, "completeness": 0.998, "provisional": True}
    return Views(
        links=lambda: links,
        link_samples=fake_samples(inventory),
        p95=lambda _month, link: {"link": link, **p95},
        usage=fake_usage(inventory),
        months=lambda: [{"month": "2026-11", "state": "open"}, {"month": "2026-10", "state": "issued"}],
        bill=fake_bill(inventory),
        alerts=scoped(security.ALERTS, alerts),
        incidents=scoped(security.INCIDENTS, incidents),
        alert=lambda name, scope, _language: one_of(alerts, name, scope),
        incident=lambda name, scope, _language: one_of(incidents, name, scope),
        events=fake_events,
        rules=lambda _language: [
            {"id": f"yw-rule-{number}", "title": f"规则 {number}", "level": "high", "domain": "security"}
            | {"logsource": "linux/sshd", "attack": ["T1110"], "alerts": number}
            for number in range(12)
        ],
    )
