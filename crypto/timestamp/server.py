"""RFC 3161 over HTTP (§3.4), as small as it can be: POST, one answer, closed; every bound is met before memory is.

A token is signed, so plain HTTP carries it; the listener is for loopback or a closed network.
"""

from __future__ import annotations

import asyncio
import logging
import re
import socket
from collections.abc import Callable

from crypto.timestamp.request import MAX_REQUEST_BYTES

MAX_HEAD_BYTES = 8 << 10
MAX_CONNECTIONS = 64
DEADLINE_SECONDS = 10.0
QUERY_TYPE, REPLY_TYPE = b"application/timestamp-query", b"application/timestamp-reply"
_POST = re.compile(rb"POST [\x21-\x7e]+ HTTP/1\.[01]")
_REASONS = {
    200: b"OK",
    400: b"Bad Request",
    405: b"Method Not Allowed",
    411: b"Length Required",
    413: b"Content Too Large",
    415: b"Unsupported Media Type",
    503: b"Service Unavailable",
}
_log = logging.getLogger(__name__)


class _Refused(Exception):  # noqa: N818 - never leaves this module
    """What is answered instead of a time stamp."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class TimestampServer:
    """Answers requests until it is closed.

    Args:
        answer: From a request to a response, both DER; runs in a thread.
        seconds: For a whole exchange; who is slower is cut off.
    """

    def __init__(self, answer: Callable[[bytes], bytes], *, seconds: float = DEADLINE_SECONDS) -> None:
        self._answer = answer
        self._seconds = seconds
        self._open = 0

    async def start(self, sock: socket.socket) -> asyncio.Server:
        """Serve a listening socket."""
        return await asyncio.start_server(self._serve, sock=sock, limit=MAX_HEAD_BYTES)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            async with asyncio.timeout(self._seconds):
                writer.write(await self._exchange(reader))
                await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError):
            _log.debug("a peer was too slow or went away")
        finally:
            self._open -= 1
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader) -> bytes:
        if self._open > MAX_CONNECTIONS:
            return _response(503, b"")
        try:
            request = await self._read(reader)
        except _Refused as refused:
            return _response(refused.status, b"")
        return _response(200, await asyncio.to_thread(self._answer, request))

    async def _read(self, reader: asyncio.StreamReader) -> bytes:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            raise _Refused(413) from None
        return await reader.readexactly(_length(head))


def _length(head: bytes) -> int:
    """The length of the body that the head announces; raises _Refused for whatever is not wanted."""
    first, *lines = head.split(b"\r\n")[:-2]
    if not _POST.fullmatch(first):
        raise _Refused(405 if first.count(b" ") == 2 else 400)  # noqa: PLR2004 - method, path, version
    fields = _fields(lines)
    if fields.get(b"content-type", b"").partition(b";")[0].strip().lower() != QUERY_TYPE:
        raise _Refused(415)
    length = fields.get(b"content-length", b"")
    if b"transfer-encoding" in fields or not re.fullmatch(rb"\d{1,9}", length):
        raise _Refused(411)
    if int(length) > MAX_REQUEST_BYTES:
        raise _Refused(413)
    return int(length)


def _fields(lines: list[bytes]) -> dict[bytes, bytes]:
    """Header fields; one that is repeated or malformed is refused: two lengths would be one too many."""
    fields: dict[bytes, bytes] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or not re.fullmatch(rb"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name) or name.lower() in fields:
            raise _Refused(400)
        fields[name.lower()] = value.strip()
    return fields


def _response(status: int, body: bytes) -> bytes:
    kind = b"Content-Type: " + REPLY_TYPE + b"\r\n" if body else b""
    allow = b"Allow: POST\r\n" if status == 405 else b""  # noqa: PLR2004 - RFC 9110 §15.5.6
    head = b"HTTP/1.1 %d %s\r\n%s%sContent-Length: %d\r\nConnection: close\r\n\r\n"
    return head % (status, _REASONS[status], kind, allow, len(body)) + body
