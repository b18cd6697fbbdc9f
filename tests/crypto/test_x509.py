"""Certificates and chains: validity, use, and each link's signature."""

from __future__ import annotations

from datetime import timedelta

import pytest

from crypto.errors import CertificateRefused, CryptoError
from crypto.pki import building
from crypto.pki import site as ca_module
from crypto.pki.site import issue_signer, make_ca
from crypto.sm2 import generate
from crypto.x509 import certificates_pem, check_path, load_certificates, parse_certificate, signed_by
from tests.crypto.conftest import AT

DAY = timedelta(days=1)


def test_what_was_issued_is_read_back(identity) -> None:
    signer, ca = identity.chain
    assert (ca.is_ca, ca.path_length, ca.key_usage) == (True, 0, {"key_cert_sign", "crl_sign"})
    assert (signer.is_ca, signer.key_usage) == (False, {"digital_signature", "non_repudiation"})
    assert signer.subject_text == "CN=省数据局 signing, O=省数据局, C=CN"
    assert (signer.issuer, signer.issuer_key) == (ca.subject, ca.subject_key)
    assert (signer.not_after.year - signer.not_before.year, signer.public_key) == (5, identity.key.public)
    assert load_certificates(certificates_pem(identity.chain)) == identity.chain
    assert load_certificates(signer.der) == (signer,)


def test_a_chain_to_the_anchor_is_trusted_and_to_a_stranger_not(identity, stranger) -> None:
    signer, ca = identity.chain
    assert check_path(signer, [], [ca], AT).trusted
    assert check_path(signer, [ca], [ca, stranger.anchor], AT).trusted
    assert not check_path(signer, [ca], [], AT).trusted
    assert not check_path(signer, [ca], [stranger.anchor], AT).trusted


def test_a_missing_issuer_is_said(identity, stranger) -> None:
    with pytest.raises(CertificateRefused, match="is missing"):
        check_path(identity.certificate, [], [stranger.anchor], AT)


@pytest.mark.parametrize("at", [AT - DAY, AT + 365 * 5 * DAY])
def test_validity_counts_at_the_time_of_signing(identity, at) -> None:
    with pytest.raises(CertificateRefused, match="was not valid at"):
        check_path(identity.certificate, [], [identity.anchor], at)


def test_a_signer_is_no_ca(identity) -> None:
    key = generate()
    forged = issue_signer(key.public, identity.key, identity.certificate, "forged", AT)
    with pytest.raises(CertificateRefused, match="may not issue"):
        check_path(forged, identity.chain, [identity.anchor], AT)


def test_an_anchor_that_is_no_ca_vouches_for_nobody(identity) -> None:
    key = generate()
    forged = issue_signer(key.public, identity.key, identity.certificate, "forged", AT)
    with pytest.raises(CertificateRefused, match="may not issue"):
        check_path(forged, [], [identity.certificate], AT)


def test_a_ca_certificate_does_not_sign_documents(identity) -> None:
    with pytest.raises(CertificateRefused, match="not for this use"):
        check_path(identity.anchor, [], [identity.anchor], AT)


def test_path_length_is_kept() -> None:
    """An intermediate under our CA would need path length 1; ours has 0."""
    root_key, middle_key, key = generate(), generate(), generate()
    root = make_ca(root_key, "root", AT)
    tbs = building.tbs(
        ca_module.x509.Name.load(root.subject),
        ca_module._name("middle", "CA"),
        middle_key.public,
        AT,
        500,
        [
            building.extension("basic_constraints", {"ca": True}, critical=True),
            building.extension("key_usage", {"key_cert_sign"}, critical=True),
            building.extension("key_identifier", building.key_id(middle_key.public)),
        ],
    )
    middle = building.sign(tbs, root_key)
    leaf = issue_signer(key.public, middle_key, middle, "leaf", AT)
    assert signed_by(middle, root)
    with pytest.raises(CertificateRefused, match="may not issue"):
        check_path(leaf, [middle], [root], AT)


def test_an_anchor_of_the_same_name_but_another_key_is_not_taken(identity, stranger) -> None:
    assert not signed_by(identity.certificate, stranger.anchor)
    assert not check_path(identity.certificate, [identity.anchor], [stranger.anchor], AT).trusted


def test_every_changed_byte_of_a_certificate_is_found(identity) -> None:
    signer, ca = identity.chain
    for one, at in [(each, at) for each in (signer, ca) for at in range(len(each.der))]:
        changed = bytearray(one.der)
        changed[at] ^= 1
        try:
            parsed = parse_certificate(bytes(changed))
            others = [ca] if one is signer else [parsed]
            check_path(parsed if one is signer else signer, others, [ca], AT)
        except CryptoError:
            continue
        pytest.fail(f"byte {at} of {one!r} may be changed")


@pytest.mark.parametrize("data", [b"", b"\x30\x00", b"text", b"\x30\x82\xff\xff" + bytes(10), bytes(70_000)])
def test_what_is_no_certificate_is_refused(data: bytes) -> None:
    with pytest.raises(CryptoError):
        parse_certificate(data)


def test_an_unknown_critical_extension_is_refused() -> None:
    key = generate()
    constraint = {"permitted_subtrees": [{"base": ca_module.x509.GeneralName("dns_name", "example.cn")}]}
    extension = building.extension("name_constraints", constraint, critical=True)
    name = ca_module._name("x", "CA")
    with pytest.raises(CryptoError, match="name_constraints"):
        building.sign(building.tbs(name, name, key.public, AT, 1, [extension]), key)


def test_names_of_hostile_certificates_print_on_one_line() -> None:
    key = generate()
    name = ca_module.x509.Name.build({"common_name": "a\nvalid: true\x1b[2J"})
    found = building.sign(building.tbs(name, name, key.public, AT, 1, []), key)
    assert found.subject_text.isprintable()
