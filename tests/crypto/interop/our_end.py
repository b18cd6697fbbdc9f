"""Our end of a channel as a process of its own: ``server KEY CHAIN CA`` echoes once, ``client KEY CHAIN CA PORT``.

A process, because what the peer asks of the TLS library (``OPENSSL_CONF``) is read once when it is loaded.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from crypto import channel
from crypto.channel import Channel, ChannelConfig, Limits
from crypto.errors import CryptoError
from crypto.keys import keyfile
from crypto.x509 import load_certificates

LINE = b"hello from here\n"
LIMITS = Limits(handshake_seconds=30, idle_seconds=30)


def config(key: str, chain: str, anchor: str) -> ChannelConfig:
    return ChannelConfig(
        key=keyfile.load_private_key(Path(key).read_bytes(), None),
        chain=load_certificates(Path(chain).read_bytes()),
        anchors=load_certificates(Path(anchor).read_bytes()),
        limits=LIMITS,
    )


def tell(what: str, value: object) -> None:
    sys.stdout.write(f"{what} {value}\n")
    sys.stdout.flush()


async def serve(own: ChannelConfig) -> None:
    ended = asyncio.Event()

    async def echo(one: Channel) -> None:
        heard = await one.read()
        tell("heard", heard.decode().strip())
        one.write(heard)
        await one.drain()
        ended.set()

    def refuse(one: channel.Refusal) -> None:
        tell("refused", one.error)
        ended.set()

    async with await channel.serve(own, echo, "127.0.0.1", 0, told=refuse) as server:
        tell("listening", server.addresses[0][1])
        await ended.wait()


async def call(own: ChannelConfig, port: int) -> None:
    one = await channel.connect(own, "127.0.0.1", port, name="localhost")
    one.write(LINE)
    await one.drain()
    tell("answer", (await one.read()).decode().strip())
    one.close()


async def main(role: str, key: str, chain: str, anchor: str, port: str = "0") -> None:
    async with asyncio.timeout(90):
        await (serve(config(key, chain, anchor)) if role == "server" else call(config(key, chain, anchor), int(port)))


if __name__ == "__main__":
    try:
        asyncio.run(main(*sys.argv[1:]))
    except CryptoError as error:
        sys.exit(f"refused {error}")
