"""Changed messages, tokens, requests and responses: a typed error or the very content, whatever the bytes are."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.cms import (
    Recipient,
    decrypt,
    decrypt_signed,
    encrypt,
    read_signed,
    read_signer,
    read_token,
    sign,
    sign_and_encrypt,
    sign_detached,
    sign_for_gmssl,
)
from crypto.errors import CryptoError
from crypto.sm3 import sm3
from crypto.timestamp import Authority, make_request, parse_request, verify_response
from tests.crypto.conftest import AT
from tests.crypto.mutation import mutations
from tests.crypto.recipients import make_recipient

DATA = b"data"
DIGEST = sm3(DATA)
KINDS = [
    "signed",
    "several",
    "bare",
    "detached",
    "stamped",
    "enveloped",
    "signed and enveloped",
    "token",
    "request",
    "response",
]
Case = tuple[bytes, Callable[[bytes], object]]


@pytest.fixture(scope="module")
def recipient() -> Recipient:
    return make_recipient("种子")


@pytest.fixture(scope="module")
def cases(identity, stranger, stamped, authority: Authority, recipient: Recipient) -> dict[str, Case]:
    """A valid thing of each kind, and its reader."""
    to, anchors, request = [recipient.certificate], [identity.anchor], make_request(DIGEST)

    def signed(message: bytes) -> bytes:
        return read_signed(message, anchors, at=AT).content

    def both(message: bytes) -> bytes:
        return decrypt_signed(message, recipient, anchors, at=AT).content

    def detached(message: bytes) -> None:
        read_signer(DATA, message, anchors)

    return {
        "signed": (sign(DATA, [identity], AT), signed),
        "several": (sign(DATA, [identity, stranger], AT), signed),
        "bare": (sign_for_gmssl(DATA, [identity]), signed),
        "detached": (sign_detached(DATA, identity, AT), detached),
        "stamped": (sign_detached(DATA, stamped(AT), AT), detached),
        "enveloped": (encrypt(DATA, to), lambda message: decrypt(message, recipient) and None),
        "signed and enveloped": (sign_and_encrypt(DATA, [identity], to, AT), both),
        "token": (authority.grant(request), lambda token: read_token(token, DIGEST, anchors) and None),
        "request": (request.encode(), lambda data: parse_request(data) and None),
        "response": (
            authority.answer(request.encode()),
            lambda data: verify_response(data, request, anchors) and None,
        ),
    }


@pytest.mark.parametrize("count", [2_000, pytest.param(200_000, marks=pytest.mark.long)])
@pytest.mark.parametrize("kind", KINDS)
def test_changed_bytes_give_a_typed_error_or_the_same_content(cases: dict[str, Case], kind: str, count: int) -> None:
    valid, read = cases[kind]
    for changed in mutations(valid, count):
        with suppress(CryptoError):
            assert read(changed) in {None, DATA}


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=100, deadline=None)
@given(data=st.binary(max_size=80))
def test_any_bytes_give_a_typed_error(cases: dict[str, Case], kind: str, data: bytes) -> None:
    with pytest.raises(CryptoError):
        cases[kind][1](data)
