"""``yw secret``: passwords and communities in the keystore; a value comes from a prompt or stdin, no argument."""

from __future__ import annotations

import getpass
import sys
from typing import Annotated

import typer

from records.errors import UsageError
from records.instants import now
from records.secret import Secret
from yunwang.cli.output import emit
from yunwang.language import translate
from yunwang.wiring import Site, open_site

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True, add_completion=False)

DryRun = Annotated[bool, typer.Option("--dry-run", help="tell what would come of it, change nothing")]


@app.command("set")
def set_(name: str, dry_run: DryRun = False) -> None:
    """Store a secret under a name, for `secret:NAME` in the inventory."""
    site = open_site(must_exist=False)
    value = _read_value()
    if not dry_run:
        site.prepare()
        site.keystore.put_secret(name, value)
        _audit(site, "secret.set", name)
    emit({"name": name, "stored": not dry_run})


def _read_value() -> Secret:
    text = getpass.getpass(translate("value: ")) if sys.stdin.isatty() else sys.stdin.read().removesuffix("\n")
    if not text:
        raise UsageError("the secret is empty", "type it at the prompt, or pipe it in", where="stdin")
    return Secret(text)


@app.command("ls")
def ls() -> None:
    """List the names; values are never shown."""
    emit([{"name": name} for name in open_site(must_exist=False).keystore.secret_names()], columns=("name",))


@app.command("rm")
def rm(name: str, dry_run: DryRun = False) -> None:
    """Remove a secret."""
    site = open_site(must_exist=False)
    if dry_run:
        site.keystore.secret(name)
    else:
        site.keystore.remove_secret(name)
        _audit(site, "secret.remove", name)
    emit({"name": name, "removed": not dry_run})


def _audit(site: Site, action: str, name: str) -> None:
    from access.audit import record  # noqa: PLC0415 - the state database on first use
    from storage.state import writing  # noqa: PLC0415

    with writing(site.state) as connection:
        record(connection, site.actor, action, name, "success", {}, now())
