"""Changed messages, tokens, questions and answers: a typed error, or content and signer exactly as they were."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.cms import (
    Recipient,
    Signed,
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
from crypto.identity import SiteIdentity
from crypto.sm3 import sm3
from crypto.timestamp import Authority, make_request, parse_request, verify_response
from crypto.x509 import parse_certificate
from tests.crypto.conftest import AT
from tests.crypto.mutation import LONG, UNIT, Parser, attack
from tests.crypto.recipients import make_recipient

DATA = b"data"
DIGEST = sm3(DATA)
SHAPES = ["signed", "enveloped", "signed and enveloped", "token", "request", "response"]
COMPOSED = ["several", "bare", "detached", "stamped"]  # of the same parts: fewer cases


@pytest.fixture(autouse=True)
def read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A certificate that was read is not read again in each case; its own parser is under attack elsewhere."""
    monkeypatch.setattr("crypto.cms.message.parse_certificate", lru_cache(maxsize=16)(parse_certificate))


def told(found: Signed) -> tuple[bytes, set[object]]:
    """Content and signers; a signer who stands there twice says nothing new."""
    return found.content, {(one.name, one.root, one.trusted, one.signed_at, one.timestamped) for one in found.signers}


@pytest.fixture(scope="module")
def recipient() -> Recipient:
    return make_recipient("种子")


@pytest.fixture(scope="module")
def leaf(identity: SiteIdentity) -> SiteIdentity:
    """Who sends no CA along: its reader trusts it already, and has one certificate less to read in each case."""
    return replace(identity, chain=identity.chain[:1])


@pytest.fixture(scope="module")
def clock(authority: Authority) -> Authority:
    """A time-stamp authority that does so, too."""
    return replace(authority, identity=replace(authority.identity, chain=authority.identity.chain[:1]))


@pytest.fixture(scope="module")
def parsers(
    identity: SiteIdentity, stranger: SiteIdentity, leaf: SiteIdentity, clock: Authority, authority: Authority,
    recipient: Recipient,
) -> dict[str, Parser]:  # fmt: skip
    """A valid thing of each kind, and its reader."""
    to, anchors, question = [recipient.certificate], [identity.anchor], make_request(DIGEST)

    def signed(message: bytes) -> object:
        return told(read_signed(message, anchors, at=AT))

    def detached(message: bytes) -> object:
        return read_signer(DATA, message, anchors)

    samples: dict[str, tuple[bytes, Callable[[bytes], object]]] = {
        "signed": (sign(DATA, [leaf], AT), signed),
        "several": (sign(DATA, [identity, stranger], AT), signed),
        "bare": (sign_for_gmssl(DATA, [identity]), signed),
        "detached": (sign_detached(DATA, identity, AT), detached),
        "stamped": (sign_detached(DATA, replace(identity, stamp=authority.stamp), AT), detached),
        "enveloped": (encrypt(DATA, to), lambda message: decrypt(message, recipient) and None),  # CBC has no tag
        "signed and enveloped": (
            sign_and_encrypt(DATA, [leaf], to, AT),
            lambda message: told(decrypt_signed(message, recipient, anchors, at=AT)),
        ),
        "token": (clock.grant(question), lambda token: read_token(token, DIGEST, anchors)),
        "request": (question.encode(), lambda data: parse_request(data) and None),  # nobody signs a question
        "response": (clock.answer(question.encode()), lambda data: verify_response(data, question, anchors)[1]),
    }
    return {kind: Parser(sample=sample, read=read) for kind, (sample, read) in samples.items()}


@pytest.mark.parametrize("count", [UNIT, pytest.param(LONG, marks=pytest.mark.long)])
@pytest.mark.parametrize("kind", SHAPES)
def test_a_changed_copy_is_refused_or_means_the_same(parsers: dict[str, Parser], kind: str, count: int) -> None:
    attack(parsers[kind], count)


@pytest.mark.parametrize("count", [UNIT // 20, pytest.param(LONG // 20, marks=pytest.mark.long)])
@pytest.mark.parametrize("kind", COMPOSED)
def test_so_is_one_of_several_parts(parsers: dict[str, Parser], kind: str, count: int) -> None:
    attack(parsers[kind], count)


@pytest.mark.parametrize("kind", SHAPES + COMPOSED)
@settings(max_examples=100, deadline=None)
@given(data=st.binary(max_size=80))
def test_any_bytes_give_a_typed_error(parsers: dict[str, Parser], kind: str, data: bytes) -> None:
    with pytest.raises(CryptoError):
        parsers[kind].read(data)
