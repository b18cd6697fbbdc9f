"""Carrying jobs out: one holder at a time by lease; steps are kept together with what they did.

A handler works in steps. Each step's changes, its checkpoint and its progress are one transaction, which only the
holder of the lease can commit. After kill -9 the lease ends by itself, and another run goes on from the last
checkpoint: no step is done twice, none is left out.
"""

from __future__ import annotations

import json
import logging
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from records.errors import Problem, UserError
from storage.state import writing
from workflow.jobs import Job, State, find
from workflow.tables import job

LEASE = timedelta(seconds=15)
MOST_TRIES = 5  # a job that took its worker along so often is not tried again

_log = logging.getLogger(__name__)

Clock = Callable[[], datetime]


class CancelledError(Exception):
    """The job is to end now; raised in a handler at its next step."""


class LeaseLostError(Exception):
    """Another holder has the job: this one was thought dead. Nothing of the step is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a handler gives back: a JSON object, and a file relative to the data folder if there is one."""

    result: Mapping[str, Any] = field(default_factory=dict)
    file: str | None = None


@dataclass(slots=True)
class Step:
    """One step at work: its transaction, and what it leaves behind for the next one.

    Attributes:
        connection: Changes made here are kept together with the step.
        checkpoint: JSON object from which the handler would go on.
        done, total, message: Progress as people see it; None in ``total`` while nobody knows.
    """

    connection: sa.Connection
    checkpoint: dict[str, Any]
    done: int
    total: int | None
    message: str


class Running:
    """A job in the hands of its holder: what a handler works with."""

    def __init__(self, engine: sa.Engine, claimed: Job, holder: str, clock: Clock) -> None:
        self.job = claimed
        self._engine, self._holder, self._clock = engine, holder, clock
        self._checkpoint = dict(claimed.checkpoint)
        self._progress: tuple[int, int | None, str] = (claimed.done, claimed.total, claimed.message)

    @property
    def checkpoint(self) -> Mapping[str, Any]:
        """What the last step that was kept left behind; empty at first."""
        return self._checkpoint

    @contextmanager
    def step(self) -> Iterator[Step]:
        """One step: all of it is kept or none.

        Raises:
            CancelledError: Somebody wants the job to end; what was kept stays.
            LeaseLostError: It is another holder's now.
        """
        with writing(self._engine) as connection:
            if self._held(connection).cancelling:
                raise CancelledError
            work = Step(connection, dict(self._checkpoint), *self._progress)
            yield work
            self._keep(connection, work)
        self._checkpoint, self._progress = work.checkpoint, (work.done, work.total, work.message)

    def _held(self, connection: sa.Connection) -> Any:
        mine = (job.c.id == self.job.id) & (job.c.holder == self._holder)
        row = connection.execute(sa.select(job.c.cancelling, job.c.lease_until).where(mine)).first()
        if row is None:
            raise LeaseLostError
        return row

    def _keep(self, connection: sa.Connection, work: Step) -> None:
        values = {
            "checkpoint": json.dumps(work.checkpoint, ensure_ascii=False),
            "done": work.done,
            "total": work.total,
            "message": work.message,
            "lease_until": self._clock() + LEASE,
        }
        connection.execute(sa.update(job).where(job.c.id == self.job.id).values(**values))

    def renew(self) -> bool:
        """Hold on to it while a step takes long; False if it is another's."""
        with writing(self._engine) as connection:
            mine = (job.c.id == self.job.id) & (job.c.holder == self._holder)
            until = self._clock() + LEASE
            return connection.execute(sa.update(job).where(mine).values(lease_until=until)).rowcount == 1

    def end(self, state: State, **values: Any) -> None:
        """Write down how it ended, if it is still ours."""
        with writing(self._engine) as connection:
            self._held(connection)
            ended = {"state": state.value, "ended_at": self._clock(), "holder": None, "lease_until": None}
            connection.execute(sa.update(job).where(job.c.id == self.job.id).values(**ended, **values))


Handler = Callable[[Running], Outcome]


def claim(engine: sa.Engine, kinds: Mapping[str, Handler], clock: Clock) -> Running | None:
    """Take the oldest job that waits, or whose holder is gone; None if there is none of these kinds."""
    at, holder = clock(), secrets.token_hex(8)
    free = (job.c.state == State.QUEUED) | ((job.c.state == State.RUNNING) & (job.c.lease_until <= at))
    oldest = sa.select(job.c.id, job.c.tries).where(free, job.c.kind.in_(list(kinds)))
    with writing(engine) as connection:
        row = connection.execute(
            oldest.order_by(job.c.created_at, job.c.id).limit(1).with_for_update(skip_locked=True)
        ).first()
        if row is None:
            return None
        taken = {
            "state": State.RUNNING.value,
            "holder": holder,
            "lease_until": at + LEASE,
            "tries": row.tries + 1,
            "started_at": sa.func.coalesce(job.c.started_at, sa.bindparam("at", at, type_=job.c.started_at.type)),
        }
        connection.execute(sa.update(job).where(job.c.id == row.id).values(**taken))
        return Running(engine, find(connection, row.id), holder, clock)


def run_next(engine: sa.Engine, handlers: Mapping[str, Handler], clock: Clock) -> Job | None:
    """Carry one job out to its end; returns it as it stands then, None if nothing waits."""
    running = claim(engine, handlers, clock)
    if running is None:
        return None
    with suppress(LeaseLostError):  # its new holder tells how it ends
        _carry_out(running, handlers[running.job.kind])
    with engine.connect() as connection:
        return find(connection, running.job.id)


def _carry_out(running: Running, handler: Handler) -> None:
    if running.job.tries > MOST_TRIES:
        running.end(State.FAILED, problems=_told([_DIED]))
        return
    if running.job.cancelling:
        running.end(State.CANCELLED)
        return
    try:
        with _renewed(running):
            outcome = handler(running)
    except CancelledError:
        running.end(State.CANCELLED)
    except LeaseLostError:
        raise
    except UserError as error:
        running.end(State.FAILED, problems=_told(error.problems))
    except Exception as error:  # noqa: BLE001 - whatever a handler fails with: the job says so, the worker goes on
        _log.exception("job %s", running.job.id)
        running.end(State.FAILED, problems=_told([_unexpected(error)]))
    else:
        running.end(State.DONE, result=json.dumps(outcome.result, ensure_ascii=False), file=outcome.file)


@contextmanager
def _renewed(running: Running) -> Iterator[None]:
    """Renew the lease while the block runs, however long one step takes."""
    over = threading.Event()

    def renew() -> None:
        while not over.wait(LEASE.total_seconds() / 3):
            with suppress(UserError):  # the step holds the database itself: then nobody else can take the job either
                running.renew()

    thread = threading.Thread(target=renew, name="job-lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


_DIED = Problem(
    "the process ended {tries} times while it was at it",
    "read work.log in the run folder, then order it again",
    "job",
    {"tries": MOST_TRIES},
)


def _unexpected(error: Exception) -> Problem:
    return Problem(
        "it failed: {error}",
        "read work.log in the run folder, then order it again",
        "job",
        {"error": f"{type(error).__name__}: {error}"[:500]},
    )


def _told(problems: Sequence[Problem]) -> str:
    return json.dumps([one.kept() for one in problems], ensure_ascii=False)
