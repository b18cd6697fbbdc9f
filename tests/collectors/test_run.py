"""One collecting process: its status file, a job that fails, an orderly end."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import orjson
import pytest

from collectors.run import CollectPlan, run
from collectors.snmp.poller import Timing
from collectors.syslog import Listen, open_socket
from lab.simulator.faults import Faults
from records.secret import Secret
from storage.unavailable import UnavailableError
from tests.collectors.polling import bench


class Kept:
    def __init__(self, *, full: bool = False) -> None:
        self.entries = []
        self.full = full

    def append(self, entries) -> None:
        if self.full:
            raise UnavailableError("no space left", "free some")
        self.entries += entries


async def collecting(tmp_path: Path, spool, seconds: float, jobs=None, faults=None):
    """Run for some seconds with one sender; gives the status file just before the end, and how long the end took."""
    async with bench(faults) as one:
        tcp = open_socket("tcp", "127.0.0.1:0")
        plan = CollectPlan(
            run_folder=tmp_path,
            timing=Timing(interval=1.0, timeout=0.2, retries=0, first=0.5),
            listens=[Listen(protocol="tcp", opened=tcp)],
        )
        stop = asyncio.Event()
        task = asyncio.create_task(
            run(plan, lambda: (1, one.inventory), lambda _: Secret("public"), spool, jobs, stop=stop)
        )
        await asyncio.sleep(0.3)
        with socket.create_connection(tcp.getsockname()) as sender:
            sender.sendall(b"<13>hello\n")
            await asyncio.sleep(seconds)
        found = json.loads((tmp_path / "collect.json").read_text())
        begun = time.monotonic()
        stop.set()
        status = await task
        return found, time.monotonic() - begun, status


def test_the_status_tells_how_it_goes(tmp_path: Path) -> None:
    async def broken(_put) -> None:
        raise RuntimeError("the cloud is away")

    spool = Kept()
    found, seconds, status = asyncio.run(
        collecting(tmp_path, spool, 2.5, {"clouds": broken}, {"mill": Faults(silent=(0, float("inf")))})
    )
    assert found["pid"] == os.getpid()
    assert found["received"]["syslog-tcp"] == 1
    assert found["received"]["snmp"] >= 14
    assert found["snmp"]["devices"] == 7
    assert found["snmp"]["silent"] == 1
    assert found["devices"]["north"]["last_error"] is None
    assert found["devices"]["mill"]["last_answer"] is None
    assert found["devices"]["mill"]["last_error"]["reason"] == "timeout"
    assert found["jobs"]["clouds"] == "failed: the cloud is away"
    assert found["listeners"]["syslog-tcp"]["state"] == "listening"
    assert seconds < 2
    assert status.received["snmp"] + status.received["syslog-tcp"] > len(spool.entries) > 0


def test_a_full_spool_is_told_and_does_not_hinder_the_end(tmp_path: Path) -> None:
    found, seconds, status = asyncio.run(collecting(tmp_path, Kept(full=True), 1.5))
    assert found["spool_blocked"] == "no space left"
    assert found["received"] == {}
    assert seconds < 5
    assert status.dropped["spool_blocked_at_stop"] >= 1


SCRIPT = """
import asyncio, sys
from pathlib import Path
from collectors.run import CollectPlan, run
from collectors.syslog import Listen
from inventory.model import Inventory
from storage.spool import SpoolWriter
folder = Path(sys.argv[1])
plan = CollectPlan(run_folder=folder, listens=[Listen(protocol="tcp", address="127.0.0.1:" + sys.argv[2])])
with SpoolWriter(folder / "spool", "collect") as writer:
    asyncio.run(run(plan, lambda: (1, Inventory()), None, writer))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_process_and_nothing_that_was_read_is_lost(tmp_path: Path, number: int) -> None:
    from storage.spool import SpoolReader  # noqa: PLC0415 - only this test reads the real spool

    with open_socket("tcp", "127.0.0.1:0") as probe:
        port = probe.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(tmp_path), str(port)])
    try:
        sender = _connect(port)
        sent = [b"<13>message %d" % at for at in range(20_000)]
        sender.sendall(b"\n".join(sent) + b"\n")
        time.sleep(0.2)
        process.send_signal(number)
        assert process.wait(5) == 0
        sender.close()
    finally:
        process.kill()
    reader = SpoolReader(tmp_path / "spool")
    assert [entry.payload for _, entry in reader.read("collect", 0, 50_000)] == sent
    assert orjson.loads((tmp_path / "collect.json").read_bytes())["received"] == {"syslog-tcp": 20_000}


def _connect(port: int) -> socket.socket:
    deadline = time.monotonic() + 10
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=10)
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
