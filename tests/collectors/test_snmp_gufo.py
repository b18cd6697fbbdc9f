"""The agent port on gufo-snmp: sessions, reasons of failure, keys. A stand-in takes the library's place."""

import asyncio

import pytest
from gufo.snmp.user import KeyType

from collectors.snmp import gufo
from collectors.snmp.gufo import GufoAgent, access_of
from collectors.snmp.port import Reason, SnmpFailure
from inventory.model import Device, Role, Snmp
from records.secret import Secret


class PanicException(BaseException):
    """What pyo3 raises when Rust panics: no Exception."""


class Session:
    """Answers, keeps silent or breaks as it is told."""

    def __init__(self, behaviour) -> None:
        self.behaviour = behaviour
        self.refreshed = 0
        self.busy = 0
        self.most_busy = 0

    async def refresh(self) -> None:
        self.refreshed += 1

    async def get_many(self, oids):
        self.busy += 1
        self.most_busy = max(self.most_busy, self.busy)
        try:
            return await self.behaviour(oids)
        finally:
            self.busy -= 1


async def answer(oids):
    await asyncio.sleep(0.01)
    return dict.fromkeys(oids, 1)


async def silence(_oids):
    await asyncio.sleep(60)


async def refused(_oids):
    raise TimeoutError


async def unreachable(_oids):
    raise OSError(101, "Network is unreachable")


async def panic(_oids):
    raise PanicException("index out of bounds")


@pytest.fixture
def opened(monkeypatch):
    """All sessions that were opened; ``behaviour`` is that of the next."""
    sessions = []

    def open_session(_access):
        sessions.append(Session(open_session.behaviour))
        return sessions[-1]

    open_session.behaviour = answer
    monkeypatch.setattr(gufo, "_open", open_session)
    return sessions, open_session


def agent() -> GufoAgent:
    return GufoAgent(lambda: None)


def reason_of(one: GufoAgent, within: float = 0.05) -> Reason:
    with pytest.raises(SnmpFailure) as caught:
        asyncio.run(one.get(["1.3"], within))
    return caught.value.reason


@pytest.mark.parametrize(
    ("behaviour", "reason", "silent"),
    [
        (silence, Reason.TIMEOUT, True),
        (refused, Reason.REFUSED, True),
        (unreachable, Reason.UNREACHABLE, True),
        (panic, Reason.MALFORMED, False),
    ],
)
def test_every_failure_has_a_reason(opened, behaviour, reason: Reason, silent: bool) -> None:
    opened[1].behaviour = behaviour
    assert reason_of(agent()) is reason
    assert SnmpFailure(reason).silent is silent


def test_one_session_serves_many_requests_one_at_a_time(opened) -> None:
    async def story():
        one = agent()
        return await asyncio.gather(*(one.get(["1.3"], 1) for _ in range(5)))

    assert asyncio.run(story()) == [{"1.3": 1}] * 5
    assert [(session.most_busy, session.refreshed) for session in opened[0]] == [(1, 1)]


def test_two_silences_or_a_panic_begin_a_new_session(opened) -> None:
    async def story():
        one = agent()
        for behaviour in (silence, silence, panic, answer):
            opened[1].behaviour = behaviour
            for session in opened[0]:
                session.behaviour = behaviour
            try:
                await one.get(["1.3"], 0.03)
            except SnmpFailure:
                continue
        return len(opened[0])

    assert asyncio.run(story()) == 3


def test_a_session_idle_for_150_seconds_is_refreshed(opened) -> None:
    seconds = [1000.0]

    async def story():
        one = GufoAgent(lambda: None, clock=lambda: seconds[0])
        for step in (0, 100, 149, 151, 1):
            seconds[0] += step
            await one.get(["1.3"], 1)

    asyncio.run(story())
    assert [session.refreshed for session in opened[0]] == [2]


def test_a_cancelled_poll_is_cancelled_not_swallowed(opened) -> None:
    opened[1].behaviour = silence

    async def story():
        task = asyncio.create_task(agent().get(["1.3"], 30))
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(story())


V3 = Snmp(version="3", user="watch", auth="sha256", auth_key="secret:a", priv="aes128", priv_key="secret:p")


def device(snmp: Snmp | None) -> Device:
    address = "127.0.0.1"
    return Device(id="d", name="d", region="1", role=Role.CORE, vendor="x", platform="x", address=address, snmp=snmp)


def test_v3_keys_are_master_keys_derived_once() -> None:
    gufo._master.cache_clear()
    first, second = (access_of(device(V3), lambda name: Secret(f"pass phrase {name}")) for _ in range(2))
    assert first.user.auth_key.key_type is first.user.priv_key.key_type is KeyType.Master
    assert first.user.auth_key.key == second.user.auth_key.key
    assert gufo._master.cache_info().misses == 2
    assert "pass phrase" not in repr(first)


@pytest.mark.parametrize("snmp", [None, Snmp(version="2c", community="secret:none"), V3])
def test_a_secret_without_value_is_a_reason(snmp: Snmp | None) -> None:
    with pytest.raises(SnmpFailure) as caught:
        access_of(device(snmp), {}.__getitem__)
    assert caught.value.reason is Reason.SECRET
