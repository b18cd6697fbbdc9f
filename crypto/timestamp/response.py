"""TimeStampResp (RFC 3161 §2.4.2): a token, or the reason why there is none; and what the asker must check."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from asn1crypto import core

from crypto import asn1
from crypto.cms.message import MAX_BYTES, check_size
from crypto.cms.token import Timestamp, read_token
from crypto.errors import InvalidEncoding, VerificationFailed
from crypto.timestamp.request import Request
from crypto.x509 import Certificate

GRANTED, GRANTED_WITH_CHANGES, REJECTED = 0, 1, 2
FAILURES = {
    0: "badAlg",
    2: "badRequest",
    5: "badDataFormat",
    14: "timeNotAvailable",
    15: "unacceptedPolicy",
    16: "unacceptedExtension",
    17: "addInfoNotAvailable",
    25: "systemFailure",
}
_NEXT = "ask the authority again; if it stays so, ask its operator, or another authority"


class TimestampRefused(VerificationFailed):
    """The authority gave no token, or one that does not answer the question."""


class _Texts(core.SequenceOf):  # type: ignore[misc]  # asn1crypto ships no types
    _child_spec = core.UTF8String


class _Status(core.Sequence):  # type: ignore[misc]
    _fields = [  # noqa: RUF012 - asn1crypto's own way
        ("status", core.Integer),
        ("texts", _Texts, {"optional": True}),
        ("failure", core.BitString, {"optional": True}),
    ]


class _Response(core.Sequence):  # type: ignore[misc]
    _fields = [("status", _Status), ("token", core.Any, {"optional": True})]  # noqa: RUF012


def granted(token: bytes) -> bytes:
    """The answer that carries a token, DER."""
    return bytes(_Response({"status": {"status": GRANTED}, "token": core.Any.load(token)}).dump())


def rejected(failure: int, why: str) -> bytes:
    """The answer that refuses, DER; ``failure`` is a bit of PKIFailureInfo."""
    bits = tuple(int(at == failure) for at in range(failure + 1))  # DER: no trailing zero bits in a named list
    status = {"status": REJECTED, "texts": [why], "failure": bits}
    return bytes(_Response({"status": status}).dump())


def parse_response(data: bytes) -> bytes:
    """The token in a response; raises TimestampRefused with the authority's reason, or for malformed bytes."""
    try:
        check_size(data, MAX_BYTES)
        found = asn1.load(_Response, data)
        status = found["status"]["status"].native
        token = found["token"].dump() if found["token"] else b""
        reason = "" if token else _reason(found["status"])
    except (InvalidEncoding, *asn1.MALFORMED) as error:
        raise TimestampRefused("the response is malformed ({error})", _NEXT, error=error) from None
    if status not in {GRANTED, GRANTED_WITH_CHANGES} or not token:
        raise TimestampRefused("the time-stamp authority refused: {reason}", _NEXT, reason=reason or status)
    return token


def _reason(status: Any) -> str:
    texts = [one.native for one in status["texts"]] if status["texts"] else []
    bits = status["failure"].native if status["failure"] else ()
    names = [FAILURES.get(at, str(at)) for at, bit in enumerate(bits) if bit]
    told = ", ".join([*names, *texts])
    return "".join(letter if letter.isprintable() else "�" for letter in told)[:200]


def verify_response(data: bytes, request: Request, anchors: Sequence[Certificate]) -> tuple[bytes, Timestamp]:
    """Token and time of a response, if it answers this very request.

    Raises:
        TimestampRefused: Refused, another nonce or policy.
        VerificationFailed: The token does not hold, or is for other data.
    """
    token = parse_response(data)
    found = read_token(token, request.digest, anchors)
    if found.info.null_parameters != request.null_parameters:
        raise TimestampRefused("the time stamp does not repeat the imprint as it was asked for", _NEXT)
    if found.info.nonce != request.nonce:
        raise TimestampRefused("the time-stamp answers another question: its nonce differs", _NEXT)
    if request.policy is not None and found.info.policy != request.policy:
        raise TimestampRefused(
            "the time-stamp was made under another policy, {policy}", _NEXT, policy=found.info.policy
        )
    return token, found
