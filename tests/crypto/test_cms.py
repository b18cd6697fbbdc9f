"""Detached signatures: what they say, and that no byte of data or signature can be changed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from asn1crypto import cms as peer
from asn1crypto import core

from crypto import asn1, der
from crypto.cms import NotTrusted, read_signer, shapes, sign, sign_detached, verify_detached
from crypto.errors import CryptoError, DigestMismatch, VerificationFailed
from crypto.identity import SiteIdentity
from crypto.sm2 import generate
from tests.crypto.conftest import AT

DATA = b"\xe7\x94\xb5\xe8\xb4\xa6"


@pytest.mark.parametrize("pkcs7", [False, True])
def test_a_signature_names_its_signer_and_time(identity, *, pkcs7: bool) -> None:
    p7s = sign_detached(DATA, identity, AT + timedelta(microseconds=999_999), pkcs7=pkcs7)
    signer = verify_detached(DATA, p7s, [identity.anchor])
    assert (signer.path, signer.trusted, signer.signed_at) == (identity.chain, True, AT)
    assert signer.name == identity.certificate.subject_text


def test_the_oids_are_those_of_gm_t_0010(identity) -> None:
    p7s = sign_detached(DATA, identity, AT)
    found = shapes.SignedContent.load(p7s)
    assert found["type"].dotted == "1.2.156.10197.6.1.4.2.2"
    assert found["content"]["content"]["type"].dotted == "1.2.156.10197.6.1.4.2.1"


def test_asn1crypto_s_own_reader_reads_the_pkcs7_form(identity) -> None:
    found = peer.ContentInfo.load(sign_detached(DATA, identity, AT, pkcs7=True), strict=True)
    signer = found["content"]["signer_infos"][0]
    attributes = {one["type"].native: one["values"][0].native for one in signer["signed_attrs"]}
    assert found["content_type"].native == "signed_data"
    assert (attributes["content_type"], attributes["signing_time"]) == ("data", AT)
    signed = b"\x31" + signer["signed_attrs"].dump()[1:]
    identity.key.public.verify(signer["signature"].native, signed)


def test_valid_but_not_trusted(identity, stranger) -> None:
    p7s = sign_detached(DATA, stranger, AT)
    for anchors in ([identity.anchor], []):
        assert not read_signer(DATA, p7s, anchors).trusted
        with pytest.raises(NotTrusted) as refused:
            verify_detached(DATA, p7s, anchors)
        assert refused.value.signer.certificate == stranger.certificate
        assert refused.value.exit_code == 1


def test_changed_data_is_told_apart_from_a_broken_signature(identity) -> None:
    p7s = sign_detached(DATA, identity, AT)
    with pytest.raises(DigestMismatch):
        verify_detached(DATA + b"!", p7s, [identity.anchor])


@pytest.mark.parametrize("step", [5, pytest.param(1, marks=pytest.mark.long)])
def test_every_changed_byte_of_a_signature_is_found(identity, step: int) -> None:
    p7s = sign_detached(DATA, identity, AT)
    for at in range(0, len(p7s), step):
        changed = bytearray(p7s)
        changed[at] ^= 1 << at % 8
        with pytest.raises(VerificationFailed):
            read_signer(DATA, bytes(changed), [identity.anchor])


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(lambda data: b"\x30\x83\0" + data[2:], id="length not minimal"),
        pytest.param(lambda data: data + b"\0", id="trailing byte"),
        pytest.param(lambda data: data[:-1], id="cut"),
        pytest.param(lambda _: b"", id="empty"),
        pytest.param(lambda _: b"\x30\x00", id="empty sequence"),
        pytest.param(lambda _: b"\x30\x80", id="BER"),
        pytest.param(lambda _: bytes(2 << 20), id="huge"),
    ],
)
def test_malformed_signatures_are_refused(identity, edit) -> None:
    with pytest.raises(VerificationFailed):
        read_signer(DATA, edit(sign_detached(DATA, identity, AT)), [identity.anchor])


def rebuilt(identity, change) -> bytes:
    """A signature made again with one thing different, its signature value right where that is possible."""
    found = shapes.SignedContent.load(sign_detached(DATA, identity, AT))
    change(found["content"])
    return found.dump(force=True)


def resigned(identity, attributes: list[object]) -> bytes:
    found = shapes.SignedContent.load(sign_detached(DATA, identity, AT))
    signer = found["content"]["signers"][0]
    signer["signed_attrs"] = asn1.Attributes(attributes)
    signer["signature"] = identity.key.sign(asn1.Attributes(attributes).dump())
    return found.dump(force=True)


def test_a_signature_without_signing_time_or_with_a_repeated_attribute_is_refused(identity) -> None:
    kept = list(shapes.SignedContent.load(sign_detached(DATA, identity, AT))["content"]["signers"][0]["signed_attrs"])
    verify_detached(DATA, resigned(identity, kept), [identity.anchor])
    for attributes in (
        [one for one in kept if one["type"].dotted != asn1.SIGNING_TIME],
        [one for one in kept if one["type"].dotted != asn1.CONTENT_TYPE],
        [*kept, kept[0]],
    ):
        with pytest.raises(VerificationFailed, match="malformed"):
            verify_detached(DATA, resigned(identity, attributes), [identity.anchor])


def test_other_algorithms_and_a_missing_chain_are_refused(identity) -> None:
    def sha256(content) -> None:
        content["digest_algorithms"] = [asn1.algorithm("2.16.840.1.101.3.4.2.1")]

    def twice(content) -> None:
        content["signers"] = [content["signers"][0], content["signers"][0]]

    def no_chain(content) -> None:
        content["certificates"] = []

    def later_version(content) -> None:
        content["version"] = 3

    def later_signer(content) -> None:
        content["signers"][0]["version"] = 3

    def unsigned(content) -> None:
        content["signers"][0]["unsigned_attrs"] = [{"type": asn1.CONTENT_TYPE, "values": [core.Null()]}]

    for change in (sha256, twice, no_chain, later_version, later_signer, unsigned):
        with pytest.raises(VerificationFailed, match="malformed"):
            read_signer(DATA, rebuilt(identity, change), [identity.anchor])


def test_content_inside_must_be_the_very_data(identity) -> None:
    p7s = sign(DATA, [identity], AT)
    assert verify_detached(DATA, p7s, [identity.anchor]).signed_at == AT
    with pytest.raises(DigestMismatch):
        verify_detached(DATA + b"!", p7s, [identity.anchor])


def test_an_expired_signer_is_refused(identity) -> None:
    late = sign_detached(DATA, identity, AT + timedelta(days=365 * 6))
    with pytest.raises(VerificationFailed, match="was not valid"):
        read_signer(DATA, late, [identity.anchor])


def test_a_key_and_a_certificate_that_do_not_belong_together_make_no_identity(identity) -> None:
    with pytest.raises(ValueError, match="does not belong"):
        SiteIdentity(key=generate(), chain=identity.chain)
    with pytest.raises((CryptoError, ValueError)):
        SiteIdentity(key=identity.key, chain=())


@pytest.mark.parametrize("hidden", [b"\5\0", b"\x30\x03\2\1\1"], ids=["NULL", "SEQUENCE"])
def test_nothing_is_hidden_behind_the_content_in_its_explicit_tag(identity, hidden: bytes) -> None:
    p7s = sign_detached(DATA, identity, AT)
    _, start, _ = der.read(p7s)
    _, _, content = der.read(p7s, start)
    _, inner, end = der.read(p7s, content)

    def wrapped(more: bytes) -> bytes:
        return der.encode(der.SEQUENCE, p7s[start:content] + der.encode(0xA0, p7s[inner:end] + more))

    assert wrapped(b"") == p7s
    with pytest.raises(VerificationFailed, match="malformed"):
        read_signer(DATA, wrapped(hidden), [identity.anchor])
