"""Actions for two over the API: what waits, and the second person's word."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from access.roles import Capability
from console import csrf
from console.api.routes import Page, ProblemDetails, allowed, describe, listed, plain
from console.lists.approvals import APPROVALS, row, source
from console.pages.approvals import settle
from console.visit import Visit, check_change

router = APIRouter()
Name = Annotated[str, Path(pattern=r"^ap-[0-9a-f]{10}$")]


class Decision(BaseModel):
    """The second person's word; ``withdraw`` is the asker's own."""

    model_config = ConfigDict(extra="forbid")
    word: Literal["agree", "reject", "withdraw"]
    reason: str = Field(default="", max_length=500)


class Request(BaseModel):
    """A request and what became of it."""

    id: str
    action: str
    object: str
    state: str
    requested_by: str
    requested_at: str
    reason: str
    expires_at: str
    decided_by: str | None
    decided_at: str | None
    decision: str
    used_at: str | None
    particulars: dict[str, Any]
    digest: str


@router.get("/approvals", response_model=Page, openapi_extra=describe(APPROVALS))
def get_approvals(visit: Annotated[Visit, allowed(Capability.APPROVALS_READ)]) -> JSONResponse:
    """Requests of actions for two, in all states."""
    return listed(visit, APPROVALS, source(visit.deps.engine, visit.at))


_REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"description": "a rejection without a reason, or an unknown request", "model": ProblemDetails},
    401: {"description": "no or a bad token", "model": ProblemDetails},
    403: {"description": "own request, wrong role, or it has ended", "model": ProblemDetails},
    422: {"description": "another shape", "model": ProblemDetails},
}


@router.post("/approvals/{name}/decision", response_model=Request, responses=_REFUSALS)
def post_decision(
    visit: Annotated[Visit, allowed(Capability.APPROVALS_READ)], name: Name, decision: Decision
) -> JSONResponse:
    """Agree, reject, or take one's own request back."""
    if visit.person.session is not None:  # a page of ours; a token is no cookie that another site could use
        check_change(visit, visit.request.headers.get(csrf.HEADER, ""))
    return JSONResponse(plain(row(settle(visit, name, decision.word, decision.reason))))
