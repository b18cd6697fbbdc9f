"""The syslog listener on real sockets, with a list for a spool."""

import asyncio
import contextlib
import socket
import threading
import time

import pytest

from collectors.outbox import Outbox
from collectors.status import CollectorStatus
from collectors.syslog import HIGH_BYTES, Listen, SyslogReceiver, kernel_drops, open_socket
from records.spool import Kind
from storage.unavailable import UnavailableError


class ListSpool:
    """Keeps what it gets; full as long as it is told so."""

    def __init__(self) -> None:
        self.entries = []
        self.full = threading.Event()
        self.tries = 0

    def append(self, entries):
        self.tries += 1
        if self.full.is_set():
            raise UnavailableError("no space left", "free some")
        self.entries += entries

    def payloads(self, source: str = "syslog-tcp") -> list[bytes]:
        return [entry.payload for entry in self.entries if entry.source == source]


class Listening:
    """A receiver at work; ``stop`` ends it as the process does on SIGTERM."""

    def __init__(self, listens) -> None:
        self.spool = ListSpool()
        self.status = CollectorStatus()
        self.outbox = Outbox(self.spool)
        self.receiver = SyslogReceiver(self.outbox, self.status)
        self.moving = asyncio.create_task(self.outbox.run())
        self.serving = asyncio.create_task(self.receiver.serve(listens))

    async def until(self, count: int, seconds: float = 10.0) -> None:
        deadline = time.monotonic() + seconds
        while len(self.spool.entries) < count:
            assert time.monotonic() < deadline, f"{len(self.spool.entries)} of {count} messages"
            await asyncio.sleep(0.01)

    async def stop(self) -> None:
        self.spool.full.clear()
        self.serving.cancel()
        await asyncio.gather(self.serving, return_exceptions=True)
        self.moving.cancel()
        await asyncio.gather(self.moving, return_exceptions=True)


def play(story):
    async def run():
        tcp = open_socket("tcp", "127.0.0.1:0")
        tcp.listen(100)
        udp = open_socket("udp", "127.0.0.1:0")
        listening = Listening([Listen(protocol="tcp", opened=tcp), Listen(protocol="udp", opened=udp)])
        address, datagrams = tcp.getsockname(), udp.getsockname()
        try:
            return await story(listening, address, datagrams)
        finally:
            await listening.stop()

    return asyncio.run(run())


async def send(address, *chunks: bytes, pause: float = 0.0) -> None:
    _, stream = await asyncio.open_connection(*address)
    for chunk in chunks:
        stream.write(chunk)
        await stream.drain()
        await asyncio.sleep(pause)
    stream.close()
    with contextlib.suppress(OSError):
        await stream.wait_closed()


def test_both_framings_and_datagrams_arrive_as_they_were_sent() -> None:
    async def story(one, tcp, udp):
        await send(tcp, b"<13>line\n12 <14>counted!", b"<15>\xb2\xe2\xca\xd4 \x00\n")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"<16>datagram\nwith newline\n", udp)
        await one.until(4)
        return one.spool, one.status

    spool, status = play(story)
    assert spool.payloads() == [b"<13>line", b"<14>counted!", b"<15>\xb2\xe2\xca\xd4 \x00"]
    assert spool.payloads("syslog-udp") == [b"<16>datagram\nwith newline\n"]
    assert {(entry.kind, entry.format, entry.peer) for entry in spool.entries} == {(Kind.RAW, "syslog", "127.0.0.1")}
    assert status.received == {"syslog-tcp": 3, "syslog-udp": 1}
    assert status.listeners["syslog-tcp"].state == "closed"


def test_a_connection_that_dies_in_mid_message_leaves_what_came() -> None:
    async def story(one, tcp, _udp):
        await send(tcp, b"<13>whole\n<13>half a mess")
        await one.until(2)
        return one.spool.payloads(), one.status.cut

    assert play(story) == ([b"<13>whole", b"<13>half a mess"], 1)


def test_an_oversize_message_is_counted_and_the_rest_goes_on() -> None:
    async def story(one, tcp, _udp):
        await send(tcp, b"<13>" + b"x" * 10_000_000 + b"\n<13>after\n")
        await one.until(1)
        return one.spool.payloads(), dict(one.status.dropped), dict(one.status.dropped_bytes)

    assert play(story) == ([b"<13>after"], {"oversize": 1}, {"oversize": 10_000_004})


def test_many_slow_senders_at_once_lose_nothing() -> None:
    async def story(one, tcp, _udp):
        chunks = [[b"<13>s%d " % n, b"part %d" % n, b"\n<13>s%d end\n" % n] for n in range(200)]
        await asyncio.gather(*(send(tcp, *parts, pause=0.01) for parts in chunks))
        await one.until(400)
        return sorted(one.spool.payloads())

    assert play(story) == sorted(text for n in range(200) for text in (b"<13>s%d part %d" % (n, n), b"<13>s%d end" % n))


def test_a_full_spool_makes_senders_wait_and_loses_nothing() -> None:
    lines = [b"<13>%07d " % number + b"z" * 1000 for number in range(30_000)]

    async def story(one, tcp, _udp):
        one.spool.full.set()
        sending = asyncio.create_task(
            send(tcp, *(b"\n".join(lines[at : at + 100]) + b"\n" for at in range(0, 30_000, 100)))
        )
        await asyncio.sleep(1.0)
        waiting = sending.done(), one.receiver._bytes < 2 * HIGH_BYTES, one.outbox.blocked, len(one.spool.entries)
        one.spool.full.clear()
        await one.until(30_000, seconds=20)
        await sending
        return waiting, one.spool.payloads()

    waiting, found = play(story)
    assert waiting == (False, True, "no space left", 0)
    assert found == lines


def test_what_was_sent_before_the_end_is_spooled() -> None:
    async def story(one, tcp, udp):
        with socket.create_connection(tcp) as sender, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
            await asyncio.sleep(0.1)
            sender.sendall(b"".join(b"<13>%d\n" % number for number in range(5000)) + b"<13>rest")
            datagrams.sendto(b"<14>last", udp)
            await one.stop()
        return one.spool.payloads(), one.spool.payloads("syslog-udp"), one.status.received

    tcp, udp, received = play(story)
    assert tcp == [b"<13>%d" % number for number in range(5000)] + [b"<13>rest"]
    assert udp == [b"<14>last"]
    assert received == {"syslog-tcp": 5001, "syslog-udp": 1}


def test_a_taken_port_is_told_and_the_other_listener_works() -> None:
    async def run():
        with open_socket("tcp", "127.0.0.1:0") as taken, open_socket("udp", "127.0.0.1:0") as free:
            taken.listen(1)
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            one = Listening([Listen(protocol="tcp", address=address), Listen(protocol="udp", opened=free.dup())])
            await asyncio.sleep(0.1)
            states = {name: (listener.state, bool(listener.why)) for name, listener in one.status.listeners.items()}
            await one.stop()
            return states

    assert asyncio.run(run()) == {"syslog-tcp": ("failed", True), "syslog-udp": ("listening", False)}


def test_the_kernel_tells_how_many_datagrams_it_dropped() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        opened.bind(("127.0.0.1", 0))
        assert kernel_drops(opened) == 0
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for _ in range(100):
                sender.sendto(b"x" * 1000, opened.getsockname())
        assert 50 < kernel_drops(opened) < 100


@pytest.mark.parametrize("address", ["nonsense", "127.0.0.1", "127.0.0.1:port"])
def test_a_wrong_address_is_told(address: str) -> None:
    async def run():
        one = Listening([Listen(protocol="udp", address=address)])
        await asyncio.sleep(0.05)
        await one.stop()
        return one.status.listeners["syslog-udp"].why

    assert "HOST:PORT" in asyncio.run(run())
