"""The audit log (审计日志): who did what to which object with which outcome; append-only, chained (GB/T 22239 8.1.4.3).

A record is written in the transaction of the change that it tells, so that neither stands without the other. A change
that is no transaction, of a key or by a CA, has two: ``begun`` before it, and its outcome.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from itertools import takewhile
from typing import Any, Literal

import sqlalchemy as sa

from crypto.chain import GENESIS, link
from records.errors import Problem
from records.instants import format_instant, microseconds
from storage.state import reading

COLUMNS = "number, at, actor, action, object, outcome, detail"
"""All of a record but its chain, in the order of ``payload``."""
_quoted = json.encoder.encode_basestring  # a JSON string, as json.dumps writes it with ensure_ascii=False

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
    read, write = _STATEMENTS[connection.dialect.paramstyle]
    newest = connection.exec_driver_sql(read).first()
    number, before = (newest[0] + 1, bytes.fromhex(newest[1])) if newest else (1, GENESIS)
    row = (number, microseconds(at), actor, action, object, outcome, _canonical(detail))
    chain = link(before, payload(*row)).hex()
    connection.exec_driver_sql(write, (*row, chain))
    return number


def _statements(mark: str) -> tuple[str, str]:
    """Reading the head and appending, by hand: every change of the platform pays for both."""
    marks = ", ".join([mark] * 8)
    return (
        "SELECT number, chain FROM audit_log ORDER BY number DESC LIMIT 1",
        f"INSERT INTO audit_log ({COLUMNS}, chain) VALUES ({marks})",  # noqa: S608 - marks only
    )


_STATEMENTS = {"qmark": _statements("?"), "pyformat": _statements("%s"), "format": _statements("%s")}


def _canonical(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def payload(
    number: int,
    at: int,
    actor: str,
    action: str,
    object: str,  # noqa: A002 - the log's own word for it
    outcome: str,
    detail: str,
) -> bytes:
    """What the chain runs over: the canonical JSON of all columns but ``chain``; ``at`` in µs since 1970."""
    return (
        f'{{"action":{_quoted(action)},"actor":{_quoted(actor)},"at":"{_instant(at)}","detail":{_quoted(detail)},'
        f'"number":{number},"object":{_quoted(object)},"outcome":{_quoted(outcome)}}}'
    ).encode()


def _instant(us: int) -> str:
    """RFC 3339 as ``format_instant`` writes it."""
    seconds, fraction = divmod(us, 1_000_000)
    return f"{_second(seconds)}.{fraction:06}Z" if fraction else f"{_second(seconds)}Z"


@lru_cache(4096)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def read_payloads(connection: sa.Connection, after: int, most: int) -> list[bytes]:
    """What the chain runs over, of the records after a number, without a gap; at most so many."""
    newer = f"SELECT {COLUMNS} FROM audit_log WHERE number > {after:d} ORDER BY number LIMIT {most:d}"  # noqa: S608 - numbers
    rows = connection.exec_driver_sql(newer).all()
    whole = takewhile(lambda one: one[1][0] == after + one[0], enumerate(rows, 1))
    return [payload(*row) for _, row in whole]


def verify(engine: sa.Engine) -> list[Problem]:
    """Recompute the whole chain; each problem names the record. Empty if every record stands as it was written.

    Records cut off the end leave a sound shorter chain: compare the head with an anchor or a copy on another host.
    """
    with reading(engine) as connection:
        return list(_problems(connection))


def _problems(connection: sa.Connection) -> Iterator[Problem]:
    expected, before = 1, GENESIS
    for *row, chain in connection.exec_driver_sql(f"SELECT {COLUMNS}, chain FROM audit_log ORDER BY number"):  # noqa: S608 - names only
        number = row[0]
        if number != expected:
            yield missing(expected, number - 1)
        if link(before, payload(*row)).hex() != chain:
            yield altered(number)
        expected, before = number + 1, bytes.fromhex(chain)


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
