"""kill -9 of a worker in the middle of a job: each step is done once, none is left out."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
import sqlalchemy as sa

from records.instants import now
from storage.state import reading, writing
from workflow import jobs
from workflow.jobs import Order, State

STEPS = 400
WORKER = """
import sys, time
from datetime import timedelta
import sqlalchemy as sa
from records.instants import now
from storage.state import open_state
from workflow import running
running.LEASE, running.MOST_TRIES = timedelta(seconds=0.3), 1000
engine = open_state(sys.argv[1])
def handler(work):
    while (n := work.checkpoint.get("n", 0)) < int(sys.argv[2]):
        with work.step() as step:
            step.connection.exec_driver_sql("INSERT INTO probe VALUES (?)", (n,))
            step.checkpoint["n"] = n + 1
            step.done = n + 1
        time.sleep(0.002)
    return running.Outcome(result={"n": n})
print("ready", flush=True)
while True:
    if running.run_next(engine, {"probe.fill": handler}, now) is None:
        time.sleep(0.02)
"""


def worker(url: str) -> subprocess.Popen[bytes]:
    started = subprocess.Popen([sys.executable, "-c", WORKER, url, str(STEPS)], stdout=subprocess.PIPE)
    assert started.stdout is not None
    assert started.stdout.readline() == b"ready\n"
    return started


def killed_often(engine: sa.Engine, kills: int) -> None:
    with writing(engine) as connection:
        connection.exec_driver_sql("CREATE TABLE probe (n INTEGER)")
        one = jobs.submit(connection, Order(kind="probe.fill", parameters={}, actor="li"), now())
    for number in range(kills):
        running = worker(str(engine.url))
        time.sleep(number * 0.137 % 0.5)
        os.kill(running.pid, signal.SIGKILL)
        running.wait()
    running = worker(str(engine.url))
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and _state(engine, one.id) is not State.DONE:
            time.sleep(0.05)
    finally:
        running.kill()
        running.wait()
    with reading(engine) as connection:
        numbers = list(connection.execute(sa.text("SELECT n FROM probe ORDER BY n")).scalars())
        ended = jobs.find(connection, one.id)
    assert (ended.state, ended.done) == (State.DONE, STEPS)
    assert numbers == list(range(STEPS))


def _state(engine: sa.Engine, job_id: str) -> State:
    with reading(engine) as connection:
        return jobs.find(connection, job_id).state


def test_three_kills_neither_repeat_nor_lose_a_step(engine: sa.Engine) -> None:
    killed_often(engine, 3)


@pytest.mark.long
def test_twenty_kills_neither_repeat_nor_lose_a_step(engine: sa.Engine) -> None:
    killed_often(engine, 20)
