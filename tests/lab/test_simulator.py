"""The simulator as one process, and its log lines read by a real listener and the real parser."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import pytest

from inventory.loading import load
from inventory.writing import to_json
from lab.province import FILE
from lab.simulator.logs import noise, storm_lines, story_lines
from lab.simulator.run import Simulation, pause_snmp, resume_snmp, start
from lab.story import tell
from soc.parse.raw import Raw
from soc.parse.syslog import parse_syslog
from tests.collectors.test_syslog import Listen, Listening, open_socket
from tests.provinces import free_port, small_province

EPOCH = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
ROOT = Path(__file__).parent.parent.parent


def answers(address: str, port: int) -> bool:
    """Whether the agent there answers a GET of sysUpTime."""
    request = bytes.fromhex("302902010104067075626c6963a01c020400d00808020100020100300e300c06082b060102010103000500")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.settimeout(0.5)
        asker.connect((address, port))
        try:
            asker.send(request)
            return bool(asker.recv(2000))
        except OSError:
            return False


def eventually(condition, wanted: bool) -> None:
    deadline = time.monotonic() + 10
    while condition() is not wanted:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_process_answers_pauses_resumes_and_ends(tmp_path: Path) -> None:
    port = free_port()
    file = tmp_path / "inventory.json"
    file.write_text(to_json(load_small(port)), "utf-8")
    command = [sys.executable, "-m", "lab.simulator", "--inventory", str(file), "--run-folder", str(tmp_path)]
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
    try:
        eventually((tmp_path / "simulator.json").exists, True)
        assert json.loads((tmp_path / "simulator.json").read_text())["snmp_ports"] == [port]
        assert answers("127.9.3.1", port)
        pause_snmp(tmp_path)
        eventually(lambda: answers("127.9.3.1", port), False)
        resume_snmp(tmp_path)
        eventually(lambda: answers("127.9.3.1", port), True)
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0
    finally:
        process.kill()


def load_small(port: int):
    """The small province, less what the checker of files asks for beyond the records."""
    inventory = small_province(port)
    return type(inventory)(
        regions=inventory.regions, devices=inventory.devices, groups=inventory.groups, links=inventory.links
    )


def test_a_taken_port_is_an_error_with_a_next_step(tmp_path: Path) -> None:
    file = tmp_path / "inventory.json"
    file.write_text(to_json(load_small(1161)), "utf-8")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("0.0.0.0", 0))  # noqa: S104 - the responder wants the wildcard too
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "lab.simulator", "--inventory", str(file), "--snmp-port", port]
        found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=20)
    assert found.returncode == 4
    assert "--snmp-port" in found.stderr


@pytest.mark.parametrize("every_day", [True, False])
def test_the_real_parser_reads_every_line_and_knows_its_host(every_day: bool) -> None:
    inventory = load(FILE)
    story = tell(inventory, EPOCH)
    lines = (
        list(islice(noise(inventory, EPOCH, 5.0), 600))
        if every_day
        else story_lines(inventory, story, EPOCH, EPOCH + timedelta(minutes=5))
    )
    assert len(lines) > 60
    for line in lines:
        raw = Raw(payload=line.message, received_at=line.at + timedelta(seconds=1))
        event = parse_syslog(raw)
        assert event.fields["host.name"] == line.sender, line.message
        assert abs(event.at - line.at) < timedelta(seconds=1)


def test_everyday_lines_hold_no_failed_login() -> None:
    lines = islice(noise(load(FILE), EPOCH, 5.0), 5_000)
    assert not any(b"Failed password" in line.message or b"Accepted password" in line.message for line in lines)


def test_the_storm_arrives_in_order_over_real_sockets() -> None:
    async def story():
        tcp, udp = open_socket("tcp", "127.0.0.1:0"), open_socket("udp", "127.0.0.1:0")
        one = Listening([Listen(protocol="tcp", opened=tcp), Listen(protocol="udp", opened=udp)])
        await asyncio.sleep(0.05)
        inventory = small_province()
        began = time.time()
        simulation = Simulation(
            inventory=inventory,
            epoch=EPOCH,
            snmp_ports=(),
            syslog_tcp=tcp.getsockname(),
            syslog_udp=udp.getsockname(),
            lines_per_second=40,
            clock=lambda: EPOCH.timestamp() + 79 + (time.time() - began) * 30,
        )
        async with start(simulation) as running:
            await asyncio.sleep(2.5)
            wanted = [line.message for line in storm_lines(running.story.storm, running.story.storm.start)]
        await one.stop()
        return wanted, [entry.payload for entry in one.spool.entries]

    wanted, found = asyncio.run(story())
    assert [payload for payload in found if b"203.0.113.77" in payload] == wanted
    assert len(found) > 2 * len(wanted)
