"""TimeStampReq (RFC 3161 §2.4.1): the imprint of some data, and a nonce that ties the answer to this question."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from asn1crypto import core

from crypto import asn1, der
from crypto.cms.shapes import MessageImprint
from crypto.cms.token import encode_imprint, has_null_parameters
from crypto.errors import CryptoError, InvalidEncoding

MAX_REQUEST_BYTES = 16 << 10
MAX_NONCE_BITS = 512
NONCE_BITS = 64
SM3_BYTES = 32
_NEXT = "ask again with an SM3 imprint: yw crypto tsa query FILE"


class _Extensions(core.SequenceOf):  # type: ignore[misc]  # asn1crypto ships no types
    _child_spec = core.Any


class _Request(core.Sequence):  # type: ignore[misc]
    _fields = [  # noqa: RUF012 - asn1crypto's own way
        ("version", core.Integer),
        ("imprint", MessageImprint),
        ("policy", core.ObjectIdentifier, {"optional": True}),
        ("nonce", core.Integer, {"optional": True}),
        ("certificate", core.Boolean, {"default": False}),
        ("extensions", _Extensions, {"implicit": 0, "optional": True}),
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked for.

    Attributes:
        digest: SM3 of the data.
        nonce: Must come back; None where the asker does without.
        policy: OID that the asker wants; None leaves it to the authority.
        with_certificate: Whether the authority's certificate shall come along.
        null_parameters: Whether the digest's algorithm has parameters NULL instead of none: the answer repeats it.
    """

    digest: bytes
    nonce: int | None = None
    policy: str | None = None
    with_certificate: bool = True
    null_parameters: bool = False

    def encode(self) -> bytes:
        """DER."""
        imprint = encode_imprint(self.digest, null_parameters=self.null_parameters)
        fields: dict[str, Any] = {"version": 1, "imprint": imprint, "certificate": self.with_certificate}
        if self.nonce is not None:
            fields["nonce"] = self.nonce
        if self.policy is not None:
            fields["policy"] = self.policy
        return bytes(_Request(fields).dump())


class BadRequest(CryptoError):  # noqa: N818 - RFC 3161's own word
    """A request that is answered with a refusal; ``failure`` is its bit in PKIFailureInfo."""

    def __init__(self, what: str, *, failure: int) -> None:
        super().__init__(what, _NEXT)
        self.failure = failure


BAD_ALGORITHM, BAD_REQUEST, BAD_FORMAT, NO_TIME, NO_POLICY, NO_EXTENSION = 0, 2, 5, 14, 15, 16


def make_request(digest: bytes, *, policy: str | None = None) -> Request:
    """A request for data of this digest with a fresh nonce."""
    return Request(digest=digest, nonce=secrets.randbits(NONCE_BITS), policy=policy)


def parse_request(data: bytes) -> Request:
    """A request in DER; raises BadRequest, whatever the bytes are."""
    try:
        if len(data) > MAX_REQUEST_BYTES:
            raise BadRequest("the request is too long", failure=BAD_FORMAT)
        der.check(data)
        return _read(asn1.load(_Request, data))
    except (InvalidEncoding, *asn1.MALFORMED):
        raise BadRequest("the request is no TimeStampReq in DER", failure=BAD_FORMAT) from None


def _read(found: Any) -> Request:
    imprint, nonce = found["imprint"], found["nonce"].native
    if found["version"].native != 1:
        raise BadRequest("another version than 1", failure=BAD_REQUEST)
    if not asn1.is_algorithm(imprint["algorithm"], asn1.SM3):
        raise BadRequest("the imprint is not of SM3", failure=BAD_ALGORITHM)
    digest = imprint["digest"].native
    if len(digest) != SM3_BYTES or (nonce is not None and nonce.bit_length() > MAX_NONCE_BITS):
        raise BadRequest("the imprint has not 32 bytes, or the nonce is too long", failure=BAD_FORMAT)
    if found["extensions"]:
        raise BadRequest("extensions are not known here", failure=NO_EXTENSION)
    return Request(
        digest=digest,
        nonce=nonce,
        policy=found["policy"].dotted if found["policy"] else None,
        with_certificate=found["certificate"].native,
        null_parameters=has_null_parameters(imprint),
    )
