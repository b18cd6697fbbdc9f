"""Actions for two (双人复核, CONTRACT §10): one person asks, another one decides, the first then does it once.

A request is bound to what was asked for by a digest of its particulars: whoever changes them asks anew. The use of an
approval is noted in the transaction of the action itself, so that a crash neither repeats the action nor loses it.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from access import audit
from access.roles import Role
from access.scope import EVERYWHERE
from access.tables import approval, user_account, user_role
from access.users import User, find_user
from crypto.canonical import canonical_json
from crypto.sm3 import sm3_hex
from records.errors import RefusedError, UnknownError, UserError
from records.instants import format_instant
from storage.state import writing

LIFETIME = timedelta(days=3)
_LONGEST_REASON = 500


class Action(StrEnum):
    """What takes two persons; the names are those of the audit log."""

    CATALOGUE_LOAD = "catalogue.load"
    BILL_CLOSE = "bill.close"
    BILL_ISSUE = "bill.issue"
    KEY_EXPORT = "key.export"
    KEY_DESTROY = "key.destroy"
    USER_GRANT = "user.grant"
    TICKET_EXCEPTION = "ticket.except"


class State(StrEnum):
    """``pending`` and ``approved`` end by themselves after ``LIFETIME``: then they are ``expired``."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    USED = "used"
    EXPIRED = "expired"


_MONEY = frozenset({Role.BILLING, Role.SECADMIN})
_TRUST = frozenset({Role.SECADMIN, Role.SYSADMIN})
DECIDERS: Mapping[Action, frozenset[Role]] = {
    Action.CATALOGUE_LOAD: _MONEY,
    Action.BILL_CLOSE: _MONEY,
    Action.BILL_ISSUE: _MONEY,
    Action.KEY_EXPORT: _TRUST,
    Action.KEY_DESTROY: _TRUST,
    Action.USER_GRANT: _TRUST,
    Action.TICKET_EXCEPTION: _TRUST,
}
"""Whose word counts: one of these roles, held for all organisations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What one person wants to do.

    Attributes:
        actor: Who does it: a user, or ``local:NAME``, who may ask but never decide.
        object: What it is done to, e.g. a month or a key's name.
        particulars: All that makes it this action and no other; JSON, shown to the person who decides, no secret.
        reason: Why, in the asker's words.
    """

    actor: str
    action: Action
    object: str
    particulars: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""

    @property
    def digest(self) -> str:
        """SM3 of action, object and particulars, in hex."""
        return sm3_hex(canonical_json([self.action.value, self.object, dict(self.particulars)]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """A request and what became of it; ``state`` is judged at the instant of reading."""

    id: str
    action: Action
    object: str
    particulars: Mapping[str, Any]
    digest: str
    requested_by: str
    requested_at: datetime
    reason: str
    expires_at: datetime
    state: State
    decided_by: str | None
    decided_at: datetime | None
    decision: str
    used_at: datetime | None

    def as_proof(self) -> dict[str, str]:
        """What an artefact says of it."""
        return {"id": self.id, "requested_by": self.requested_by, "approved_by": self.decided_by or ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """What an action may go on with: an approval, or None where one person suffices."""

    ask: Ask
    approval: Approval | None

    @property
    def proofs(self) -> list[dict[str, str]]:
        """The ``approvals`` of an artefact."""
        return [self.approval.as_proof()] if self.approval else []


class ApprovalNeededError(RefusedError):
    """Another person must decide first; ``approval`` is the request that waits."""

    def __init__(self, waiting: Approval) -> None:
        super().__init__(
            "{action} of '{object}' takes two persons: request {id} waits for the second one",
            "let another person run `yw approve {id}` or approve it in the console, then do this again",
            where=waiting.id,
            id=waiting.id,
            action=waiting.action.value,
            object=waiting.object,
        )
        self.approval = waiting
        self.result = {
            "approval": waiting.id,
            "state": waiting.state.value,
            "action": waiting.action.value,
            "object": waiting.object,
            "expires_at": format_instant(waiting.expires_at),
        }


def agreed(engine: sa.Engine, ask: Ask, at: datetime) -> Agreement:
    """What the action may go on with.

    Raises:
        ApprovalNeededError: There is none: a request now waits, the same one however often it is asked for.
    """
    with writing(engine) as connection:
        if _one_suffices(connection, ask):
            return Agreement(ask=ask, approval=None)
        known = [one for one in _same(connection, ask, at) if one.state in {State.PENDING, State.APPROVED}]
        ready = [one for one in known if one.state is State.APPROVED]
        waiting = None if ready else (known[0] if known else _request(connection, ask, at))
    if waiting is not None:
        raise ApprovalNeededError(waiting)
    return Agreement(ask=ask, approval=ready[0])


def use(connection: sa.Connection, agreement: Agreement, at: datetime) -> None:
    """Note in the action's own transaction that its approval is used up.

    Raises:
        RefusedError: It was used meanwhile, its time is over, or a second user has come.
    """
    one = agreement.approval
    if one is None:
        if not _one_suffices(connection, agreement.ask):
            raise RefusedError("there are several users now", "ask again: a second person must agree", where="approval")
        return
    good = (approval.c.id == one.id) & (approval.c.state == State.APPROVED) & (approval.c.expires_at > at)
    done = connection.execute(sa.update(approval).where(good).values(state=State.USED.value, used_at=at))
    if done.rowcount != 1:
        raise RefusedError(
            "approval {id} is used up or over", "ask again: a second person must agree", where=one.id, id=one.id
        )


def _one_suffices(connection: sa.Connection, ask: Ask) -> bool:
    """One user is alone; and roles are given by one person as long as nobody else could agree to them."""
    if len(connection.execute(sa.select(user_account.c.name).limit(2)).all()) <= 1:
        return True
    return ask.action is Action.USER_GRANT and not _another_decider(connection, ask)


def _another_decider(connection: sa.Connection, ask: Ask) -> bool:
    able = user_role.c.everywhere & user_role.c.role.in_([role.value for role in DECIDERS[ask.action]])
    others = sa.select(user_role.c.user).where(able, user_role.c.user != ask.actor)
    return connection.execute(others.limit(1)).first() is not None


def _same(connection: sa.Connection, ask: Ask, at: datetime) -> list[Approval]:
    mine = (approval.c.digest == ask.digest) & (approval.c.requested_by == ask.actor)
    return _read(connection, sa.select(approval).where(mine), at)


def _request(connection: sa.Connection, ask: Ask, at: datetime) -> Approval:
    name, reason = f"ap-{secrets.token_hex(5)}", ask.reason[:_LONGEST_REASON]
    row = {
        "id": name,
        "action": ask.action.value,
        "object": ask.object,
        "particulars": canonical_json(dict(ask.particulars)).decode(),
        "digest": ask.digest,
        "requested_by": ask.actor,
        "requested_at": at,
        "reason": reason,
        "expires_at": at + LIFETIME,
        "state": State.PENDING.value,
        "decision": "",
    }
    connection.execute(sa.insert(approval).values(**row))
    detail = {"action": ask.action.value, "object": ask.object, "digest": ask.digest, "reason": reason}
    audit.record(connection, ask.actor, "approval.request", name, "success", detail, at)
    return known(connection, name, at)


def decide(
    connection: sa.Connection, by: str, approval_id: str, at: datetime, *, agree: bool, reason: str = ""
) -> Approval:
    """Approve or reject a request that waits.

    Raises:
        UserError: Unknown id, or a rejection without a reason.
        RefusedError: Own request, no account, wrong role, decided already, or over.
    """
    one = known(connection, approval_id, at)
    _check_decider(find_user(connection, by), by, one)
    if one.state is not State.PENDING:
        raise RefusedError(
            "request {id} is {state} already", "ask for it again", where=one.id, id=one.id, state=one.state.value
        )
    if not agree and not reason.strip():
        raise UserError("a rejection needs a reason", "say why: --reason TEXT", where="--reason")
    state = State.APPROVED if agree else State.REJECTED
    decided = {"state": state.value, "decided_by": by, "decided_at": at, "decision": reason[:_LONGEST_REASON]}
    connection.execute(sa.update(approval).where(approval.c.id == one.id).values(**decided))
    detail = {"action": one.action.value, "object": one.object, "requested_by": one.requested_by, "reason": reason}
    audit.record(connection, by, "approval.approve" if agree else "approval.reject", one.id, "success", detail, at)
    return known(connection, approval_id, at)


def may_decide(user: User | None, one: Approval) -> bool:
    """Whether the person's word counts: another one than who asked, unlocked, with a role for it."""
    return (
        user is not None
        and user.name != one.requested_by
        and not user.locked
        and any(user.roles.get(role) == EVERYWHERE for role in DECIDERS[one.action])
    )


def _check_decider(user: User | None, by: str, one: Approval) -> None:
    if user is None:
        raise RefusedError(
            "'{by}' is no user of the platform and cannot approve",
            "log in first: `yw login`, or set YW_TOKEN",
            where="approval",
            by=by,
        )
    if by == one.requested_by:
        raise RefusedError(
            "request {id} is your own: another person must decide",
            "ask one with the role {roles}",
            where=one.id,
            id=one.id,
            roles=_names(one.action),
        )
    if not may_decide(user, one):
        raise RefusedError(
            "user '{by}' may not decide on {action}",
            "it takes the role {roles} for all organisations",
            where=one.id,
            by=by,
            action=one.action.value,
            roles=_names(one.action),
        )


def _names(action: Action) -> str:
    return " / ".join(sorted(role.value for role in DECIDERS[action]))


def withdraw(connection: sa.Connection, actor: str, approval_id: str, at: datetime) -> Approval:
    """Take one's own request back, also an approved one; RefusedError for another's, a used or an ended one."""
    one = known(connection, approval_id, at)
    if one.requested_by != actor or one.state not in {State.PENDING, State.APPROVED}:
        raise RefusedError(
            "request {id} is not yours, or has ended", "see `yw approve` for those that wait", where=one.id, id=one.id
        )
    connection.execute(sa.update(approval).where(approval.c.id == one.id).values(state=State.WITHDRAWN.value))
    audit.record(connection, actor, "approval.withdraw", one.id, "success", {}, at)
    return known(connection, approval_id, at)


def known(connection: sa.Connection, approval_id: str, at: datetime) -> Approval:
    """The request of that id; UserError if there is none."""
    found = _read(connection, sa.select(approval).where(approval.c.id == approval_id), at)
    if not found:
        raise UnknownError(
            "unknown approval '{id}'", "see `yw approve` for those that wait", where="ID", id=approval_id[:64]
        )
    return found[0]


def waiting(connection: sa.Connection, at: datetime) -> list[Approval]:
    """Requests that wait for a decision, oldest first."""
    statement = sa.select(approval).where(approval.c.state == State.PENDING, approval.c.expires_at > at)
    return _read(connection, statement.order_by(approval.c.requested_at, approval.c.id), at)


def everything(connection: sa.Connection, at: datetime) -> list[Approval]:
    """All requests, newest first."""
    return _read(connection, sa.select(approval).order_by(approval.c.requested_at.desc(), approval.c.id), at)


def _read(connection: sa.Connection, statement: sa.Select[Any], at: datetime) -> list[Approval]:
    return [from_row(row, at) for row in connection.execute(statement).mappings()]


def from_row(row: Mapping[Any, Any], at: datetime) -> Approval:
    """A row of the table as it stands at an instant."""
    state = State(row["state"])
    if state in {State.PENDING, State.APPROVED} and row["expires_at"] <= at:
        state = State.EXPIRED
    read = {"state": state, "action": Action(row["action"]), "particulars": json.loads(row["particulars"])}
    return Approval(**{**row, **read})
