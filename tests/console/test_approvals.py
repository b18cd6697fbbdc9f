"""The inbox of actions for two: what was asked for is shown, and only another person with the role decides."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from access import approvals, tokens
from access.approvals import Action, Approval, ApprovalNeededError, Ask
from access.roles import Capability, Role
from storage.state import reading, writing
from tests.console.conftest import Clock, login_token
from tests.console.made_up import AT

PARTICULARS = {"month": "2026-10", "total": "1234.50", "organisations": {"hlj-finance": "1234.50"}, "waiver": None}


@pytest.fixture
def people(add_user: Callable[..., None]) -> None:
    add_user("li", {Role.BILLING: None})
    add_user("wang", {Role.BILLING: None})
    add_user("sun", {Role.BILLING: ["hlj-finance"]})
    add_user("zhao", {Role.AUDITOR: None})


def asked(engine: sa.Engine, actor: str = "li", reason: str = "<b>month is over</b>") -> Approval:
    ask = Ask(actor=actor, action=Action.BILL_CLOSE, object="2026-10", particulars=PARTICULARS, reason=reason)
    with pytest.raises(ApprovalNeededError) as caught:
        approvals.agreed(engine, ask, AT)
    return caught.value.approval


def stands(engine: sa.Engine, one: Approval) -> Approval:
    with reading(engine) as connection:
        return approvals.known(connection, one.id, AT)


def decide(client: TestClient, one: Approval, word: str, reason: str = "") -> Any:
    token = login_token(client.get("/help").text)
    return client.post(f"/approvals/{one.id}/decision", data={"word": word, "reason": reason, "csrf": token})


def as_bearer(client: TestClient, engine: sa.Engine, user: str, scopes: tuple[Capability, ...] = ()) -> dict[str, str]:
    with writing(engine) as connection:
        text, _ = tokens.new_token(connection, "test", user, AT, lifetime=timedelta(days=1), scopes=scopes)
    client.cookies.clear()
    return {"authorization": f"Bearer {text}"}


@pytest.mark.usefixtures("people")
def test_the_second_person_sees_what_is_asked_for_and_agrees(
    engine: sa.Engine, client: TestClient, log_in: Callable[..., Any]
) -> None:
    one = asked(engine)
    log_in("wang")
    listed, shown = client.get("/approvals").text, client.get(f"/approvals/{one.id}").text

    assert all(text in listed for text in (one.id, "待审批", "关账", "2026-10"))
    assert all(
        text in shown for text in ("1234.50", "hlj-finance", "&lt;b&gt;month is over&lt;/b&gt;", one.digest[:16])
    )
    assert 'value="agree"' in shown
    assert decide(client, one, "agree", "sums checked").headers["location"] == f"/approvals/{one.id}"
    found = stands(engine, one)
    assert (found.state, found.decided_by, found.decision) == (approvals.State.APPROVED, "wang", "sums checked")
    assert 'value="agree"' not in client.get(f"/approvals/{one.id}").text


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize("who", ["li", "sun", "zhao"])
def test_nobody_agrees_who_may_not(engine: sa.Engine, client: TestClient, log_in: Callable[..., Any], who: str) -> None:
    one = asked(engine)
    log_in(who)

    assert 'value="agree"' not in client.get(f"/approvals/{one.id}").text
    assert decide(client, one, "agree").status_code == 403
    assert stands(engine, one).state is approvals.State.PENDING


@pytest.mark.usefixtures("people")
def test_a_rejection_needs_its_reason_and_an_own_request_is_taken_back(
    engine: sa.Engine, client: TestClient, log_in: Callable[..., Any]
) -> None:
    one = asked(engine)
    log_in("wang")
    without = decide(client, one, "reject")
    assert (without.status_code, "驳回须说明理由" in without.text or "a rejection needs" in without.text) == (400, True)
    assert decide(client, one, "reject", "too high").status_code == 303
    assert decide(client, one, "agree").status_code == 403  # it has ended
    other = asked(engine)
    log_in("li")
    assert 'value="withdraw"' in client.get(f"/approvals/{other.id}").text
    assert decide(client, other, "withdraw").status_code == 303
    assert [stands(engine, each).state.value for each in (one, other)] == ["rejected", "withdrawn"]


@pytest.mark.usefixtures("people")
def test_bad_words_unknown_requests_and_missing_tokens(
    engine: sa.Engine, client: TestClient, log_in: Callable[..., Any]
) -> None:
    one = asked(engine)
    log_in("wang")

    assert decide(client, one, "perhaps").status_code == 400
    assert client.get("/approvals/ap-0000000000").status_code == 404
    assert client.post(f"/approvals/{one.id}/decision", data={"word": "agree"}).status_code == 403
    assert stands(engine, one).state is approvals.State.PENDING


@pytest.mark.usefixtures("people")
def test_the_api_lists_and_decides_by_the_same_rules(engine: sa.Engine, client: TestClient) -> None:
    one = asked(engine)
    address = f"/api/v1/approvals/{one.id}/decision"
    own = client.post(address, json={"word": "agree"}, headers=as_bearer(client, engine, "li"))
    narrow = as_bearer(client, engine, "wang", (Capability.BILLS_READ,))
    wang = as_bearer(client, engine, "wang")

    assert (own.status_code, own.headers["content-type"]) == (403, "application/problem+json")
    assert client.get("/api/v1/approvals", headers=narrow).status_code == 403
    assert client.post(address, json={"word": "agree"}, headers=narrow).status_code == 403
    assert client.post(address, json={"word": "agree", "state": "used"}, headers=wang).status_code == 422
    assert client.post(address, json={"word": "agree"}).status_code == 401
    (row,) = client.get("/api/v1/approvals?state=pending", headers=wang).json()["items"]
    assert (row["id"], row["requested_by"], row["particulars"]) == (one.id, "li", PARTICULARS)
    agreed = client.post(address, json={"word": "agree", "reason": "checked"}, headers=wang)
    assert (agreed.status_code, agreed.json()["state"], agreed.json()["decided_by"]) == (200, "approved", "wang")
    missing = client.post(address.replace(one.id, "ap-0000000000"), json={"word": "agree"}, headers=wang)
    assert missing.status_code == 404


@pytest.mark.usefixtures("people")
def test_a_page_of_ours_decides_over_the_api_only_with_its_token(
    engine: sa.Engine, client: TestClient, log_in: Callable[..., Any]
) -> None:
    one = asked(engine)
    log_in("wang")
    address = f"/api/v1/approvals/{one.id}/decision"

    assert client.post(address, json={"word": "agree"}).status_code == 403
    token = login_token(client.get("/help").text)
    assert client.post(address, json={"word": "agree"}, headers={"x-csrf-token": token}).status_code == 200


@pytest.mark.usefixtures("people")
def test_a_request_that_is_over_is_shown_as_such(
    engine: sa.Engine, client: TestClient, log_in: Callable[..., Any], clock: Clock
) -> None:
    one = asked(engine)
    clock.at += approvals.LIFETIME
    log_in("wang")

    assert "已过期" in client.get("/approvals").text
    assert decide(client, one, "agree").status_code == 403
