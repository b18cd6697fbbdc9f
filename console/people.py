"""Who a request comes from: a browser's session or an API token, and for which organisations."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from fastapi import HTTPException, Request

from access import sessions, tokens, users
from access.roles import Capability
from access.scope import Scope
from access.sessions import Session
from access.tokens import Token
from console.deps import ConsoleDeps
from storage.state import reading, writing

LIVE_HEADER = "x-live"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """The user behind a request; a token may narrow what the user may do."""

    user: users.User
    session: Session | None = None
    token: Token | None = None

    def scope(self, capability: Capability) -> Scope | None:
        """For which organisations; None if not at all."""
        if self.token is not None and self.token.scopes is not None and capability not in self.token.scopes:
            return None
        return self.user.scope(capability)

    def may(self, capability: Capability) -> bool:
        return self.scope(capability) is not None


def cookie_name(deps: ConsoleDeps) -> str:
    """``__Host-`` binds the cookie to this host and to TLS; browsers refuse that prefix on plain http."""
    return "__Host-yunwang" if deps.secure else "yunwang"


def address_of(request: Request, deps: ConsoleDeps) -> str:
    """The browser's address; behind the proxy the last one that the proxy itself wrote down."""
    forwarded = request.headers.get("x-forwarded-for", "") if deps.behind_proxy else ""
    if forwarded:
        return forwarded.rsplit(",", 1)[-1].strip()
    return request.client.host if request.client else ""


def of_session(request: Request, deps: ConsoleDeps, at: datetime) -> Person | None:
    """The person of the session cookie; what a page does by itself does not count as use."""
    cookie = request.cookies.get(cookie_name(deps), "")
    if not cookie:
        return None
    with reading(deps.engine) as connection:
        session = sessions.find_session(connection, cookie, at, deps.limits)
        user = users.find_user(connection, session.user) if session else None
    if session is None or user is None or user.locked:
        return None
    if LIVE_HEADER not in request.headers and sessions.is_stale(session, at):
        with writing(deps.engine) as connection:
            sessions.touch(connection, session, at)
    return Person(user=user, session=session)


def of_token(request: Request, deps: ConsoleDeps, at: datetime) -> Person | None:
    """The person of the bearer token; None without one, 401 for a bad one."""
    kind, _, text = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer":
        return None
    with reading(deps.engine) as connection:
        token = tokens.find_token(connection, text.strip(), at)
        user = users.find_user(connection, token.user) if token else None
    if token is None or user is None or user.locked:
        raise HTTPException(401, "the token is unknown, revoked or over", {"WWW-Authenticate": "Bearer"})
    address = address_of(request, deps)
    if not token.admits(address):
        raise HTTPException(403, "this token may not be used from this address")
    if tokens.is_stale(token, at):
        with writing(deps.engine) as connection:
            tokens.touch(connection, token, address, at)
    return Person(user=user, token=token)
