"""Inventories, credentials and fakes for tests of the cloud collector."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime

from collectors.openstack import Credentials, parse_credentials
from inventory.model import Cloud, Inventory, Tenant
from lab.simulator.cloud_answers import body_of
from records.secret import Secret

CLOUD = "prov-cloud"
PASSWORD = "only-for-tests"


def instant(text: str) -> datetime:
    """``11-22T03:00`` of 2026, UTC."""
    return datetime.fromisoformat(f"2026-{text}").replace(tzinfo=UTC)


def tenant(name: str, project: str, **more) -> Tenant:
    return Tenant(id=name, cloud=CLOUD, project=project, organisation="bureau", **more)


def inventory(*tenants: Tenant, url: str = "http://127.0.0.1:5000/v3") -> Inventory:
    return Inventory(clouds=(Cloud(id=CLOUD, name="省级政务云", kind="openstack", url=url),), tenants=tenants)


def bureaus(count: int) -> tuple[Tenant, ...]:
    return tuple(tenant(f"t{nth:02d}", f"project-{nth:02d}") for nth in range(1, count + 1))


def credentials(**more: str) -> Credentials:
    values = {
        "username": "yunwang",
        "password": PASSWORD,
        "project_name": "admin",
        "user_domain_name": "Default",
        "project_domain_name": "Default",
        **more,
    }
    return parse_credentials(Secret(json.dumps(values)))


def usage(server: str = "s1", project: str = "p1", **more) -> dict:
    """An element of ``server_usages``: 2 vCPU, 4 GB, 40 GB from 03:00 on."""
    return {
        "hours": 1.0,
        "flavor": "std.2c4g",
        "instance_id": server,
        "name": f"{server}-name",
        "tenant_id": project,
        "memory_mb": 4096,
        "local_gb": 40,
        "vcpus": 2,
        "started_at": "2026-11-22T03:00:00.000000",
        "ended_at": None,
        "state": "active",
        "uptime": 1,
        **more,
    }


@dataclass
class FakeCloud:
    """A ``ComputeApi`` that tells what it is given."""

    at: datetime
    told: list[dict]
    listed: list[dict] = field(default_factory=list)
    done: dict[str, list[dict]] = field(default_factory=dict)
    named: dict[str, str] = field(default_factory=lambda: {"p1": "project-01"})
    kinds: list[dict] = field(default_factory=list)

    def now(self) -> datetime:
        return self.at

    def projects(self) -> list[dict]:
        return [{"id": key, "name": name} for key, name in self.named.items()]

    def servers(self) -> list[dict]:
        return self.listed

    def flavors(self) -> list[dict]:
        return self.kinds

    def usages(self, _start: datetime, _end: datetime) -> list[dict]:
        return self.told

    def actions(self, server: str) -> list[dict]:
        return self.done.get(server, [])


class RecordedCloud(FakeCloud):
    """The real keystone's and nova's answers of ``lab/simulator/recorded``."""

    def __init__(self) -> None:
        told = [one for project in body_of("usage")["tenant_usages"] for one in project["server_usages"]]
        super().__init__(at=instant("11-22T05:00"), told=told, listed=body_of("servers")["servers"])
        self.kinds = body_of("flavors")["flavors"]
        self.named = {one["id"]: one["name"] for one in body_of("projects")["projects"]}
        actions = body_of("actions of a resized server")["instanceActions"]
        self.done = {actions[0]["instance_uuid"]: actions}
