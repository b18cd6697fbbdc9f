"""One device's polls: resolve interfaces, ask within a budget, try again, give up in time, and always leave a row."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from collectors.snmp.oids import ENGINE_BOOTS, IF_DESCR, IF_NAME, OCTETS, SYS_UPTIME
from collectors.snmp.plan import LARGEST_PDU, Pdu, Port, indexes, plan, port_at, smaller
from collectors.snmp.port import Agent, Reason, SnmpFailure, Value
from collectors.snmp.readings import COLUMNS, Row, Stamp, missing, reading, whole
from inventory.model import Device
from records.instants import now as wall_now

FULL_SIZE_AGAIN_SECONDS = 3600.0  # how often names are walked again and the PDU size is tried anew
MISSING_AGAIN_SECONDS = 300.0  # how often an interface that the agent does not have is looked for
BREAKER = 2  # polls without any answer until a device gets one try a poll
USABLE = 0.9  # share of the interval that all tries of a device may fill
SHORTEST_TRY = 0.02  # seconds; less is left to the next poll
TICKS = 2**32 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A device and the interfaces that are wanted of it."""

    device: Device
    interfaces: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Seconds of one poll.

    Attributes:
        interval: From one poll of a device to the next.
        timeout: One try of one request.
        retries: Further tries of a request.
        first: A walk, which makes some agents build their tables first.
    """

    interval: float = 60.0
    timeout: float = 2.0
    retries: int = 2
    first: float = 10.0

    @property
    def budget(self) -> float:
        """What all tries of a device may take together, so that they end before its next poll."""
        return self.interval * USABLE

    @property
    def one_try(self) -> float:
        """A try's time-out; shorter than ``timeout`` where the interval leaves no room for the retries."""
        return min(self.timeout, self.budget / (self.retries + 1.5))


@dataclass(frozen=True, slots=True)
class Clock:
    """Wall and monotonic time; tests give their own."""

    wall: Callable[[], datetime] = wall_now
    monotonic_ns: Callable[[], int] = time.monotonic_ns


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """What one poll of a device came to.

    Attributes:
        rows: One for each wanted interface, ``records.schemas.READINGS``.
        objects: Values received.
        seconds: How long it took.
        failure: Why rows are without values; None if the device answered all requests.
        answered: Whether it answered any.
        retries: Tries beyond the first.
    """

    device: str
    rows: Sequence[Row]
    at: datetime
    seconds: float
    objects: int
    failure: SnmpFailure | None
    answered: bool
    retries: int


@dataclass(slots=True)
class _Round:
    """What one poll gathers."""

    deadline_ns: int
    values: dict[str, Value] = field(default_factory=dict)
    stamps: dict[str, Stamp] = field(default_factory=dict)
    rows: dict[str, Row] = field(default_factory=dict)
    retries: int = 0
    answered: bool = False
    resolved: bool = False


class DevicePoller:
    """Polls one device again and again; keeps its interface indexes, PDU size and breaker in between."""

    def __init__(self, target: Target, agent: Agent, timing: Timing, *, run: str, clock: Clock | None = None) -> None:
        self.target = target
        self._agent = agent
        self._timing = timing
        self._run = run
        self._clock = clock or Clock()
        self._size = LARGEST_PDU
        self._ports: tuple[Port, ...] = ()
        self._pdus: tuple[Pdu, ...] = ()
        self._resolved_ns: int | None = None
        self._every: tuple[str, ...] = (SYS_UPTIME,)
        self._silent_polls = 0

    async def poll(self) -> Poll:
        """One poll; never raises for what a device does, and never takes longer than the budget."""
        begun = self._clock.monotonic_ns()
        round_ = _Round(begun + int(self._timing.budget * 1e9))
        failure: SnmpFailure | None = None
        try:
            await self._read_all(round_)
        except SnmpFailure as found:
            failure = found
        self._silent_polls = 0 if round_.answered else self._silent_polls + 1
        return Poll(
            device=self.target.device.id,
            rows=self._rows(round_, failure),
            at=self._clock.wall(),
            seconds=(self._clock.monotonic_ns() - begun) / 1e9,
            objects=len(round_.values),
            failure=failure,
            answered=round_.answered,
            retries=round_.retries,
        )

    async def _read_all(self, round_: _Round) -> None:
        if self._due():
            await self._resolve(round_)
        await self._read(round_)
        if not round_.resolved and any(map(_moved, round_.rows.values())):
            await self._resolve(round_)
            round_.values.clear()
            round_.stamps.clear()
            round_.rows.clear()
            await self._read(round_)

    def _due(self) -> bool:
        """Whether names must be walked: never done, long ago, or a wanted interface was not there lately."""
        if self._resolved_ns is None:
            return True
        age = (self._clock.monotonic_ns() - self._resolved_ns) / 1e9
        some_missing = len(self._ports) < len(self.target.interfaces)
        return age >= (MISSING_AGAIN_SECONDS if some_missing else FULL_SIZE_AGAIN_SECONDS)

    async def _resolve(self, round_: _Round) -> None:
        """Learn the indexes of the wanted interfaces and which counters they have."""
        version3 = self.target.device.snmp is not None and self.target.device.snmp.version == "3"
        hello = await self._get(round_, (SYS_UPTIME, ENGINE_BOOTS) if version3 else (SYS_UPTIME,))
        self._every = tuple(oid for oid in (SYS_UPTIME, ENGINE_BOOTS) if oid in hello) or (SYS_UPTIME,)
        column = IF_NAME
        names = await self._walk(round_, column)
        if not names:  # an agent without ifXTable: its ifDescr is the only name
            column = IF_DESCR
            names = await self._walk(round_, column)
        found = indexes(names, self.target.interfaces)
        wide = await self._wide(round_, tuple(found.values()))
        self._ports = tuple(port_at(name, at, 64 if at in wide else 32, column) for name, at in found.items())
        self._replan(LARGEST_PDU)
        self._resolved_ns = self._clock.monotonic_ns()
        round_.resolved = True

    async def _wide(self, round_: _Round, at: Sequence[int]) -> set[int]:
        """Indexes that have 64-bit counters."""
        column = OCTETS[64][0]
        answered: set[str] = set()
        for first in range(0, len(at), LARGEST_PDU // 2):
            part = [f"{column}.{index}" for index in at[first : first + LARGEST_PDU // 2]]
            answered |= (await self._get_some(round_, part)).keys()
        return {index for index in at if f"{column}.{index}" in answered}

    async def _get_some(self, round_: _Round, oids: Sequence[str]) -> Mapping[str, Value]:
        """Values of any of these; a reply without values means tooBig, so they are asked for in halves."""
        values = await self._get(round_, (SYS_UPTIME, *oids))
        if values or len(oids) == 1:
            return values
        half = len(oids) // 2
        return {**await self._get_some(round_, oids[:half]), **await self._get_some(round_, oids[half:])}

    def _replan(self, size: int) -> None:
        self._size = size
        self._pdus = plan(self._ports, size, self._every)

    async def _read(self, round_: _Round) -> None:
        """Rows of all ports that answer, those before a failure too."""
        try:
            await self._ask_all(round_)
        finally:
            device, ports = self.target.device.id, {port.name: port for port in self._ports}
            for name, stamp in round_.stamps.items():
                round_.rows[name] = reading(device, self._run, ports[name], stamp, round_.values)

    async def _ask_all(self, round_: _Round) -> None:
        """Ask all requests; a reply without values means tooBig, so all is asked again in smaller ones."""
        waiting = list(self._pdus)
        while waiting:
            pdu = waiting.pop(0)
            values = await self._get(round_, pdu.oids)
            if values:
                self._take(round_, pdu, values)
                continue
            size = smaller(min(self._size, len(pdu.oids)))
            if size is None:
                continue  # even the smallest request: these ports leave a row "error"
            self._replan(size)
            round_.stamps.clear()
            waiting = list(self._pdus)

    def _take(self, round_: _Round, pdu: Pdu, values: Mapping[str, Value]) -> None:
        stamp = Stamp(
            self._clock.wall(),
            self._clock.monotonic_ns(),
            whole(values.get(SYS_UPTIME), TICKS),
            whole(values.get(ENGINE_BOOTS)),
        )
        round_.values.update(values)
        for port in pdu.ports:
            round_.stamps[port.name] = stamp

    async def _get(self, round_: _Round, oids: Sequence[str]) -> Mapping[str, Value]:
        """One request with its tries; a device that was silent for some polls gets one try a poll."""
        tries = 1 if self._silent_polls >= BREAKER and not round_.answered else 1 + self._timing.retries
        for left in reversed(range(tries)):
            try:
                values = await self._agent.get(oids, self._within(round_, self._timing.one_try))
            except SnmpFailure as failure:
                if not left or failure.reason not in _WORTH_A_RETRY:
                    raise
                round_.retries += 1
                await asyncio.sleep(random.uniform(0.1, 0.3) * self._timing.one_try / 2)  # noqa: S311 - jitter
            else:
                round_.answered = True
                return values
        raise AssertionError("a loop of at least one try returns or raises")

    async def _walk(self, round_: _Round, column: str) -> Mapping[int, Value]:
        return await self._agent.walk(column, self._within(round_, self._timing.first))

    def _within(self, round_: _Round, wish: float) -> float:
        """Seconds for one try; SnmpFailure if the poll's budget is used up."""
        left = (round_.deadline_ns - self._clock.monotonic_ns()) / 1e9
        if left < SHORTEST_TRY:
            raise SnmpFailure(Reason.TIMEOUT, "the interval is used up")
        return min(wish, left)

    def _rows(self, round_: _Round, failure: SnmpFailure | None) -> list[Row]:
        """A row for every wanted interface, with values, or with the reason why not."""
        late = Stamp(self._clock.wall(), self._clock.monotonic_ns())
        known = {port.name for port in self._ports}
        rows = []
        for name in self.target.interfaces:
            row = round_.rows.get(name)
            if row is None:
                status = _status_without_values(failure, known=name in known)
                row = missing(self.target.device.id, self._run, name, late, status)
            rows.append(row)
        return rows


def _status_without_values(failure: SnmpFailure | None, *, known: bool) -> str:
    if failure is not None:
        return "timeout" if failure.silent else "error"
    return "error" if known else "gone"


def _moved(row: Row) -> bool:
    """Whether an index answered under another name, not at all, or without the wide counters that it had."""
    return row[_STATUS] != "ok" or (row[_IN_OCTETS] is None and row[_BITS] == max(OCTETS))


_STATUS, _BITS, _IN_OCTETS = (COLUMNS.index(name) for name in ("status", "counter_bits", "in_octets"))
_WORTH_A_RETRY = frozenset({Reason.TIMEOUT, Reason.REFUSED, Reason.MALFORMED})


async def poll_once(target: Target, agent: Agent, timing: Timing | None = None) -> Poll:
    """One poll of a device by itself, for ``yw collect once``."""
    return await DevicePoller(target, agent, timing or Timing(), run="once").poll()
