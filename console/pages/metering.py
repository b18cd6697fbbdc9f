"""Usage and bills (用量与账单)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Path
from fastapi.responses import RedirectResponse, Response

from access.roles import Capability
from console.listing import answer
from console.lists import metering
from console.overview import shares
from console.visit import Visit, visiting
from records.instants import month_of

router = APIRouter(include_in_schema=False)
UsageReader = Annotated[Visit, Depends(visiting(Capability.USAGE_READ))]
BillReader = Annotated[Visit, Depends(visiting(Capability.BILLS_READ))]
_PARTS = 6
Month = Annotated[str, Path(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")]


def months(visit: Visit) -> list[Mapping[str, Any]]:
    """The months to choose from, newest first; the running one always among them."""
    known = list(visit.deps.views.months())
    running = month_of(visit.at)
    return known if any(one["month"] == running for one in known) else [{"month": running, "state": "open"}, *known]


@router.get("/usage")
def usage_now(visit: UsageReader) -> Response:
    """The running month."""
    return RedirectResponse(f"/usage/{month_of(visit.at)}", 303)


@router.get("/usage/{month}")
def usage(visit: UsageReader, month: Month) -> Response:
    """A month's usage by tenant and meter, and day by day."""
    rows = metering.daily_usage(visit.deps.views, visit.scope, month)
    source = metering.usage(visit.inventory, rows)
    return answer(visit, source.table, source, "usage.html", month=month, months=months(visit), charts=_by_meter(rows))


def _by_meter(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """For each meter and unit the sum of every day."""
    sums: dict[tuple[str, str], dict[date, Decimal]] = {}
    for row in rows:
        days = sums.setdefault((row["meter"], row["unit"]), {})
        days[row["day"]] = days.get(row["day"], Decimal(0)) + row["quantity"]
    return [
        {"meter": meter, "unit": unit, "days": sorted(days.items())} for (meter, unit), days in sorted(sums.items())
    ]


@router.get("/bills")
def bills_now(visit: BillReader) -> Response:
    """The newest month that has a bill."""
    return RedirectResponse(f"/bills/{months(visit)[0]['month']}", 303)


@router.get("/bills/{month}")
def bills(visit: BillReader, month: Month) -> Response:
    """A month's bill by organisation."""
    bill = visit.deps.views.bill(month)
    source = metering.bills(visit.inventory, month, bill, visit.scope)
    context = {"month": month, "months": months(visit), "bill": bill, "findings": _findings(visit, bill)}
    total = metering.total(metering.visible_lines(bill, visit.scope)) if bill is not None else None
    return answer(visit, source.table, source, "bills.html", total=total, **context)


def _findings(visit: Visit, bill: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    """Findings of the scope's tenants."""
    if bill is None:
        return []
    return visit.scope.rows(bill["findings"], lambda one: _owners(visit, one.get("tenant")))


def _owners(visit: Visit, tenant: str | None) -> list[str]:
    return [span.organisation for span in visit.inventory.memberships.get(tenant or "", ())]


@router.get("/bills/{month}/{organisation}")
def bill(visit: BillReader, month: Month, organisation: str) -> Response:
    """The lines of one organisation."""
    if not visit.scope.admits([organisation]):
        raise HTTPException(404, "there is no such bill in your scope")
    found = visit.deps.views.bill(month)
    source = metering.bill_lines(found, visit.scope, organisation)
    lines = [one for one in metering.visible_lines(found, visit.scope) if one["organisation"] == organisation]
    if not lines:
        raise HTTPException(404, "there is no such bill in your scope")
    name = metering.organisation_name(visit.inventory, organisation)
    context = {"month": month, "organisation": organisation, "name": name, "bill": found, "lines": lines}
    return answer(
        visit, source.table, source, "bill.html", total=metering.total(lines), parts_of_bill=_parts(lines), **context
    )


def _parts(lines: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """What the amount is made of."""
    return {key: shares(metering.subtotals(lines, key), _PARTS) for key in ("sku", "tenant")}
