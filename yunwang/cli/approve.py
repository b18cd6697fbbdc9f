"""``yw approve``: the second person's word on what takes two (CONTRACT §10)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from records.errors import UsageError
from records.instants import now
from yunwang.cli.output import emit
from yunwang.wiring import open_site

if TYPE_CHECKING:
    from access.approvals import Approval

Reason = Annotated[str, typer.Option("--reason", help="why, for the second person who must agree")]
COLUMNS = ("id", "action", "object", "requested_by", "requested_at", "expires_at", "reason")


def command(
    approval: Annotated[
        str, typer.Argument(metavar="ID", help="the request; those that wait are listed without it")
    ] = "",
    reject: Annotated[bool, typer.Option("--reject", help="refuse it; needs a reason")] = False,
    withdraw: Annotated[bool, typer.Option("--withdraw", help="take your own request back")] = False,
    reason: Annotated[str, typer.Option("--reason", help="kept with the decision")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="tell what would come of it, change nothing")] = False,
) -> None:
    """Agree to what another person asked for, or list what waits; nobody agrees to his own request."""
    from access import approvals  # noqa: PLC0415 - the state database on first use
    from storage.state import reading, writing  # noqa: PLC0415

    if reject and withdraw:
        raise UsageError("--reject and --withdraw exclude each other", "give one of them", where="--withdraw")
    site, at = open_site(), now()
    if not approval:
        with reading(site.state) as connection:
            emit([as_json(one) for one in approvals.waiting(connection, at)], columns=COLUMNS)
        return
    with writing(site.state) as connection:
        if withdraw:
            found = approvals.withdraw(connection, site.actor, approval, at)
        else:
            found = approvals.decide(connection, site.actor, approval, at, agree=not reject, reason=reason)
        if dry_run:
            connection.rollback()
    emit(as_json(found), columns=("id", "action", "object", "state", "decided_by"))


def as_json(one: Approval) -> dict[str, Any]:
    """All of a request; absent instants are null."""
    return {name: getattr(one, name) for name in one.__slots__}
