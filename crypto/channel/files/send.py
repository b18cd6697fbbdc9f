"""The client's side of a file transfer. Fresh keys come with a fresh connection, in the middle of a file if need be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Any

from crypto.channel.errors import ChannelError, ChannelTruncated
from crypto.channel.files.frames import (
    DATA_BYTES,
    VERSION,
    Kind,
    Offer,
    ProtocolBroken,
    is_plain_name,
    offer_words,
    read_frame,
    words_of,
    write_frame,
    write_words,
)
from crypto.channel.stream import Channel
from crypto.errors import CryptoError
from crypto.sm3 import sm3_file
from records.errors import Problem, UserError

Dial = Callable[[], Awaitable[Channel]]
_NEXT = "use the same version of `yw channel` at both ends"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A receipt.

    Attributes:
        state: ``stored``, or ``already`` there.
        bytes_sent: Over the wire in this run; less than the size where the transfer was resumed.
        connections: Channels used, more than one where keys were renewed in between.
    """

    path: Path
    offer: Offer
    state: str
    bytes_sent: int
    connections: int


class TransferRefused(CryptoError):  # noqa: N818 - reads as the finding it is
    """The receiver does not take a file."""


def check_paths(paths: Sequence[Path]) -> None:
    """Raise UserError for all that cannot be sent: no plain file, an unfit name, one name twice."""
    problems = [found for path in paths for found in _problems(path)]
    names = [path.name for path in paths]
    problems += [
        Problem("two files are named {name}", "send them one after the other to two folders", name, {"name": name})
        for name in sorted({one for one in names if names.count(one) > 1})
    ]
    if problems:
        raise UserError.of(problems)


def _problems(path: Path) -> list[Problem]:
    if not path.is_file():
        return [Problem("{path} is no file", "name files that are there", str(path), {"path": str(path)})]
    if not is_plain_name(path.name):
        return [
            Problem(
                "a file of this name is not sent: {name}",
                "rename it: visible characters, no leading dot, at most 200 bytes",
                str(path),
                {"name": ascii(path.name)},
            )
        ]
    return []


async def send_files(dial: Dial, paths: Sequence[Path]) -> AsyncIterator[Sent]:
    """Send each file, in order; a receipt comes when the receiver has it on disk.

    Raises UserError for files that cannot be sent, TransferRefused, ChannelError.
    """
    check_paths(paths)
    sender = _Sender(dial)
    try:
        for path in paths:
            yield await sender.send(path)
        await sender.goodbye()
    finally:
        sender.abort()


class _Sender:
    """Keeps the channel between files, and renews it when its keys are worn."""

    def __init__(self, dial: Dial) -> None:
        self._dial = dial
        self._channel: Channel | None = None
        self._sent = self._connections = 0

    async def send(self, path: Path) -> Sent:
        offer = await asyncio.to_thread(_offer, path)
        self._sent = self._connections = 0
        with FileIO(path) as file:
            state = None
            while state is None:
                state = await self._try(offer, file)
        return Sent(path=path, offer=offer, state=state, bytes_sent=self._sent, connections=self._connections)

    async def _try(self, offer: Offer, file: FileIO) -> str | None:
        """The state of the receipt; None where the keys were worn before the end."""
        channel = await self._fresh()
        self._connections = self._connections or 1
        write_words(channel, Kind.OFFER, offer_words(offer))
        await channel.drain()
        kind, words = await _answer(channel, offer)
        if kind is Kind.RESUME:
            offset = words.get("offset")
            if type(offset) is not int or not 0 <= offset <= offer.size:
                raise ProtocolBroken("an offset out of bounds", _NEXT)
            if not await self._pour(channel, file, offset, offer):
                return None
            kind, words = await _answer(channel, offer)
        return _state(kind, words, offer)

    async def _fresh(self) -> Channel:
        """A channel with keys that are not worn, greeted."""
        if self._channel is not None and self._channel.rekey_due:
            await self.goodbye()
        if self._channel is None:
            self._connections += 1
            self._channel = await self._dial()
            await _greeted(self._channel)
        return self._channel

    async def _pour(self, channel: Channel, file: FileIO, offset: int, offer: Offer) -> bool:
        """Send from ``offset`` on; false if the keys are worn before the end."""
        file.seek(offset)
        while offset < offer.size:
            if channel.rekey_due:
                return False
            if channel.readable:
                return True  # the receiver does not want the rest: its answer tells why
            data = file.read(min(DATA_BYTES, offer.size - offset))
            if not data:
                raise _changed(offer)
            write_frame(channel, Kind.DATA, data)
            await channel.drain()
            offset += len(data)
            self._sent += len(data)
        return True

    async def goodbye(self) -> None:
        """Close as it should be: the receiver has all that was acknowledged."""
        if self._channel is not None:
            channel, self._channel = self._channel, None
            channel.close()
            await channel.wait_closed()

    def abort(self) -> None:
        """After an error."""
        if self._channel is not None:
            self._channel.abort()


def _offer(path: Path) -> Offer:
    return Offer(name=path.name, size=path.stat().st_size, sm3=sm3_file(path).hex())


async def _greeted(channel: Channel) -> None:
    """The server's first frame tells that it accepts us; raises PeerRefused, ProtocolBroken."""
    frame = await read_frame(channel)
    kind, words = (frame[0], words_of(frame[1])) if frame else (None, {})
    if kind is not Kind.GREETING or words.get("yunwang") != "files" or words.get("version") != VERSION:
        raise ProtocolBroken("the peer is no receiver of files of version {version}", _NEXT, version=VERSION)


async def _answer(channel: Channel, offer: Offer) -> tuple[Kind, dict[str, Any]]:
    frame = await read_frame(channel)
    if frame is None:
        raise ChannelTruncated("the receiver closed before its receipt for {name}", "send it again", name=offer.name)
    kind, words = frame[0], words_of(frame[1]) if frame[0] is not Kind.DATA else {}
    if kind is Kind.REFUSAL:
        raise _refused(str(words.get("reason")), offer)
    return kind, words


def _state(kind: Kind, words: dict[str, Any], offer: Offer) -> str:
    state = words.get("state")
    if kind is not Kind.RECEIPT or words.get("sm3") != offer.sm3 or state not in {"stored", "already"}:
        raise ProtocolBroken("no receipt for {name}", _NEXT, name=offer.name)
    return str(state)


def _changed(offer: Offer) -> TransferRefused:
    return TransferRefused(
        "{name} changed while it was sent", "send it when nobody writes to it", where=offer.name, name=offer.name
    )


def _refused(reason: str, offer: Offer) -> CryptoError:
    """The receiver's word as an error with a next step."""
    where = name = offer.name
    if reason == "exists":
        advice = "rename it, or have the other one moved away"
        return TransferRefused("the receiver has another file named {name}", advice, where=where, name=name)
    if reason == "space":
        return TransferRefused("the receiver has no room for {name}", "free some there", where=where, name=name)
    if reason == "busy":
        return ChannelError("{name} is being received already", "wait for it, then try again", where=where, name=name)
    if reason == "digest":
        return _changed(offer)
    return TransferRefused("the receiver cannot write {name}", "look at its disk and log", where=where, name=name)
