"""Answers SNMP v2c for every device of an inventory from one wildcard UDP socket on loopback addresses."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from inventory.model import Inventory
from lab.flow import mix
from lab.simulator import ber
from lab.simulator.agent import Cell, Moment, SimulatedAgent
from lab.simulator.ber import Malformed, Oid, Request
from lab.simulator.faults import SOUND, Faults
from lab.traffic import Traffic

LARGEST_DATAGRAM = 1_472  # Ethernet's payload less IP and UDP headers
LARGEST_REQUEST = 65_535
RECEIVE_BYTES = 8 * 2**20
AT_ONCE = 64  # requests answered before the event loop gets its turn
REMEMBERED = 20_000  # requests whose names stay decoded
IP_PKTINFO = 8  # ip(7), Linux: the address that a datagram was sent to
_PKTINFO = struct.Struct("=I4s4s")  # interface, address to answer from, address that was asked
_ANY = b"\0\0\0\0"

Clock = Callable[[], float]
_Answerer = list[tuple[bytes, Cell | None]]


@dataclass(slots=True)
class Served:
    """What the responder counted since its start."""

    requests: int = 0
    answered: int = 0
    refused: int = 0  # wrong community, no such device, not SNMP


class SnmpResponder:
    """The agents of all devices behind one socket. ``answer`` is pure; the socket stands around it."""

    def __init__(
        self,
        inventory: Inventory,
        traffic: Traffic,
        *,
        epoch: float,
        community: str = "public",
        faults: Mapping[str, Faults] | None = None,
        clock: Clock = time.time,
    ) -> None:
        chosen = faults or {}
        self.served = Served()
        self._community = community.encode()
        self._clock = clock
        self._agents = {
            socket.inet_aton(device.address): SimulatedAgent(device, traffic, epoch, chosen.get(device.id, SOUND))
            for device in inventory.devices
            if device.snmp is not None and ":" not in device.address
        }
        self._known: dict[tuple[bytes, bool, bytes], _Answerer] = {}
        self._sockets: list[socket.socket] = []
        self._ports: tuple[int, ...] = ()

    def set_faults(self, device: str, faults: Faults) -> None:
        """Change what a device does wrong from now on; KeyError if it does not answer SNMP."""
        for address, agent in self._agents.items():
            if agent.device.id == device:
                self._agents[address] = agent.with_faults(faults)
                self._known.clear()
                return
        raise KeyError(device)

    def answer(self, data: bytes, address: bytes, at: float) -> tuple[bytes, SimulatedAgent] | None:
        """The answer of the device at ``address`` (packed) at an instant, and the device; None if it keeps silent."""
        agent = self._agents.get(address)
        if agent is None:
            return None
        try:
            request = ber.parse_request(data)
            if request.community != self._community:
                return None  # RFC 3584 §5.2.1: no answer at all
            return self._respond(agent, address, request, at), agent
        except Malformed:
            return None

    def _respond(self, agent: SimulatedAgent, address: bytes, request: Request, at: float) -> bytes:
        moment = agent.moment(at)
        if request.kind != ber.GET:
            return _walk(agent, request, moment)
        cells = self._cells(agent, address, request.names, at)
        most = agent.faults.most_values
        if most is not None and len(cells) > most:
            return ber.response(request, (), ber.TOO_BIG)
        return ber.response(request, [_pair(name, cell, moment) for name, cell in cells])

    def _cells(self, agent: SimulatedAgent, address: bytes, names: bytes, at: float) -> _Answerer:
        """Encoded names with their cells; a poller asks the same again and again, so they stay decoded."""
        key = (address, agent.numbering(at), names)
        found = self._known.get(key)
        if found is None:
            found = [(ber.oid(name), agent.cell(name, at)) for name in ber.names(names)]
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[key] = found
        return found

    def start(self, ports: Iterable[int]) -> None:
        """Listen on these ports of every loopback address; OSError if one is taken."""
        self._ports = tuple(dict.fromkeys(ports))
        try:
            for port in self._ports:
                self._sockets.append(_open(port))
        except OSError:
            self.pause()
            raise
        loop = asyncio.get_running_loop()
        for opened in self._sockets:
            loop.add_reader(opened, self._serve, opened)

    @property
    def ports(self) -> tuple[int, ...]:
        """The ports in use; where 0 was asked for, what the kernel chose."""
        return tuple(opened.getsockname()[1] for opened in self._sockets) or self._ports

    def pause(self) -> None:
        """Close the sockets: requests are refused by the kernel, as if the agents were stopped."""
        self._ports = self.ports
        loop = asyncio.get_running_loop()
        for opened in self._sockets:
            loop.remove_reader(opened)
            opened.close()
        self._sockets.clear()

    def resume(self) -> None:
        """Listen again on the same ports; nothing happens if it does."""
        if not self._sockets:
            self.start(self._ports)

    def _serve(self, opened: socket.socket) -> None:
        for _ in range(AT_ONCE):
            try:
                data, extras, _, peer = opened.recvmsg(LARGEST_REQUEST, 64)
            except OSError:  # nothing more, or an ICMP error of an earlier answer
                return
            asked = next((value[8:12] for level, kind, value in extras if kind == IP_PKTINFO), None)
            if asked is not None:
                self._handle(opened, data, asked, peer)

    def _handle(self, opened: socket.socket, data: bytes, asked: bytes, peer: object) -> None:
        self.served.requests += 1
        at = self._clock()
        found = self.answer(data, asked, at)
        if found is None:
            self.served.refused += 1
            return
        reply, agent = found
        faults = agent.faults
        if faults.silent[0] <= at < faults.silent[1] or _is_lost(self.served.requests, faults.loss):
            return
        if faults.cut_datagram:
            reply = reply[:2]
        self.served.answered += 1
        for _ in range(2 if faults.duplicate else 1):
            if faults.delay_seconds:
                loop = asyncio.get_running_loop()
                loop.call_later(faults.delay_seconds, _send, opened, reply, asked, peer)
            else:
                _send(opened, reply, asked, peer)


def _is_lost(number: int, share: float) -> bool:
    return share > 0 and mix(number) % 1_000_000 < share * 1_000_000


def _pair(name: bytes, cell: Cell | None, moment: Moment) -> bytes:
    body = name + (ber.NO_SUCH_INSTANCE if cell is None else cell(moment))
    return ber.tlv(ber.SEQUENCE, body)


def _walk(agent: SimulatedAgent, request: Request, moment: Moment) -> bytes:
    """GETNEXT, or GETBULK until the repetitions or the datagram are used up (RFC 3416 §4.2.3)."""
    asked = list(ber.names(request.names))
    bulk = request.kind == ber.GET_BULK
    single = min(request.first, len(asked)) if bulk else len(asked)
    pairs = [_next_pair(agent, name, moment)[0] for name in asked[:single]]
    room = LARGEST_DATAGRAM - 60 - sum(map(len, pairs))
    repeated = asked[single:]
    for _ in range(request.second if bulk and repeated else 0):
        step = [_next_pair(agent, name, moment) for name in repeated]
        room -= sum(len(pair) for pair, _ in step)
        if room < 0:
            break
        pairs += [pair for pair, _ in step]
        repeated = [name for _, name in step]
        if all(pair.endswith(ber.END_OF_MIB) for pair, _ in step):
            break
    return ber.response(request, pairs)


def _next_pair(agent: SimulatedAgent, name: Oid, moment: Moment) -> tuple[bytes, Oid]:
    found = agent.following(name, moment.at)
    if found is None:
        return ber.tlv(ber.SEQUENCE, ber.oid(name) + ber.END_OF_MIB), name
    return _pair(ber.oid(found[0]), found[1], moment), found[0]


def _open(port: int) -> socket.socket:
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        opened.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
        opened.setblocking(False)
        opened.bind(("0.0.0.0", port))  # noqa: S104 - one socket for all of 127.0.0.0/8; other addresses get no answer
    except OSError:
        opened.close()
        raise
    return opened


def _send(opened: socket.socket, reply: bytes, source: bytes, peer: object) -> None:
    extras = [(socket.IPPROTO_IP, IP_PKTINFO, _PKTINFO.pack(0, source, _ANY))]
    with contextlib.suppress(OSError):  # the asker is gone, the buffer is full, or we are paused: a lost datagram
        opened.sendmsg([reply], extras, 0, peer)  # type: ignore[arg-type]  # what recvmsg gave
