"""CMS and time stamps, both ways."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from crypto import cms
from crypto.errors import CryptoError, DigestMismatch, VerificationFailed
from crypto.pki import building, profiles
from crypto.sm2 import generate
from crypto.sm3 import sm3
from crypto.timestamp import Authority, Serials, make_request, parse_response, verify_response
from crypto.x509 import certificates_pem, load_certificates
from tests.crypto.interop.cells import Way, meets
from tests.crypto.interop.conftest import pem_chain
from tests.peers.base import Chain, RefusedError

DATA = "按实结算\r\nbinary \x00\n".encode()
TIMES = ("ask_time", "check_time")


@meets("CMS signed, as GmSSL", Way.THEY_READ, "cms_verify", but=("openssl4", "tongsuo", "bouncycastle", "gmtls"))
def test_they_verify_our_message_in_their_form(peer, pki) -> None:
    message = cms.sign_for_gmssl(DATA, [pki.sign])
    peer.cms_verify(pem_chain(pki.sign), message, DATA)
    with pytest.raises(RefusedError):
        peer.cms_verify(pem_chain(pki.sign), message.replace(b"binary", b"BINARY"), DATA.replace(b"binary", b"BINARY"))


@meets("CMS signed, as GmSSL", Way.WE_READ, "cms_sign", but=("openssl4", "tongsuo", "bouncycastle"))
def test_we_verify_their_message_in_their_form(peer) -> None:
    _we_verify(peer)


@pytest.mark.parametrize("detached", [True, False], ids=["detached", "attached"])
@meets("CMS signed, GM/T 0010", Way.THEY_READ, "cms_verify", but=("openssl4", "tongsuo", "gmssl"))
def test_they_verify_our_message(peer, pki, now, *, detached: bool) -> None:
    _they_verify(peer, pki, cms.sign(DATA, [pki.sign], now, detached=detached))


@pytest.mark.parametrize("detached", [True, False], ids=["detached", "attached"])
@meets("CMS signed, PKCS#7", Way.THEY_READ, "cms_verify", but=("gmssl",))
def test_they_verify_our_message_with_the_oids_of_pkcs7(peer, pki, now, *, detached: bool) -> None:
    _they_verify(peer, pki, cms.sign(DATA, [pki.sign], now, detached=detached, pkcs7=True))


def _they_verify(peer, pki, message: bytes) -> None:
    peer.cms_verify(pem_chain(pki.sign), message, DATA)
    with pytest.raises(RefusedError):
        peer.cms_verify(pem_chain(pki.sign), message, DATA + b"!")


@meets("CMS signed, PKCS#7", Way.WE_READ, "cms_sign", but=("gmssl",))
def test_we_verify_their_message_with_the_oids_of_pkcs7(peer) -> None:
    _we_verify(peer)


def _we_verify(peer) -> None:
    chain = peer.issue_chain()
    message = peer.cms_sign(chain.leaf, chain.key, DATA)
    anchors = load_certificates(chain.between[0])  # the message holds no more than the signer's certificate
    at = datetime.now(UTC)
    found = cms.read_signed(message, anchors, at=at)
    assert (found.content, found.trusted, len(found.signers)) == (DATA, True, 1)
    with pytest.raises(DigestMismatch):
        cms.read_signed(message, anchors, at=at, data=DATA + b"!")
    with pytest.raises(VerificationFailed):
        cms.read_signed(message.replace(b"binary", b"BINARY"), anchors, at=at)


@meets("CMS enveloped, GM/T 0010", Way.THEY_READ, "cms_decrypt")
def test_they_open_our_envelope(peer, pki) -> None:
    leaf = pki.enc.certificate
    message = cms.encrypt(DATA, [leaf], for_gmssl=True)
    assert peer.cms_decrypt(certificates_pem([leaf]), pki.enc.key, message) == DATA
    with pytest.raises(RefusedError):
        peer.cms_decrypt(certificates_pem([pki.sign.certificate]), pki.sign.key, message)


@meets("CMS enveloped, GM/T 0010", Way.WE_READ, "cms_encrypt")
def test_we_open_their_envelope(peer, pki) -> None:
    leaf = pki.enc.certificate
    message = peer.cms_encrypt(certificates_pem([leaf]), DATA)
    assert cms.decrypt(message, cms.Recipient(key=pki.enc.key, certificate=leaf)) == DATA
    key = generate()
    issuer = (pki.root_key, pki.root)
    other = profiles.end_entity(profiles.Profile.ENC, key.public, building.name_of("CN=x"), issuer, leaf.not_before, 9)
    with pytest.raises(CryptoError):
        cms.decrypt(message, cms.Recipient(key=key, certificate=other))


@pytest.fixture
def authority(pki, tmp_path: Path) -> Authority:
    return Authority(identity=pki.tsa, serials=Serials(tmp_path / "serials"))


@meets("time-stamp request", Way.WE_READ, "ask_time")
def test_we_answer_their_question(peer, authority) -> None:
    token = authority.answer(peer.ask_time(DATA))
    assert b"localhost" in token  # granted, the authority's certificate inside as was asked


@meets("time-stamp response", Way.THEY_READ, *TIMES)
def test_they_verify_our_time(peer, authority, pki) -> None:
    request = peer.ask_time(DATA)
    response, chain = authority.answer(request), pem_chain(pki.tsa)
    peer.check_time(request, response, chain)
    with pytest.raises(RefusedError):
        peer.check_time(peer.ask_time(DATA + b"!"), response, chain)
    stranger = certificates_pem([pki.stranger])
    with pytest.raises(RefusedError):
        peer.check_time(request, response, Chain(stranger, (), certificates_pem([pki.sign.certificate])))


@meets("time-stamp request", Way.THEY_READ, "give_time")
def test_they_answer_our_question(peer) -> None:
    assert parse_response(peer.give_time(make_request(sm3(DATA)).encode())[1])


@meets("time-stamp response", Way.WE_READ, "give_time")
def test_we_verify_their_time(peer, pki) -> None:
    request = make_request(sm3(DATA))
    anchor, response = peer.give_time(request.encode())
    token, found = verify_response(response, request, load_certificates(anchor))
    assert found.trusted
    assert cms.read_token(token, sm3(DATA), load_certificates(anchor)).trusted
    with pytest.raises(VerificationFailed):
        verify_response(response, request, [pki.stranger])
    with pytest.raises(VerificationFailed):
        verify_response(response, make_request(sm3(DATA)), load_certificates(anchor))
