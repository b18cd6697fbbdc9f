"""The overview, the wall and help (一屏统览、大屏、帮助)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException
from fastapi.responses import FileResponse, HTMLResponse, Response

from access.roles import Capability
from console import schematic
from console.lists import links, metering, security
from console.overview import busiest_links, shares, summarise_links, worst_links
from console.table import parse_query
from console.visit import Visit, visiting
from records.instants import month_of

router = APIRouter(include_in_schema=False)
LoggedIn = Annotated[Visit, Depends(visiting(None))]
_WORST, _BUSIEST, _NEWEST, _TOP = 8, 8, 6, 8
_SCREEN_NEWEST = 9


@router.get("/")
def overview(visit: LoggedIn) -> HTMLResponse:
    """One page that answers what is wrong now; each part only for those who may see it."""
    return visit.page("overview.html", **parts(visit))


@router.get("/screen")
def screen(visit: LoggedIn) -> HTMLResponse:
    """The same for the wall, always dark."""
    return visit.page("screen.html", **parts(visit, newest=_SCREEN_NEWEST))


def parts(visit: Visit, *, newest: int = _NEWEST) -> Mapping[str, Any]:
    """What both show; None where the visitor may not look."""
    return {
        "links": _links(visit),
        "alerts": _newest(visit, Capability.ALERTS_READ, newest),
        "incidents": _newest(visit, Capability.INCIDENTS_READ, newest),
        "spend": _spend(visit),
        "status": visit.deps.status() if visit.person.may(Capability.COLLECTORS_READ) else None,
    }


def _links(visit: Visit) -> Mapping[str, Any] | None:
    scope = visit.scope_of(Capability.LINKS_READ)
    if scope is None:
        return None
    rows = links.link_rows(visit.deps.views, visit.inventory, scope)
    worst = worst_links(rows, _WORST)
    return {
        "summary": summarise_links(rows),
        "tiles": schematic.tiles(visit.inventory, rows),
        "worst": worst,
        "busiest": busiest_links((row for row in rows if row not in worst), _BUSIEST),
    }


def _newest(visit: Visit, capability: Capability, count: int) -> Mapping[str, Any] | None:
    scope = visit.scope_of(capability)
    if scope is None:
        return None
    alerts = capability is Capability.ALERTS_READ
    table = security.ALERTS if alerts else security.INCIDENTS
    source = (visit.deps.views.alerts if alerts else visit.deps.views.incidents)(scope, visit.translate.language)
    newest = source.page(parse_query(table, {"limit": str(count)}))
    fresh = source.page(parse_query(table, {"state": "new", "limit": "1"}))
    return {"rows": newest.rows, "new": fresh.total, "total": newest.total}


def _spend(visit: Visit) -> Mapping[str, Any] | None:
    scope = visit.scope_of(Capability.BILLS_READ)
    if scope is None:
        return None
    month = month_of(visit.at)
    bill = visit.deps.views.bill(month)
    source = metering.bills(visit.inventory, month, bill, scope)
    rows = list(source.rows(parse_query(metering.BILLS, {}).whole()))
    return {
        "month": month,
        "total": metering.total(rows) if bill is not None else None,
        "complete": bool(bill and bill["complete"]),
        "shares": shares(rows, _TOP),
    }


@router.get("/help")
def help_page(visit: LoggedIn) -> HTMLResponse:
    """What the pages mean, and how to verify offline."""
    return visit.page("help.html", has_ca=_ca(visit) is not None)


@router.get("/ca.pem")
def trust_anchor(visit: LoggedIn) -> Response:
    """The site's trust anchor, for ``yw verify --ca``."""
    path = _ca(visit)
    if path is None:
        raise HTTPException(404, "there is no trust anchor yet")
    return FileResponse(path, media_type="application/x-pem-file", filename="ca.pem")


def _ca(visit: Visit) -> Any:
    path = visit.deps.ca
    return path if path is not None and path.exists() else None
