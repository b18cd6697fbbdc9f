"""``yw user``: accounts, roles, passwords; every change is audited."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from access.roles import Capability, Role
from records.errors import UsageError, UserError
from records.instants import now
from yunwang.acting import check_permitted, password_policy
from yunwang.agreement import agreed
from yunwang.cli.approve import Reason
from yunwang.cli.output import emit
from yunwang.language import translate
from yunwang.wiring import Site, open_site

if TYPE_CHECKING:
    import sqlalchemy as sa

    from access.approvals import Agreement

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True, add_completion=False)

COLUMNS = ("name", "display_name", "roles", "locked", "must_change", "login_at")
DryRun = Annotated[bool, typer.Option("--dry-run", help="check everything, change nothing")]
Organisations = Annotated[list[str] | None, typer.Option("--org", help="organisation id; may be given more than once")]


@contextmanager
def changing(site: Site, capability: Capability, *, dry_run: bool) -> Iterator[tuple[sa.Connection, str]]:
    """A write transaction and the acting name; undone at its end in a dry run.

    Raises:
        RefusedError: The acting user's roles do not permit it.
    """
    from storage.state import writing  # noqa: PLC0415 - the state database on first use

    actor = site.actor
    with writing(site.state) as connection:
        check_permitted(connection, actor, capability)
        yield connection, actor
        if dry_run:
            connection.rollback()


def read_password() -> str:
    """From a prompt, asked twice, or from stdin."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().removesuffix("\n")
    password = getpass.getpass(translate("password: "))
    if getpass.getpass(translate("again: ")) != password:
        raise UsageError("the two passwords differ", "type the same one twice", where="password")
    return password


@app.command("add")
def add(
    name: str,
    display_name: Annotated[str, typer.Option("--display-name", help="the person's name")] = "",
    role: Annotated[
        list[Role] | None, typer.Option("--role", help="grant it at once; may be given more than once")
    ] = None,
    org: Organisations = None,
    one_time: Annotated[bool, typer.Option("--one-time", help="make a one-time password and print it")] = False,
    reason: Reason = "",
    dry_run: DryRun = False,
) -> None:
    """Open an account; the password comes from a prompt or stdin and must be changed at the first login.

    A role given with it takes two persons, as with `yw user grant`.
    """
    from access import passwords, users  # noqa: PLC0415 - argon2 on first use

    site = open_site()
    organisations, roles, policy = _known(site, org), role or [], password_policy(site.settings.access)
    password = passwords.one_time_password() if one_time else read_password()

    def make(used: Agreement | None, *, dry: bool) -> dict[str, Any]:
        with changing(site, Capability.USERS_WRITE, dry_run=dry) as (connection, actor):
            _use(connection, used)
            users.add_user(connection, actor, name, password, now(), display_name=display_name, policy=policy)
            if roles:
                check_permitted(connection, actor, Capability.ROLES_GRANT)
            for one in roles:
                users.grant(connection, actor, name, one, now(), organisations=organisations)
            return as_json(users.find_user(connection, name))

    shown = make(None, dry=True)  # all of it is checked before another person is asked
    if not dry_run:
        shown = make(_agreed(site, name, roles, organisations, reason) if roles else None, dry=False)
    emit(shown | ({"password": password} if one_time and not dry_run else {}))


def _agreed(site: Site, name: str, roles: Sequence[Role], organisations: list[str] | None, reason: str) -> Agreement:
    """Who agreed that this person gets these roles."""
    from access.approvals import Action  # noqa: PLC0415 - the state database on first use

    everywhere = organisations is None
    shown = {"user": name, "roles": [one.value for one in roles], "everywhere": everywhere}
    shown |= {} if everywhere else {"organisations": organisations}
    return agreed(site, Capability.ROLES_GRANT, Action.USER_GRANT, name, shown, reason)


def _use(connection: sa.Connection, used: Agreement | None) -> None:
    """Note the use; None where nobody need agree."""
    from access import approvals  # noqa: PLC0415 - the state database on first use

    if used is not None:
        approvals.use(connection, used, now())


def _known(site: Site, organisations: list[str] | None) -> list[str] | None:
    """The organisations, all of which the inventory must know; None means all."""
    from records.errors import Problem  # noqa: PLC0415 - beside its only use

    if organisations is None:
        return None
    known = site.inventory.organisation
    problems = [
        Problem("unknown organisation '{org}'", "use an id of the inventory's organisations", "--org", {"org": one})
        for one in organisations
        if one not in known
    ]
    if problems:
        raise UserError.of(problems)
    return organisations


def as_json(user: Any) -> dict[str, Any]:
    """A user without the password's hash; ``organisations`` null means all."""
    roles = {
        role.value: None if scope.organisations is None else sorted(scope.organisations)
        for role, scope in user.roles.items()
    }
    names = ("name", "display_name", "must_change", "locked", "created_at", "login_at")
    return {name: getattr(user, name) for name in names} | {"roles": roles}


@app.command("ls")
def ls() -> None:
    """List the accounts with their roles."""
    from access.users import list_users  # noqa: PLC0415 - the state database on first use
    from storage.state import reading  # noqa: PLC0415

    with reading(open_site().state) as connection:
        emit([as_json(one) for one in list_users(connection)], columns=COLUMNS)


@app.command("lock")
def lock(name: str, dry_run: DryRun = False) -> None:
    """Lock an account and end its sessions."""
    _set_locked(name, locked=True, dry_run=dry_run)


@app.command("unlock")
def unlock(name: str, dry_run: DryRun = False) -> None:
    """Unlock an account and forget its failed logins."""
    _set_locked(name, locked=False, dry_run=dry_run)


def _set_locked(name: str, *, locked: bool, dry_run: bool) -> None:
    from access import users  # noqa: PLC0415 - the state database on first use

    with changing(open_site(), Capability.USERS_WRITE, dry_run=dry_run) as (connection, actor):
        users.set_locked(connection, actor, name, now(), locked=locked)
    emit({"name": name, "locked": locked})


@app.command("grant")
def grant(
    name: str,
    role: Role,
    org: Organisations = None,
    revoke: Annotated[bool, typer.Option("--revoke", help="take the role back")] = False,
    reason: Reason = "",
    dry_run: DryRun = False,
) -> None:
    """Give a role for some organisations, or for all without --org, which takes two persons; --revoke takes it back."""
    from access import users  # noqa: PLC0415 - the state database on first use

    site = open_site()
    organisations = _known(site, org)
    if revoke:
        with changing(site, Capability.ROLES_GRANT, dry_run=dry_run) as (connection, actor):
            users.revoke(connection, actor, name, role, now())
            shown = as_json(users.find_user(connection, name))
        emit(shown)
        return

    def give(used: Agreement | None) -> dict[str, Any]:
        with changing(site, Capability.ROLES_GRANT, dry_run=used is None) as (connection, actor):
            _use(connection, used)
            users.grant(connection, actor, name, role, now(), organisations=organisations)
            return as_json(users.find_user(connection, name))

    shown = give(None)  # all of it is checked before another person is asked
    emit(shown if dry_run else give(_agreed(site, name, [role], organisations, reason)))


@app.command("passwd")
def passwd(name: str, dry_run: DryRun = False) -> None:
    """Set another password from a prompt or stdin; it must be changed at the next login, all sessions end."""
    from access import users  # noqa: PLC0415 - the state database on first use

    site = open_site()
    password = read_password()
    with changing(site, Capability.USERS_WRITE, dry_run=dry_run) as (connection, actor):
        policy = password_policy(site.settings.access)
        users.set_password(connection, actor, name, password, now(), must_change=True, policy=policy)
    emit({"name": name, "must_change": True})
