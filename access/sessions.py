"""Sessions (会话) are rows on the server: revocable, limited in time, the cookie's value kept only as a hash."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from access.digest import hashed
from access.tables import user_session

_TOUCH = timedelta(minutes=1)  # a busy page costs at most one write a minute


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long a session lives: ``idle`` since its last use, ``absolute`` since login, ``concurrent`` per user."""

    idle: timedelta = timedelta(minutes=15)
    absolute: timedelta = timedelta(hours=8)
    concurrent: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A live session; ``csrf`` is the token that its forms carry."""

    id_hash: str
    user: str
    csrf: str
    created_at: datetime
    seen_at: datetime
    address: str
    agent: str


def open_session(
    connection: sa.Connection, user: str, address: str, agent: str, at: datetime, limits: Limits
) -> tuple[str, Session]:
    """A new session and the value of its cookie, which is told only here. The oldest beyond the limit end."""
    cookie = secrets.token_urlsafe(32)
    opened = Session(
        id_hash=hashed(cookie),
        user=user,
        csrf=secrets.token_urlsafe(24),
        created_at=at,
        seen_at=at,
        address=address[:64],
        agent=agent[:200],
    )
    held = (
        sa.select(user_session.c.id_hash).where(user_session.c.user == user).order_by(user_session.c.created_at.desc())
    )
    surplus = connection.execute(held.offset(limits.concurrent - 1)).scalars().all()
    connection.execute(
        sa.delete(user_session).where(
            user_session.c.id_hash.in_(surplus) | (user_session.c.created_at < at - limits.absolute)
        )
    )
    connection.execute(sa.insert(user_session).values({name: getattr(opened, name) for name in Session.__slots__}))
    return cookie, opened


def find_session(connection: sa.Connection, cookie: str, at: datetime, limits: Limits) -> Session | None:
    """The live session of a cookie; None if it is unknown, ended, idle too long or too old."""
    row = connection.execute(sa.select(user_session).where(user_session.c.id_hash == hashed(cookie))).mappings().first()
    if row is None or row["seen_at"] <= at - limits.idle or row["created_at"] <= at - limits.absolute:
        return None
    return Session(**row)


def is_stale(session: Session, at: datetime) -> bool:
    """Whether ``touch`` is due."""
    return session.seen_at <= at - _TOUCH


def touch(connection: sa.Connection, session: Session, at: datetime) -> None:
    """The person did something: the idle time begins anew. Refreshes that a page does by itself do not count."""
    connection.execute(sa.update(user_session).where(user_session.c.id_hash == session.id_hash).values(seen_at=at))


def end(connection: sa.Connection, id_hash: str) -> None:
    """End one session."""
    connection.execute(sa.delete(user_session).where(user_session.c.id_hash == id_hash))


def end_all(connection: sa.Connection, user: str) -> None:
    """End all sessions of a user."""
    connection.execute(sa.delete(user_session).where(user_session.c.user == user))


def live_sessions(connection: sa.Connection, at: datetime, limits: Limits) -> dict[str, int]:
    """User to number of live sessions."""
    live = (user_session.c.seen_at > at - limits.idle) & (user_session.c.created_at > at - limits.absolute)
    statement = sa.select(user_session.c.user, sa.func.count()).where(live).group_by(user_session.c.user)
    return {user: count for user, count in connection.execute(statement)}  # noqa: C416 - dict() of rows confuses mypy
