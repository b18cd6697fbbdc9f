"""The simulated cloud's JSON: generated servers in the shapes that a real keystone and nova were recorded with."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from inventory.model import Inventory
from lab.simulator.cloud_servers import ORIGIN, SHAPES, Server, Shape, burst_shape, project_id, servers_of
from lab.story import Burst

RECORDED = Path(__file__).parent / "recorded/openstack.json"
_BUILDING = timedelta(seconds=5)
Json = dict[str, Any]


@lru_cache(maxsize=1)
def recorded() -> Mapping[str, Json]:
    """Recorded exchanges by name; treat them as constants."""
    found: Mapping[str, Json] = json.loads(RECORDED.read_text(encoding="utf-8"))["exchanges"]
    return found


def body_of(name: str) -> Any:
    """A copy of a recorded body, to be filled in."""
    return copy.deepcopy(recorded()[name]["body"])


class SimulatedCloud:
    """One cloud of an inventory at work; also answers in process, in the shape of the collector's ``ComputeApi``.

    Args:
        inventory: Its tenants' projects get servers.
        cloud: Inventory id of the cloud.
        bursts: Extra servers of the story.
        clock: The cloud's own clock, aware UTC.
    """

    def __init__(
        self,
        inventory: Inventory,
        cloud: str,
        *,
        bursts: Sequence[Burst] = (),
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._inventory, self._cloud, self._bursts, self._clock = inventory, cloud, tuple(bursts), clock
        self._launched: dict[str, datetime] = {}

    def now(self) -> datetime:
        return self._clock().replace(microsecond=0)

    def projects(self) -> list[Json]:
        """The recorded administrator's projects and the tenants', in keystone's form."""
        found = body_of("projects")["projects"]
        own = [one for one in found if one["name"] in {"admin", "service"}]
        template = next(one for one in found if one["name"].startswith("bureau"))
        names = dict.fromkeys(one.project for one in self._inventory.tenants if one.cloud == self._cloud)
        return own + [_project(template, name) for name in names]

    def flavors(self) -> list[Json]:
        template = body_of("flavors")["flavors"][0]
        return [_flavor(template, shape) for shape in dict.fromkeys([*SHAPES, *map(burst_shape, self._bursts)])]

    def servers(self) -> list[Json]:
        """Servers that are there now, the youngest first, as nova lists them."""
        now = self.now()
        found = [one for one in self._lives(now, now + _BUILDING) if one.launched_at - _BUILDING <= now]
        found.sort(key=lambda one: (one.launched_at, one.id), reverse=True)
        template = next(one for one in body_of("servers")["servers"] if one["status"] == "ACTIVE")
        return [_listed(template, one, now) for one in found]

    def usages(self, start: datetime, end: datetime) -> list[Json]:
        """``server_usages`` of all projects, ordered by project and server; the future is cut off, as nova does."""
        now = self._clock()
        until = min(end, now)
        return [_usage(one, start, until, now) for one in self._lives(start, until) if one.launched_at <= now]

    def actions(self, server: str) -> list[Json]:
        """Its creation: simulated servers are never resized."""
        if server not in self._launched:
            self._launched = {one.id: one.launched_at for one in self._lives(ORIGIN, self._clock())}
        if server not in self._launched:
            return []
        at = naive(self._launched[server] - _BUILDING)
        found = body_of("actions of a resized server")["instanceActions"]
        template = next(one for one in found if one["action"] == "create")
        return [template | {"instance_uuid": server, "start_time": at, "updated_at": at}]

    def _lives(self, start: datetime, end: datetime) -> list[Server]:
        return servers_of(self._inventory, self._cloud, self._bursts, start, end)


def tenant_usages(usages: Sequence[Json], start: datetime, stop: datetime, *, detailed: bool) -> list[Json]:
    """Usages drawn together by project, with nova's totals (floats, as nova gives them)."""
    found: dict[str, list[Json]] = {}
    for usage in usages:
        found.setdefault(usage["tenant_id"], []).append(usage)
    return [_tenant(project, members, start, stop, detailed=detailed) for project, members in found.items()]


def naive(at: datetime) -> str:
    """Nova's usage instants: UTC without offset, always with microseconds."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")


def _tenant(project: str, members: Sequence[Json], start: datetime, stop: datetime, *, detailed: bool) -> Json:
    def total(size: str) -> float:
        return float(sum(one[size] * one["hours"] for one in members))

    summary: Json = {"tenant_id": project}
    if detailed:
        summary["server_usages"] = list(members)
    return summary | {
        "total_local_gb_usage": total("local_gb"),
        "total_vcpus_usage": total("vcpus"),
        "total_memory_mb_usage": total("memory_mb"),
        "total_hours": float(sum(one["hours"] for one in members)),
        "start": naive(start),
        "stop": naive(stop),
    }


def _usage(server: Server, start: datetime, stop: datetime, now: datetime) -> Json:
    ended = server.ended_at if server.ended_at is not None and server.ended_at <= now else None
    shared = min(ended or stop, stop) - max(server.launched_at, start)
    return {
        "hours": max(0.0, shared.total_seconds() / 3600),
        "flavor": server.shape.name,
        "instance_id": server.id,
        "name": server.name,
        "tenant_id": project_id(server.project),
        "memory_mb": server.shape.memory_mb,
        "local_gb": server.shape.disk_gb,
        "vcpus": server.shape.vcpus,
        "started_at": naive(server.launched_at),
        "ended_at": naive(ended) if ended else None,
        "state": "terminated" if ended else "stopped" if server.stopped else "active",
        "uptime": int(((ended or now) - server.launched_at).total_seconds()),
    }


def _project(template: Json, name: str) -> Json:
    key = project_id(name)
    return template | {
        "id": key,
        "name": name,
        "description": "",
        "links": {"self": f"http://identity.lab/v3/projects/{key}"},
    }


def _flavor(template: Json, shape: Shape) -> Json:
    key = project_id(f"flavor {shape.name}")
    links = [link | {"href": link["href"].replace(template["id"], key)} for link in template["links"]]
    return template | {
        "id": key, "name": shape.name, "ram": shape.memory_mb, "disk": shape.disk_gb, "vcpus": shape.vcpus,
        "extra_specs": {"class": shape.kind}, "links": links,
    }  # fmt: skip


def _listed(template: Json, server: Server, now: datetime) -> Json:
    building = now < server.launched_at
    created = (server.launched_at - _BUILDING).replace(tzinfo=None).isoformat() + "Z"
    shape = server.shape
    flavor = template["flavor"] | {
        "vcpus": shape.vcpus, "ram": shape.memory_mb, "disk": shape.disk_gb,
        "original_name": shape.name, "extra_specs": {"class": shape.kind},
    }  # fmt: skip
    status = "BUILD" if building else "SHUTOFF" if server.stopped else "ACTIVE"
    return template | {
        "id": server.id,
        "name": server.name,
        "tenant_id": project_id(server.project),
        "flavor": flavor,
        "status": status,
        "OS-EXT-STS:vm_state": {"BUILD": "building", "SHUTOFF": "stopped", "ACTIVE": "active"}[status],
        "created": created,
        "updated": created,
        "OS-SRV-USG:launched_at": None if building else naive(server.launched_at),
        "OS-SRV-USG:terminated_at": None,
        "links": [link | {"href": link["href"].replace(template["id"], server.id)} for link in template["links"]],
    }
