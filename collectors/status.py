"""How collecting goes (采集状态): counters and the last word of each device, written down for the status page."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from collectors.snmp.poller import Poll
from records.instants import format_instant, now

WRITE_SECONDS = 1.0
LAG_MEMORY = 0.98  # how much of the largest lag is left after each poll without one


@dataclass(slots=True)
class DeviceStatus:
    """What is known of one device's polls.

    Attributes:
        last_answer: When it last answered anything.
        last_error: What went wrong last, and when; None once all is well.
        failures: Polls without any answer since then.
    """

    last_answer: datetime | None = None
    last_error: tuple[datetime, str, str] | None = None
    failures: int = 0
    seconds: float = 0.0
    objects: int = 0

    def as_json(self) -> dict[str, Any]:
        """The shape in ``collect.json``."""
        error = self.last_error
        return {
            "last_answer": format_instant(self.last_answer) if self.last_answer else None,
            "last_error": error and {"at": format_instant(error[0]), "reason": error[1], "detail": error[2]},
            "failures": self.failures,
            "seconds": round(self.seconds, 4),
            "objects": self.objects,
        }


@dataclass(slots=True)
class ListenerStatus:
    """One listener: ``state`` is ``listening``, ``failed`` (``why`` says it) or ``closed``."""

    address: str
    state: str = "closed"
    why: str = ""
    connections: int = 0


@dataclass
class CollectorStatus:
    """All counters of one collecting process since its start. Fulfils ``schedule.Observer``.

    Attributes:
        received: Things that the spool has, by stream: messages of listeners, readings of ``snmp``.
        dropped: Things that were thrown away, by reason.
        clouds: How each cloud's usage job goes, written by the job itself.
        certificates: What was last seen of each certificate, written by the job that looks.
        cut: Messages whose connection ended before they did; kept, and counted here too.
    """

    shard: tuple[int, int] = (0, 1)
    started_at: datetime = field(default_factory=now)
    received: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    dropped_bytes: Counter[str] = field(default_factory=Counter)
    cut: int = 0
    polls: int = 0
    objects: int = 0
    retries: int = 0
    unanswered: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    lag_seconds: float = 0.0
    devices: dict[str, DeviceStatus] = field(default_factory=dict)
    listeners: dict[str, ListenerStatus] = field(default_factory=dict)
    jobs: dict[str, str] = field(default_factory=dict)
    clouds: MutableMapping[str, object] = field(default_factory=dict)
    certificates: MutableMapping[str, object] = field(default_factory=dict)
    blocked: Callable[[], str] = field(default=str)

    def polled(self, poll: Poll, lag_seconds: float) -> None:
        self.polls += 1
        self.objects += poll.objects
        self.retries += poll.retries
        self.lag_seconds = max(lag_seconds, self.lag_seconds * LAG_MEMORY)
        one = self.devices.setdefault(poll.device, DeviceStatus())
        one.seconds, one.objects = poll.seconds, poll.objects
        if poll.answered:
            one.last_answer, one.failures = poll.at, 0
        else:
            one.failures += 1
            self.unanswered += 1
        failure = poll.failure
        one.last_error = (poll.at, failure.reason.value, failure.detail) if failure else None
        if failure:
            self.reasons[failure.reason.value] += 1

    def spooled(self, source: str, count: int) -> None:
        self.received[source] += count

    def forgotten(self, device: str) -> None:
        self.devices.pop(device, None)

    def lost(self, why: str, count: int) -> None:
        self.dropped[why] += count

    def as_json(self) -> Mapping[str, Any]:
        """The whole status."""
        silent = sum(1 for one in self.devices.values() if one.failures)
        return {
            "pid": os.getpid(),
            "shard": f"{self.shard[0]}/{self.shard[1]}",
            "started_at": format_instant(self.started_at),
            "as_of": format_instant(now()),
            "received": dict(self.received),
            "dropped": dict(self.dropped),
            "dropped_bytes": dict(self.dropped_bytes),
            "cut": self.cut,
            "spool_blocked": self.blocked(),
            "snmp": {
                "devices": len(self.devices),
                "silent": silent,
                "polls": self.polls,
                "unanswered": self.unanswered,
                "objects": self.objects,
                "retries": self.retries,
                "reasons": dict(self.reasons),
                "lag_seconds": round(self.lag_seconds, 3),
            },
            "devices": {name: one.as_json() for name, one in sorted(self.devices.items())},
            "listeners": {
                name: {"address": one.address, "state": one.state, "why": one.why, "connections": one.connections}
                for name, one in self.listeners.items()
            },
            "jobs": dict(self.jobs),
            "clouds": dict(self.clouds),
            "certificates": dict(self.certificates),
        }


def status_file(run_folder: Path, shard: tuple[int, int]) -> Path:
    """``collect.json``; a shard of several writes ``collect-<i>.json``."""
    return run_folder / ("collect.json" if shard[1] == 1 else f"collect-{shard[0]}.json")


def write_status(status: CollectorStatus, file: Path) -> None:
    """Replace the file in one step; a reader sees the old or the new one. OSError if there is no room."""
    waiting = file.with_suffix(".tmp")
    waiting.write_bytes(orjson.dumps(status.as_json()))
    waiting.replace(file)


async def write_forever(status: CollectorStatus, file: Path, refresh: Callable[[], None] = lambda: None) -> None:
    """Write about once a second until cancelled; ``refresh`` reads counters that the kernel keeps."""
    while True:
        refresh()
        try:
            await asyncio.to_thread(write_status, status, file)
        except OSError as error:
            status.jobs["status"] = str(error)  # told again once there is room
        else:
            status.jobs.pop("status", None)
        await asyncio.sleep(WRITE_SECONDS)
