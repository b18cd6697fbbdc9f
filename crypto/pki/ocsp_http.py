"""OCSP over HTTP (RFC 6960 appendix A): POST with the request as body, GET with its base64 in the path."""

from __future__ import annotations

import base64
import binascii
import socket
import urllib.error
import urllib.request
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

from crypto.errors import CryptoError
from crypto.pki.ocsp import MAX_BYTES
from records.errors import UnreachableError, UserError

REQUEST_TYPE, RESPONSE_TYPE = "application/ocsp-request", "application/ocsp-response"
SECONDS = 10

Answer = Callable[[bytes], bytes]


def make_server(address: tuple[str, int], answer: Answer) -> ThreadingHTTPServer:
    """A server that listens already; the caller runs and closes it."""

    class Handler(BaseHTTPRequestHandler):
        timeout = SECONDS  # a stalled client does not hold its thread
        server_version, sys_version = "yunwang", ""

        def do_POST(self) -> None:
            length = self.headers.get("Content-Length", "")
            if not length.isdecimal() or int(length) > MAX_BYTES:
                self.send_error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
                return
            self._reply(self.rfile.read(int(length)))

        def do_GET(self) -> None:
            try:
                self._reply(base64.b64decode(unquote(self.path.lstrip("/")), validate=True))
            except (binascii.Error, ValueError):
                self.send_error(HTTPStatus.BAD_REQUEST)

        def _reply(self, request: bytes) -> None:
            body = answer(request)
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", RESPONSE_TYPE)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Who asked about which certificate is nobody's business."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    Server.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    try:
        return Server(address, Handler)
    except OSError as error:
        raise UserError(
            "cannot listen on {address}: {reason}", "stop what listens there, or choose another port",
            where="--listen", address="{}:{}".format(*address), reason=error.strerror or error,
        ) from error  # fmt: skip


def ask(url: str, request: bytes) -> bytes:
    """The responder's answer; raises UnreachableError, CryptoError for what is no http(s) address."""
    if urlsplit(url).scheme not in {"http", "https"}:
        raise CryptoError("'{url}' is no address of an OCSP responder", "write it as http://HOST:PORT/", url=url)
    post = urllib.request.Request(url, request, {"Content-Type": REQUEST_TYPE})  # noqa: S310 - checked above
    try:
        with urllib.request.urlopen(post, timeout=SECONDS) as response:  # noqa: S310
            found: bytes = response.read(MAX_BYTES + 1)
    except (urllib.error.URLError, OSError) as error:
        raise UnreachableError(
            "the OCSP responder does not answer: {reason}", "check the address, or use --crl FILE", where=url,
            reason=error,
        ) from error  # fmt: skip
    return found
