"""``yw ticket``: work for people; closed by a re-check that passes, or by an exception that two agreed to."""

from __future__ import annotations

import secrets
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from records.errors import UsageError
from records.instants import now, parse_instant
from yunwang.agreement import agreed
from yunwang.cli.output import emit
from yunwang.wiring import Site, open_site

if TYPE_CHECKING:
    from collections.abc import Callable

    import sqlalchemy as sa

    from workflow.tickets import Ticket

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True, add_completion=False)
COLUMNS = ("id", "level", "state", "title", "owner", "due_at", "opened_at", "closing")
TicketId = Annotated[str, typer.Argument(metavar="ID")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="tell what would come of it, change nothing")]


class Kind(StrEnum):
    """What a ticket is about, and so what can be looked at again."""

    LINK = "link"
    TASK = "task"


class Level(StrEnum):
    """How urgent."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Shown(StrEnum):
    """Which tickets are listed."""

    OPEN = "open"
    CLOSED = "closed"


def as_json(one: Ticket) -> dict[str, Any]:
    """All of a ticket; what is not there is null."""
    return {name: getattr(one, name) for name in one.__slots__}


def _instant(text: str, option: str) -> datetime:
    try:
        return parse_instant(text)
    except ValueError as error:
        raise UsageError(
            "'{text}' is no instant", "write it as 2026-12-01T08:00:00+08:00", where=option, text=text
        ) from error


def _changed(site: Site, work: Callable[[sa.Connection], Ticket], *, dry_run: bool) -> None:
    from storage.state import writing  # noqa: PLC0415 - the state database on first use

    with writing(site.state) as connection:
        found = work(connection)
        if dry_run:
            connection.rollback()
    emit(as_json(found), columns=COLUMNS)


@app.command("open")
def open_(
    title: Annotated[str, typer.Option("--title", help="what is to be done")],
    kind: Annotated[
        Kind, typer.Option("--kind", help="link: closed when the link is up again; task: no check")
    ] = Kind.TASK,
    subject: Annotated[str, typer.Option("--subject", help="what is checked, such as the link's id")] = "",
    level: Annotated[Level, typer.Option("--level", help="how urgent")] = Level.MEDIUM,
    org: Annotated[str | None, typer.Option("--org", help="whose it is; the whole province's without")] = None,
    due: Annotated[str | None, typer.Option("--due", help="until when, RFC 3339")] = None,
    dry_run: DryRun = False,
) -> None:
    """Open a ticket; for the same link there is one."""
    from workflow import tickets  # noqa: PLC0415 - the state database on first use

    if kind is Kind.LINK and not subject:
        raise UsageError("a ticket of kind link needs the link", "name it: --subject LINK", where="--subject")
    site = open_site()
    cause = tickets.Cause(
        key=f"link:{subject}" if kind is Kind.LINK else f"task:{secrets.token_hex(8)}",
        kind=kind.value,
        subject=subject,
        title=title,
        level=level.value,
        organisation=org,
        due_at=None if due is None else _instant(due, "--due"),
    )
    _changed(site, lambda connection: tickets.open_ticket(connection, site.actor, cause, now()), dry_run=dry_run)


@app.command("ls")
def ls(state: Annotated[Shown | None, typer.Option("--state", help="only these")] = None) -> None:
    """Open ones first, the one that is due first on top."""
    from storage.state import reading  # noqa: PLC0415 - the state database on first use
    from workflow.tickets import list_tickets  # noqa: PLC0415

    with reading(open_site().state) as connection:
        emit([as_json(one) for one in list_tickets(connection, state=state and state.value)], columns=COLUMNS)


@app.command("show")
def show(ticket: TicketId) -> None:
    """One ticket with its history."""
    from storage.state import reading  # noqa: PLC0415 - the state database on first use
    from workflow import tickets  # noqa: PLC0415

    with reading(open_site().state) as connection:
        found = as_json(tickets.find(connection, ticket))
        history = [{name: getattr(one, name) for name in one.__slots__} for one in tickets.notes(connection, ticket)]
    emit(found | {"notes": history}, columns=("at", "actor", "action", "text"), rows=lambda shown: shown["notes"])


@app.command("comment")
def comment(ticket: TicketId, text: str, dry_run: DryRun = False) -> None:
    """Write what you found or did."""
    from workflow import tickets  # noqa: PLC0415 - the state database on first use

    site = open_site()
    _changed(site, lambda connection: tickets.comment(connection, site.actor, ticket, text, now()), dry_run=dry_run)


@app.command("assign")
def assign(
    ticket: TicketId,
    owner: Annotated[str, typer.Argument(help="user; nobody if absent")] = "",
    due: Annotated[str | None, typer.Option("--due", help="until when, RFC 3339")] = None,
    dry_run: DryRun = False,
) -> None:
    """Give it to a person, and say until when."""
    from access.users import known  # noqa: PLC0415 - the state database on first use
    from workflow import tickets  # noqa: PLC0415

    site = open_site()
    until = None if due is None else _instant(due, "--due")

    def change(connection: sa.Connection) -> Ticket:
        if owner:
            known(connection, owner)
        found = tickets.assign(connection, site.actor, ticket, owner or None, now())
        return found if until is None else tickets.set_due(connection, site.actor, ticket, until, now())

    _changed(site, change, dry_run=dry_run)


@app.command("recheck")
def recheck(ticket: TicketId) -> None:
    """Look again: closes the ticket if what it is about is in order; exit 1 if it stays open."""
    from workflow import tickets  # noqa: PLC0415 - the state database on first use
    from yunwang.ticketing import checks  # noqa: PLC0415

    site = open_site()
    found, seen = tickets.recheck(site.state, site.actor, ticket, checks(site), now)
    emit(as_json(found) | {"passed": seen.passed, "observed": seen.observed}, columns=(*COLUMNS, "observed"))
    if found.state != "closed":
        raise typer.Exit(1)


@app.command("except")
def except_(
    ticket: TicketId,
    until: Annotated[str, typer.Option("--until", help="when it opens again, RFC 3339")],
    reason: Annotated[str, typer.Option("--reason", help="why it may rest; the second person reads it")],
    dry_run: DryRun = False,
) -> None:
    """Close it without a check until a time, which takes two persons; then it opens again."""
    from storage.state import writing  # noqa: PLC0415 - the state database on first use
    from workflow import tickets  # noqa: PLC0415

    site = open_site()
    ask = tickets.exception(site.state, site.actor, ticket, _instant(until, "--until"), reason, now())
    if dry_run:
        emit({"id": ticket, "until": until, "applied": False})
        return
    agreement = agreed(site, None, ask.action, ask.object, ask.particulars, reason)
    with writing(site.state) as connection:
        found = tickets.accept(connection, agreement, now())
    emit(as_json(found), columns=COLUMNS)
