"""Real peers: net-snmp's snmpd, rsyslog, and pysnmp as a second opinion."""

import asyncio
import contextlib
import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
from pysnmp.hlapi.v1arch.asyncio import (
    CommunityData,
    ObjectIdentity,
    ObjectType,
    SnmpDispatcher,
    UdpTransportTarget,
    get_cmd,
)

from collectors.snmp.gufo import gufo_agent
from collectors.snmp.oids import IF_NAME, OCTETS, STATES, SYS_UPTIME
from collectors.snmp.poller import DevicePoller, Target, Timing
from collectors.snmp.port import Reason
from collectors.snmp.readings import as_values
from collectors.syslog import Listen, open_socket
from inventory.model import Device, Role, Snmp
from lab.simulator.snmp import SnmpResponder
from lab.traffic import Traffic
from records.secret import Secret
from tests.collectors.test_syslog import Listening
from tests.provinces import free_port, small_province

SECRETS = {"secret:ro": "public", "secret:auth": "authentic-pass", "secret:priv": "private-pass-1"}
V2C = Snmp(version="2c", community="secret:ro")
V3 = Snmp(version="3", user="watch", auth="sha256", auth_key="secret:auth", priv="aes128", priv_key="secret:priv")


def resolve(reference: str) -> Secret:
    return Secret(SECRETS[reference])


def stop(process: subprocess.Popen) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@pytest.fixture
def snmpd(tmp_path: Path, require_peer):
    """Starts net-snmp's agent on a free port; gives the port and a function that starts it anew."""
    program = require_peer("net-snmp", "snmpd", "apt-get install snmpd")
    port = free_port()
    (tmp_path / "state").mkdir()
    config = tmp_path / "snmpd.conf"
    config.write_text(
        f"agentaddress udp:127.0.0.1:{port}\nrocommunity public 127.0.0.1\n"
        f'createUser watch SHA-256 "{SECRETS["secret:auth"]}" AES "{SECRETS["secret:priv"]}"\nrouser watch priv\n'
    )
    running: list[subprocess.Popen] = []

    def start() -> None:
        for process in running:
            stop(process)
        state = str(tmp_path / "state")  # where it keeps its boots; ``-C`` would make it forget them
        environment = {**os.environ, "SNMP_PERSISTENT_DIR": state, "SNMPCONFPATH": f"{tmp_path}:{state}", "MIBS": ""}
        command = [program, "-f", "-Lf", str(tmp_path / "log"), "-p", str(tmp_path / "pid")]
        running.append(subprocess.Popen(command, env=environment))
        wait_bound(port)

    before = loopback_octets()  # the agent reads its counters at its start and keeps them for a while
    start()
    yield port, start, before
    stop(running[-1])


def wait_bound(port: int, seconds: float = 30.0) -> None:
    """Return once a UDP socket of that port is open."""
    deadline = time.monotonic() + seconds
    while f":{port:04X} " not in Path("/proc/net/udp").read_text():
        assert time.monotonic() < deadline, f"nothing listens on UDP {port}"
        time.sleep(0.02)


def poller(snmp: Snmp, port: int, resolving=resolve) -> DevicePoller:
    access = Snmp(**{name: getattr(snmp, name) for name in snmp.__slots__ if name != "port"}, port=port)
    device = Device(
        id="box",
        name="box",
        region="1",
        role=Role.CORE,
        vendor="linux",
        platform="linux",
        address="127.0.0.1",
        snmp=access,
    )
    timing = Timing(interval=20, timeout=1.0, retries=3)
    return DevicePoller(
        Target(device=device, interfaces=("lo", "nope0")), gufo_agent(device, resolving), timing, run="t"
    )


def loopback_octets() -> int:
    line = next(line for line in Path("/proc/net/dev").read_text().splitlines() if line.strip().startswith("lo:"))
    return int(line.split(":")[1].split()[0])


@pytest.mark.peer
@pytest.mark.parametrize("snmp", [V2C, V3], ids=["v2c", "v3 SHA-256 AES-128"])
def test_snmpd_is_read_through_the_same_collector(snmpd, snmp: Snmp) -> None:
    port, _, before = snmpd
    found = asyncio.run(poller(snmp, port).poll())
    rows = {row["interface"]: row for row in as_values(found.rows)}
    assert found.failure is None
    row = rows["lo"]
    assert (row["status"], row["counter_bits"], row["if_index"], row["oper_status"]) == ("ok", 64, 1, 1)
    assert before <= row["in_octets"] <= loopback_octets()
    assert 0 <= row["uptime_ticks"] < 6_000
    assert (row["engine_boots"] is not None) == (snmp.version == "3")
    assert rows["nope0"]["status"] == "gone"


@pytest.mark.peer
def test_a_restart_of_a_v3_engine_is_survived_and_shows_in_its_boots(snmpd) -> None:
    port, restart, _ = snmpd

    async def story():
        one = poller(V3, port)
        first = await one.poll()
        restart()
        return first, [await one.poll() for _ in range(3)]

    first, later = asyncio.run(story())
    boots = [as_values(poll.rows)[0]["engine_boots"] for poll in (first, *later)]
    assert later[-1].failure is None
    assert boots[-1] == boots[0] + 1


@pytest.mark.peer
@pytest.mark.parametrize("wrong", ["secret:auth", "secret:priv"])
def test_wrong_v3_keys_are_a_failure_not_a_value(snmpd, wrong: str) -> None:
    port, _, _ = snmpd
    found = asyncio.run(
        poller(V3, port, lambda name: Secret("something else") if name == wrong else resolve(name)).poll()
    )
    assert found.failure.reason in {Reason.TIMEOUT, Reason.AUTHENTICATION, Reason.MALFORMED, Reason.REFUSED}
    assert {row["status"] for row in as_values(found.rows)} <= {"timeout", "error"}


def test_another_library_reads_the_same_values() -> None:
    """gufo-snmp against pysnmp on every object that the poller asks for."""

    async def story():
        port = free_port()
        inventory = small_province(port)
        served = SnmpResponder(inventory, Traffic(inventory), epoch=1.79e9, clock=lambda: 1.79e9 + 5)
        served.start([port])
        columns = (IF_NAME, *OCTETS[64], *OCTETS[32], *STATES)
        oids = [SYS_UPTIME, *(f"{column}.{index}" for column in columns for index in (1, 5, 999))]
        try:
            ours = await gufo_agent(inventory.device["north"], resolve).get(oids, 2)
            return ours, await theirs("127.9.3.1", port, oids)
        finally:
            served.pause()

    ours, other = asyncio.run(story())
    assert len(ours) == 20
    assert ours == other


async def theirs(address: str, port: int, oids: list[str]) -> dict[str, int | bytes]:
    target = await UdpTransportTarget.create((address, port))
    asked = [ObjectType(ObjectIdentity(oid)) for oid in oids]
    community = CommunityData("public", mpModel=1)  # noqa: S508 - what the responder speaks
    _, _, _, pairs = await get_cmd(SnmpDispatcher(), community, target, *asked)
    found: dict[str, int | bytes] = {}
    for name, value in pairs:
        kind = type(value).__name__
        if kind != "NoSuchInstance":
            found[str(name)] = bytes(value) if kind == "OctetString" else int(value)
    return found


RSYSLOG = """
global(workDirectory="{folder}")
module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="{folder}/in")
action(type="omfwd" target="127.0.0.1" port="{port}" protocol="tcp" TCP_Framing="{framing}" template="RSYSLOG_{form}")
"""


@pytest.mark.peer
@pytest.mark.parametrize(
    ("framing", "form"),
    [("octet-counted", "SyslogProtocol23Format"), ("traditional", "ForwardFormat")],
)
def test_rsyslog_forwards_every_message(tmp_path: Path, require_peer, framing: str, form: str) -> None:
    program = require_peer("rsyslog", "rsyslogd", "apt-get install rsyslog")

    async def story():
        tcp = open_socket("tcp", "127.0.0.1:0")
        tcp.listen(10)
        one = Listening([Listen(protocol="tcp", opened=tcp)])
        config = tmp_path / "rsyslog.conf"
        config.write_text(RSYSLOG.format(folder=tmp_path, port=tcp.getsockname()[1], framing=framing, form=form))
        command = [program, "-n", "-f", str(config), "-i", str(tmp_path / "pid")]
        process = subprocess.Popen(  # noqa: ASYNC220 - it starts in a moment
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            await asyncio.to_thread(log, tmp_path / "in", 2_000)
            await one.until(2_000, seconds=20)
        finally:
            stop(process)
            await one.stop()
        return one.spool.payloads(), one.status

    payloads, status = asyncio.run(story())
    numbers = [int(found[1]) for payload in payloads if (found := re.search(rb"message (\d+) \xe6", payload))]
    assert numbers == list(range(2_000))
    assert all(payload.startswith(b"<") for payload in payloads)
    assert (status.cut, dict(status.dropped)) == (0, {})


def log(path: Path, count: int) -> None:
    """Write messages as a program on the machine does, once rsyslog listens."""
    deadline = time.monotonic() + 10
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as sender:
        sender.settimeout(10)
        sender.connect(str(path))
        for number in range(count):
            sender.send(f"<14>Nov 22 10:00:00 app[1]: message {number} 消息".encode())
