"""``yw token``: API tokens; the text is shown once, only its hash is kept."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from access.roles import Capability
from records.errors import RefusedError, UsageError
from records.instants import now
from yunwang.cli.output import emit
from yunwang.cli.user import DryRun
from yunwang.wiring import open_site

if TYPE_CHECKING:
    from access.tokens import Token

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True, add_completion=False)
COLUMNS = ("id", "user", "note", "scopes", "expires_at", "revoked_at", "used_at")


@app.command("new")
def new(
    user: Annotated[str, typer.Option("--user", help="whose rights it has; yourself when logged in")] = "",
    note: Annotated[str, typer.Option("--note", help="what it is for")] = "",
    days: Annotated[int, typer.Option("--days", min=1, max=366, help="how long it lives")] = 90,
    scope: Annotated[
        list[Capability] | None, typer.Option("--scope", help="only this right; may be given more than once")
    ] = None,
    address: Annotated[
        list[str] | None,
        typer.Option("--address", help="only from this address or network; may be given more than once"),
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Make a token and print it, for the only time."""
    from access import tokens  # noqa: PLC0415 - the state database on first use
    from storage.state import writing  # noqa: PLC0415

    site = open_site()
    owner = user or site.actor
    if not user and owner.startswith("local:"):
        raise UsageError("nobody is logged in here", "say whose rights it has: --user NAME", where="--user")
    _check_own(site.actor, owner)
    with writing(site.state) as connection:
        text, token = tokens.new_token(
            connection,
            site.actor,
            owner,
            now(),
            lifetime=timedelta(days=days),
            note=note,
            scopes=scope or (),
            addresses=address or (),
        )
        if dry_run:
            connection.rollback()
    emit(as_json(token) | ({} if dry_run else {"token": text}))


def _check_own(actor: str, owner: str) -> None:
    """A user of the console makes tokens for nobody else; whoever works on the machine itself may."""
    if not actor.startswith("local:") and actor != owner:
        raise RefusedError(
            "user '{actor}' may not make tokens for '{owner}'",
            "let that person make it",
            where="--user",
            actor=actor,
            owner=owner,
        )


def as_json(token: Token) -> dict[str, Any]:
    """A token without its secret; ``scopes`` null means all rights of its user."""
    names = ("id", "user", "note", "created_at", "expires_at", "revoked_at", "used_at", "used_from", "addresses")
    scopes = None if token.scopes is None else sorted(one.value for one in token.scopes)
    return {name: getattr(token, name) for name in names} | {"scopes": scopes}


@app.command("ls")
def ls() -> None:
    """List the tokens, newest first; their texts are not kept."""
    from access.tokens import list_tokens  # noqa: PLC0415 - the state database on first use
    from storage.state import reading  # noqa: PLC0415

    with reading(open_site().state) as connection:
        emit([as_json(one) for one in list_tokens(connection)], columns=COLUMNS)


@app.command("revoke")
def revoke(token_id: Annotated[str, typer.Argument(metavar="ID")], dry_run: DryRun = False) -> None:
    """End a token at once."""
    from access import tokens  # noqa: PLC0415 - the state database on first use
    from storage.state import writing  # noqa: PLC0415

    site = open_site()
    with writing(site.state) as connection:
        tokens.revoke_token(connection, site.actor, token_id, now())
        if dry_run:
            connection.rollback()
    emit({"id": token_id, "revoked": not dry_run})
