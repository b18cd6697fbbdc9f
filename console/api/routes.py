"""One route a list: the same tables and sources as the pages."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from access.roles import Capability
from console.lists import keys, links, metering, security, system
from console.sources import Source
from console.table import Table, parse_query
from console.visit import Visit, api_visiting
from records.instants import format_instant, month_of

router = APIRouter()


class Page(BaseModel):
    """One page: ``next`` is the cursor of the next one, null on the last."""

    items: list[dict[str, Any]]
    next: str | None
    total: int


class ProblemDetails(BaseModel):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    errors: list[dict[str, str]] = []


def allowed(capability: Capability) -> Any:
    """The dependency of a route."""
    return Depends(api_visiting(capability))


def describe(table: Table, *beside: str) -> dict[str, Any]:
    """OpenAPI of a list's query string."""
    names = [one.key for one in table.columns if one.choices or one.searched]
    sortable = [one.key for one in table.columns if one.sortable]
    order = [*sortable, *(f"-{one}" for one in sortable)]
    fixed = [
        {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 200, "default": 50}},
        {"name": "cursor", "in": "query", "schema": {"type": "string"}, "description": "`next` of the page before"},
        {"name": "sort", "in": "query", "schema": {"type": "string", "enum": order}},
        {"name": "q", "in": "query", "schema": {"type": "string"}, "description": "text in any searched column"},
    ]
    filters = [{"name": name, "in": "query", "schema": {"type": "string"}} for name in names if name not in beside]
    refusals = {str(code): {"description": what, "content": _PROBLEM} for code, what in _REFUSALS.items()}
    return {"parameters": [*fixed, *filters], "responses": refusals, "security": [{"bearer": []}]}


_REFUSALS = {400: "a bad question", 401: "no or a bad token", 403: "the roles do not permit it"}
_PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}}


def listed(visit: Visit, table: Table, source: Source, *beside: str) -> JSONResponse:
    """The page that the query string asks for; ``beside`` are parameters that are no filters."""
    params = {name: value for name, value in visit.request.query_params.items() if name not in beside}
    page = source.page(parse_query(table, params))
    body = {"items": [plain(row) for row in page.rows], "next": page.next or None, "total": page.total}
    return JSONResponse(body)


def plain(value: Any) -> Any:
    """A value as CONTRACT §1 writes it: instants RFC 3339 with Z, decimals as text, unknown null."""
    if isinstance(value, Mapping):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(one) for one in value]
    if isinstance(value, datetime):
        return format_instant(value)
    if isinstance(value, (Decimal, date)):
        return str(value)
    return value


Month = Annotated[str, Query(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")]


@router.get("/links", response_model=Page, openapi_extra=describe(links.LINKS))
def get_links(visit: Annotated[Visit, allowed(Capability.LINKS_READ)]) -> JSONResponse:
    """Links: state, rates, protection."""
    source = links.links(visit.deps.views, visit.inventory, visit.scope)
    return listed(visit, source.table, source)


@router.get("/devices", response_model=Page, openapi_extra=describe(links.DEVICES))
def get_devices(visit: Annotated[Visit, allowed(Capability.LINKS_READ)]) -> JSONResponse:
    """Devices of the inventory."""
    source = links.devices(visit.inventory, visit.scope)
    return listed(visit, source.table, source)


@router.get("/tenants", response_model=Page, openapi_extra=describe(metering.TENANTS))
def get_tenants(visit: Annotated[Visit, allowed(Capability.USAGE_READ)]) -> JSONResponse:
    """Tenants, one row a membership."""
    source = metering.tenants(visit.inventory, visit.scope)
    return listed(visit, source.table, source)


@router.get("/usage", response_model=Page, openapi_extra=describe(metering.USAGE, "month"))
def get_usage(visit: Annotated[Visit, allowed(Capability.USAGE_READ)], month: Month | None = None) -> JSONResponse:
    """A month's usage by tenant and meter; the running month by default."""
    rows = metering.daily_usage(visit.deps.views, visit.scope, month or month_of(visit.at))
    source = metering.usage(visit.inventory, rows)
    return listed(visit, source.table, source, "month")


@router.get("/bills", response_model=Page, openapi_extra=describe(metering.BILLS, "month"))
def get_bills(visit: Annotated[Visit, allowed(Capability.BILLS_READ)], month: Month | None = None) -> JSONResponse:
    """A month's bill by organisation; the running month by default."""
    wanted = month or month_of(visit.at)
    source = metering.bills(visit.inventory, wanted, visit.deps.views.bill(wanted), visit.scope)
    return listed(visit, source.table, source, "month")


@router.get("/alerts", response_model=Page, openapi_extra=describe(security.ALERTS))
def get_alerts(visit: Annotated[Visit, allowed(Capability.ALERTS_READ)]) -> JSONResponse:
    """Alerts in all states."""
    return listed(visit, security.ALERTS, visit.deps.views.alerts(visit.scope, visit.translate.language))


@router.get("/incidents", response_model=Page, openapi_extra=describe(security.INCIDENTS))
def get_incidents(visit: Annotated[Visit, allowed(Capability.INCIDENTS_READ)]) -> JSONResponse:
    """Incidents in all states."""
    return listed(visit, security.INCIDENTS, visit.deps.views.incidents(visit.scope, visit.translate.language))


@router.get("/rules", response_model=Page, openapi_extra=describe(security.RULES))
def get_rules(visit: Annotated[Visit, allowed(Capability.RULES_READ)]) -> JSONResponse:
    """Rules in force."""
    return listed(visit, security.RULES, security.rules(visit.deps.views, visit.translate.language))


@router.get("/audit-log", response_model=Page, openapi_extra=describe(system.AUDIT_LOG))
def get_audit_log(visit: Annotated[Visit, allowed(Capability.AUDIT_LOG_READ)]) -> JSONResponse:
    """The audit log with its chain."""
    return listed(visit, system.AUDIT_LOG, system.audit_source(visit.deps.engine))


@router.get("/keys", response_model=Page, openapi_extra=describe(keys.KEYS))
def get_keys(visit: Annotated[Visit, allowed(Capability.KEYS_READ)]) -> JSONResponse:
    """Keys of the site without their secrets."""
    return listed(visit, keys.KEYS, keys.key_source(visit.deps.keyring))
