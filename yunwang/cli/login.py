"""``yw login``: act as a user of the console; a short-lived token is kept in the user's own configuration folder."""

from __future__ import annotations

import getpass
import os
import sys
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from records.errors import UsageError, UserError
from records.instants import now
from yunwang.acting import login_file
from yunwang.cli.output import emit
from yunwang.language import translate
from yunwang.wiring import open_site

if TYPE_CHECKING:
    import sqlalchemy as sa

LIFETIME = timedelta(hours=8)


def command(
    name: Annotated[str, typer.Argument(help="user name")] = "",
    forget: Annotated[bool, typer.Option("--forget", help="log out: remove the stored login")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="tell what would come of it, change nothing")] = False,
) -> None:
    """Log in with the console's password for eight hours; it comes from a prompt or stdin."""
    if forget:
        if not dry_run:
            login_file().unlink(missing_ok=True)
        emit({"user": None})
        return
    if not name:
        raise UsageError("no user name", "say who you are: `yw login NAME`", where="yw login")
    emit({"user": name, "until": _try(name) if dry_run else _log_in(name, _password())})


def _password() -> str:
    return getpass.getpass(translate("password: ")) if sys.stdin.isatty() else sys.stdin.readline().removesuffix("\n")


def _try(name: str) -> datetime:
    """Until when a login now would last; no password is asked for, for a wrong one has to be counted."""
    from storage.state import reading  # noqa: PLC0415 - the state database on first use

    with reading(open_site().state) as connection:
        _check_usable(connection, name)
    return now() + LIFETIME


def _check_usable(connection: sa.Connection, name: str) -> None:
    from access import users  # noqa: PLC0415 - argon2 on first use

    if users.known(connection, name)["must_change"]:
        raise UserError("the password must be changed first", "change it in the console", where="login")


def _log_in(name: str, password: str) -> object:
    from access import login, tokens  # noqa: PLC0415 - argon2 on first use
    from storage.state import writing  # noqa: PLC0415

    site = open_site()
    login.check_credentials(site.state, name, password, now(), address="local")
    with writing(site.state) as connection:
        _check_usable(connection, name)
        text, token = tokens.new_token(connection, name, name, now(), lifetime=LIFETIME, note="yw login")
    _keep(login_file(), text)
    return token.expires_at


def _keep(path: Path, text: str) -> None:
    """Readable for this user alone, from the first byte on."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_suffix(".new")
    with suppress(FileNotFoundError):
        fresh.unlink()
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text + "\n")
    fresh.replace(path)
