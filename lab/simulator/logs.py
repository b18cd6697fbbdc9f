"""Log scenarios sent as real syslog (日志场景): everyday lines of hosts and devices, and the story's login storm.

Hosts write RFC 3164 or RFC 5424, Huawei and H3C devices their own forms; the host name in a message is the inventory
id. Messages go over UDP and TCP, octet-counted or by line, chosen by the sender's name, as in a grown network.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from inventory.model import Device, Host, Inventory
from lab.flow import mix
from lab.story import Cut, Storm, Story
from records.instants import SHANGHAI

RECONNECT_SECONDS = 2.0
SEND_LATE_SECONDS = 30.0  # story lines older than this at the simulator's start are not sent any more
_DAEMON, _AUTH, _CRON, _LOCAL7 = 3, 10, 9, 23  # facilities, RFC 5424 §6.2.1
_NOTICE, _INFO, _WARNING = 5, 6, 4
_ADMIN = "10.20.30.5"  # where administrators sit


@dataclass(frozen=True, slots=True)
class Line:
    """One message and when it is due."""

    at: datetime
    sender: str
    message: bytes


def rfc3164(facility: int, severity: int, at: datetime, host: str, tag: str, text: str) -> bytes:
    """BSD syslog; its time is that of the province, without year and zone."""
    stamp = at.astimezone(SHANGHAI)
    day = f"{stamp:%b} {stamp.day:2d} {stamp:%H:%M:%S}"
    return f"<{facility * 8 + severity}>{day} {host} {tag}: {text}".encode()


def rfc5424(facility: int, severity: int, at: datetime, host: str, program: str, pid: int, text: str) -> bytes:
    """IETF syslog without structured data."""
    stamp = at.astimezone(SHANGHAI).isoformat(timespec="microseconds")
    return f"<{facility * 8 + severity}>1 {stamp} {host} {program} {pid} - - {text}".encode()


def vrp(at: datetime, device: str, module: str, severity: int, name: str, text: str) -> bytes:
    """Huawei's information centre (VRP)."""
    stamp = at.astimezone(SHANGHAI)
    head = f"{stamp:%b} {stamp.day} {stamp:%Y %H:%M:%S}+08:00"
    return (
        f"<{_LOCAL7 * 8 + severity}>{head} {device} %%01{module}/{severity}/{name}(l)[{at.second + 1}]:{text}".encode()
    )


def comware(at: datetime, device: str, module: str, severity: int, name: str, text: str) -> bytes:
    """H3C's information centre (Comware)."""
    stamp = at.astimezone(SHANGHAI)
    head = f"{stamp:%b} {stamp.day:2d} {stamp:%H:%M:%S} {stamp:%Y}"
    return f"<{_LOCAL7 * 8 + severity}>{head} {device} %%10{module}/{severity}/{name}: {text}".encode()


def _from_host(number: int, at: datetime, host: Host) -> bytes:
    """An everyday line of a Linux server; nothing in it is a finding."""
    pid, kind = 800 + mix(number * 7 + 1) % 30_000, mix(number * 7 + 2) % 10
    if kind < 4:  # noqa: PLR2004 - four of ten are web requests
        path = ("/", "/api/v1/items", "/static/app.js", "/health", "/login")[mix(number) % 5]
        stamp = at.astimezone(SHANGHAI).strftime("%d/%b/%Y:%H:%M:%S %z")
        client = f"10.40.{mix(number * 3) % 200}.{1 + mix(number * 5) % 250}"
        text = f'{client} - - [{stamp}] "GET {path} HTTP/1.1" 200 {200 + mix(number) % 9000} "-" "Mozilla/5.0"'
        return rfc3164(_LOCAL7, _INFO, at, host.id, "nginx", text)
    if kind < 7:  # noqa: PLR2004 - three of ten are timers
        return rfc3164(_CRON, _INFO, at, host.id, f"CRON[{pid}]", "(root) CMD (/usr/lib/sysstat/sa1 1 1)")
    if kind < 9:  # noqa: PLR2004 - two of ten are services
        return rfc5424(_DAEMON, _INFO, at, host.id, "systemd", 1, "Started Daily apt download activities.")
    port = 40_000 + mix(number * 11) % 20_000
    text = f"Accepted publickey for ops from {_ADMIN} port {port} ssh2: ED25519 SHA256:c2ltdWxhdGVkIGtleSBvZiBvcHM"
    return rfc5424(_AUTH, _INFO, at, host.id, "sshd", pid, text)


def _from_device(at: datetime, device: Device) -> bytes:
    """An everyday line of a network device."""
    if device.vendor == "huawei":
        return vrp(at, device.id, "NTP", _NOTICE, "CLOCK_SYNC", "The clock is in step with 10.20.30.1.")
    return comware(at, device.id, "LLDP", _INFO, "LLDP_NEIGHBOR_AGE_OK", "Nearest bridge agent neighbour is fresh.")


def noise(inventory: Inventory, start: datetime, per_second: float, first: int = 0) -> Iterator[Line]:
    """Everyday lines from ``start`` on, without end, most from hosts; ``first`` counts on from an earlier call."""
    senders: Sequence[Host | Device] = [*inventory.hosts] or [*inventory.devices]
    devices = inventory.devices or ()
    if not senders:
        return
    number = first
    while True:
        at = start + timedelta(seconds=(number - first) / per_second)
        if devices and mix(number * 13) % 5 == 0:
            device = devices[mix(number * 17) % len(devices)]
            yield Line(at, device.id, _from_device(at, device))
        else:
            one = senders[mix(number * 19) % len(senders)]
            message = _from_host(number, at, one) if isinstance(one, Host) else _from_device(at, one)
            yield Line(at, one.id, message)
        number += 1


def storm_lines(storm: Storm, start: datetime) -> list[Line]:
    """One login storm: failed passwords by sshd for changing users, then one that is right."""
    found = []
    for number in range(storm.attempts):
        at = start + timedelta(seconds=number * storm.seconds / storm.attempts)
        user = storm.users[number % len(storm.users)]
        who = user if user == "root" else f"invalid user {user}"
        text = f"Failed password for {who} from {storm.source_ip} port {40_000 + number} ssh2"
        found.append(Line(at, storm.host, rfc3164(_AUTH, _INFO, at, storm.host, f"sshd[{4000 + number}]", text)))
    at = start + timedelta(seconds=storm.seconds)
    text = f"Accepted password for {storm.users[0]} from {storm.source_ip} port {40_000 + storm.attempts} ssh2"
    tag = f"sshd[{4000 + storm.attempts}]"
    return [*found, Line(at, storm.host, rfc3164(_AUTH, _INFO, at, storm.host, tag, text))]


def cut_lines(inventory: Inventory, cut: Cut) -> list[Line]:
    """What both ends say when their link loses its light."""
    link = inventory.link[cut.link]
    found = []
    for end in (link.a, link.b):
        device = inventory.device.get(end.device) if end else None
        if device is None or end is None:
            continue
        if device.vendor == "huawei":
            text = f"Interface {end.interface} has turned into DOWN state."
            message = vrp(cut.start, device.id, "IFNET", _WARNING, "IF_STATE", text)
        else:
            text = f"Physical state on the interface {end.interface} changed to down."
            message = comware(cut.start, device.id, "IFNET", 3, "PHY_UPDOWN", text)
        found.append(Line(cut.start, device.id, message))
    return found


def story_lines(inventory: Inventory, story: Story, begin: datetime, end: datetime) -> list[Line]:
    """All lines of the story due in [begin, end), by time."""
    lines = cut_lines(inventory, story.cut) if story.cut else []
    if story.storm:
        length = timedelta(seconds=story.storm.seconds)
        for start in story.storm.starts(begin - length - timedelta(seconds=1), end):
            lines += storm_lines(story.storm, start)
    return sorted((line for line in lines if begin <= line.at < end), key=lambda line: line.at)


class Sender:
    """Sends messages to one collector over UDP and two TCP connections, one of them octet-counted; connects again."""

    def __init__(self, tcp: tuple[str, int] | None, udp: tuple[str, int] | None) -> None:
        self._tcp = tcp
        self._udp = udp
        self._streams: dict[bool, asyncio.StreamWriter] = {}
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self.sent = 0

    async def send(self, line: Line) -> None:
        """Send one line: by its sender's name over UDP or TCP, and by which framing."""
        way = sum(line.sender.encode()) % 3
        if self._udp and (way == 0 or not self._tcp):
            with contextlib.suppress(OSError):  # UDP: nobody there, or the buffer is full
                self._socket.sendto(line.message, self._udp)
                self.sent += 1
            return
        if self._tcp:
            await self._send_tcp(line.message, counted=way == 1)

    async def _send_tcp(self, message: bytes, *, counted: bool) -> None:
        """Until it is handed to the kernel; a lost connection is made anew."""
        frame = b"%d %b" % (len(message), message) if counted else message + b"\n"
        while True:
            try:
                stream = self._streams.get(counted) or await self._connect(counted)
                stream.write(frame)
                await stream.drain()
            except OSError:
                self._streams.pop(counted, None)
                await asyncio.sleep(RECONNECT_SECONDS)
            else:
                self.sent += 1
                return

    async def _connect(self, counted: bool) -> asyncio.StreamWriter:  # noqa: FBT001 - a key of two
        host, port = self._tcp or ("", 0)
        _, stream = await asyncio.open_connection(host, port)
        self._streams[counted] = stream
        return stream

    def close(self) -> None:
        """End all connections."""
        for stream in self._streams.values():
            stream.close()
        self._socket.close()


async def play(
    inventory: Inventory,
    story: Story,
    sender: Sender,
    *,
    per_second: float = 5.0,
    clock: Callable[[], float] = time.time,
) -> None:
    """Send noise and story at their times until cancelled."""
    begin = datetime.fromtimestamp(clock(), UTC)
    async with asyncio.TaskGroup() as group:
        if per_second > 0:
            group.create_task(_send_noise(noise(inventory, begin, per_second, int(clock())), sender, clock))
        group.create_task(_send_story(inventory, story, sender, clock))


async def _send_noise(lines: Iterator[Line], sender: Sender, clock: Callable[[], float]) -> None:
    for line in lines:
        await asyncio.sleep(max(0.0, line.at.timestamp() - clock()))
        await sender.send(line)


async def _send_story(inventory: Inventory, story: Story, sender: Sender, clock: Callable[[], float]) -> None:
    """Look a minute ahead, again and again; a restart goes on where the story is by now."""
    begin = datetime.fromtimestamp(clock() - SEND_LATE_SECONDS, UTC)
    while True:
        end = datetime.fromtimestamp(clock(), UTC) + timedelta(seconds=60)
        for line in story_lines(inventory, story, begin, end):
            await asyncio.sleep(max(0.0, line.at.timestamp() - clock()))
            await sender.send(line)
        await asyncio.sleep(max(0.0, end.timestamp() - clock() - 30))
        begin = end
