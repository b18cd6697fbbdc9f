"""Certificate chains, requests and revocation lists, both ways."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, datetime, timedelta

import pytest
from asn1crypto import csr as shapes

from crypto import pem
from crypto.errors import CertificateRevoked, CryptoError, RevocationUnknown, VerificationFailed
from crypto.pki import building, crl, csr, ocsp, profiles
from crypto.sm2 import generate
from crypto.x509 import certificates_pem, check_path, load_certificates
from tests.crypto.interop.cells import Way, meets
from tests.crypto.interop.conftest import pem_chain
from tests.peers.base import Chain, RefusedError

SERIAL = 0x1234567890ABCDEF


@meets("certificate chain", Way.THEY_READ, "verify_chain")
def test_they_verify_our_chain(peer, pki) -> None:
    chain = pem_chain(pki.server)
    peer.verify_chain(chain)
    with pytest.raises(RefusedError):
        peer.verify_chain(Chain(certificates_pem([pki.stranger]), chain.between, chain.leaf))
    with pytest.raises(RefusedError):
        peer.verify_chain(Chain(chain.anchor, (), chain.leaf))


@meets("certificate chain", Way.WE_READ, "issue_chain")
def test_we_verify_their_chain(peer, pki) -> None:
    chain = peer.issue_chain()
    (anchor,), (leaf,) = load_certificates(chain.anchor), load_certificates(chain.leaf)
    between = [load_certificates(one)[0] for one in chain.between]
    at = datetime.now(UTC) + timedelta(minutes=1)
    path = check_path(leaf, between, [anchor], at)
    assert path.trusted
    assert path.certificates == (leaf, *between, anchor)
    with pytest.raises(VerificationFailed):
        check_path(leaf, [], [anchor], at)
    with pytest.raises(VerificationFailed):
        check_path(leaf, between, [anchor], at + timedelta(days=400))
    assert not _trusted(leaf, between, pki.stranger, at)


def _trusted(leaf, between, anchor, at) -> bool:
    try:
        return check_path(leaf, between, [anchor], at).trusted
    except VerificationFailed:
        return False


@meets("certification request", Way.THEY_READ, "read_request")
def test_they_check_our_request(peer, pki) -> None:
    request = csr.make_request(pki.server.key, "C=CN,O=省数据局,CN=server", ["localhost", "127.0.0.1"])
    peer.read_request(request)
    other = csr.make_request(pki.client.key, "C=CN,O=省数据局,CN=server", ["localhost", "127.0.0.1"])
    with pytest.raises(RefusedError):
        peer.read_request(_signature_of(other, request))


def _signature_of(other: bytes, request: bytes) -> bytes:
    """The one request with the signature of the other."""
    first, second = (shapes.CertificationRequest.load(pem.blocks(one)[0][1]) for one in (request, other))
    return pem.encode(
        csr.LABEL,
        shapes.CertificationRequest(
            {
                "certification_request_info": first["certification_request_info"],
                "signature_algorithm": first["signature_algorithm"],
                "signature": second["signature"],
            }
        ).dump(),
    )


@meets("certification request", Way.WE_READ, "write_request")
def test_we_check_their_request(peer) -> None:
    request = peer.write_request()
    assert "request" in csr.read_request(request).subject_text
    with pytest.raises(CryptoError):
        csr.read_request(_signature_of(peer.write_request(), request))


@meets("revocation list", Way.THEY_READ, "read_list")
def test_they_check_our_list(peer, pki, now) -> None:
    revoked = {SERIAL: crl.Revoked(now, crl.Reason.KEY_COMPROMISE), 0x80: crl.Revoked(now)}
    ours = crl.list_pem(crl.load_list(_list(pki, revoked, now)))
    assert peer.read_list(certificates_pem([pki.root]), ours) == {SERIAL, 0x80}
    with pytest.raises(RefusedError):
        peer.read_list(certificates_pem([pki.stranger]), ours)


def _list(pki, revoked, now) -> bytes:
    return crl.make_list(pki.root_key, pki.root, revoked, 7, now - timedelta(minutes=1)).der


@meets("revocation list", Way.WE_READ, "write_list")
def test_we_check_their_list(peer, pki) -> None:
    anchor, theirs = peer.write_list(pki.server.certificate)
    (issuer,) = load_certificates(anchor)
    found = crl.load_list(theirs)
    at = found.this_update + timedelta(seconds=1)
    crl.check_list(found, issuer, at)
    assert set(found.revoked) == {pki.server.certificate.serial}
    with pytest.raises(CryptoError):
        crl.check_list(found, pki.stranger, at)


@pytest.mark.parametrize("state", ["good", "revoked", "unknown"])
@meets("OCSP response", Way.THEY_READ, "check_status")
def test_they_check_our_answer(peer, pki, now, state: str) -> None:
    key = generate()
    leaf = profiles.end_entity(profiles.Profile.OCSP, key.public, building.name_of("CN=o"), pki.below_root, now, 9)
    ours = ocsp.Responder(key=key, certificate=leaf, issuer=pki.root)
    look = {"good": True, "revoked": crl.Revoked(now, crl.Reason.KEY_COMPROMISE), "unknown": False}[state]
    asked = (certificates_pem([pki.middle]), certificates_pem([pki.root]))
    assert peer.check_status(*asked, lambda request: ours.answer(request, lambda _: look, datetime.now(UTC))) == state
    foreign = ocsp.Responder(key=pki.server.key, certificate=pki.server.certificate, issuer=pki.root)
    with pytest.raises(RefusedError):
        peer.check_status(*asked, lambda request: foreign.answer(request, lambda _: look, datetime.now(UTC)))


@meets("OCSP response", Way.WE_READ, "respond")
def test_we_check_their_answer(peer) -> None:
    for revoked in (False, True):
        issuer, leaf, answer = peer.respond(revoked=revoked)
        (ca,), (certificate,) = load_certificates(issuer), load_certificates(leaf)
        nonce = ocsp.new_nonce()
        response = answer(ocsp.make_request(certificate, ca, nonce))
        with pytest.raises(CertificateRevoked) if revoked else nullcontext():
            ocsp.check_response(response, certificate, ca, nonce, datetime.now(UTC))
        with pytest.raises(RevocationUnknown):
            ocsp.check_response(response, certificate, ca, ocsp.new_nonce(), datetime.now(UTC))
