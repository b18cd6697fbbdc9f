"""kill -9 of any process under load: nothing lost, nothing doubled, service back within five seconds."""

from __future__ import annotations

import collections
import json
import os
import re
import signal
import socket
import threading
import time
from pathlib import Path

import pytest

from records.schemas import EVENTS
from records.spool import Kind
from storage.embedded import EmbeddedStore
from storage.spool import SpoolReader
from tests.running import Platform, wait_until

NUMBER = re.compile(r"seq=(\d+)")
INVENTORY = """yunwang: 1
regions: [{code: "230000", name: 黑龙江省, level: province}]
organisations: [{id: hlj-finance, name: 省财政厅, region: "230000"}]
clouds: [{id: c, name: c, kind: openstack, url: "http://127.0.0.1:9/v3"}]
tenants: [{id: t1, cloud: c, project: p, organisation: hlj-finance}]
hosts: [{id: web1, address: 127.0.0.1, os: linux, organisation: hlj-finance}]
"""
USAGE_ROWS = 2000

pytestmark = pytest.mark.system


class Sender(threading.Thread):
    """Numbers its messages and sends them over TCP as fast as ``pause`` allows; connects again after a cut."""

    def __init__(self, port: int, pause: float = 0.001) -> None:
        super().__init__(daemon=True)
        self.port, self.pause = port, pause
        self.number = 0
        self.done = threading.Event()

    def run(self) -> None:
        while not self.done.is_set():
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
                    self._send(connection)
            except OSError:
                time.sleep(0.05)

    def _send(self, connection: socket.socket) -> None:
        while not self.done.is_set():
            self.number += 1
            connection.sendall(f"<13>1 2026-11-22T00:00:00Z web1 app - - - seq={self.number}\n".encode())
            time.sleep(self.pause)


@pytest.fixture
def site(platform: Platform, tmp_path: Path) -> Platform:
    (tmp_path / "inventory.yaml").write_text(INVENTORY)
    rows = "".join(
        f"csv,e{n},t1,r{n % 50},vcpu,1.5,vcpu*h,2026-10-01T00:00:00Z,2026-10-01T01:00:00Z\n" for n in range(USAGE_ROWS)
    )
    (tmp_path / "usage.csv").write_text("source,event_id,tenant,resource,meter,quantity,unit,start,end\n" + rows)
    platform.json("inventory", "import", str(tmp_path / "inventory.yaml"))
    platform.up("--no-demo")
    return platform


def spooled(platform: Platform) -> collections.Counter[int]:
    """Message numbers that the listener wrote down."""
    reader = SpoolReader(platform.data / "spool")
    entries = (entry for name in reader.partitions() for _, entry in reader.read(name, 0, 10**9, {Kind.RAW}))
    return collections.Counter(int(found[1]) for one in entries if (found := NUMBER.search(one.payload.decode())))


def stored(platform: Platform) -> collections.Counter[int]:
    """Message numbers that the store has as events."""
    store = EmbeddedStore(platform.data / "records")
    docs = store.read(EVENTS, columns=["doc"]).column("doc").to_pylist()
    store.close()
    originals = (json.loads(doc)["event.original"] for doc in docs)
    return collections.Counter(int(found[1]) for one in originals if (found := NUMBER.search(one)))


def back(platform: Platform, name: str, old: int) -> bool:
    new = platform.pid(name)
    return new is not None and new != old


def listening(platform: Platform, sender: Sender) -> bool:
    """A message sent now reaches the spool."""
    return sender.number - 100 in spooled(platform) or sender.number in spooled(platform)


def kill_under_load(platform: Platform, names: list[str], tmp_path: Path) -> None:
    sender = Sender(platform.syslog)
    sender.start()
    for name in names:
        time.sleep(0.5)
        old = platform.pid(name)
        assert old is not None
        os.kill(old, signal.SIGKILL)
        began = time.monotonic()
        wait_until(lambda name=name, old=old: back(platform, name, old), 5, f"{name} is back")
        assert time.monotonic() - began <= 5
        done = platform.json("meter", "import", str(tmp_path / "usage.csv"), "--source", "csv")
        assert done["stored"] + done["duplicates"] == USAGE_ROWS
    sender.done.set()
    sender.join()
    wait_until(
        lambda: platform.json("status")["lag_seconds"] == 0 and spooled(platform) == stored(platform),
        60,
        "all is judged",
    )
    inside = spooled(platform)

    assert set(inside.values()) == {1}
    assert len(inside) > 100 * len(names)
    assert platform.json("meter", "import", str(tmp_path / "usage.csv"), "--source", "csv")["duplicates"] == USAGE_ROWS


def test_three_kills_lose_and_double_nothing(site: Platform, tmp_path: Path) -> None:
    kill_under_load(site, ["work", "collect", "serve"], tmp_path)


@pytest.mark.long
def test_ten_kills_of_each_process_lose_and_double_nothing(site: Platform, tmp_path: Path) -> None:
    kill_under_load(site, ["work", "collect", "serve"] * 10, tmp_path)


def kill_supervisor(platform: Platform) -> None:
    assert platform.process is not None
    children = [row["pid"] for row in platform.json("status")["processes"] if row["name"] != "supervisor"]
    platform.process.kill()
    platform.process.wait()
    began = time.monotonic()
    wait_until(lambda: not any(_alive(pid) for pid in children), 5, "the children end with their supervisor")
    platform.up("--no-demo", seconds=20)
    assert time.monotonic() - began <= 10


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_a_killed_supervisor_takes_its_children_along_and_starts_again(site: Platform) -> None:
    kill_supervisor(site)


@pytest.mark.long
def test_ten_kills_of_the_supervisor(site: Platform) -> None:
    for _ in range(10):
        kill_supervisor(site)
