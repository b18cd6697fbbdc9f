"""Collectors, users, audit log (采集状态、用户、审计日志)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import HTMLResponse, Response

from access import audit
from access.roles import Capability
from console.listing import answer
from console.lists import system
from console.visit import Visit, visiting

router = APIRouter(include_in_schema=False)
CollectorReader = Annotated[Visit, Depends(visiting(Capability.COLLECTORS_READ))]
UserReader = Annotated[Visit, Depends(visiting(Capability.USERS_READ))]
LogReader = Annotated[Visit, Depends(visiting(Capability.AUDIT_LOG_READ))]


@router.get("/collectors")
def collectors(visit: CollectorReader) -> HTMLResponse:
    """Processes, counters, lag."""
    return visit.page("collectors.html", status=visit.deps.status())


@router.get("/users")
def users(visit: UserReader) -> Response:
    """All accounts."""
    return answer(visit, system.USERS, system.user_source(visit.deps, visit.at))


@router.get("/audit-log")
def audit_log(visit: LogReader) -> Response:
    """The audit log, newest first."""
    return answer(visit, system.AUDIT_LOG, system.audit_source(visit.deps.engine), "audit_log.html")


@router.get("/audit-log/verify")
def verify_audit_log(visit: LogReader) -> HTMLResponse:
    """Recompute the chain and tell what does not fit."""
    problems = [one.text(visit.tell) for one in audit.verify(visit.deps.engine)]
    return visit.page("audit_verified.html", problems=problems)
