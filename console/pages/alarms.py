"""Alerts, incidents, rules (告警、事件单、规则)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException
from fastapi.responses import HTMLResponse, Response

from access.roles import Capability
from console.listing import answer
from console.lists import security
from console.timeline import runs
from console.visit import Visit, visiting

router = APIRouter(include_in_schema=False)
AlertReader = Annotated[Visit, Depends(visiting(Capability.ALERTS_READ))]
IncidentReader = Annotated[Visit, Depends(visiting(Capability.INCIDENTS_READ))]
RuleReader = Annotated[Visit, Depends(visiting(Capability.RULES_READ))]
_MOST_EVENTS = 200
_MOST_ALERTS = 100


@router.get("/alerts")
def alerts(visit: AlertReader) -> Response:
    """All alerts of the scope."""
    return answer(visit, security.ALERTS, visit.deps.views.alerts(visit.scope, visit.translate.language))


@router.get("/alerts/{name}")
def alert(visit: AlertReader, name: str) -> HTMLResponse:
    """One alert and the events that made it."""
    found = _found(visit.deps.views.alert(name, visit.scope, visit.translate.language))
    events = visit.deps.views.events(found["events"][-_MOST_EVENTS:])
    return visit.page("alert.html", alert=found, runs=runs(events), shown=len(events))


def _found(found: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """The alert or incident; 404 also for one of other organisations, as if there were none."""
    if found is None:
        raise HTTPException(404, "there is no such record in your scope")
    return found


@router.get("/incidents")
def incidents(visit: IncidentReader) -> Response:
    """All incidents of the scope."""
    return answer(visit, security.INCIDENTS, visit.deps.views.incidents(visit.scope, visit.translate.language))


@router.get("/incidents/{name}")
def incident(visit: IncidentReader, name: str) -> HTMLResponse:
    """One incident: why its alerts belong together, and what happened when."""
    views, scope, language = visit.deps.views, visit.scope, visit.translate.language
    found = _found(views.incident(name, scope, language))
    known = (views.alert(one, scope, language) for one in found["alerts"][:_MOST_ALERTS])
    alerts = [one for one in known if one is not None]
    wanted = list(dict.fromkeys(event for one in alerts for event in one["events"]))
    events = views.events(wanted[-_MOST_EVENTS:])
    joins = _joins(found, alerts)
    return visit.page(
        "incident.html", incident=found, joins=joins, runs=runs(events), shown=len(events), event_count=len(wanted)
    )


def _joins(found: Mapping[str, Any], alerts: Sequence[Mapping[str, Any]]) -> list[tuple[Mapping[str, Any], str]]:
    """Each alert with the sentence that tells why it joined."""
    why = dict(zip(found["alerts"], found["why"], strict=False))
    return [(one, why.get(one["id"], "")) for one in alerts]


@router.get("/rules")
def rules(visit: RuleReader) -> Response:
    """The rules in force."""
    return answer(visit, security.RULES, security.rules(visit.deps.views, visit.translate.language))
