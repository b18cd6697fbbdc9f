"""One POST, bounded in time and bytes, to an address that was looked at; no redirects, no proxies, no cookies."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from notify.address import AddressError, Resolve, Target, allowed, resolve, target_of
from notify.channels.kinds import SECONDS
from notify.notice import Failed, Receipt, Retry, Why

LONGEST_ANSWER = 1 << 16
LONGEST_BODY = 1 << 18
_LONGEST_WAIT = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """How a channel may connect.

    Attributes:
        private: Loopback and private networks are allowed.
        seconds: For all of it: name, connection, TLS, answer.
        ca: File with the authorities to trust; empty: the system's.
        ask: Resolves names.
    """

    private: bool = False
    seconds: float = SECONDS
    ca: str = ""
    ask: Resolve = resolve


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a peer said."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def retry_after(self) -> float | None:
        """Seconds of ``Retry-After`` (RFC 9110 §10.2.3); a date is left to the back-off."""
        text = self.headers.get("retry-after", "")
        return min(float(text), _LONGEST_WAIT) if text.isascii() and text.isdigit() else None


def post(url: str, body: bytes, headers: Mapping[str, str], reach: Reach, *, method: str = "POST") -> Answer | Receipt:
    """The answer, or what became of a request without one."""
    if len(body) > LONGEST_BODY:
        return Failed(why=Why("the message has {size} bytes, too many", {"size": len(body)}))
    try:
        target = target_of(url)
        address = allowed(target, private=reach.private, ask=reach.ask)
        stream = _connect(target, address, reach)
    except AddressError as error:
        return Failed(why=error.why)
    except ssl.SSLCertVerificationError as error:
        return Failed(why=Why("its certificate is not to be trusted: {reason}", {"reason": error.verify_message}))
    except (OSError, ValueError) as error:  # ValueError: a context that cannot be made, a label too long for IDNA
        return Retry(why=Why("cannot connect: {reason}", {"reason": reason(error)}), reached=False)
    return _ask(stream, target, (method, body, headers), reach.seconds)


def reason(error: Exception) -> str:
    """What the system says, or at least what kind of error it is."""
    told = getattr(error, "strerror", None) or str(error)
    return str(told) or type(error).__name__


def _connect(target: Target, address: str, reach: Reach) -> socket.socket:
    plain = socket.create_connection((address, target.port), timeout=reach.seconds)
    if not target.secure:
        return plain
    try:
        context = ssl.create_default_context(cafile=reach.ca or None)
        with ending(lambda: plain, reach.seconds):
            return context.wrap_socket(plain, server_hostname=target.host)
    except BaseException:
        plain.close()
        raise


@contextmanager
def ending(stream: Callable[[], socket.socket | None], seconds: float) -> Iterator[threading.Event]:
    """Shut a connection that takes too long in all: a peer that sends a byte a second never lets a time-out pass.

    The event says that it was shut: what was read until then may look like the end of an answer.
    """
    shut = threading.Event()
    watch = threading.Timer(seconds, _shut, (stream, shut))
    watch.daemon = True
    watch.start()
    try:
        yield shut
    finally:
        watch.cancel()


def _shut(stream: Callable[[], socket.socket | None], shut: threading.Event) -> None:
    shut.set()
    found = stream()
    if found is None:
        return  # not connected yet: the connection has a time-out of its own
    try:
        socket.socket.shutdown(found, socket.SHUT_RDWR)
    except OSError:
        return  # it is closed already


def _ask(
    stream: socket.socket, target: Target, request: tuple[str, bytes, Mapping[str, str]], seconds: float
) -> Answer | Receipt:
    method, body, headers = request
    connection = http.client.HTTPConnection(target.host, target.port)
    connection.sock = stream
    try:
        with ending(lambda: stream, seconds) as shut:
            sent = {"Host": target.authority, "User-Agent": "yunwang", "Connection": "close", **headers}
            connection.request(method, target.path, body or None, sent)
            answer = _answer(connection.getresponse())
    except (OSError, ValueError, http.client.HTTPException) as error:
        return Retry(why=Why("no answer: {reason}", {"reason": reason(error)}))
    finally:
        connection.close()
        stream.close()
    return Retry(why=Why("no whole answer within {seconds} s", {"seconds": seconds})) if shut.is_set() else answer


def _answer(response: http.client.HTTPResponse) -> Answer:
    """Raises IncompleteRead for less than was announced; more than the limit is cut."""
    body = response.read(LONGEST_ANSWER + 1)
    if response.length and len(body) <= LONGEST_ANSWER:
        raise http.client.IncompleteRead(body, response.length)
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Answer(status=response.status, body=body[:LONGEST_ANSWER], headers=headers)


def refusal(answer: Answer) -> Receipt | None:
    """What a status other than 2xx means; None for 2xx. Only what time may heal is tried again."""
    status, told = answer.status, {"status": answer.status}
    if 200 <= status < 300:  # noqa: PLR2004 - the class of success
        return None
    if status in {408, 425, 429} or status >= 500:  # noqa: PLR2004 - the class of server errors
        return Retry(why=Why("it answers HTTP {status}", told), after_seconds=answer.retry_after)
    if 300 <= status < 400:  # noqa: PLR2004 - the class of redirects
        return Failed(why=Why("it answers HTTP {status}, and redirects are not followed", told))
    return Failed(why=Why("it answers HTTP {status}", told))
