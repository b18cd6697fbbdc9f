"""Against a real keystone, placement and nova with its fake driver: our rows and nova's own hours agree."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from collectors.openstack import Memory, collect, connect, parse_credentials
from inventory.model import Cloud
from lab.openstack.cloud import RealCloud, postgresql_binaries, real_cloud
from lab.openstack.install import install
from lab.openstack.scenario import PROJECTS, SERVERS_EACH, act, play, wait_settled
from records.errors import UserError
from records.secret import Secret
from tests.collectors.clouds import CLOUD, inventory, tenant
from tests.running import missing_peer

pytestmark = pytest.mark.long
MINUTE = 60
KNOWN = inventory(*(tenant(f"t{nth}", project) for nth, project in enumerate(PROJECTS, start=1)))


@pytest.fixture(scope="module")
def cloud(require_peer) -> Iterator[RealCloud]:
    require_peer("RabbitMQ", "rabbitmq-server", "apt-get install rabbitmq-server")
    if postgresql_binaries() is None:
        missing_peer("PostgreSQL is not here (initdb); install it: apt-get install postgresql")
    try:
        install()
    except subprocess.CalledProcessError as error:
        missing_peer(f"keystone and nova could not be installed: {error}")
    folder = Path(tempfile.mkdtemp(prefix="yunwang-openstack-"))  # not tmp_path: PostgreSQL's user must walk in
    with real_cloud(folder) as running:
        play(running)
        yield running
    shutil.rmtree(folder)


def opened(cloud: RealCloud):
    credentials = parse_credentials(Secret(json.dumps(cloud.credentials())))
    return connect(Cloud(id=CLOUD, name="云", kind="openstack", url=cloud.identity), credentials)


def last_minute() -> datetime:
    """End of the newest whole minute."""
    return datetime.now(UTC).replace(second=0, microsecond=0)


def collected(cloud: RealCloud, start: datetime, end: datetime, **more):
    now = datetime.now(UTC)
    return collect(opened(cloud), CLOUD, KNOWN, start, end, now=now, window_seconds=MINUTE, **more)


def launched_at(compute, server: str) -> datetime:
    """Since when nova says the server runs."""
    found = compute.get(f"/servers/{server}").json()["server"]
    return datetime.fromisoformat(found["OS-SRV-USG:launched_at"]).replace(tzinfo=UTC)


def test_rows_agree_with_novas_own_hours(cloud):
    end = last_minute() + timedelta(minutes=1)
    wait = (end - datetime.now(UTC)).total_seconds() + 1
    time.sleep(wait)
    start = end - timedelta(hours=1)
    found = collected(cloud, start, end)
    span = f"start={start:%Y-%m-%dT%H:%M:%S}&end={end:%Y-%m-%dT%H:%M:%S}"
    told = cloud.connect().compute.get(f"/os-simple-tenant-usage?detailed=1&{span}").json()["tenant_usages"]
    names = {one.id: one.name for one in cloud.connect().identity.projects()}
    sizes = {
        "vcpu": ("total_vcpus_usage", 1),
        "memory": ("total_memory_mb_usage", 1024),
        "disk": ("total_local_gb_usage", 1),
    }
    for one in told:
        owner = f"t{PROJECTS.index(names[one['tenant_id']]) + 1}"
        for meter, (total, divisor) in sizes.items():
            rows = [row for row in found.rows.to_pylist() if (row["tenant"], row["meter"]) == (owner, meter)]
            assert abs(float(sum(row["quantity"] for row in rows)) - one[total] / divisor) < 1e-6
    servers = {row["resource"] for row in found.rows.to_pylist()}
    assert (len(told), len(servers), found.rejected) == (len(PROJECTS), len(PROJECTS) * SERVERS_EACH, ())
    assert collected(cloud, start, end).rows.equals(found.rows)


def test_nova_forgets_what_was_before_a_resize_and_we_say_so(cloud):
    """Two confirmed resizes and a reverted one: each is told as a gap, for nova begins them anew."""
    compute = cloud.connect().compute
    found = collected(cloud, last_minute() - timedelta(hours=1), last_minute() + timedelta(minutes=1))
    names = {compute.get(f"/servers/{one.where.split('/')[1]}").json()["server"]["name"] for one in found.gaps}
    assert names == {"bureau-01-s0", "bureau-02-s2", "bureau-03-s1"}


def test_a_resize_that_the_collector_sees_loses_nothing(cloud):
    compute = cloud.connect().compute
    server = next(one for one in compute.servers(all_projects=True) if one.name == "bureau-05-s2")
    larger = next(one for one in compute.flavors() if one.name == "mem.4c16g")
    memory, start, first = Memory(), last_minute() - timedelta(minutes=1), launched_at(compute, server.id)
    collected(cloud, start, last_minute(), memory=memory)
    act(compute, server.id, "resize", {"flavorRef": larger.id})
    wait_settled(compute, [server.id], frozenset({"VERIFY_RESIZE"}))
    act(compute, server.id, "confirmResize")
    wait_settled(compute, [server.id], frozenset({"ACTIVE"}))
    end = last_minute() + timedelta(minutes=1)
    time.sleep((end - datetime.now(UTC)).total_seconds() + 1)
    found = collected(cloud, start, end, memory=memory)
    rows = [row for row in found.rows.to_pylist() if row["resource"] == server.id and row["meter"] == "vcpu"]
    assert [row["start"] for row in rows] == [start + nth * timedelta(minutes=1) for nth in range(len(rows))]
    resized = launched_at(compute, server.id)
    before = (resized - max(start, first)).total_seconds()
    after = (end - resized).total_seconds()
    expected = (before * server.flavor.vcpus + after * larger.vcpus) / 3600
    assert abs(float(sum(row["quantity"] for row in rows)) - expected) < 1e-6
    assert found.gaps == ()


def test_a_wrong_password_is_refused(cloud):
    wrong = parse_credentials(Secret(json.dumps(cloud.credentials() | {"password": "wrong"})))
    api = connect(Cloud(id=CLOUD, name="云", kind="openstack", url=cloud.identity), wrong)
    with pytest.raises(UserError, match="refuses the login"):
        api.projects()
