"""kill -9 of the sender, twenty times: nothing is lost, nothing is sent twice knowingly, what is unsure is told."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest
import sqlalchemy as sa

from notify import log, outbox
from notify.claims import KIND
from notify.states import ENDED, State
from records.instants import now
from storage.state import reading, writing
from tests.notify.story import Request, Web, a_notice, web
from tests.running import ROOT, wait_until

KILLS = 20
EACH = 12
SENDER = """
import sys, time
from notify.channels.kinds import Config
from notify.channels.make import Configured
from notify.dispatch import Dispatcher, Plan
from notify.pace import Policy
from notify.routing import Route, Step
from records.instants import now
from records.secret import Secret
from storage.state import open_state

kind, url, state = sys.argv[1:]
config = Config(kind=kind, url=url, private=True, per_minute=100_000)
policy = Policy(wait_seconds=0, window_seconds=0, dedupe_seconds=0, backoff_seconds=0.1)
plan = Plan(routes=[Route(name="all", steps=(Step(channels=("ops",)),))], policy=policy)
Dispatcher(open_state(state), {"ops": Configured(config=config, resolve=Secret)}, plan, now).start()
print("started", flush=True)
time.sleep(3600)
"""


def answer(_: Request) -> tuple[int, bytes, dict[str, str]]:
    time.sleep(0.02)  # so that a kill often falls between the sending and the answer
    return 200, b'{"errcode": 0, "errmsg": "ok"}', {}


def start(kind: str, peer: Web, state: sa.Engine) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", SENDER, kind, f"{peer.url}/?key=k", str(state.url)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)


def lines(state: sa.Engine) -> list[log.Delivery]:
    with reading(state) as connection:
        return log.ls(connection, limit=100_000)


def killed_often(kind: str, peer: Web, state: sa.Engine, seed: int) -> int:
    """Put, start, kill; the last sender works to the end. How many notices were put."""
    chance, number = random.Random(seed), 0  # noqa: S311 - a dice that can be thrown again
    for _ in range(KILLS):
        fresh = [a_notice(number + each, alike=f"g{number + each}") for each in range(EACH)]
        number += EACH
        with writing(state) as connection:
            outbox.put(connection, fresh, now())
        sender, before = start(kind, peer, state), len(peer.got)
        assert sender.stdout is not None
        sender.stdout.readline()
        wait_until(lambda before=before: len(peer.got) > before, 20, "it sends", step=0.005)
        time.sleep(chance.uniform(0, 0.3))
        sender.send_signal(signal.SIGKILL)
        sender.wait()
        sender.stdout.close()
    sender = start(kind, peer, state)
    try:
        wait_until(
            lambda: len(lines(state)) >= number and all(one.state in ENDED for one in lines(state)), 60, "all end"
        )
        time.sleep(1.5)  # the word about what is unsure is routed and sent too
        wait_until(lambda: all(one.state in ENDED for one in lines(state)), 60, "all end")
    finally:
        sender.kill()
        sender.wait()
    return number


@pytest.mark.long
def test_a_peer_that_cannot_dedupe_gets_nothing_twice(state: sa.Engine) -> None:
    with web(answer) as peer:
        put = killed_often("wecom", peer, state, seed=1)
    found = {one.notice: one for one in lines(state)}
    bodies = Counter(json.loads(one.body)["text"]["content"] for one in peer.got)
    unsure = {one.message for one in found.values() if one.state is State.UNKNOWN}
    told = {name.removeprefix(f"{KIND}:") for name in found if name.startswith(KIND)}
    alerts = {name: one for name, one in found.items() if not name.startswith(KIND)}

    assert len(alerts) == put
    assert {one.tries for one in found.values()} == {1}  # never tried again
    assert sum(bodies.values()) <= len({one.message for one in found.values()})
    assert {one.message for one in alerts.values() if one.state is State.UNKNOWN} == told
    assert unsure  # some kills fell into the gap: else this shows nothing


@pytest.mark.long
def test_a_peer_that_can_dedupe_misses_nothing_and_can_tell_repetitions(state: sa.Engine) -> None:
    with web(answer) as peer:
        put = killed_often("webhook", peer, state, seed=2)
    got = [json.loads(one.body) for one in peer.got]
    by_notice: dict[str, set[str]] = {}
    for request, body in zip(peer.got, got, strict=True):
        assert request.headers["x-yunwang-delivery"] == body["id"]
        for one in body["notices"]:
            by_notice.setdefault(one["id"], set()).add(body["id"])
    again = [body for number, body in enumerate(got) if body["id"] in {each["id"] for each in got[:number]}]

    assert {one.state for one in lines(state)} == {State.DELIVERED}
    assert set(by_notice) == {f"n{number}" for number in range(put)}
    assert all(len(ids) == 1 for ids in by_notice.values())  # one id for one notice, however often
    assert again  # some kills fell into the gap
    assert all(body["repeated"] for body in again)
