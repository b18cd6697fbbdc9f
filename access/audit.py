"""The audit log (审计日志): who did what to which object with which outcome; append-only, chained (GB/T 22239 8.1.4.3).

A record is written in the transaction of the change that it tells, so that neither stands without the other. A change
that is no transaction, of a key or by a CA, has two: ``begun`` before it, and its outcome.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa

from access.tables import audit_log
from crypto.chain import GENESIS, link
from records.errors import Problem
from records.instants import format_instant
from storage.state import reading

Outcome = Literal["begun", "success", "failure", "refused"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """One line of the log as it is read back; ``chain`` is hex."""

    number: int
    at: datetime
    actor: str
    action: str
    object: str
    outcome: str
    detail: Mapping[str, Any]
    chain: str

    def as_json(self) -> dict[str, Any]:
        """The shape of ``/api/v1/audit-log``."""
        return {name: getattr(self, name) for name in self.__slots__} | {"at": format_instant(self.at)}


def record(
    connection: sa.Connection,
    actor: str,
    action: str,
    object: str,  # noqa: A002 - the log's own word for it
    outcome: Outcome,
    detail: Mapping[str, Any],
    at: datetime,
) -> int:
    """Append one record inside the caller's write transaction and return its number.

    Args:
        connection: From ``storage.state.writing``: no second writer may stand between reading the head and appending.
        actor: User name, ``token:ID`` or ``local:USER``.
        action: ``noun.verb``, e.g. ``user.lock``.
        object: What it was done to.
        outcome: ``refused`` where policy forbade it; ``begun`` before a change outside the database, whose end follows.
        detail: JSON object; never a secret.
        at: Aware instant.
    """
    number, before = _head(connection)
    row = {
        "number": number + 1,
        "at": at,
        "actor": actor,
        "action": action,
        "object": object,
        "outcome": outcome,
        "detail": _canonical(detail),
    }
    connection.execute(sa.insert(audit_log).values(**row, chain=link(before, payload_of(row)).hex()))
    return number + 1


def _head(connection: sa.Connection) -> tuple[int, bytes]:
    newest = sa.select(audit_log.c.number, audit_log.c.chain).order_by(audit_log.c.number.desc()).limit(1)
    found = connection.execute(newest).first()
    return (found.number, bytes.fromhex(found.chain)) if found else (0, GENESIS)


def _canonical(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def payload_of(row: Mapping[str, Any]) -> bytes:
    """What the chain runs over: the canonical JSON of all columns but ``chain``."""
    return _canonical({**row, "at": format_instant(row["at"])}).encode()


def verify(engine: sa.Engine) -> list[Problem]:
    """Recompute the whole chain; each problem names the record. Empty if every record stands as it was written.

    Records cut off the end leave a sound shorter chain: compare the head with an anchor or a copy on another host.
    """
    with reading(engine) as connection:
        return list(_problems(connection))


def _problems(connection: sa.Connection) -> Iterator[Problem]:
    expected, before = 1, GENESIS
    for row in connection.execute(sa.select(audit_log).order_by(audit_log.c.number)).mappings():
        if row["number"] != expected:
            yield missing(expected, row["number"] - 1)
        if link(before, payload_of({name: row[name] for name in row if name != "chain"})).hex() != row["chain"]:
            yield altered(row["number"])
        expected, before = row["number"] + 1, bytes.fromhex(row["chain"])


def missing(first: int, last: int) -> Problem:
    """Records that stood there."""
    return Problem(
        "audit records {first} to {last} are missing",
        "keep the database as it is and compare it with an older copy",
        "audit_log",
        {"first": first, "last": last},
    )


def altered(number: int) -> Problem:
    """A record that is not what was written."""
    return Problem(
        "audit record {number} does not fit the chain",
        "keep the database as it is and compare it with an older copy",
        f"audit_log:{number}",
        {"number": number},
    )


def from_row(row: Mapping[Any, Any]) -> AuditRecord:
    """A row of the table as a record."""
    return AuditRecord(**{**row, "detail": json.loads(row["detail"])})
