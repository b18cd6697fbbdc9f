"""Actions for two: nobody agrees with himself, nothing is done twice, and only what was asked for is done."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from access import approvals, audit, users
from access.approvals import LIFETIME, Action, Agreement, Approval, ApprovalNeededError, Ask, State
from access.roles import Role
from access.tables import approval
from records.errors import RefusedError, UserError
from storage.state import reading, writing

from .conftest import AT, PASSWORD

ASK = Ask(
    actor="li", action=Action.BILL_ISSUE, object="2026-10", particulars={"total": "12.50"}, reason="month is over"
)


ALONE = Agreement(ask=ASK, approval=None)
PEOPLE = {"li": Role.BILLING, "wang": Role.BILLING, "zhao": Role.NETADMIN, "sun": Role.BILLING}


@pytest.fixture
def two(engine: sa.Engine) -> sa.Engine:
    """Three people of billing, one of them for one organisation only, and one of the network."""
    with writing(engine) as connection:
        for name, role in PEOPLE.items():
            users.add_user(connection, "test", name, PASSWORD, AT, must_change=False)
            organisations = ["hlj"] if name == "sun" else None
            users.grant(connection, "test", name, role, AT, organisations=organisations)
    return engine


def asked(engine: sa.Engine, ask: Ask = ASK, at=AT) -> Approval:
    with pytest.raises(ApprovalNeededError) as caught:
        approvals.agreed(engine, ask, at)
    return caught.value.approval


def decided(
    engine: sa.Engine, one: Approval, by: str = "wang", at=AT, *, agree: bool = True, reason: str = ""
) -> Approval:
    with writing(engine) as connection:
        return approvals.decide(connection, by, one.id, at, agree=agree, reason=reason)


def used(engine: sa.Engine, agreed: Agreement, at=AT) -> None:
    with writing(engine) as connection:
        approvals.use(connection, agreed, at)


def test_one_user_suffices_alone(engine: sa.Engine, add: Callable[[str], None]) -> None:
    assert approvals.agreed(engine, ASK, AT) == ALONE
    add("li")
    assert approvals.agreed(engine, ASK, AT) == ALONE
    used(engine, ALONE)


def test_the_first_person_who_may_agree_to_roles_needs_nobody(engine: sa.Engine, add: Callable[[str], None]) -> None:
    grant = replace(ASK, action=Action.USER_GRANT, object="wang")
    add("li")
    add("wang")
    agreed = approvals.agreed(engine, grant, AT)
    with writing(engine) as connection:
        approvals.use(connection, agreed, AT)
        users.grant(connection, "test", "wang", Role.SECADMIN, AT, organisations=["hlj"])
    assert approvals.agreed(engine, grant, AT).approval is None  # whose word does not count everywhere does not count
    with writing(engine) as connection:
        users.grant(connection, "test", "wang", Role.SECADMIN, AT, organisations=None)

    assert asked(engine, grant).state is State.PENDING
    assert asked(engine).state is State.PENDING  # of bills nobody is the first


def test_what_one_person_began_alone_is_not_done_once_a_second_is_there(two: sa.Engine) -> None:
    with pytest.raises(RefusedError):
        used(two, ALONE)


def test_a_request_waits_is_approved_and_used_once(two: sa.Engine) -> None:
    one = asked(two)
    assert (one.state, one.requested_by, one.reason, one.expires_at) == (State.PENDING, "li", ASK.reason, AT + LIFETIME)
    assert asked(two).id == one.id  # asking again makes no second request

    assert decided(two, one, reason="checked").decision == "checked"
    agreed = approvals.agreed(two, ASK, AT)
    assert agreed.proofs == [{"id": one.id, "requested_by": "li", "approved_by": "wang"}]
    used(two, agreed)

    with pytest.raises(RefusedError):
        used(two, agreed)
    assert asked(two).id != one.id  # the next time needs a new word


@pytest.mark.parametrize(
    "other",
    [
        replace(ASK, object="2026-09"),
        replace(ASK, particulars={"total": "12.51"}),
        replace(ASK, action=Action.BILL_CLOSE),
        replace(ASK, actor="wang"),
    ],
)
def test_an_approval_is_for_what_was_asked_and_for_who_asked(two: sa.Engine, other: Ask) -> None:
    decided(two, asked(two))

    assert asked(two, other).state is State.PENDING


@pytest.mark.parametrize("by", ["li", "zhao", "sun", "local:root", "nobody"])
def test_who_may_not_decide_is_refused(two: sa.Engine, by: str) -> None:
    one = asked(two)

    with pytest.raises(RefusedError):
        decided(two, one, by)
    with reading(two) as connection:
        assert approvals.known(connection, one.id, AT).state is State.PENDING


def test_a_locked_person_may_not_decide(two: sa.Engine) -> None:
    one = asked(two)
    with writing(two) as connection:
        users.set_locked(connection, "test", "wang", AT, locked=True)
    with pytest.raises(RefusedError):
        decided(two, one)


def test_the_database_itself_refuses_one_person_for_two(two: sa.Engine) -> None:
    asked(two)
    own = sa.update(approval).values(state="approved", decided_by="li", decided_at=AT)
    with pytest.raises(sa.exc.IntegrityError), writing(two) as connection:
        connection.execute(own)
    with pytest.raises(sa.exc.IntegrityError), writing(two) as connection:
        connection.execute(sa.update(approval).values(state="approved"))


def test_a_rejection_says_why_and_ends_the_request(two: sa.Engine) -> None:
    one = asked(two)
    with pytest.raises(UserError, match="reason"):
        decided(two, one, agree=False, reason=" ")
    decided(two, one, agree=False, reason="the total is wrong")

    with pytest.raises(RefusedError, match="rejected"):
        decided(two, one)
    assert asked(two).id != one.id


@pytest.mark.parametrize("when", [LIFETIME, LIFETIME + timedelta(days=9)])
def test_a_request_and_an_approval_end_by_themselves(two: sa.Engine, when: timedelta) -> None:
    one = asked(two)
    with pytest.raises(RefusedError, match="expired"):
        decided(two, one, at=AT + when)
    decided(two, one)
    late = Agreement(ask=ASK, approval=replace(one, state=State.APPROVED))

    with pytest.raises(RefusedError):
        used(two, late, AT + when)
    assert asked(two, at=AT + when).id != one.id


def test_who_asked_may_take_it_back_and_nobody_else(two: sa.Engine) -> None:
    one = asked(two)
    for actor in ("wang", "local:root"):
        with pytest.raises(RefusedError), writing(two) as connection:
            approvals.withdraw(connection, actor, one.id, AT)
    with writing(two) as connection:
        assert approvals.withdraw(connection, "li", one.id, AT).state is State.WITHDRAWN
    with pytest.raises(RefusedError, match="withdrawn"):
        decided(two, one)


def test_an_action_that_fails_gives_its_approval_back(two: sa.Engine) -> None:
    decided(two, asked(two))
    agreed = approvals.agreed(two, ASK, AT)

    def fail() -> None:
        with writing(two) as connection:
            approvals.use(connection, agreed, AT)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    used(two, approvals.agreed(two, ASK, AT))


def test_of_two_decisions_at_once_one_counts(two: sa.Engine) -> None:
    with writing(two) as connection:
        users.grant(connection, "test", "sun", Role.BILLING, AT, organisations=None)
    one, outcomes = asked(two), []

    def decide(by: str, *, agree: bool) -> None:
        try:
            outcomes.append(decided(two, one, by, agree=agree, reason="mine").decided_by)
        except RefusedError:
            outcomes.append(None)

    threads = [
        threading.Thread(target=decide, args=(by,), kwargs={"agree": agree})
        for by, agree in (("wang", True), ("sun", False))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert outcomes.count(None) == 1
    with reading(two) as connection:
        assert approvals.known(connection, one.id, AT).decided_by in outcomes


def test_every_step_is_in_the_audit_log(two: sa.Engine) -> None:
    first = asked(two)
    decided(two, first, agree=False, reason="no")
    second = asked(two)
    decided(two, second)
    with writing(two) as connection:
        approvals.withdraw(connection, "li", second.id, AT)

    with reading(two) as connection:
        rows = connection.execute(sa.text("SELECT actor, action, object FROM audit_log ORDER BY number")).all()
    assert [tuple(row) for row in rows if row.action.startswith("approval.")] == [
        ("li", "approval.request", first.id),
        ("wang", "approval.reject", first.id),
        ("li", "approval.request", second.id),
        ("wang", "approval.approve", second.id),
        ("li", "approval.withdraw", second.id),
    ]
    assert audit.verify(two) == []


def test_unknown_ids_are_told(two: sa.Engine) -> None:
    with pytest.raises(UserError, match="unknown approval"):
        decided(two, replace(asked(two), id="ap-0000"))


def test_what_waits_is_listed_oldest_first(two: sa.Engine) -> None:
    later = asked(two, replace(ASK, object="2026-09"), AT + timedelta(hours=1))
    first = asked(two)
    ended = asked(two, replace(ASK, object="2026-08"))
    decided(two, ended)

    with reading(two) as connection:
        assert [one.id for one in approvals.waiting(connection, AT + timedelta(hours=2))] == [first.id, later.id]
        assert [one.id for one in approvals.waiting(connection, AT + LIFETIME)] == [later.id]
