"""``yw login``: act as a user of the console; a short-lived token is kept in the user's own configuration folder."""

from __future__ import annotations

import getpass
import os
import sys
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from records.errors import UsageError, UserError
from records.instants import now
from yunwang.acting import login_file
from yunwang.cli.output import emit
from yunwang.language import translate
from yunwang.wiring import open_site

LIFETIME = timedelta(hours=8)


def command(
    name: Annotated[str, typer.Argument(help="user name")] = "",
    forget: Annotated[bool, typer.Option("--forget", help="log out: remove the stored login")] = False,
) -> None:
    """Log in with the console's password for eight hours; it comes from a prompt or stdin."""
    if forget:
        with suppress(FileNotFoundError):
            login_file().unlink()
        emit({"user": None})
        return
    if not name:
        raise UsageError("no user name", "say who you are: `yw login NAME`", where="yw login")
    emit({"user": name, "until": _log_in(name, _password())})


def _password() -> str:
    return getpass.getpass(translate("password: ")) if sys.stdin.isatty() else sys.stdin.readline().removesuffix("\n")


def _log_in(name: str, password: str) -> object:
    from access import login, tokens, users  # noqa: PLC0415 - argon2 on first use
    from storage.state import writing  # noqa: PLC0415

    site = open_site()
    login.check_credentials(site.state, name, password, now(), address="local")
    with writing(site.state) as connection:
        if users.known(connection, name)["must_change"]:
            raise UserError("the password must be changed first", "change it in the console", where="login")
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
