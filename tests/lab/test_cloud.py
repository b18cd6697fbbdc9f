"""The simulated cloud: recorded shapes, known truth, history that equals the present."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.openstack import collect
from inventory.loading import load
from inventory.model import Cloud, Inventory, Tenant
from lab.province import FILE
from lab.simulator.cloud import CloudServer, SimulatedCloud, history_rows, serve
from lab.simulator.cloud_answers import RECORDED, body_of, recorded, tenant_usages
from lab.simulator.cloud_servers import ORIGIN, project_id, servers_of, usage_truth
from lab.story import tell

CLOUD = "prov-cloud"
NOW = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
KNOWN = Inventory(
    clouds=(Cloud(id=CLOUD, name="云", kind="openstack", url="http://127.0.0.1:5000/v3"),),
    tenants=tuple(Tenant(id=f"t{nth}", cloud=CLOUD, project=f"p{nth}", organisation="o") for nth in range(40)),
)


def simulated(**more) -> SimulatedCloud:
    return SimulatedCloud(more.pop("known", KNOWN), CLOUD, **({"clock": lambda: NOW} | more))


@pytest.fixture
def server():
    cloud = CloudServer(simulated(), password="pw")
    cloud.start()
    yield cloud
    cloud.stop()


def ask(server: CloudServer, path: str, *, body: object = None, **headers: str):
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(server.base + path, data=data, headers=headers)  # noqa: S310 - loopback
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 - loopback
            return answer.status, dict(answer.headers), json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), json.load(error)


def token(server: CloudServer) -> str:
    login = json.loads(json.dumps(recorded()["token"]["request"]["body"]))
    login["auth"]["identity"]["password"]["user"] |= {"name": "yunwang", "password": "pw"}
    status, headers, body = ask(server, "/v3/auth/tokens", body=login)
    assert (status, {one["type"] for one in body["token"]["catalog"]}) == (201, {"identity", "compute"})
    assert all(end["url"].startswith(server.base) for one in body["token"]["catalog"] for end in one["endpoints"])
    return headers["X-Subject-Token"]


def shape(value: object) -> object:
    """Types all the way down; a list is told by its first element."""
    if isinstance(value, dict):
        return {key: shape(one) for key, one in value.items()}
    return [shape(value[0])] if isinstance(value, list) and value else type(value).__name__


def without_none(found: dict, like: dict) -> tuple[object, object]:
    """Shapes of two objects; a field that is null in one of them counts by its name alone."""
    loose = {key for key in found if found[key] is None or like.get(key) is None}
    return tuple(shape({**one, **dict.fromkeys(loose, "")}) for one in (found, like))


def test_the_recording_names_what_was_recorded():
    header = json.loads(Path(RECORDED).read_text(encoding="utf-8"))["recorded"]
    assert {"keystone==30.0.0", "nova==34.0.0"} < set(header["software"])
    assert header["command"] == "python -m lab.openstack.record FOLDER"


def test_generated_objects_have_the_recorded_shapes():
    cloud = simulated()
    recorded_usage = body_of("usage")["tenant_usages"][0]
    generated_usage = tenant_usages(cloud.usages(NOW - HOUR, NOW), NOW - HOUR, NOW, detailed=True)[0]
    active = [
        next(one for one in found if one["status"] == "ACTIVE")
        for found in (cloud.servers(), body_of("servers")["servers"])
    ]
    pairs = [
        (cloud.projects()[-1], body_of("projects")["projects"][-1]),
        (cloud.flavors()[0], body_of("flavors")["flavors"][0]),
        (cloud.actions(cloud.servers()[0]["id"])[0], body_of("actions of a resized server")["instanceActions"][-1]),
        (generated_usage["server_usages"][0], recorded_usage["server_usages"][0]),
        (generated_usage | {"server_usages": []}, recorded_usage | {"server_usages": []}),
        tuple(active),
    ]  # fmt: skip
    for found, like in pairs:
        mine, theirs = without_none(found, like)
        assert mine == theirs


@pytest.mark.parametrize(
    ("path", "name"),
    [("/", "identity versions"), ("/v3", "identity version"), ("/compute/", "compute versions"),
     ("/compute/v2.1/", "compute version")],
)  # fmt: skip
def test_version_documents_are_the_recorded_ones(server, path, name):
    status, headers, body = ask(server, path)
    text = json.dumps(body).replace(f"{server.base}/compute", "http://compute.lab")
    assert json.loads(text.replace(server.base, "http://identity.lab")) == body_of(name)
    assert (status, headers["Date"]) == (recorded()[name]["status"], "Sun, 22 Nov 2026 08:30:00 GMT")


def test_lists_are_paged_as_nova_does(server):
    path = "/compute/v2.1/os-simple-tenant-usage?detailed=1&start=2026-11-22T00:00:00&end=2026-11-22T08:00:00"
    asked = {"X-Auth-Token": token(server), "OpenStack-API-Version": "compute 2.40"}
    whole = ask(server, path, **asked)[2]
    assert "tenant_usages_links" not in whole
    found, following, pages = [], path + "&limit=7", 0
    while following:
        body = ask(server, following, **asked)[2]
        found += [one["instance_id"] for tenant in body["tenant_usages"] for one in tenant["server_usages"]]
        links = body.get("tenant_usages_links", [{"href": ""}])
        following, pages = links[0]["href"].removeprefix(server.base), pages + 1
    told = [one["instance_id"] for tenant in whole["tenant_usages"] for one in tenant["server_usages"]]
    assert (found, pages) == (told, len(told) // 7 + 1)


@pytest.mark.parametrize(
    ("path", "status", "name"),
    [
        ("/compute/v2.1/os-simple-tenant-usage?marker=nobody", 400, None),
        ("/compute/v2.1/servers/detail?all_tenants=1&marker=nobody", 400, "bad marker"),
        ("/compute/v2.1/servers/x", 404, "no such server"),
        ("/v3/users", 404, "no such project"),
        ("/compute/v2.1/os-simple-tenant-usage?start=2026-11-22T01:00:00&end=2026-11-22T01:00:00", 400, None),
        ("/compute/v2.1/os-simple-tenant-usage?start=today&end=2026-11-22T01:00:00", 400, None),
    ],
)
def test_refusals(server, path, status, name):
    got, _, body = ask(server, path, **{"X-Auth-Token": token(server)})
    assert (got, body if name else None) == (status, body_of(name) if name else None)


def test_without_a_token_nothing_is_told(server):
    assert ask(server, "/v3/projects")[::2] == (401, body_of("dead token, identity"))
    assert ask(server, "/compute/v2.1/flavors")[::2] == (401, body_of("dead token, compute"))
    assert ask(server, "/v3/auth/tokens", body={"auth": 1})[0] == 400


def test_servers_live_their_lives():
    """A server appears when it is asked for, is BUILD until launched, and stays in usage after its end."""
    lives = servers_of(KNOWN, CLOUD, (), NOW - timedelta(days=30), NOW)
    short = next(
        one for one in lives if one.ended_at and one.launched_at > NOW - timedelta(days=29) and one.ended_at < NOW
    )

    def at(when: datetime) -> list[str]:
        return [one["status"] for one in simulated(clock=lambda: when).servers() if one["id"] == short.id]

    running = ["SHUTOFF"] if short.stopped else ["ACTIVE"]
    assert [at(short.launched_at - timedelta(seconds=6)), at(short.launched_at - timedelta(seconds=3))] == [
        [],
        ["BUILD"],
    ]
    assert [at(short.launched_at), at(short.ended_at - timedelta(seconds=1)), at(short.ended_at)] == [
        running,
        running,
        [],
    ]
    gone = [one for one in simulated().usages(short.launched_at, NOW) if one["instance_id"] == short.id]
    assert [one["state"] for one in gone] == ["terminated"]  # fmt: skip


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 400 * 86_400), st.integers(1, 30 * 86_400), st.integers(1, 30 * 86_400))
def test_any_question_gets_the_same_truth(begin, first, second):
    """Seconds of two adjoining spans add up to those of both together."""
    start = ORIGIN + timedelta(days=200, seconds=begin)
    middle, end = start + timedelta(seconds=first), start + timedelta(seconds=first + second)
    some = replace(KNOWN, tenants=KNOWN.tenants[:3])
    parts = [usage_truth(servers_of(some, CLOUD, (), *span), *span) for span in ((start, middle), (middle, end))]
    whole = usage_truth(servers_of(some, CLOUD, (), start, end), start, end)
    assert whole == {key: parts[0].get(key, 0) + parts[1].get(key, 0) for key in {**parts[0], **parts[1]}}


def test_collected_usage_is_the_truth_to_the_second():
    start, end = NOW.replace(minute=0) - timedelta(days=3), NOW.replace(minute=0)
    found = collect(simulated(), CLOUD, KNOWN, start, end, now=NOW)
    seconds: dict[str, float] = {}
    vcpus = {one.id: one.shape.vcpus for one in servers_of(KNOWN, CLOUD, (), start, end)}
    for row in found.rows.to_pylist():
        if row["meter"] == "vcpu":
            key = row["resource"]
            seconds[key] = seconds.get(key, 0) + float(row["quantity"]) * 3600 / vcpus[key]
    truth = usage_truth(servers_of(KNOWN, CLOUD, (), start, end), start, end)
    assert {key: round(value) for key, value in seconds.items()} == {
        key: value for key, value in truth.items() if value
    }


def test_history_is_what_a_collector_would_have_given():
    start, end = NOW.replace(minute=0) - timedelta(days=2), NOW.replace(minute=0)
    history = history_rows(KNOWN, start, end, collect=collect)
    ids = set(history["event_id"].to_pylist())
    for nth in range(0, 48, 7):
        at = start + nth * HOUR
        lived = collect(simulated(clock=lambda at=at: at + 2 * HOUR), CLOUD, KNOWN, at, at + HOUR, now=at + 2 * HOUR)
        assert lived.rows.num_rows > 200
        assert set(lived.rows["event_id"].to_pylist()) <= ids


def test_the_storys_burst_makes_servers_for_its_time_only():
    known = load(FILE)
    burst = tell(known, NOW - 3 * HOUR).burst
    assert burst is not None
    cloud = simulated(known=known, bursts=(burst,))
    found = collect(cloud, CLOUD, known, NOW - 4 * HOUR, NOW, now=NOW)
    extra = [row for row in found.rows.to_pylist() if "-burst-" in row["attributes"] and row["meter"] == "vcpu"]
    hours = burst.servers * burst.vcpus * burst.seconds / 3600
    assert {row["tenant"] for row in extra} == {burst.tenant}
    assert abs(float(sum(row["quantity"] for row in extra)) - hours) < 1e-6
    assert [one["name"] for one in cloud.flavors()] == ["std.2c4g", "std.4c8g", "mem.4c16g", "std.8c16g"]


def test_every_tenant_of_the_demo_has_usage():
    known = load(FILE)
    found = collect(simulated(known=known), CLOUD, known, NOW - 2 * HOUR, NOW, now=NOW)
    assert set(found.rows["tenant"].to_pylist()) == {one.id for one in known.tenants}
    assert 60 < len(set(found.rows["resource"].to_pylist())) < 160


def test_project_ids_are_keystones_kind():
    assert len(project_id("finance")) == 32
    assert int(project_id("finance"), 16)


def test_serve_until_cancelled_then_the_port_is_free():
    async def play() -> int:
        serving = asyncio.create_task(serve(simulated(), password="pw", port=port))
        await asyncio.sleep(0.2)
        status = (await asyncio.to_thread(urllib.request.urlopen, f"http://127.0.0.1:{port}/v3")).status
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        return status

    probe = CloudServer(simulated(), password="pw")
    port = int(probe.base.rsplit(":", 1)[1])
    probe.start()
    probe.stop()
    assert asyncio.run(play()) == 200
    again = CloudServer(simulated(), password="pw", port=port)
    again.start()
    again.stop()
