"""Tickets (工单): work for people, closed only by a re-check that passes or by an exception that two agreed to."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa

from access import approvals, audit
from access.approvals import Action, Agreement, Ask
from records.errors import RefusedError, UnknownError, UserError
from records.instants import format_instant, parse_instant
from storage.state import reading, writing
from workflow.tables import ticket, ticket_note

Level = Literal["critical", "high", "medium", "low"]
_LONGEST_TEXT = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why there is a ticket.

    Attributes:
        key: The same cause has one ticket, however often it is found.
        kind: Names the check that may close it.
        subject: What is checked, in the words of that check, e.g. a link's id.
        organisation: Whose it is; None: of the whole province.
    """

    key: str
    kind: str
    subject: str
    title: str
    level: Level
    organisation: str | None = None
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A ticket as it stands; see ``workflow.tables.ticket``."""

    id: str
    kind: str
    title: str
    subject: str
    organisation: str | None
    level: str
    state: str
    owner: str | None
    due_at: datetime | None
    opened_at: datetime
    opened_by: str
    closed_at: datetime | None
    closed_by: str | None
    closing: str | None
    proof: Mapping[str, Any] | None
    until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """One line of a ticket's history."""

    at: datetime
    actor: str
    action: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a re-check saw.

    Attributes:
        passed: None where it could not be told, which closes nothing.
        observed: In words.
        evidence: JSON object kept with the ticket: figures, instants, digests.
    """

    passed: bool | None
    observed: str
    evidence: Mapping[str, Any] = field(default_factory=dict)


Check = Callable[[str], Seen]
"""From a ticket's subject to what is there now."""

_COLUMNS = [ticket.c[name] for name in Ticket.__slots__]


def open_ticket(connection: sa.Connection, actor: str, cause: Cause, at: datetime) -> Ticket:
    """The ticket of a cause: a new one, the open one, or a closed one opened again.

    One that is closed by an exception stays closed as long as the exception lasts.
    """
    known = connection.execute(sa.select(ticket.c.id).where(ticket.c.key == cause.key)).scalar()
    if known is not None:
        found = find(connection, known)
        excepted = found.until is not None and found.until > at
        return found if found.state == "open" or excepted else _reopen(connection, actor, found, at, "found again")
    values = {name: getattr(cause, name) for name in Cause.__slots__}
    fresh = {"id": f"tk-{secrets.token_hex(5)}", "state": "open", "opened_at": at, "opened_by": actor}
    connection.execute(sa.insert(ticket).values(**values, **fresh))
    made = find(connection, str(fresh["id"]))
    _note(connection, actor, made.id, "open", cause.title, at)
    return made


def _reopen(connection: sa.Connection, actor: str, found: Ticket, at: datetime, why: str) -> Ticket:
    cleared = dict.fromkeys(("closed_at", "closed_by", "closing", "proof", "until"))
    connection.execute(sa.update(ticket).where(ticket.c.id == found.id).values(state="open", **cleared))
    _note(connection, actor, found.id, "reopen", why, at)
    return find(connection, found.id)


def _note(connection: sa.Connection, actor: str, ticket_id: str, action: str, text: str, at: datetime) -> None:
    row = {"ticket": ticket_id, "at": at, "actor": actor, "action": action, "text": text[:_LONGEST_TEXT]}
    connection.execute(sa.insert(ticket_note).values(**row))
    audit.record(connection, actor, f"ticket.{action}", ticket_id, "success", {"text": text[:200]}, at)


def find(connection: sa.Connection, ticket_id: str) -> Ticket:
    """One ticket; UserError if there is none of that id."""
    row = connection.execute(sa.select(*_COLUMNS).where(ticket.c.id == ticket_id)).mappings().first()
    if row is None:
        raise UnknownError(
            "unknown ticket '{id}'", "`yw ticket ls` lists the known ones", where="ID", id=ticket_id[:64]
        )
    return from_row(row)


def from_row(row: Mapping[Any, Any]) -> Ticket:
    """A row of the table as a ticket."""
    return Ticket(**{**row, "proof": None if row["proof"] is None else json.loads(row["proof"])})


def list_tickets(connection: sa.Connection, *, state: str | None = None) -> list[Ticket]:
    """Open ones first, the one that is due first on top."""
    wanted = sa.select(*_COLUMNS) if state is None else sa.select(*_COLUMNS).where(ticket.c.state == state)
    order = (ticket.c.state.desc(), ticket.c.due_at.is_(None), ticket.c.due_at, ticket.c.opened_at, ticket.c.id)
    return [from_row(row) for row in connection.execute(wanted.order_by(*order)).mappings()]


def notes(connection: sa.Connection, ticket_id: str) -> list[Note]:
    """The history, oldest first."""
    mine = sa.select(*(ticket_note.c[name] for name in Note.__slots__)).where(ticket_note.c.ticket == ticket_id)
    return [Note(**row) for row in connection.execute(mine.order_by(ticket_note.c.number)).mappings()]


def comment(connection: sa.Connection, actor: str, ticket_id: str, text: str, at: datetime) -> Ticket:
    """Say something; UserError for nothing."""
    found = find(connection, ticket_id)
    if not text.strip():
        raise UserError("the comment is empty", "write what you found or did", where=ticket_id)
    _note(connection, actor, found.id, "comment", text.strip(), at)
    return found


def assign(connection: sa.Connection, actor: str, ticket_id: str, owner: str | None, at: datetime) -> Ticket:
    """Give it to a person, or to nobody (None). RefusedError for a closed one."""
    return _change(connection, actor, ticket_id, "assign", owner or "", at, owner=owner)


def set_due(connection: sa.Connection, actor: str, ticket_id: str, due_at: datetime, at: datetime) -> Ticket:
    """Until when it shall be done. RefusedError for a closed one."""
    return _change(connection, actor, ticket_id, "due", format_instant(due_at), at, due_at=due_at)


def _change(
    connection: sa.Connection, actor: str, ticket_id: str, action: str, text: str, at: datetime, **values: Any
) -> Ticket:
    _opened(connection, ticket_id)
    connection.execute(sa.update(ticket).where(ticket.c.id == ticket_id).values(**values))
    _note(connection, actor, ticket_id, action, text, at)
    return find(connection, ticket_id)


def _opened(connection: sa.Connection, ticket_id: str) -> Ticket:
    found = find(connection, ticket_id)
    if found.state != "open":
        raise RefusedError("ticket {id} is closed", "it opens again when its cause is found again", id=ticket_id)
    return found


def recheck(
    engine: sa.Engine, actor: str, ticket_id: str, checks: Mapping[str, Check], clock: Callable[[], datetime]
) -> tuple[Ticket, Seen]:
    """Look again, and close the ticket if what it is about is in order now; else say what was seen.

    Raises:
        RefusedError: It is closed already, or nothing can check its kind: then an exception is the only way.
    """
    with reading(engine) as connection:
        found = _opened(connection, ticket_id)
    if found.kind not in checks:
        raise RefusedError(
            "nothing can check '{kind}' again",
            "ask for an exception: yw ticket except {id}",
            kind=found.kind,
            id=found.id,
        )
    seen, at = checks[found.kind](found.subject), clock()
    with writing(engine) as connection:
        _opened(connection, ticket_id)
        _note(connection, actor, ticket_id, "recheck", seen.observed, at)
        if seen.passed:
            proof = {"observed": seen.observed, "evidence": dict(seen.evidence), "at": format_instant(at)}
            _close(connection, actor, ticket_id, at, closing="recheck", proof=proof)
        return find(connection, ticket_id), seen


def _close(
    connection: sa.Connection,
    actor: str,
    ticket_id: str,
    at: datetime,
    *,
    closing: Literal["recheck", "exception"],
    proof: Mapping[str, Any],
    until: datetime | None = None,
) -> None:
    closed = {"state": "closed", "closed_at": at, "closed_by": actor, "closing": closing, "until": until}
    text = json.dumps(proof, ensure_ascii=False, sort_keys=True)
    connection.execute(sa.update(ticket).where(ticket.c.id == ticket_id).values(**closed, proof=text))
    _note(connection, actor, ticket_id, "close", closing, at)


def exception(engine: sa.Engine, actor: str, ticket_id: str, until: datetime, reason: str, at: datetime) -> Ask:
    """What another person has to agree to: that this ticket rests until then, for this reason.

    Raises:
        RefusedError: The ticket is closed.
        UserError: There is no reason, or it would be over already.
    """
    with reading(engine) as connection:
        found = _opened(connection, ticket_id)
    if until <= at:
        raise UserError("an exception lasts until a time to come", "choose a later one", where="--until")
    if not reason.strip():
        raise UserError("an exception needs a reason", "say why: --reason TEXT", where="--reason")
    shown = {"title": found.title, "subject": found.subject, "until": format_instant(until), "reason": reason}
    return Ask(actor=actor, action=Action.TICKET_EXCEPTION, object=ticket_id, particulars=shown, reason=reason)


def accept(connection: sa.Connection, agreement: Agreement, at: datetime) -> Ticket:
    """Close the ticket of an ``exception`` that was agreed to; it opens again when the exception is over.

    Raises:
        RefusedError: The agreement is used up, or the ticket is closed.
    """
    ask = agreement.ask
    _opened(connection, ask.object)
    approvals.use(connection, agreement, at)
    proof = {"reason": ask.reason, "approvals": agreement.proofs, "until": ask.particulars["until"]}
    until = parse_instant(ask.particulars["until"])
    _close(connection, ask.actor, ask.object, at, closing="exception", proof=proof, until=until)
    return find(connection, ask.object)


def reopen_ended(connection: sa.Connection, at: datetime) -> list[Ticket]:
    """Open again what was closed by an exception that is over."""
    over = sa.select(ticket.c.id).where(ticket.c.state == "closed", ticket.c.until <= at)
    ended = connection.execute(over.order_by(ticket.c.id)).scalars().all()
    return [_reopen(connection, "system", find(connection, one), at, "the exception is over") for one in ended]
