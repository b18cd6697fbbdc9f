"""Projects, flavors and servers with a past: launched, resized, reverted, stopped, deleted, failed."""

from __future__ import annotations

import time
from typing import Any

from lab.openstack.cloud import RealCloud
from lab.openstack.stand_in import IMAGE_ID

PROJECTS = tuple(f"bureau-{number:02d}" for number in range(1, 7))
FLAVORS = (("std.2c4g", 2, 4096, 40, "std"), ("std.4c8g", 4, 8192, 80, "std"), ("mem.4c16g", 4, 16384, 80, "mem"))
TOO_LARGE = ("huge.9000c", 9000, 4096, 40, "std")  # the fake host has 1000 vCPU: its server ends in ERROR
SERVERS_EACH = 3
_SETTLED = {"ACTIVE", "ERROR", "SHUTOFF", "VERIFY_RESIZE"}


def play(cloud: RealCloud) -> None:
    """Make it all; raises RuntimeError if a server does not reach its state within five minutes."""
    compute = cloud.connect().compute
    flavors = {flavor[0]: make_flavor(compute, *flavor) for flavor in (*FLAVORS, TOO_LARGE)}
    make_projects(cloud)
    made: list[str] = []
    for number, project in enumerate(PROJECTS):
        compute_there = cloud.connect(project).compute
        for nth in range(SERVERS_EACH):
            flavor = flavors[FLAVORS[(number + nth) % len(FLAVORS)][0]]
            made.append(make_server(compute_there, f"{project}-s{nth}", flavor))
    wait_settled(compute, made)
    failed = make_server(cloud.connect(PROJECTS[0]).compute, "too-large", flavors[TOO_LARGE[0]])
    wait_settled(compute, [failed])
    _change(compute, made, flavors["mem.4c16g"])


def make_projects(cloud: RealCloud) -> None:
    """The bureaus' projects with room for the largest flavor, the administrator a member of each."""
    connection = cloud.connect()
    identity = connection.identity
    admin = next(user for user in identity.users() if user.name == "admin")
    role = next(role for role in identity.roles() if role.name == "admin")
    for number, name in enumerate(PROJECTS, start=1):
        project = identity.create_project(name=name, domain_id="default", description=f"委办局{number}")
        identity.assign_project_role_to_user(project, admin, role)
        _ok(
            connection.compute.put(
                f"/os-quota-sets/{project.id}", json={"quota_set": {"instances": 100, "cores": 20_000, "ram": -1}}
            )
        )


def make_flavor(compute: Any, name: str, vcpus: int, memory_mb: int, disk_gb: int, kind: str) -> str:
    """A flavor with ``class`` among its extra specs; returns its id."""
    flavor = _ok(
        compute.post("/flavors", json={"flavor": {"name": name, "vcpus": vcpus, "ram": memory_mb, "disk": disk_gb}})
    )["flavor"]
    _ok(compute.post(f"/flavors/{flavor['id']}/os-extra_specs", json={"extra_specs": {"class": kind}}))
    return str(flavor["id"])


def make_server(compute: Any, name: str, flavor: str) -> str:
    """Ask for a server without network; returns its id."""
    wanted = {"name": name, "flavorRef": flavor, "imageRef": IMAGE_ID, "networks": "none"}
    return str(_ok(compute.post("/servers", json={"server": wanted}))["server"]["id"])


def act(compute: Any, server: str, action: str, value: object = None) -> None:
    """One server action; nova answers 202 before anything has changed."""
    answer = compute.post(f"/servers/{server}/action", json={action: value})
    if answer.status_code >= 400:  # noqa: PLR2004 - HTTP errors begin there
        raise RuntimeError(f"{action} of {server}: {answer.status_code} {answer.text[:300]}")


def wait_settled(compute: Any, servers: list[str], states: frozenset[str] = frozenset(_SETTLED)) -> None:
    """Wait until each server is in one of the states and no task runs."""
    limit = time.monotonic() + 300
    waiting = list(servers)
    while waiting:
        found = {server: _ok(compute.get(f"/servers/{server}"))["server"] for server in waiting}
        waiting = [key for key, one in found.items() if one["status"] not in states or one["OS-EXT-STS:task_state"]]
        if time.monotonic() > limit:
            raise RuntimeError(f"not settled: {[(one['name'], one['status']) for one in found.values()]}")
        time.sleep(0.5)


def _change(compute: Any, servers: list[str], larger: str) -> None:
    """Resize the first two of the smallest flavor, revert a third, stop two, delete three."""
    resized, reverted = [servers[0], servers[5]], servers[7]
    for server in (*resized, reverted):
        act(compute, server, "resize", {"flavorRef": larger})
        wait_settled(compute, [server], frozenset({"VERIFY_RESIZE"}))
    for server in resized:
        act(compute, server, "confirmResize")
    act(compute, reverted, "revertResize")
    for server in (servers[2], servers[8]):
        act(compute, server, "os-stop")
    wait_settled(compute, [*resized, reverted], frozenset({"ACTIVE"}))
    wait_settled(compute, [servers[2], servers[8]], frozenset({"SHUTOFF"}))
    for server in (servers[4], servers[10], servers[16]):
        delete(compute, server)


def delete(compute: Any, server: str) -> None:
    """Delete a server and wait until it is gone."""
    compute.delete(f"/servers/{server}")
    limit = time.monotonic() + 300
    while compute.get(f"/servers/{server}").status_code != 404:  # noqa: PLR2004 - not found
        if time.monotonic() > limit:
            raise RuntimeError(f"server {server} is still there")
        time.sleep(0.5)


def _ok(answer: Any) -> Any:
    if answer.status_code >= 400:  # noqa: PLR2004 - HTTP errors begin there
        raise RuntimeError(f"{answer.request.method} {answer.url}: {answer.status_code} {answer.text[:300]}")
    return answer.json()
