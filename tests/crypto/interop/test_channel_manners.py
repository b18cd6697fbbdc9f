"""Foreign ends of a channel in the middle of it: they renew their keys, they vanish, or they never spoke RFC 8998."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crypto import channel
from crypto.channel import Channel, ChannelConfig, ChannelTruncated, HandshakeFailed
from crypto.x509 import certificates_pem
from tests.crypto.channel.meeting import run
from tests.peers.base import Ends, MissingError, ended
from tests.peers.openssl import Modern, OpenSsl4, System, Tongsuo
from tests.running import free_port, missing_peer

pytestmark = pytest.mark.peer
HOST = "127.0.0.1"


def config(identity: Any) -> ChannelConfig:
    return ChannelConfig(key=identity.key, chain=identity.chain[:-1], anchors=identity.chain[-1:])


@pytest.fixture(params=[Tongsuo, OpenSsl4], ids=["tongsuo", "openssl4"])
def modern(request: pytest.FixtureRequest, tmp_path: Path) -> Modern:
    return found(request.param, tmp_path)


def found(kind: Any, work: Path) -> Any:
    try:
        kind.find()
    except MissingError as error:
        missing_peer(str(error))
    return kind(work)


def client_of(peer: Modern, identity: Any, port: int) -> subprocess.Popen[bytes]:
    """Its client with commands: a line ``K`` renews the keys of both directions, ``Q`` says close_notify."""
    ends = Ends(identity.key, certificates_pem(identity.chain[:-1]), certificates_pem(identity.chain[-1:]))
    only = ("-tls1_3", "-ciphersuites", "TLS_SM4_GCM_SM3", "-groups", "curveSM2", "-sigalgs", "sm2sig_sm3")
    leaf, rest = peer.file(ends.chain), peer.file(ends.chain[ends.chain.index(b"-----END") :])
    own = ("-cert", leaf, "-cert_chain", rest, "-key", peer.private(ends.key), "-CAfile", peer.file(ends.anchor))
    return peer.start("s_client", *only, *own, "-connect", f"{HOST}:{port}")


async def served(
    identity: Any, handler: Callable[[Channel], Any], meet: Callable[[int], None], *, refusals: list[Any]
) -> None:
    async with await channel.serve(config(identity), handler, HOST, 0, told=refusals.append) as server:
        await asyncio.to_thread(meet, server.addresses[0][1])
        for _ in range(100):
            if not server.connections:
                return
            await asyncio.sleep(0.05)


def test_a_peer_that_renews_its_keys_is_followed(modern: Modern, pki: Any) -> None:
    got, updates, refusals = bytearray(), [], []

    async def handler(one: Channel) -> None:
        while data := await one.read():
            got.extend(data)
            one.write(b"heard " + data)
            await one.drain()
        updates.append(one._engine.key_updates)

    def meet(port: int) -> None:
        with ended(client_of(modern, pki.client, port)) as process:
            for line in (b"before", b"K", b"between", b"K", b"after"):
                process.stdin.write(line + b"\n")
                process.stdin.flush()
                wait_for(process, b"KEYUPDATE" if line == b"K" else b"heard " + line)
            process.stdin.write(b"Q\n")
            process.stdin.flush()
            process.wait(10)

    run(served(pki.server, handler, meet, refusals=refusals))
    assert bytes(got) == b"before\nbetween\nafter\n"
    assert (updates, refusals) == ([2], [])


def wait_for(process: subprocess.Popen[bytes], text: bytes) -> None:
    for line in process.stdout:
        if text in line:
            return
    pytest.fail(f"it ended before {text!r}")


def test_a_peer_that_vanishes_is_a_truncation(modern: Modern, pki: Any) -> None:
    refusals: list[Any] = []

    async def handler(one: Channel) -> None:
        while data := await one.read():
            one.write(b"heard " + data)

    def meet(port: int) -> None:
        with ended(client_of(modern, pki.client, port)) as process:
            process.stdin.write(b"half of it\n")
            process.stdin.flush()
            wait_for(process, b"heard half")
            process.kill()

    run(served(pki.server, handler, meet, refusals=refusals))
    assert [type(one.error) for one in refusals] == [ChannelTruncated]


def test_the_systems_openssl_without_sm_is_turned_away(tmp_path: Path, pki: Any) -> None:
    system, refusals = found(System, tmp_path), []

    def meet(port: int) -> None:
        with ended(system.start("s_client", "-connect", f"{HOST}:{port}")) as process:
            process.wait(20)

    run(served(pki.server, lambda _: pytest.fail("accepted"), meet, refusals=refusals))
    assert [type(one.error) for one in refusals] == [HandshakeFailed]


def test_a_server_of_the_systems_openssl_is_refused(tmp_path: Path, pki: Any) -> None:
    system, port = found(System, tmp_path), free_port()
    key, certificate = system.file(), system.file()
    system.run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key,
               "-out", certificate, "-subj", "/CN=localhost", "-days", "2")  # fmt: skip
    arguments = ("s_server", "-accept", f"{HOST}:{port}", "-cert", certificate, "-key", key)
    with ended(system.start(*arguments)) as process:
        wait_for(process, b"ACCEPT")
        with pytest.raises((HandshakeFailed, channel.PeerRefused)):
            run(channel.connect(config(pki.client), HOST, port, name="localhost"))
