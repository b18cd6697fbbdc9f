"""Logging in: the password, the lock, the session, the audit record; a stranger learns nothing from answer or time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from access import audit, lockout, sessions, users
from access.passwords import DEFAULT, Policy, dummy_hash, matches
from access.sessions import Limits, Session
from access.tables import user_account
from records.errors import RefusedError
from storage.state import reading, writing


class LoginError(RefusedError):
    """Wrong name or password, or a locked account: the same words for both names that exist and names that do not."""


class LockedError(LoginError):
    """Too many failures; ``until`` says how long."""

    def __init__(self, until: datetime) -> None:
        super().__init__(
            "too many failed logins",
            "wait until the lock ends, or ask an administrator for `yw user unlock`",
            where="login",
        )
        self.until = until


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """A login that succeeded; ``cookie`` is told only once."""

    user: users.User
    session: Session
    cookie: str


def log_in(
    engine: sa.Engine,
    name: str,
    password: str,
    at: datetime,
    *,
    address: str,
    agent: str,
    limits: Limits,
    policy: Policy = DEFAULT,
) -> Login:
    """Check name and password and open a session; a password past its lifetime must be changed first of all.

    Raises:
        LockedError: The account or the address is locked; the password is not even looked at.
        LoginError: Anything else, without saying what.
    """
    check_credentials(engine, name, password, at, address=address)
    with writing(engine) as connection:
        lockout.forget(connection, name)
        connection.execute(sa.update(user_account).where(user_account.c.name == name).values(login_at=at))
        _expire(connection, name, at, policy)
        cookie, session = sessions.open_session(connection, name, address, agent, at, limits)
        audit.record(connection, name, "session.login", name, "success", {"address": address}, at)
        user = users.find_user(connection, name)
    if user is None:
        raise _wrong()
    return Login(user=user, session=session, cookie=cookie)


def _expire(connection: sa.Connection, name: str, at: datetime, policy: Policy) -> None:
    """Have a password changed that is too old."""
    if policy.lifetime is None:
        return
    old = (user_account.c.name == name) & (user_account.c.password_at <= at - policy.lifetime)
    due = sa.update(user_account).where(old, user_account.c.must_change.is_(False)).values(must_change=True)
    if connection.execute(due).rowcount:
        audit.record(connection, "system", "user.password_expired", name, "success", {}, at)


def check_credentials(engine: sa.Engine, name: str, password: str, at: datetime, *, address: str) -> None:
    """Return quietly if the password is that of an open account; else count the failure, audit it and raise.

    The slow hash is computed outside any transaction, also for an unknown name.
    """
    with reading(engine) as connection:
        until = lockout.locked_until(connection, name, address, at)
        row = connection.execute(sa.select(user_account).where(user_account.c.name == name)).first()
    if until is not None:
        _fail(engine, name, address, at, count=False)
        raise LockedError(until)
    good = matches(row.password_hash if row else dummy_hash(), password)
    if row is None or row.locked or not good:
        _fail(engine, name, address, at, count=True)
        raise _wrong()


def _fail(engine: sa.Engine, name: str, address: str, at: datetime, *, count: bool) -> None:
    with writing(engine) as connection:
        if count:
            lockout.count_failure(connection, name, address, at)
        outcome: audit.Outcome = "failure" if count else "refused"
        audit.record(connection, name[:64], "session.login", name[:64], outcome, {"address": address}, at)


def _wrong() -> LoginError:
    return LoginError(
        "wrong name or password", "try again; five failures lock the account for 15 minutes", where="login"
    )


def log_out(engine: sa.Engine, session: Session, at: datetime) -> None:
    """End the session."""
    with writing(engine) as connection:
        sessions.end(connection, session.id_hash)
        audit.record(connection, session.user, "session.logout", session.user, "success", {}, at)


def change_password(
    engine: sa.Engine, name: str, old: str, new: str, at: datetime, *, address: str, policy: Policy = DEFAULT
) -> None:
    """A user's own change: the old password must be right, all sessions end.

    Raises:
        LoginError: The old password is wrong.
        UserError: The new one is weak or was used before.
    """
    check_credentials(engine, name, old, at, address=address)
    with writing(engine) as connection:
        users.set_password(connection, name, name, new, at, must_change=False, policy=policy)
