"""Jobs (作业): rows of the state database that a worker carries out, with progress, cancel and a result."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from access import audit
from records.errors import Problem, RefusedError, UnknownError, UserError
from workflow.tables import job


class State(StrEnum):
    """A job is carried out once: the last three are final."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


FINAL = frozenset({State.DONE, State.FAILED, State.CANCELLED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What shall be done.

    Attributes:
        kind: Names the handler, ``noun.verb``.
        parameters: JSON object for the handler; never a secret.
        actor: Who wants it.
        organisation: Whose it is: who may see it. None: of the whole province.
        key: Idempotency: an order with the key of a known job is that job. Random if empty.
    """

    kind: str
    parameters: Mapping[str, Any]
    actor: str
    organisation: str | None = None
    key: str = field(default_factory=lambda: secrets.token_hex(16))


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job as it stands; see ``workflow.tables.job``."""

    id: str
    kind: str
    parameters: Mapping[str, Any]
    organisation: str | None
    actor: str
    created_at: datetime
    state: State
    cancelling: bool
    checkpoint: Mapping[str, Any]
    done: int
    total: int | None
    message: str
    tries: int
    started_at: datetime | None
    ended_at: datetime | None
    result: Mapping[str, Any] | None
    file: str | None
    problems: Sequence[Problem]


_COLUMNS = [job.c[name] for name in Job.__slots__]


def submit(connection: sa.Connection, order: Order, at: datetime) -> Job:
    """Queue a job and audit it; the known one if the key is known.

    Raises:
        UserError: The key belongs to another order.
    """
    known = connection.execute(sa.select(job).where(job.c.key == order.key)).mappings().first()
    if known is not None:
        if (known["kind"], known["actor"], json.loads(known["parameters"])) != (
            order.kind,
            order.actor,
            dict(order.parameters),
        ):
            raise UserError("this key was used for another order", "choose a new key", where="Idempotency-Key")
        return find(connection, known["id"])
    row = {
        "id": f"job-{secrets.token_hex(6)}",
        "key": order.key,
        "kind": order.kind,
        "parameters": _text(order.parameters),
        "organisation": order.organisation,
        "actor": order.actor,
        "created_at": at,
    }
    fresh = {"state": State.QUEUED.value, "cancelling": False, "checkpoint": "{}", "done": 0, "message": "", "tries": 0}
    connection.execute(sa.insert(job).values(**row, **fresh, problems="[]"))
    detail = {"kind": order.kind, "parameters": dict(order.parameters)}
    audit.record(connection, order.actor, "job.submit", str(row["id"]), "success", detail, at)
    return find(connection, str(row["id"]))


def find(connection: sa.Connection, job_id: str) -> Job:
    """One job; UserError if there is none of that id."""
    row = connection.execute(sa.select(*_COLUMNS).where(job.c.id == job_id)).mappings().first()
    if row is None:
        raise UnknownError("unknown job '{id}'", "`yw job ls` lists the known ones", where="ID", id=job_id[:64])
    return from_row(row)


def list_jobs(connection: sa.Connection, limit: int = 200) -> list[Job]:
    """The newest first."""
    newest = sa.select(*_COLUMNS).order_by(job.c.created_at.desc(), job.c.id).limit(limit)
    return [from_row(row) for row in connection.execute(newest).mappings()]


def cancel(connection: sa.Connection, actor: str, job_id: str, at: datetime) -> Job:
    """End a waiting job now, and ask a running one to end at its next step.

    Raises:
        RefusedError: It has ended already.
    """
    found = find(connection, job_id)
    if found.state in FINAL:
        raise RefusedError(
            "job {id} has ended: {state}", "nothing is left to cancel", where=job_id, id=job_id, state=found.state.value
        )
    waiting = {"state": State.CANCELLED.value, "ended_at": at, "cancelling": True}
    values = waiting if found.state is State.QUEUED else {"cancelling": True}
    connection.execute(sa.update(job).where(job.c.id == job_id).values(**values))
    audit.record(connection, actor, "job.cancel", job_id, "success", {"state": found.state.value}, at)
    return find(connection, job_id)


def from_row(row: Mapping[Any, Any]) -> Job:
    """A row of the table as a job."""
    texts = {name: json.loads(row[name]) for name in ("parameters", "checkpoint")}
    problems = [Problem.restored(one) for one in json.loads(row["problems"])]
    result = None if row["result"] is None else json.loads(row["result"])
    named = {name: row[name] for name in Job.__slots__}
    return Job(**{**named, **texts, "result": result, "problems": problems, "state": State(row["state"])})


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
