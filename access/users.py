"""Accounts (用户): each change is audited in its own transaction."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from access import audit, lockout, sessions
from access.passwords import DEFAULT, Policy, check_password, hash_password, matches
from access.roles import CAPABILITIES, PROVINCE_WIDE, Capability, Role, excluded_by
from access.scope import EVERYWHERE, Scope, scope_of
from access.tables import password_history, user_account, user_role, user_role_organisation
from records.errors import Problem, RefusedError, UserError

_NAME = re.compile(r"[a-z][a-z0-9._-]{1,31}")


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """An account with its roles.

    Attributes:
        roles: Role to the organisations that it is held for.
        must_change: Whether only the password page is open to the user.
        locked: By an administrator.
    """

    name: str
    display_name: str
    must_change: bool
    locked: bool
    created_at: datetime
    password_at: datetime
    login_at: datetime | None
    roles: Mapping[Role, Scope] = field(default_factory=dict)

    def scope(self, capability: Capability) -> Scope | None:
        """For which organisations the user has the capability; None if for none at all."""
        granted = [scope for role, scope in self.roles.items() if capability in CAPABILITIES[role]]
        if capability in PROVINCE_WIDE:
            granted = [scope for scope in granted if scope == EVERYWHERE]
        if not granted:
            return None
        return scope_of((one.organisations is None, one.organisations or ()) for one in granted)


def add_user(
    connection: sa.Connection,
    actor: str,
    name: str,
    password: str,
    at: datetime,
    *,
    display_name: str = "",
    must_change: bool = True,
    policy: Policy = DEFAULT,
) -> None:
    """Open an account. It can do nothing until a role is granted.

    Raises:
        UserError: The name is taken or malformed, or the password too weak.
    """
    if not _NAME.fullmatch(name):
        raise UserError(
            "'{name}' is no user name", "use 2 to 32 of a-z 0-9 . _ - and begin with a letter", where="name", name=name
        )
    if _row(connection, name) is not None:
        raise UserError(
            "user '{name}' exists already",
            "choose another name; `yw user ls` lists the known ones",
            where="name",
            name=name,
        )
    _refuse_weak(check_password(password, name, policy))
    values = {
        "name": name,
        "display_name": display_name or name,
        "must_change": must_change,
        "locked": False,
        "created_at": at,
    }
    connection.execute(sa.insert(user_account).values(**values, password_hash=hash_password(password), password_at=at))
    audit.record(connection, actor, "user.add", name, "success", {"display_name": display_name or name}, at)


def _refuse_weak(problems: Sequence[Problem]) -> None:
    if problems:
        raise UserError.of(problems)


def _row(connection: sa.Connection, name: str) -> Mapping[Any, Any] | None:
    return connection.execute(sa.select(user_account).where(user_account.c.name == name)).mappings().first()


def known(connection: sa.Connection, name: str) -> Mapping[Any, Any]:
    """The row of an account, password hash included; UserError if there is none."""
    row = _row(connection, name)
    if row is None:
        raise UserError("unknown user '{name}'", "`yw user ls` lists the known ones", where="name", name=name)
    return row


def find_user(connection: sa.Connection, name: str) -> User | None:
    """The account of that name; None if there is none."""
    row = _row(connection, name)
    return None if row is None else _user(row, _roles(connection, [name]).get(name, {}))


def list_users(connection: sa.Connection) -> list[User]:
    """All accounts by name, in a constant number of statements."""
    rows = connection.execute(sa.select(user_account).order_by(user_account.c.name)).mappings().all()
    roles = _roles(connection, [row["name"] for row in rows])
    return [_user(row, roles.get(row["name"], {})) for row in rows]


def _user(row: Mapping[Any, Any], roles: Mapping[Role, Scope]) -> User:
    return User(**{name: value for name, value in row.items() if name != "password_hash"}, roles=roles)


def _roles(connection: sa.Connection, names: Sequence[str]) -> dict[str, dict[Role, Scope]]:
    organisations: dict[tuple[str, str], list[str]] = {}
    for row in connection.execute(sa.select(user_role_organisation).where(user_role_organisation.c.user.in_(names))):
        organisations.setdefault((row.user, row.role), []).append(row.organisation)
    found: dict[str, dict[Role, Scope]] = {}
    for row in connection.execute(sa.select(user_role).where(user_role.c.user.in_(names))):
        named = organisations.get((row.user, row.role), [])
        found.setdefault(row.user, {})[Role(row.role)] = scope_of([(row.everywhere, named)])
    return found


def set_locked(connection: sa.Connection, actor: str, name: str, at: datetime, *, locked: bool) -> None:
    """Lock an account, which ends its sessions, or unlock it, which also forgets its failed logins."""
    known(connection, name)
    connection.execute(sa.update(user_account).where(user_account.c.name == name).values(locked=locked))
    if locked:
        sessions.end_all(connection, name)
    else:
        lockout.forget(connection, name)
    audit.record(connection, actor, "user.lock" if locked else "user.unlock", name, "success", {}, at)


def set_password(
    connection: sa.Connection,
    actor: str,
    name: str,
    password: str,
    at: datetime,
    *,
    must_change: bool,
    policy: Policy = DEFAULT,
) -> None:
    """Give a new password and end all sessions; ``must_change`` when another person chose it.

    Raises:
        UserError: It is weak, or one of the last that are remembered.
    """
    row = known(connection, name)
    _refuse_weak(check_password(password, name, policy))
    _refuse_reused(connection, row, password, policy.remembered)
    connection.execute(sa.insert(password_history).values(user=name, at=at, password_hash=row["password_hash"]))
    changed = {"password_hash": hash_password(password), "must_change": must_change, "password_at": at}
    connection.execute(sa.update(user_account).where(user_account.c.name == name).values(**changed))
    sessions.end_all(connection, name)
    lockout.forget(connection, name)
    audit.record(connection, actor, "user.password", name, "success", {"must_change": must_change}, at)


def _refuse_reused(connection: sa.Connection, row: Mapping[Any, Any], password: str, remembered: int) -> None:
    past = sa.select(password_history.c.password_hash).where(password_history.c.user == row["name"])
    stored = (
        connection.execute(past.order_by(password_history.c.at.desc()).limit(max(0, remembered - 1))).scalars().all()
    )
    if any(matches(one, password) for one in (row["password_hash"], *stored)):
        raise UserError(
            "the password was used before", "choose one that is not among the last {n}", where="password", n=remembered
        )


def grant(
    connection: sa.Connection, actor: str, name: str, role: Role, at: datetime, *, organisations: Iterable[str] | None
) -> None:
    """Give a role for some organisations, or for all (None); granting again sets the scope anew.

    Raises:
        RefusedError: The user holds another of the three administrator roles.
    """
    known(connection, name)
    held = excluded_by(role, _roles(connection, [name]).get(name, {}))
    if held is not None:
        raise RefusedError(
            "'{role}' and '{held}' exclude each other",
            "give it to another person, or take '{held}' back first",
            where="role",
            role=role.value,
            held=held.value,
        )
    _drop_role(connection, name, role)
    named = sorted(set(organisations)) if organisations is not None else []
    connection.execute(sa.insert(user_role).values(user=name, role=role.value, everywhere=organisations is None))
    if named:
        connection.execute(
            sa.insert(user_role_organisation),
            [{"user": name, "role": role.value, "organisation": one} for one in named],
        )
    detail = {"role": role.value, "organisations": named if organisations is not None else None}
    audit.record(connection, actor, "user.grant", name, "success", detail, at)


def revoke(connection: sa.Connection, actor: str, name: str, role: Role, at: datetime) -> None:
    """Take a role back."""
    known(connection, name)
    _drop_role(connection, name, role)
    audit.record(connection, actor, "user.revoke", name, "success", {"role": role.value}, at)


def _drop_role(connection: sa.Connection, name: str, role: Role) -> None:
    for table in (user_role_organisation, user_role):
        connection.execute(sa.delete(table).where(table.c.user == name, table.c.role == role.value))
