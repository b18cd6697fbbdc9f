"""Tickets: one for one cause, closed by proof alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from access import approvals, audit, users
from access.approvals import Agreement, ApprovalNeededError
from access.roles import Role
from records.errors import RefusedError, UserError
from storage.state import reading, writing
from tests.workflow.conftest import AT, Clock
from workflow import tickets
from workflow.tables import ticket
from workflow.tickets import Cause, Check, Seen, Ticket

CAUSE = Cause(
    key="link:hrb-1", kind="link", subject="hrb-1", title="哈尔滨一号链路中断", level="high", organisation="hlj"
)
DAY = timedelta(days=1)


def opened(engine: sa.Engine, cause: Cause = CAUSE, at=AT) -> Ticket:
    with writing(engine) as connection:
        return tickets.open_ticket(connection, "system", cause, at)


def checks(passed: bool | None) -> Mapping[str, Check]:
    return {"link": lambda subject: Seen(passed=passed, observed=f"{subject} is {passed}", evidence={"in_bps": 5})}


def history(engine: sa.Engine, one: Ticket) -> list[str]:
    with reading(engine) as connection:
        return [note.action for note in tickets.notes(connection, one.id)]


def excepted(engine: sa.Engine, one: Ticket) -> Agreement:
    """What two persons agree to: it rests for a day."""
    ask = tickets.exception(engine, "li", one.id, AT + DAY, "the dam is being built", AT)
    return approvals.agreed(engine, ask, AT)


def test_one_cause_has_one_ticket(engine: sa.Engine) -> None:
    one = opened(engine)

    assert (one.state, one.level, one.opened_at, one.owner, one.proof) == ("open", "high", AT, None, None)
    assert opened(engine, replace(CAUSE, title="again"), AT + DAY) == one
    assert opened(engine, replace(CAUSE, key="link:hrb-2")).id != one.id


def test_a_recheck_that_passes_closes_it_with_what_was_seen(engine: sa.Engine, clock: Clock) -> None:
    one = opened(engine)
    clock.pass_(60)

    closed, seen = tickets.recheck(engine, "li", one.id, checks(passed=True), clock)

    assert seen.passed
    assert (closed.state, closed.closing, closed.closed_by, closed.closed_at) == ("closed", "recheck", "li", clock.at)
    assert closed.proof is not None
    assert (closed.proof["observed"], closed.proof["evidence"]) == ("hrb-1 is True", {"in_bps": 5})
    assert history(engine, one) == ["open", "recheck", "close"]


@pytest.mark.parametrize("passed", [False, None])
def test_what_fails_or_cannot_be_told_closes_nothing(engine: sa.Engine, clock: Clock, passed: Any) -> None:
    one = opened(engine)

    still, _ = tickets.recheck(engine, "li", one.id, checks(passed), clock)

    assert (still.state, still.proof) == ("open", None)
    assert history(engine, one) == ["open", "recheck"]


def test_what_nothing_can_check_needs_an_exception(engine: sa.Engine, clock: Clock) -> None:
    one = opened(engine, replace(CAUSE, kind="manual"))

    with pytest.raises(RefusedError, match="nothing can check"):
        tickets.recheck(engine, "li", one.id, checks(passed=True), clock)


@pytest.mark.parametrize(
    "values",
    [
        {"state": "closed"},
        {"state": "closed", "closing": "said so", "proof": "{}", "closed_by": "li"},
        {"state": "closed", "proof": "{}", "closed_by": "li"},
        {"state": "closed", "closing": "recheck", "closed_by": "li"},
        {"state": "closed", "closing": "recheck", "proof": "{}"},
        {"closing": "recheck", "proof": "{}", "closed_by": "li"},
    ],
)
def test_the_database_itself_refuses_a_ticket_closed_without_proof(engine: sa.Engine, values: dict[str, str]) -> None:
    opened(engine)
    with pytest.raises(sa.exc.IntegrityError), writing(engine) as connection:
        connection.execute(sa.update(ticket).values(**values))


def test_history_is_append_only(engine: sa.Engine) -> None:
    opened(engine)
    for statement in ("UPDATE ticket_note SET text = 'x'", "DELETE FROM ticket_note"):
        with pytest.raises(sa.exc.IntegrityError, match="append-only"), writing(engine) as connection:
            connection.exec_driver_sql(statement)


def test_a_closed_ticket_opens_again_when_its_cause_is_back(engine: sa.Engine, clock: Clock) -> None:
    one = opened(engine)
    tickets.recheck(engine, "li", one.id, checks(passed=True), clock)

    again = opened(engine, at=AT + DAY)

    assert (again.id, again.state, again.proof, again.closed_by, again.opened_at) == (one.id, "open", None, None, AT)
    assert history(engine, one) == ["open", "recheck", "close", "reopen"]


def test_an_exception_takes_two_persons_and_ends(engine: sa.Engine) -> None:
    with writing(engine) as connection:
        for name, role in (("li", Role.NETADMIN), ("wang", Role.SECADMIN)):
            users.add_user(connection, "test", name, "Frost-River-2026", AT, must_change=False)
            users.grant(connection, "test", name, role, AT, organisations=None)
    one = opened(engine)
    with pytest.raises(ApprovalNeededError) as asked:
        excepted(engine, one)
    with writing(engine) as connection:
        approvals.decide(connection, "wang", asked.value.approval.id, AT, agree=True)
    agreement = excepted(engine, one)
    with writing(engine) as connection:
        closed = tickets.accept(connection, agreement, AT)

    assert (closed.state, closed.closing, closed.until) == ("closed", "exception", AT + DAY)
    assert closed.proof is not None
    assert closed.proof["approvals"] == [{"id": asked.value.approval.id, "requested_by": "li", "approved_by": "wang"}]
    assert opened(engine, at=AT + DAY / 2).state == "closed"  # found again while the exception lasts
    with pytest.raises(RefusedError), writing(engine) as connection:
        tickets.accept(connection, agreement, AT)  # used up
    with writing(engine) as connection:
        assert tickets.reopen_ended(connection, AT + DAY - timedelta(seconds=1)) == []
        assert [found.id for found in tickets.reopen_ended(connection, AT + DAY)] == [one.id]
        assert tickets.reopen_ended(connection, AT + DAY) == []
    assert opened(engine, at=AT + 2 * DAY).state == "open"


@pytest.mark.parametrize(
    ("until", "reason", "said"), [(AT, "a dam", "time to come"), (AT + DAY, " ", "needs a reason")]
)
def test_an_exception_without_a_reason_or_a_time_is_refused(
    engine: sa.Engine, until: datetime, reason: str, said: str
) -> None:
    one = opened(engine)
    with pytest.raises(UserError, match=said):
        tickets.exception(engine, "li", one.id, until, reason, AT)


def test_one_user_excepts_alone_and_the_proof_says_so(engine: sa.Engine) -> None:
    one = opened(engine)
    agreement = excepted(engine, one)
    with writing(engine) as connection:
        closed = tickets.accept(connection, agreement, AT)

    assert closed.proof is not None
    assert (closed.proof["approvals"], closed.proof["reason"]) == ([], "the dam is being built")
    with pytest.raises(RefusedError, match="closed"):
        excepted(engine, one)


def test_owner_due_and_comments(engine: sa.Engine, clock: Clock) -> None:
    one = opened(engine)
    with writing(engine) as connection:
        assert tickets.assign(connection, "li", one.id, "wang", AT).owner == "wang"
        assert tickets.set_due(connection, "li", one.id, AT + DAY, AT).due_at == AT + DAY
        tickets.comment(connection, "wang", one.id, " the fibre is cut at km 12 ", AT)
        said = tickets.notes(connection, one.id)[-1]
    assert (said.actor, said.text) == ("wang", "the fibre is cut at km 12")
    with pytest.raises(UserError, match="empty"), writing(engine) as connection:
        tickets.comment(connection, "wang", one.id, " \n", AT)
    tickets.recheck(engine, "li", one.id, checks(passed=True), clock)
    with pytest.raises(RefusedError, match="closed"), writing(engine) as connection:
        tickets.assign(connection, "li", one.id, "li", AT)


def test_those_that_are_due_first_are_on_top_and_closed_ones_below(engine: sa.Engine, clock: Clock) -> None:
    names = {"late": None, "soon": AT + DAY, "now": AT, "done": AT}
    made = {name: opened(engine, replace(CAUSE, key=name, title=name, due_at=due)) for name, due in names.items()}
    tickets.recheck(engine, "li", made["done"].id, checks(passed=True), clock)
    with reading(engine) as connection:
        assert [one.title for one in tickets.list_tickets(connection)] == ["now", "soon", "late", "done"]
        assert [one.title for one in tickets.list_tickets(connection, state="closed")] == ["done"]


def test_unknown_ids_are_told_and_each_change_is_audited(engine: sa.Engine) -> None:
    one = opened(engine)
    with pytest.raises(UserError, match="unknown ticket"), reading(engine) as connection:
        tickets.find(connection, "tk-none")
    with writing(engine) as connection:
        tickets.assign(connection, "li", one.id, None, AT)
        rows = connection.execute(sa.text("SELECT actor, action, object FROM audit_log ORDER BY number")).all()
    assert [tuple(row) for row in rows] == [("system", "ticket.open", one.id), ("li", "ticket.assign", one.id)]
    assert audit.verify(engine) == []
