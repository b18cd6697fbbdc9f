"""The time-stamp server and its client over real sockets: good questions answered, bad and slow ones bounded."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from crypto.cms import read_signer, sign_detached
from crypto.errors import DigestMismatch
from crypto.identity import SiteIdentity
from crypto.sm3 import sm3
from crypto.timestamp import Authority, TimestampRefused, make_request, verify_response
from crypto.timestamp import server as server_module
from crypto.timestamp.client import ask, source
from crypto.timestamp.server import TimestampServer
from records.errors import UnreachableError
from tests.crypto.conftest import AT

DIGEST = sm3(b"data")
HEAD = "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/timestamp-query\r\n"


@contextmanager
def serving(answer: Callable[[bytes], bytes], seconds: float = 5.0) -> Iterator[int]:
    """A server in a thread; gives its port."""
    opened = socket.create_server(("127.0.0.1", 0))
    loop, up = asyncio.new_event_loop(), threading.Event()

    async def run() -> None:
        async with await TimestampServer(answer, seconds=seconds).start(opened):
            up.set()
            await ended.wait()

    ended = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(run(),))
    thread.start()
    assert up.wait(5)
    try:
        yield opened.getsockname()[1]
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(10)
        loop.close()


@pytest.fixture(scope="module")
def port(authority: Authority) -> Iterator[int]:
    with serving(authority.answer) as found:
        yield found


def status_of(port: int, text: str | bytes) -> int:
    """The status that these bytes are answered with; 0 for a connection that is closed without one."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(text if isinstance(text, bytes) else text.encode())
        answer = b""
        while piece := connection.recv(4096):
            answer += piece
    return int(answer.split(b" ")[1]) if answer else 0


def test_a_question_is_answered(port: int, authority: Authority) -> None:
    request = make_request(DIGEST)
    found = verify_response(ask(f"http://127.0.0.1:{port}/", request.encode()), request, [authority.identity.anchor])
    assert (found[1].info.at, found[1].trusted) == (AT, True)


def test_a_signer_gets_its_token_from_a_url(port: int, identity: SiteIdentity) -> None:
    stamped = replace(identity, stamp=source(f"http://127.0.0.1:{port}/tsa?x=1"))
    signer = read_signer(b"data", sign_detached(b"data", stamped, AT), [identity.anchor])
    assert (signer.signed_at, signer.timestamped) == (AT, True)


def test_a_source_that_answers_wrong_is_refused_before_signing(authority: Authority) -> None:
    old = authority.answer(make_request(sm3(b"other")).encode())
    with serving(lambda _: old) as wrong, pytest.raises(DigestMismatch):
        source(f"http://127.0.0.1:{wrong}/")(b"signature")
    with serving(lambda _: b"\x30\x00") as wrong, pytest.raises(TimestampRefused):
        source(f"http://127.0.0.1:{wrong}/")(b"signature")


@pytest.mark.parametrize(
    ("text", "status"),
    [
        pytest.param("GET / HTTP/1.1\r\nHost: x\r\n\r\n", 405, id="GET"),
        pytest.param("POST / HTTP/1.1\r\nHost: x\r\n\r\n", 415, id="no type"),
        pytest.param(HEAD + "\r\n", 411, id="no length"),
        pytest.param(HEAD + "Content-Length: 99999\r\n\r\n", 413, id="too long"),
        pytest.param(HEAD + "Content-Length: -1\r\n\r\n", 411, id="negative"),
        pytest.param(HEAD + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400, id="two lengths"),
        pytest.param(HEAD + "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", 411, id="chunked"),
        pytest.param(HEAD + "no colon\r\n\r\n", 400, id="no colon"),
        pytest.param(HEAD + " folded: x\r\n\r\n", 400, id="folded"),
        pytest.param("\x16\x03\x01\r\n\r\n", 400, id="TLS"),
        pytest.param(HEAD + "X: " + "a" * 20_000 + "\r\n\r\n", 413, id="head too long"),
        pytest.param(HEAD + "Content-Length: 0\r\n\r\n", 200, id="empty request is refused inside"),
        pytest.param(HEAD + "Content-Length: 1\r\n\r\nx", 200, id="no request is refused inside"),
    ],
)
def test_what_is_no_question_is_refused(port: int, text: str, status: int) -> None:
    assert status_of(port, text) == status


def test_who_is_slow_is_cut_off_and_others_are_served(authority: Authority) -> None:
    with (
        serving(authority.answer, seconds=0.5) as port,
        socket.create_connection(("127.0.0.1", port), timeout=10) as slow,
    ):
        slow.sendall(b"POST / HT")
        ask(f"http://127.0.0.1:{port}/", make_request(DIGEST).encode())
        assert slow.recv(1) == b""


def test_too_many_at_once_are_told_so(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "MAX_CONNECTIONS", 2)
    with serving(authority.answer) as port:
        waiting = [socket.create_connection(("127.0.0.1", port)) for _ in range(2)]
        for one in waiting:
            one.sendall(b"POST")
        with pytest.raises(UnreachableError, match="HTTP 503"):
            ask(f"http://127.0.0.1:{port}/", make_request(DIGEST).encode())
        for one in waiting:
            one.close()


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "ftp://x/", "http://", "http://127.0.0.1:99999/", "nonsense"])
def test_an_authority_that_is_not_there_is_unreachable(url: str) -> None:
    with pytest.raises(UnreachableError) as refused:
        ask(url, b"", seconds=2)
    assert refused.value.exit_code == 4


def _canned(text: bytes) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as opened:

        def run() -> None:
            connection, _ = opened.accept()
            with connection:
                connection.settimeout(5)
                connection.recv(4096)
                connection.sendall(text)
                try:
                    while connection.recv(4096):
                        pass
                except OSError:
                    return

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield opened.getsockname()[1]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"HTTP/1.1 302 Found\r\nLocation: http://evil/\r\nContent-Length: 0\r\n\r\n", id="redirect"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n" + bytes(2 << 20), id="too long"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", id="stalls"),
        pytest.param(b"nonsense\r\n\r\n", id="no HTTP"),
    ],
)
def test_a_hostile_server_is_unreachable_not_a_hang(text: bytes) -> None:
    for port in _canned(text):
        with pytest.raises(UnreachableError):
            ask(f"http://127.0.0.1:{port}/", b"x", seconds=1)
