"""Failed logins (登录失败处理): five lock an account for 15 minutes, twenty an address; a restart forgets nothing."""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa

from access.tables import login_failure

ACCOUNT_LIMIT = 5
ADDRESS_LIMIT = 20
LOCK = timedelta(minutes=15)
_KEEP = timedelta(days=1)
_LONGEST_SUBJECT = 64  # a subject is what a stranger typed


def locked_until(connection: sa.Connection, account: str, address: str, at: datetime) -> datetime | None:
    """Until when this account or this address may not log in; None if it may."""
    statement = sa.select(sa.func.max(login_failure.c.locked_until)).where(_subjects(account, address))
    found = connection.execute(statement).scalar()
    return found if found is not None and found > at else None


def _subjects(account: str, address: str) -> sa.ColumnElement[bool]:
    named = [("account", account[:_LONGEST_SUBJECT]), ("address", address[:_LONGEST_SUBJECT])]
    return sa.tuple_(login_failure.c.kind, login_failure.c.subject).in_(named)


def count_failure(connection: sa.Connection, account: str, address: str, at: datetime) -> None:
    """Count one failure for both; failures older than the lock time do not add up."""
    connection.execute(sa.delete(login_failure).where(login_failure.c.last_at < at - _KEEP))
    _count(connection, "account", account[:_LONGEST_SUBJECT], ACCOUNT_LIMIT, at)
    _count(connection, "address", address[:_LONGEST_SUBJECT], ADDRESS_LIMIT, at)


def _count(connection: sa.Connection, kind: str, subject: str, limit: int, at: datetime) -> None:
    mine = sa.and_(login_failure.c.kind == kind, login_failure.c.subject == subject)
    row = connection.execute(sa.select(login_failure).where(mine)).first()
    failures = row.failures + 1 if row and row.last_at > at - LOCK else 1
    until = at + LOCK if failures >= limit else None
    connection.execute(sa.delete(login_failure).where(mine))
    connection.execute(
        sa.insert(login_failure).values(kind=kind, subject=subject, failures=failures, last_at=at, locked_until=until)
    )


def forget(connection: sa.Connection, account: str) -> None:
    """Forget an account's failures: it logged in, or an administrator unlocked it."""
    connection.execute(
        sa.delete(login_failure).where(login_failure.c.kind == "account", login_failure.c.subject == account)
    )


def locked_accounts(connection: sa.Connection, at: datetime) -> set[str]:
    """Accounts that failed logins keep shut at this moment."""
    statement = sa.select(login_failure.c.subject).where(
        login_failure.c.kind == "account", login_failure.c.locked_until > at
    )
    return set(connection.execute(statement).scalars())
