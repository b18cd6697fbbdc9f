"""The responder, asked by an independent SNMP library (pysnmp) and by hand."""

import asyncio
import socket
from datetime import UTC, datetime

import pytest
from pysnmp.hlapi.v1arch.asyncio import (
    CommunityData,
    ObjectIdentity,
    ObjectType,
    SnmpDispatcher,
    UdpTransportTarget,
    bulk_cmd,
    bulk_walk_cmd,
    get_cmd,
    next_cmd,
)

from lab.simulator import ber
from lab.simulator.agent import SimulatedAgent
from lab.simulator.faults import Faults
from lab.simulator.snmp import SnmpResponder
from lab.traffic import Traffic
from tests.provinces import free_port, small_province

EPOCH = datetime(2026, 11, 22, 3, 0, tzinfo=UTC).timestamp()
IF_NAME = "1.3.6.1.2.1.31.1.1.1.1"
HC_IN = "1.3.6.1.2.1.31.1.1.1.6"


def responder(port: int, faults=None) -> SnmpResponder:
    inventory = small_province(port)
    return SnmpResponder(inventory, Traffic(inventory), epoch=EPOCH, faults=faults, clock=lambda: EPOCH + 5)


def version_2(community: str) -> CommunityData:
    return CommunityData(community, mpModel=1)  # noqa: S508 - what the responder speaks


async def ask(command, address: str, port: int, *arguments, community: str = "public", wait: float = 2):
    target = await UdpTransportTarget.create((address, port), timeout=wait, retries=0)
    return await command(SnmpDispatcher(), version_2(community), target, *arguments)


def names(*oids: str):
    return [ObjectType(ObjectIdentity(oid)) for oid in oids]


def run(questions, faults=None):
    async def play():
        port = free_port()
        served = responder(port, faults)
        served.start([port])
        try:
            return await questions(port, served)
        finally:
            served.pause()

    return asyncio.run(play())


def test_another_library_reads_the_truth_from_two_devices() -> None:
    async def questions(port, _served):
        found = []
        for address in ("127.9.3.1", "127.9.2.1"):
            indexes = {}
            target = await UdpTransportTarget.create((address, port))
            walk = bulk_walk_cmd(SnmpDispatcher(), version_2("public"), target, 0, 10, *names(IF_NAME))
            async for _, _, _, pairs in walk:
                for name, value in pairs:
                    if str(name).startswith(IF_NAME + "."):
                        indexes[str(value)] = str(name).rsplit(".", 1)[1]
            interface = max(indexes)
            _, status, _, pairs = await ask(get_cmd, address, port, *names(f"{HC_IN}.{indexes[interface]}"))
            found.append((sorted(indexes), int(status), int(pairs[0][1])))
        return found

    inventory = small_province()
    truth = Traffic(inventory)
    agents = [SimulatedAgent(inventory.device[name], truth, EPOCH) for name in ("north", "city1")]
    counted = [
        agent._counted(interface, EPOCH + 5)[0]
        for agent, interface in zip(agents, ("ge0/0/9", "xge0/0/1"), strict=True)
    ]
    assert run(questions) == [
        (["LoopBack0", "ge0/0/1", "ge0/0/2", "ge0/0/9"], 0, counted[0]),
        (["LoopBack0", "ge1/0/1", "ge1/0/2", "xge0/0/1"], 0, counted[1]),
    ]


def test_getnext_walks_the_whole_mib_in_order_and_ends() -> None:
    inventory = small_province()
    agent = SimulatedAgent(inventory.device["north"], Traffic(inventory), EPOCH)
    name, seen = (1,), []
    while found := agent.following(name, EPOCH):
        name = found[0]
        seen.append(name)
    assert seen == sorted(set(seen))
    assert len(seen) == 7 + 1 + 11 + 3 * 25


def test_missing_instances_and_the_end_of_the_mib_are_told() -> None:
    async def questions(port, _served):
        _, _, _, pairs = await ask(get_cmd, "127.9.3.1", port, *names(f"{HC_IN}.777", "1.3.6.1.2.1.1.5.0"))
        _, _, _, last = await ask(next_cmd, "127.9.3.1", port, *names("1.3.6.1.2.1.99"))
        _, _, _, bulk = await ask(bulk_cmd, "127.9.3.1", port, 1, 3, *names("1.3.6.1.2.1.1.5", IF_NAME))
        return [type(pairs[0][1]).__name__, str(pairs[1][1]), type(last[0][1]).__name__, [str(one[1]) for one in bulk]]

    assert run(questions) == ["NoSuchInstance", "north", "EndOfMibView", ["north", "LoopBack0", "ge0/0/1", "ge0/0/2"]]


def test_a_wrong_community_an_unknown_address_and_silence_give_no_answer() -> None:
    async def questions(port, served):
        uptime = names("1.3.6.1.2.1.1.3.0")
        answers = [
            await ask(get_cmd, "127.9.3.1", port, *uptime, community="private", wait=0.3),
            await ask(get_cmd, "127.9.77.1", port, *uptime, wait=0.3),
            await ask(get_cmd, "127.9.3.2", port, *uptime, wait=0.3),
        ]
        return [str(error) for error, *_ in answers], served.served.refused

    silent = {"south": Faults(silent=(0, float("inf")))}
    errors, refused = run(questions, silent)
    assert all("No SNMP response" in error for error in errors)
    assert refused == 2


def test_pause_closes_the_port_and_resume_opens_it() -> None:
    async def questions(port, served):
        found = []
        for change in (served.pause, served.resume):
            change()
            error, *_ = await ask(get_cmd, "127.9.3.1", port, *names("1.3.6.1.2.1.1.3.0"), wait=0.3)
            found.append(error is None)
        return found

    assert run(questions) == [False, True]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x30",
        b"\x30\x81",
        b"\x30\x84\xff\xff\xff\xff",
        b"hello",
        bytes.fromhex("302902010104067075626c6963a01c0204"),
        bytes.fromhex("302902010004067075626c6963a01c020400d00808020100020100300e300c06082b060102010103000500"),
    ],
)
def test_garbage_gets_no_answer(data: bytes) -> None:
    assert responder(1161).answer(data, socket.inet_aton("127.9.3.1"), EPOCH) is None


@pytest.mark.parametrize("value", [0, 1, 127, 128, 255, 256, 2**31, 2**32 - 1, 2**63, 2**64 - 1])
def test_numbers_are_encoded_as_signed_integers(value: int) -> None:
    encoded = ber.whole(ber.COUNTER64, value)
    assert encoded[1] == len(encoded) - 2
    assert int.from_bytes(encoded[2:], "big", signed=True) == value


def test_numbering_uptime_and_counters_of_a_reboot() -> None:
    inventory = small_province()
    faults = Faults(reboot_at=EPOCH + 10, renumber_at=EPOCH + 10)
    agent = SimulatedAgent(inventory.device["north"], Traffic(inventory), EPOCH, faults)
    assert agent.moment(EPOCH + 12).uptime == 200
    assert agent.indexes(EPOCH + 9)["ge0/0/1"] != agent.indexes(EPOCH + 10)["ge0/0/1"]
    assert agent._counted("ge0/0/1", EPOCH + 10) == (0, 0)
