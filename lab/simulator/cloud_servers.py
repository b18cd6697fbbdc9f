"""Servers of the simulated cloud: whose, how large, from when to when; a pure function, so past and present agree."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from inventory.model import Inventory
from lab.story import Burst

ORIGIN = datetime(2025, 1, 1, tzinfo=UTC)  # no simulated server is older
_DAY = 86_400
_SERVERS_AT_MOST = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A flavor.

    Attributes:
        kind: ``class`` of its extra specs.
    """

    name: str
    vcpus: int
    memory_mb: int
    disk_gb: int
    kind: str


SHAPES = (
    Shape(name="std.2c4g", vcpus=2, memory_mb=4096, disk_gb=40, kind="std"),
    Shape(name="std.4c8g", vcpus=4, memory_mb=8192, disk_gb=80, kind="std"),
    Shape(name="mem.4c16g", vcpus=4, memory_mb=16_384, disk_gb=80, kind="mem"),
)  # as in the recording, lab/openstack/scenario.py


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One server's whole life, known beforehand.

    Attributes:
        launched_at: Whole seconds, as nova keeps them.
        ended_at: None if it stays for good.
        stopped: Switched off, yet allocated.
    """

    id: str
    project: str
    name: str
    shape: Shape
    launched_at: datetime
    ended_at: datetime | None
    stopped: bool


def project_id(project: str) -> str:
    """Keystone's id of a project name: 32 hex digits."""
    return hashlib.blake2b(f"project {project}".encode(), digest_size=16).hexdigest()


def burst_shape(burst: Burst) -> Shape:
    """The flavor that a burst asks for."""
    name = f"std.{burst.vcpus}c{burst.memory_mb // 1024}g"
    return Shape(name=name, vcpus=burst.vcpus, memory_mb=burst.memory_mb, disk_gb=100, kind="std")


def servers_of(
    inventory: Inventory, cloud: str, bursts: Sequence[Burst], start: datetime, end: datetime
) -> list[Server]:
    """Servers that live in [start, end), ordered as nova pages them: by project id, then server id."""
    projects = dict.fromkeys(one.project for one in inventory.tenants if one.cloud == cloud)
    found = [server for project in projects for server in _of_project(project, start, end)]
    found += [server for burst in bursts if burst.cloud == cloud for server in _of_burst(burst)]
    alive = (one for one in found if one.launched_at < end and (one.ended_at is None or one.ended_at > start))
    return sorted(alive, key=lambda one: (project_id(one.project), one.id))


def usage_truth(servers: Sequence[Server], start: datetime, end: datetime) -> Mapping[str, int]:
    """Seconds that each server lived in [start, end), by id: the truth that collected usage is compared with."""
    return {
        one.id: max(0, int((min(one.ended_at or end, end) - max(one.launched_at, start)).total_seconds()))
        for one in servers
    }


def _of_project(project: str, start: datetime, end: datetime) -> Iterator[Server]:
    """One server for good, and up to three places in which one server follows another."""
    yield _server(project, "main", ORIGIN + timedelta(seconds=_number(project, "main") % (90 * _DAY)), None)
    for place in range(_number(project, "places") % _SERVERS_AT_MOST):
        yield from _of_place(project, f"app{place + 1}", start, end)


def _of_place(project: str, place: str, start: datetime, end: datetime) -> Iterator[Server]:
    """Cycles of 5 to 40 days, each with one server that lives 60 to 95 % of it; its number tells the cycle."""
    cycle = timedelta(seconds=(5 * _DAY) + _number(project, place) % (35 * _DAY))
    for nth in range(max(0, (start - ORIGIN) // cycle), (end - ORIGIN) // cycle + 1):
        number = _number(project, f"{place} {nth}")
        life = cycle * (60 + number % 36) // 100
        rest = int((cycle - life).total_seconds())
        launched = ORIGIN + cycle * nth + timedelta(seconds=number // 36 % rest)
        yield _server(project, f"{place}-{nth}", launched, launched + timedelta(seconds=int(life.total_seconds())))


def _of_burst(burst: Burst) -> Iterator[Server]:
    """All of a burst's servers, one a second."""
    start = burst.start.replace(microsecond=0)
    for nth in range(burst.servers):
        name = f"{burst.project}-burst-{nth + 1:02d}"
        yield Server(
            id=_uuid(f"{name} {start.isoformat()}"),
            project=burst.project,
            name=name,
            shape=burst_shape(burst),
            launched_at=start + timedelta(seconds=nth),
            ended_at=start + timedelta(seconds=burst.seconds + nth),
            stopped=False,
        )


def _server(project: str, role: str, launched: datetime, ended: datetime | None) -> Server:
    name = f"{project}-{role}"
    number = _number(project, f"shape {role}")
    return Server(
        id=_uuid(name), project=project, name=name, shape=SHAPES[number % len(SHAPES)], launched_at=launched,
        ended_at=ended, stopped=number // 7 % 12 == 0,
    )  # fmt: skip


def _uuid(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, name))


def _number(project: str, what: str) -> int:
    return int.from_bytes(hashlib.blake2b(f"{project}/{what}".encode(), digest_size=6).digest(), "big")
