"""OCSP: good, revoked, unknown; an answer that proves nothing is refused, also over HTTP."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from crypto.errors import (
    CertificateRevoked,
    CryptoError,
    RevocationUnknown,
)
from crypto.pki import ocsp, profiles
from crypto.pki.crl import Reason, Revoked
from crypto.pki.ocsp_http import ask, make_server
from crypto.pki.profiles import Profile
from records.errors import UnreachableError
from tests.crypto.conftest import AT
from tests.crypto.pki.hierarchy import (
    LEAF,
    LEAF_KEY,
    MIDDLE,
    MIDDLE_KEY,
    OCSP_CERTIFICATE,
    OCSP_KEY,
    ROOT,
    leaf,
    name,
    responder,
)


@pytest.fixture(params=["delegate", "CA"])
def answering(request: pytest.FixtureRequest) -> ocsp.Responder:
    return responder() if request.param == "delegate" else responder(MIDDLE_KEY, MIDDLE)


def test_ocsp_tells_good_revoked_and_unknown(answering: ocsp.Responder) -> None:
    nonce = ocsp.new_nonce()
    asked = ocsp.make_request(LEAF, MIDDLE, nonce)
    ocsp.check_response(answering.answer(asked, lambda _: True, AT), LEAF, MIDDLE, nonce, AT)
    revoked = answering.answer(asked, lambda _: Revoked(AT, Reason.SUPERSEDED), AT)
    with pytest.raises(CertificateRevoked, match="superseded"):
        ocsp.check_response(revoked, LEAF, MIDDLE, nonce, AT)
    with pytest.raises(RevocationUnknown, match="does not know"):
        ocsp.check_response(answering.answer(asked, lambda _: False, AT), LEAF, MIDDLE, nonce, AT)


def test_ocsp_does_not_know_what_another_ca_issued() -> None:
    answer = responder().answer(ocsp.make_request(MIDDLE, ROOT, None), lambda _: True, AT)
    body = ocsp._basic(answer)["tbs_response_data"]
    assert [one["cert_status"].name for one in body["responses"]] == ["unknown"]


@pytest.mark.parametrize("at", [AT - timedelta(minutes=6), AT + timedelta(minutes=66)])
def test_an_ocsp_answer_of_another_time_is_refused(at: datetime) -> None:
    answer = responder().answer(ocsp.make_request(LEAF, MIDDLE, None), lambda _: True, AT)
    ocsp.check_response(answer, LEAF, MIDDLE, None, AT)
    with pytest.raises(RevocationUnknown):
        ocsp.check_response(answer, LEAF, MIDDLE, None, at)


def test_ocsp_answers_that_prove_nothing_are_refused() -> None:
    nonce, other = ocsp.new_nonce(), leaf()
    asked = ocsp.make_request(LEAF, MIDDLE, nonce)
    good = responder().answer(asked, lambda _: True, AT)
    server = profiles.end_entity(Profile.SERVER, OCSP_KEY.public, name("x"), (MIDDLE_KEY, MIDDLE), AT, 30)
    cases = [
        (good, LEAF, ocsp.new_nonce()),
        (good, other, nonce),
        (responder().answer(ocsp.make_request(LEAF, MIDDLE, None), lambda _: True, AT), LEAF, nonce),
        (responder(OCSP_KEY, server).answer(asked, lambda _: True, AT), LEAF, nonce),
        (responder(LEAF_KEY, OCSP_CERTIFICATE).answer(asked, lambda _: True, AT), LEAF, nonce),
        (ocsp.failure("try_later"), LEAF, nonce),
        (responder().answer(b"\x30\x00", lambda _: True, AT), LEAF, nonce),
    ]
    for answer, certificate, expected in cases:
        with pytest.raises(RevocationUnknown):
            ocsp.check_response(answer, certificate, MIDDLE, expected, AT)


def test_every_changed_byte_of_an_ocsp_answer_is_refused() -> None:
    answer = responder(MIDDLE_KEY, MIDDLE).answer(ocsp.make_request(LEAF, MIDDLE, b"n" * 32), lambda _: True, AT)
    for at in range(len(answer)):
        changed = bytearray(answer)
        changed[at] ^= 1
        with pytest.raises(CryptoError):
            ocsp.check_response(bytes(changed), LEAF, MIDDLE, b"n" * 32, AT)


@pytest.fixture
def url() -> Iterator[str]:
    with make_server(("127.0.0.1", 0), lambda data: responder().answer(data, lambda _: True, AT)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


def test_ocsp_over_http(url: str) -> None:
    nonce = ocsp.new_nonce()
    ocsp.check_response(ask(url, ocsp.make_request(LEAF, MIDDLE, nonce)), LEAF, MIDDLE, nonce, AT)
    with pytest.raises(RevocationUnknown, match="malformed_request"):
        ocsp.check_response(ask(url, b"no request"), LEAF, MIDDLE, nonce, AT)
    with pytest.raises(UnreachableError):
        ask(url, bytes(ocsp.MAX_BYTES + 1))
    with pytest.raises(CryptoError, match="no address"):
        ask("file:///etc/passwd", b"")
    with pytest.raises(UnreachableError):
        ask("http://127.0.0.1:9/", b"")
