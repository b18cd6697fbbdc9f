"""Actions for two (审批): the inbox, one request, and the second person's word."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from access import approvals
from access.approvals import Approval
from access.roles import Capability
from console.listing import answer
from console.lists.approvals import APPROVALS, source
from console.problem import status_of
from console.visit import Visit, check_change, visiting
from records.errors import UserError
from storage.state import reading, writing

router = APIRouter(include_in_schema=False)
Reader = Annotated[Visit, Depends(visiting(Capability.APPROVALS_READ))]
Text = Annotated[str, Form()]
Token = Annotated[str, Form(alias="csrf")]


@router.get("/approvals")
def inbox(visit: Reader) -> Response:
    """All requests, newest first."""
    return answer(visit, APPROVALS, source(visit.deps.engine, visit.at), "approvals.html")


@router.get("/approvals/{name}")
def request(visit: Reader, name: str) -> HTMLResponse:
    """One request with all that was asked for."""
    return _page(visit, name)


def _page(visit: Visit, name: str, code: int = 200, problems: tuple[tuple[str, str], ...] = ()) -> HTMLResponse:
    with reading(visit.deps.engine) as connection:
        one = approvals.known(connection, name, visit.at)
    mine = one.requested_by == visit.person.user.name
    pending = one.state is approvals.State.PENDING
    return visit.page(
        "approval.html",
        code,
        one=one,
        problems=problems,
        may_decide=pending and _decides(visit, one),
        may_withdraw=mine and (pending or one.state is approvals.State.APPROVED),
    )


def _decides(visit: Visit, one: Approval) -> bool:
    return visit.person.may(Capability.APPROVALS_DECIDE) and approvals.may_decide(visit.person.user, one)


@router.post("/approvals/{name}/decision")
def decide(visit: Reader, name: str, word: Text = "", reason: Text = "", token: Token = "") -> Response:
    """Agree, reject, or take back; a refusal is told on the page of the request."""
    check_change(visit, token)
    try:
        settle(visit, name, word, reason)
    except UserError as error:
        told = tuple((one.text(visit.tell), one.advice(visit.tell)) for one in error.problems)
        return _page(visit, name, status_of(error), told)
    return RedirectResponse(f"/approvals/{name}", 303)


def settle(visit: Visit, name: str, word: str, reason: str) -> Approval:
    """``agree``, ``reject`` or ``withdraw`` in one transaction.

    Raises:
        UserError: Another word, an unknown request, or a rejection without a reason.
        RefusedError: Own request, wrong role, or it has ended.
    """
    actor = visit.person.user.name
    with writing(visit.deps.engine) as connection:
        if word == "withdraw":
            return approvals.withdraw(connection, actor, name, visit.at)
        if word not in {"agree", "reject"}:
            raise UserError("'{word}' is no decision", "use agree, reject or withdraw", where="word", word=word[:20])
        return approvals.decide(connection, actor, name, visit.at, agree=word == "agree", reason=reason)
