"""The server's side of a file transfer: one channel, any number of files."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from crypto.channel.files.frames import VERSION, Kind, Offer, ProtocolBroken, offer_of, read_frame, write_words
from crypto.channel.files.inbox import Inbox, Incoming, Refused
from crypto.channel.stream import Channel

_NEXT = "use the same version of `yw channel` at both ends"


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """What became of one offer.

    Attributes:
        peer: Subject of the sender's certificate.
        state: ``stored``, ``already`` there, ``partial`` (kept for the next try) or ``refused``.
        reason: Why it was refused: a word of ``inbox.REASONS``, else None.
    """

    peer: str
    offer: Offer
    state: str
    reason: str | None = None


async def receive_files(channel: Channel, inbox: Inbox, told: Callable[[Received], None]) -> None:
    """Take files until the peer closes; ``told`` hears of each. Raises ChannelError."""
    write_words(channel, Kind.GREETING, {"yunwang": "files", "version": VERSION})
    await channel.drain()
    while frame := await read_frame(channel):
        kind, body = frame
        if kind is not Kind.OFFER:
            raise ProtocolBroken("frame {kind} out of turn", _NEXT, kind=kind.name)
        received = await _receive_one(channel, inbox, offer_of(body))
        told(received)
        if received.reason in {"disk", "digest"}:
            return  # data of the refused file may be on their way still: frames would come out of turn


async def _receive_one(channel: Channel, inbox: Inbox, offer: Offer) -> Received:
    peer = channel.peer.subject_text
    try:
        state = await _take(channel, inbox, offer)
    except Refused as refused:
        reason = str(refused)
        write_words(channel, Kind.REFUSAL, {"reason": reason})
        await channel.drain()
        return Received(peer=peer, offer=offer, state="refused", reason=reason)
    return Received(peer=peer, offer=offer, state=state)


async def _take(channel: Channel, inbox: Inbox, offer: Offer) -> str:
    """Disk work runs in threads: the loop serves the other channels meanwhile."""
    incoming = await asyncio.to_thread(inbox.begin, offer)
    if incoming is None:
        await _acknowledge(channel, offer, "already")
        return "already"
    try:
        write_words(channel, Kind.RESUME, {"offset": incoming.offset})
        await channel.drain()
        if not await _fill(channel, incoming):
            return "partial"
        await asyncio.to_thread(incoming.finish)
    finally:
        incoming.close()
    await _acknowledge(channel, offer, "stored")
    return "stored"


async def _fill(channel: Channel, incoming: Incoming) -> bool:
    """Whether all of it came; not if the peer closed between two frames, to come back later."""
    while incoming.offset < incoming.offer.size:
        frame = await read_frame(channel)
        if frame is None:
            return False
        kind, body = frame
        if kind is not Kind.DATA:
            raise ProtocolBroken("frame {kind} out of turn", _NEXT, kind=kind.name)
        await asyncio.to_thread(incoming.write, body)
    return True


async def _acknowledge(channel: Channel, offer: Offer, state: str) -> None:
    write_words(channel, Kind.RECEIPT, {"name": offer.name, "sm3": offer.sm3, "state": state})
    await channel.drain()
