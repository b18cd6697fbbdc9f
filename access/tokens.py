"""API tokens ``yw_<id>_<secret>`` (CONTRACT §9): shown once, kept as a hash, narrowed, ending by themselves."""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network

import sqlalchemy as sa

from access import audit, users
from access.digest import hashed
from access.roles import Capability
from access.tables import api_token
from records.errors import Problem, UserError

LONGEST = timedelta(days=366)
_TOUCH = timedelta(minutes=1)
_TOKEN = re.compile(r"yw_([0-9a-f]{12})_([0-9A-Za-z]{40})")
_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token without its secret.

    Attributes:
        scopes: What it is narrowed to; None means all that its user may do.
        addresses: Networks that it may be used from; empty means from everywhere.
    """

    id: str
    user: str
    note: str
    scopes: frozenset[Capability] | None
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    used_at: datetime | None
    addresses: tuple[str, ...]
    used_from: str | None

    def admits(self, address: str) -> bool:
        """Whether it may be used from an address; without a list from everywhere."""
        if not self.addresses:
            return True
        try:
            found = ip_address(address)
        except ValueError:
            return False
        mapped = getattr(found, "ipv4_mapped", None) or found
        return any(mapped in ip_network(one) for one in self.addresses)


def new_token(
    connection: sa.Connection,
    actor: str,
    user: str,
    at: datetime,
    *,
    lifetime: timedelta,
    note: str = "",
    scopes: Iterable[Capability] = (),
    addresses: Iterable[str] = (),
) -> tuple[str, Token]:
    """Make a token and tell its text, for the only time.

    Raises:
        UserError: Unknown user, a lifetime that is not within one year, or what is no network.
    """
    users.known(connection, user)
    networks = ",".join(_networks(addresses))
    if not timedelta(0) < lifetime <= LONGEST:
        raise UserError("a token lives at most {days} days", "choose a shorter life", where="--days", days=LONGEST.days)
    token_id, secret = secrets.token_hex(6), "".join(secrets.choice(_LETTERS) for _ in range(40))
    named = ",".join(sorted(set(scopes)))
    values = {
        "id": token_id,
        "user": user,
        "note": note,
        "scopes": named,
        "created_at": at,
        "expires_at": at + lifetime,
        "addresses": networks,
    }
    connection.execute(sa.insert(api_token).values(**values, secret_hash=hashed(secret)))
    audit.record(
        connection, actor, "token.new", token_id, "success", {"user": user, "scopes": named, "addresses": networks}, at
    )
    return f"yw_{token_id}_{secret}", _token(
        connection.execute(sa.select(api_token).where(api_token.c.id == token_id)).one()
    )


def _networks(addresses: Iterable[str]) -> list[str]:
    """Networks in their plain form, an address as a network of one; all that are none are told at once."""
    found, problems = [], []
    for one in addresses:
        try:
            found.append(str(ip_network(one.strip(), strict=False)))
        except ValueError:
            what, advice = "'{text}' is no address and no network", "write 10.1.2.3, 10.1.0.0/16 or an IPv6 one"
            problems.append(Problem(what, advice, "--address", {"text": one}))
    if problems:
        raise UserError.of(problems)
    return sorted(set(found))


def find_token(connection: sa.Connection, text: str, at: datetime) -> Token | None:
    """The live token of a bearer text; None if it is malformed, unknown, revoked or over."""
    parts = _TOKEN.fullmatch(text)
    row = connection.execute(sa.select(api_token).where(api_token.c.id == (parts[1] if parts else ""))).first()
    good = hmac.compare_digest(row.secret_hash if row else hashed(""), hashed(parts[2] if parts else "-"))
    if row is None or not good or row.revoked_at is not None or row.expires_at <= at:
        return None
    return _token(row)


def is_stale(token: Token, at: datetime) -> bool:
    """Whether ``touch`` is due: at most one write a minute."""
    return token.used_at is None or token.used_at <= at - _TOUCH


def touch(connection: sa.Connection, token: Token, address: str, at: datetime) -> None:
    """Note the use and where it came from."""
    used = {"used_at": at, "used_from": address[:64]}
    connection.execute(sa.update(api_token).where(api_token.c.id == token.id).values(**used))


def list_tokens(connection: sa.Connection) -> list[Token]:
    """All tokens, newest first."""
    return [
        _token(row)
        for row in connection.execute(sa.select(api_token).order_by(api_token.c.created_at.desc(), api_token.c.id))
    ]


def revoke_token(connection: sa.Connection, actor: str, token_id: str, at: datetime) -> None:
    """End a token; UserError if there is none of that id."""
    mine = api_token.c.id == token_id
    if connection.execute(sa.select(api_token.c.id).where(mine)).first() is None:
        raise UserError("unknown token '{id}'", "`yw token ls` lists the known ones", where="id", id=token_id)
    connection.execute(sa.update(api_token).where(mine, api_token.c.revoked_at.is_(None)).values(revoked_at=at))
    audit.record(connection, actor, "token.revoke", token_id, "success", {}, at)


def _token(row: sa.Row[tuple[object, ...]]) -> Token:
    values = {name: value for name, value in row._mapping.items() if name not in {"secret_hash", "scopes", "addresses"}}  # noqa: SLF001 - SQLAlchemy's public name
    scopes = frozenset(Capability(one) for one in row.scopes.split(",")) if row.scopes else None
    addresses = tuple(row.addresses.split(",")) if row.addresses else ()
    return Token(**values, scopes=scopes, addresses=addresses)
