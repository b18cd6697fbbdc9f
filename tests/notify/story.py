"""What the tests of notices share: notices, a channel that keeps what it gets, a web peer that answers as told."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from notify.notice import Delivered, Message, Notice, Receipt
from records.alarms import Level

MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # a story is some thirty fsyncs
NOON = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)  # Monday 12:00 in Shanghai


def a_notice(number: int = 1, **changed: Any) -> Notice:
    values = {
        "id": f"n{number}",
        "at": NOON,
        "key": f"key{number}",
        "kind": "alert",
        "level": Level.HIGH,
        "title": "链路中断",
        "body": ("链路：hlj-hrb-1",),
        "organisation": "fin",
        "alert": f"a{number}",
        "alike": "incident1",
    }
    return Notice(**values | changed)


def a_message(*notices: Notice, **changed: Any) -> Message:
    return Message(**{"id": "m1", "notices": notices or (a_notice(),)} | changed)


@dataclass
class Kept:
    """A channel that keeps its messages and answers as told, then ``delivered``."""

    answers: list[Receipt] = field(default_factory=list)
    per_minute: int | None = None
    dedupes: bool = False
    got: list[Message] = field(default_factory=list)

    def send(self, message: Message) -> Receipt:
        self.got.append(message)
        return self.answers.pop(0) if self.answers else Delivered()


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


Answering = Callable[[Request], tuple[int, bytes, dict[str, str]]]


class Web:
    """What a web peer got."""

    def __init__(self, port: int) -> None:
        self.url, self.port = f"http://127.0.0.1:{port}", port
        self.got: list[Request] = []


@contextmanager
def web(answer: Answering) -> Iterator[Web]:
    """A web peer on loopback; ``answer`` says status, body and headers."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            request = Request(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body)
            peer.got.append(request)
            status, said, headers = answer(request)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(said)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    peer = Web(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield peer
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def raw(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """A peer that does with a connection what it wants."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = server.accept()
                threading.Thread(target=answer, args=(connection,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    yield server.getsockname()[1]
    server.close()


def at_home(_host: str, _port: int) -> Sequence[str]:
    """Resolves every name to loopback."""
    return ["127.0.0.1"]
