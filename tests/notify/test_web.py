"""A POST is bounded in time and bytes, whatever the peer does."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Callable

import pytest

from notify.notice import Failed, Retry
from notify.web import LONGEST_ANSWER, LONGEST_BODY, Answer, Reach, post, refusal
from tests.notify.story import at_home, raw, web
from tests.running import free_port


def drip(head: bytes) -> Callable[[socket.socket], None]:
    def answer(connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            connection.recv(65_536)
            connection.sendall(head)
            while True:
                connection.sendall(b"x")
                time.sleep(0.1)

    return answer


def hang(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.recv(65_536)
        time.sleep(30)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(hang, id="hangs"),
        pytest.param(drip(b""), id="drips a status line"),
        pytest.param(drip(b"HTTP/1.1 200 OK\r\nX: "), id="drips a header"),
        pytest.param(drip(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"), id="drips a body"),
    ],
)
def test_too_slow_is_ended_and_tried_again(answer) -> None:
    with raw(answer) as port:
        started = time.monotonic()
        receipt = post(f"http://127.0.0.1:{port}/", b"{}", {}, Reach(private=True, seconds=1))
        assert time.monotonic() - started < 3
    assert isinstance(receipt, Retry)
    assert receipt.reached


@pytest.mark.parametrize(
    "said", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nx", b"\0" * 70_000]
)
def test_an_answer_that_is_none(said: bytes) -> None:
    def answer(connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            connection.recv(65_536)
            connection.sendall(said)
        connection.close()

    with raw(answer) as port:
        assert isinstance(post(f"http://127.0.0.1:{port}/", b"{}", {}, Reach(private=True, seconds=2)), Retry)


def test_nobody_there_is_no_peer_that_may_have_taken_it() -> None:
    receipt = post(f"http://127.0.0.1:{free_port()}/", b"", {}, Reach(private=True))
    assert isinstance(receipt, Retry)
    assert not receipt.reached


def test_a_long_answer_is_cut_and_a_long_message_refused() -> None:
    with web(lambda _: (200, b"x" * 1_000_000, {})) as peer:
        answer = post(peer.url, b"", {}, Reach(private=True))
        refused = post(peer.url, b"x" * (LONGEST_BODY + 1), {}, Reach(private=True))
    assert isinstance(answer, Answer)
    assert len(answer.body) == LONGEST_ANSWER
    assert (type(refused), len(peer.got)) == (Failed, 1)


def test_redirects_are_not_followed_and_no_secret_leaves() -> None:
    with web(lambda _: (200, b"", {})) as other, web(lambda _: (307, b"", {"Location": other.url})) as peer:
        answer = post(peer.url, b"x", {"X-Yunwang-Signature": "v1=…".encode().hex()}, Reach(private=True))
    assert isinstance(answer, Answer)
    assert (type(refusal(answer)), other.got) == (Failed, [])


@pytest.mark.parametrize(
    ("status", "after", "outcome", "seconds"),
    [
        (200, "", type(None), None), (204, "", type(None), None), (400, "", Failed, None), (401, "", Failed, None),
        (408, "", Retry, None), (429, "30", Retry, 30.0), (429, "Wed, 21 Oct 2026 07:28:00 GMT", Retry, None),
        (503, "99999999999999999999", Retry, 86_400.0), (503, "-1", Retry, None), (500, "²", Retry, None),
    ],
)  # fmt: skip
def test_status(status: int, after: str, outcome: type, seconds: float | None) -> None:
    receipt = refusal(Answer(status=status, body=b"", headers={"retry-after": after}))
    assert (type(receipt), getattr(receipt, "after_seconds", None)) == (outcome, seconds)


@pytest.mark.parametrize(
    ("host", "trusted", "outcome"),
    [
        pytest.param("hook.example", True, Answer, id="trusted"),
        pytest.param("hook.example", False, Failed, id="unknown authority"),
        pytest.param("other.example", True, Failed, id="another name"),
    ],
)
def test_tls_checks_the_name_though_the_address_is_fixed(certificate, host: str, trusted: bool, outcome: type) -> None:
    key, cert = certificate
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)

    def answer(connection: socket.socket) -> None:
        with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True) as stream:
            stream.recv(65_536)
            stream.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    reach = Reach(private=True, seconds=5, ca=str(cert) if trusted else "", ask=at_home)
    with raw(answer) as port:
        assert type(post(f"https://{host}:{port}/", b"{}", {}, reach)) is outcome


def test_a_tls_peer_that_hangs_in_the_handshake_is_ended() -> None:
    with raw(hang) as port:
        started = time.monotonic()
        receipt = post(f"https://127.0.0.1:{port}/", b"{}", {}, Reach(private=True, seconds=1))
    assert (type(receipt), time.monotonic() - started < 3) == (Retry, True)
