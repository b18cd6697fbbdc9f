"""Asking a time-stamp authority over HTTP (RFC 3161 §3.4): bounded in time and bytes, no redirects."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable
from urllib.parse import SplitResult, urlsplit

from crypto.cms.message import MAX_BYTES
from crypto.sm3 import sm3
from crypto.timestamp.request import make_request
from crypto.timestamp.response import verify_response
from records.errors import UnreachableError

SECONDS = 10.0
_NEXT = "check the address, and that the authority runs: yw crypto tsa serve"


def ask(url: str, request: bytes, *, seconds: float = SECONDS) -> bytes:
    """The response to a request, both DER, not yet verified; raises UnreachableError."""
    where = urlsplit(url)
    try:
        return _post(where, request, time.monotonic() + seconds)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise UnreachableError(
            "no time stamp from {url}: {reason}", _NEXT, where=url, url=url, reason=error or type(error).__name__
        ) from None


def _post(where: SplitResult, request: bytes, end: float) -> bytes:
    kinds = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
    if where.scheme not in kinds or not where.hostname:
        raise ValueError("not an http or https address")
    connection = kinds[where.scheme](where.hostname, where.port, timeout=end - time.monotonic())
    try:
        path = (where.path or "/") + (f"?{where.query}" if where.query else "")
        connection.request("POST", path, request, {"Content-Type": "application/timestamp-query"})
        return _body(connection.getresponse(), connection, end)
    finally:
        connection.close()


def _body(response: http.client.HTTPResponse, connection: http.client.HTTPConnection, end: float) -> bytes:
    if response.status != http.client.OK:
        raise ValueError(f"HTTP {response.status}")
    body = b""
    while piece := response.read1(1 << 16):
        body += piece
        left = end - time.monotonic()
        if len(body) > MAX_BYTES or left <= 0:
            raise ValueError("the response is too long, or comes too slowly")
        if connection.sock is not None:
            connection.sock.settimeout(left)
    return body


def source(url: str) -> Callable[[bytes], bytes]:
    """Gets tokens for signature values from an authority: what a ``SiteIdentity`` takes as ``stamp``.

    A token must hold; whether the authority is trusted is for those to say who verify the signature.
    """

    def stamp(signature: bytes) -> bytes:
        request = make_request(sm3(signature))
        return verify_response(ask(url, request.encode()), request, [])[0]

    return stamp
