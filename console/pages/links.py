"""Links: the list and one link (链路)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, HTTPException
from fastapi.responses import HTMLResponse, Response

from access.roles import Capability
from console import traffic
from console.listing import answer
from console.lists import links
from console.visit import Visit, visiting
from inventory.model import End, Inventory
from records.instants import month_of

router = APIRouter(include_in_schema=False)
Reader = Annotated[Visit, Depends(visiting(Capability.LINKS_READ))]
_WINDOWS = {
    "6h": timedelta(hours=6),
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
}
Window = Literal["6h", "24h", "7d", "30d"]


@router.get("/links")
def link_list(visit: Reader) -> Response:
    """All links of the scope."""
    source = links.links(visit.deps.views, visit.inventory, visit.scope)
    return answer(visit, source.table, source)


@router.get("/links/{name}")
def link_page(visit: Reader, name: str, window: Window = "24h") -> HTMLResponse:
    """One link: its traffic of a window until now against contract and P95."""
    rows = {row["link"]: row for row in links.link_rows(visit.deps.views, visit.inventory, visit.scope)}
    if name not in rows:
        raise HTTPException(404, "there is no such link in your scope")
    samples = visit.deps.views.link_samples(name, visit.at - _WINDOWS[window], visit.at)
    points = traffic.with_gaps(traffic.thinned(samples))
    row, p95 = rows[name], visit.deps.views.p95(month_of(visit.at), name)
    return visit.page(
        "link.html",
        row=row,
        window=window,
        points=points,
        chart={**traffic.series(points), "contract": row["contract_bps"], "p95": p95["billed_bps"] if p95 else None},
        completeness=traffic.completeness(samples),
        p95_row=p95,
        circuit=_circuit(visit.inventory, name),
        ends=_ends(visit.inventory, name),
        siblings=[one for one in rows.values() if one["group"] == row["group"] and one["link"] != name],
    )


def _circuit(inventory: Inventory, name: str) -> str | None:
    """The carrier's own number of the line, for the call to its fault desk."""
    link = inventory.link.get(name)
    return link.circuit if link else None


def _ends(inventory: Inventory, name: str) -> list[Mapping[str, str]]:
    link = inventory.link.get(name)
    return (
        []
        if link is None
        else [_end(inventory, side, end) for side, end in (("A", link.a), ("B", link.b)) if end is not None]
    )


def _end(inventory: Inventory, side: str, end: End) -> Mapping[str, str]:
    device = inventory.device.get(end.device)
    region = inventory.region.get(device.region) if device else None
    return {
        "side": side,
        "device": end.device,
        "name": device.name if device else "",
        "region": region.name if region else "",
        "address": device.address if device else "",
        "interface": end.interface,
    }
