"""Jobs: carried out once, step by step; cancelled, failed and resumed by rule."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from records.errors import RefusedError, UserError
from storage.state import reading, writing
from tests.workflow.conftest import AT, Clock
from workflow import jobs
from workflow.jobs import Job, Order, State
from workflow.running import LEASE, MOST_TRIES, LeaseLostError, Outcome, Running, claim, run_next


def ordered(engine: sa.Engine, kind: str = "count.up", **more: Any) -> Job:
    with writing(engine) as connection:
        return jobs.submit(connection, Order(kind=kind, parameters={"to": 5}, actor="li", **more), AT)


def stands(engine: sa.Engine, one: Job) -> Job:
    with reading(engine) as connection:
        return jobs.find(connection, one.id)


def count_up(running: Running) -> Outcome:
    """Five steps, resumed where they ended."""
    while (number := running.checkpoint.get("n", 0)) < running.job.parameters["to"]:
        with running.step() as step:
            step.checkpoint["n"] = number + 1
            step.done, step.total = number + 1, running.job.parameters["to"]
    return Outcome(result={"counted": running.checkpoint["n"]}, file="run/jobs/a.csv")


def failing(error: Exception) -> Callable[[Running], Outcome]:
    def handler(_running: Running) -> Outcome:
        raise error

    return handler


def test_a_job_is_carried_out_and_tells_its_progress_and_result(engine: sa.Engine, clock: Clock) -> None:
    one = ordered(engine, organisation="hlj-finance")
    assert (one.state, one.actor, one.organisation, one.tries) == (State.QUEUED, "li", "hlj-finance", 0)

    done = run_next(engine, {"count.up": count_up}, clock)

    assert done is not None
    assert (done.id, done.state, done.done, done.total) == (one.id, State.DONE, 5, 5)
    assert (done.result, done.file, done.started_at, done.ended_at) == ({"counted": 5}, "run/jobs/a.csv", AT, AT)
    assert run_next(engine, {"count.up": count_up}, clock) is None


def test_jobs_of_kinds_that_nobody_here_knows_wait(engine: sa.Engine, clock: Clock) -> None:
    one = ordered(engine, "other.kind")

    assert run_next(engine, {"count.up": count_up}, clock) is None
    assert stands(engine, one).state is State.QUEUED


def test_the_same_key_is_the_same_job_and_no_other(engine: sa.Engine) -> None:
    one = ordered(engine, key="k1")

    assert ordered(engine, key="k1").id == one.id
    assert ordered(engine).id != ordered(engine).id
    with pytest.raises(UserError, match="another order"):
        ordered(engine, "other.kind", key="k1")


def test_the_oldest_is_taken_first_and_by_one_holder(engine: sa.Engine, clock: Clock) -> None:
    with writing(engine) as connection:
        later = jobs.submit(connection, Order(kind="count.up", parameters={}, actor="li"), AT + LEASE)
    first = ordered(engine)

    taken = [claim(engine, {"count.up": count_up}, clock) for _ in range(3)]

    assert [one.job.id if one else None for one in taken] == [first.id, later.id, None]


def test_a_waiting_job_is_cancelled_at_once_and_an_ended_one_not_at_all(engine: sa.Engine, clock: Clock) -> None:
    one = ordered(engine)
    with writing(engine) as connection:
        assert jobs.cancel(connection, "li", one.id, AT).state is State.CANCELLED

    assert run_next(engine, {"count.up": count_up}, clock) is None
    with pytest.raises(RefusedError, match="has ended"), writing(engine) as connection:
        jobs.cancel(connection, "li", one.id, AT)


def test_a_running_job_ends_at_its_next_step_and_keeps_what_was_done(engine: sa.Engine, clock: Clock) -> None:
    one = ordered(engine)

    def cancelled_at_three(running: Running) -> Outcome:
        for number in range(1, 6):
            with running.step() as step:
                step.done = number
            if number == 3:
                with writing(engine) as connection:
                    jobs.cancel(connection, "wang", one.id, AT)
        return Outcome()

    ended = run_next(engine, {"count.up": cancelled_at_three}, clock)

    assert ended is not None
    assert (ended.state, ended.done, ended.result) == (State.CANCELLED, 3, None)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (UserError("the file of {month} is gone", "make it again", where="a.csv", month="2026-10"), "2026-10 is gone"),
        (ZeroDivisionError("oh"), "it failed: ZeroDivisionError: oh"),
        (MemoryError(), "it failed: MemoryError"),
    ],
)
def test_a_failure_is_told_and_not_tried_again(engine: sa.Engine, clock: Clock, error: Exception, said: str) -> None:
    ordered(engine)

    ended = run_next(engine, {"count.up": failing(error)}, clock)

    assert ended is not None
    assert ended.state is State.FAILED
    assert said in ended.problems[0].text()
    assert run_next(engine, {"count.up": count_up}, clock) is None


def test_a_job_whose_holder_died_goes_on_where_it_was(engine: sa.Engine, clock: Clock) -> None:
    one = ordered(engine)
    dead = claim(engine, {"count.up": count_up}, clock)
    assert dead is not None
    for number in (1, 2):
        with dead.step() as step:
            step.checkpoint["n"] = number
    assert run_next(engine, {"count.up": count_up}, clock) is None  # its lease still runs

    clock.pass_(LEASE.total_seconds())
    done = run_next(engine, {"count.up": count_up}, clock)

    assert done is not None
    assert (done.id, done.state, done.tries, done.result) == (one.id, State.DONE, 2, {"counted": 5})


def test_who_was_thought_dead_keeps_nothing_more(engine: sa.Engine, clock: Clock) -> None:
    ordered(engine)
    slow = claim(engine, {"count.up": count_up}, clock)
    assert slow is not None
    clock.pass_(LEASE.total_seconds())
    other = claim(engine, {"count.up": count_up}, clock)
    assert other is not None

    with pytest.raises(LeaseLostError), slow.step() as step:
        step.done = 99
    with pytest.raises(LeaseLostError):
        slow.end(State.DONE)
    assert slow.renew() is False
    assert other.renew() is True
    assert stands(engine, other.job).done == 0


def test_a_step_that_fails_leaves_nothing(engine: sa.Engine, clock: Clock) -> None:
    ordered(engine)
    running = claim(engine, {"count.up": count_up}, clock)
    assert running is not None

    def step_that_fails() -> None:
        with running.step() as step:
            step.checkpoint["n"] = 1
            step.connection.exec_driver_sql("UPDATE job SET message = 'half'")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        step_that_fails()
    assert (dict(running.checkpoint), stands(engine, running.job).message) == ({}, "")


def test_a_job_that_takes_its_worker_along_is_given_up(engine: sa.Engine, clock: Clock) -> None:
    one = ordered(engine)
    for _ in range(MOST_TRIES):
        assert claim(engine, {"count.up": count_up}, clock) is not None
        clock.pass_(LEASE.total_seconds())

    ended = run_next(engine, {"count.up": count_up}, clock)

    assert ended is not None
    assert (ended.id, ended.state) == (one.id, State.FAILED)
    assert f"ended {MOST_TRIES} times" in ended.problems[0].text()


def test_cancelled_while_its_holder_was_dead(engine: sa.Engine, clock: Clock) -> None:
    one = ordered(engine)
    assert claim(engine, {"count.up": count_up}, clock) is not None
    with writing(engine) as connection:
        jobs.cancel(connection, "li", one.id, AT)
    clock.pass_(LEASE.total_seconds())

    ended = run_next(engine, {"count.up": count_up}, clock)

    assert ended is not None
    assert ended.state is State.CANCELLED


def test_unknown_ids_are_told(engine: sa.Engine) -> None:
    with pytest.raises(UserError, match="unknown job"), reading(engine) as connection:
        jobs.find(connection, "job-none")


def test_who_ordered_and_who_cancelled_is_in_the_audit_log(engine: sa.Engine) -> None:
    one = ordered(engine)
    with writing(engine) as connection:
        jobs.cancel(connection, "wang", one.id, AT)
    with reading(engine) as connection:
        rows = connection.execute(sa.text("SELECT actor, action, object FROM audit_log ORDER BY number")).all()

    assert [tuple(row) for row in rows] == [("li", "job.submit", one.id), ("wang", "job.cancel", one.id)]
