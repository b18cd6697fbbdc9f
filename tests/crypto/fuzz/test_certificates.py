"""Changed certificates, requests, lists and OCSP messages: a typed error, nothing taken that a CA did not sign."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto import pem
from crypto.errors import CertificateRefused, CryptoError
from crypto.pki import ocsp
from crypto.pki.crl import Reason, RevocationList, Revoked, check_list, parse_list
from crypto.pki.csr import make_request, read_request
from crypto.pki.ocsp import check_response
from crypto.x509 import Certificate, parse_certificate, signed_by
from tests.crypto.conftest import AT
from tests.crypto.mutation import LONG, UNIT, Parser, attack
from tests.crypto.pki.hierarchy import LEAF, LEAF_KEY, MIDDLE, MIDDLE_KEY, lists, responder

NONCE = b"n" * 32
ASKED = ocsp.make_request(LEAF, MIDDLE, NONCE)


def issued(data: bytes) -> Certificate:
    """A certificate, signed by the intermediate."""
    found = parse_certificate(data)
    if not signed_by(found, MIDDLE):
        raise CertificateRefused("not signed by {ca}", "ask for another", ca=MIDDLE.subject_text)
    return found


def published(data: bytes) -> RevocationList:
    """A list, signed by the intermediate and current."""
    found = parse_list(data)
    check_list(found, MIDDLE, AT)
    return found


def asked(data: bytes) -> None:
    """Nobody signs a question: it is understood or refused."""
    assert 1 <= len(ocsp.read_request(data).ids) <= ocsp.MAX_REQUESTS


def answered(data: bytes) -> None:
    check_response(data, LEAF, MIDDLE, NONCE, AT)


PARSERS = {
    "certificate": Parser(sample=LEAF.der, read=issued, strict=True),
    "request": Parser(sample=pem.blocks(make_request(LEAF_KEY, "CN=web", ["a.cn"]))[0][1], read=read_request),
    "revocation list": Parser(
        sample=lists({5: Revoked(AT - timedelta(days=1), Reason.SUPERSEDED), 1 << 100: Revoked(AT)})[0].der,
        read=published,
        strict=True,
    ),
    "OCSP question": Parser(sample=ASKED, read=asked),
    "OCSP answer": Parser(
        sample=responder(MIDDLE_KEY, MIDDLE).answer(ASKED, lambda _: True, AT), read=answered, strict=True
    ),
}
DELEGATED = Parser(sample=responder().answer(ASKED, lambda _: True, AT), read=answered)


@pytest.mark.parametrize("count", [UNIT, pytest.param(LONG, marks=pytest.mark.long)])
@pytest.mark.parametrize("kind", PARSERS)
def test_a_changed_copy_is_refused(kind: str, count: int) -> None:
    attack(PARSERS[kind], count)


@pytest.mark.parametrize("count", [UNIT // 20, pytest.param(LONG // 20, marks=pytest.mark.long)])
def test_so_is_an_answer_with_its_signers_certificate(count: int) -> None:
    attack(DELEGATED, count)


@pytest.mark.parametrize("kind", PARSERS)
@settings(max_examples=150, deadline=None)
@given(data=st.binary(max_size=200))
def test_any_bytes_give_a_typed_error(kind: str, data: bytes) -> None:
    with pytest.raises(CryptoError):
        PARSERS[kind].read(data)
