"""Messages of several signers and for several recipients; what foreign writers leave out or add."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from asn1crypto import core
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto import asn1
from crypto.cms import (
    Recipient,
    decrypt,
    decrypt_signed,
    encrypt,
    read_signed,
    read_signer,
    shapes,
    sign,
    sign_and_encrypt,
    sign_detached,
    sign_for_gmssl,
)
from crypto.cms.message import parse_signed
from crypto.cms.signing import encode_signed
from crypto.errors import (
    AuthenticationFailed,
    CertificateExpired,
    CertificateRefused,
    CryptoError,
    DigestMismatch,
    VerificationFailed,
    WrongUsage,
)
from crypto.identity import SiteIdentity
from tests.crypto.conftest import AT, make_identity
from tests.crypto.recipients import make_recipient

DATA = "按实结算".encode()
LATER = AT + timedelta(days=365 * 6)  # the signers' certificates have run out


@pytest.fixture(scope="module")
def recipients() -> list[Recipient]:
    return [make_recipient("省财政厅"), make_recipient("省税务局")]


@pytest.mark.parametrize("pkcs7", [False, True])
@pytest.mark.parametrize("detached", [False, True])
def test_several_signers_each_hold(identity, stranger, *, pkcs7: bool, detached: bool) -> None:
    message = sign(DATA, [identity, stranger], AT, pkcs7=pkcs7, detached=detached)
    found = read_signed(message, [identity.anchor], at=LATER, data=DATA if detached else None)
    by_key = {one.certificate: one.trusted for one in found.signers}
    assert (found.content, by_key) == (DATA, {identity.certificate: True, stranger.certificate: False})
    assert found.trusted is False
    assert read_signed(message, [identity.anchor, stranger.anchor], at=LATER, data=DATA).trusted


def test_one_broken_signature_among_several_releases_nothing(identity, stranger) -> None:
    found = shapes.SignedContent.load(sign(DATA, [identity, stranger], AT))
    found["content"]["signers"][1]["signature"] = identity.key.sign(b"other")
    with pytest.raises(VerificationFailed):
        read_signed(found.dump(force=True), [identity.anchor], at=AT)


def test_a_detached_message_needs_its_data_and_no_others(identity) -> None:
    message = sign_detached(DATA, identity, AT)
    with pytest.raises(VerificationFailed, match="detached"):
        read_signed(message, [], at=AT)
    for one in (message, sign(DATA, [identity], AT)):
        with pytest.raises(DigestMismatch):
            read_signed(one, [], at=AT, data=b"other")


def bare(identity: SiteIdentity, data: bytes) -> bytes:
    """Without signed attributes, as `openssl cms -sign -noattr` writes."""
    found = shapes.SignedContent.load(sign(data, [identity], AT))
    signer = found["content"]["signers"][0]
    del signer["signed_attrs"]
    signer["signature"] = identity.key.sign(data)
    return found.dump(force=True)


@pytest.mark.parametrize("form", [bare, lambda identity, data: sign_for_gmssl(data, [identity])])
def test_a_signature_without_attributes_states_no_time_and_must_hold_now(identity, form) -> None:
    message = form(identity, DATA)
    found = read_signed(message, [identity.anchor], at=AT)
    assert (found.content, found.trusted, found.signers[0].signed_at) == (DATA, True, None)
    with pytest.raises(CertificateExpired):
        read_signed(message, [identity.anchor], at=LATER)
    with pytest.raises(VerificationFailed):
        read_signed(message, [identity.anchor], at=AT, data=DATA + b"!")
    with pytest.raises(VerificationFailed, match="malformed"):
        read_signer(DATA, message, [identity.anchor])


def test_signed_attributes_are_not_passed_off_as_data(identity) -> None:
    """RFC 5652 §5.4 lets one signature stand for its attributes, or for data that look like them."""
    honest = parse_signed(sign(DATA, [identity], AT)).signers[0]
    found = shapes.SignedContent.load(sign(honest.attributes, [identity], AT))
    signer = found["content"]["signers"][0]
    del signer["signed_attrs"]
    signer["signature"] = honest.signature
    with pytest.raises(VerificationFailed, match="signed attributes of another message"):
        read_signed(found.dump(force=True), [identity.anchor], at=AT)


def test_more_signed_attributes_are_taken_other_unsigned_ones_are_not(identity) -> None:
    found = shapes.SignedContent.load(sign(DATA, [identity], AT))
    signer = found["content"]["signers"][0]
    more = [*signer["signed_attrs"], {"type": "1.2.840.113549.1.9.15", "values": [core.Null()]}]
    signer["signed_attrs"] = asn1.Attributes(more)
    signer["signature"] = identity.key.sign(asn1.Attributes(more).dump())
    assert read_signed(found.dump(force=True), [identity.anchor], at=AT).trusted
    signer["unsigned_attrs"] = [{"type": "1.2.840.113549.1.9.15", "values": [core.Null()]}]
    with pytest.raises(VerificationFailed, match="no time-stamp token"):
        read_signed(found.dump(force=True), [identity.anchor], at=AT)


def test_a_chain_that_came_incomplete_is_mended_by_the_anchor_unless_it_must_be_whole(identity) -> None:
    found = shapes.SignedContent.load(sign_detached(DATA, identity, AT))
    cut = encode_signed(
        asn1.GM_SIGNED, asn1.GM_DATA, None, [identity.chain[:1]], list(found["content"]["signers"]), version=1
    )
    assert read_signer(DATA, cut, [identity.anchor]).trusted
    with pytest.raises(CertificateRefused, match=r"the chain is cut.*which issued CN=省数据局 signing"):
        read_signer(DATA, cut, [identity.anchor], whole_chain=True)
    with pytest.raises(CertificateRefused, match="is missing"):
        read_signer(DATA, cut, [])


# time stamps


def test_the_time_of_a_trusted_token_counts(identity, stamped: Callable[..., SiteIdentity]) -> None:
    stamp_at = AT + timedelta(minutes=1)
    p7s = sign_detached(DATA, stamped(stamp_at), AT)
    signer = read_signer(DATA, p7s, [identity.anchor])
    assert (signer.signed_at, signer.timestamped) == (stamp_at, True)
    assert signer.timestamp.authority == "CN=省数据局 time stamps, O=省数据局, C=CN"
    unknown = read_signer(DATA, p7s, [])
    assert (unknown.signed_at, unknown.timestamped, unknown.trusted) == (AT, False, False)


def test_a_signature_stamped_after_the_certificate_ran_out_is_refused_whatever_it_states(authority) -> None:
    short = make_identity("省数据局", AT - timedelta(days=365 * 5 - 1))
    late = replace(authority, clock=lambda: AT + timedelta(days=2))
    p7s = sign_detached(DATA, replace(short, stamp=late.stamp), AT)
    anchors = [short.anchor, authority.identity.anchor]
    assert read_signer(DATA, sign_detached(DATA, short, AT), anchors).trusted
    with pytest.raises(CertificateExpired, match="CN=省数据局 signing, O=省数据局, C=CN was not valid at 2026-11-24"):
        read_signer(DATA, p7s, anchors)


def test_a_signer_who_states_a_time_after_the_stamp_is_refused(identity, stamped: Callable[..., SiteIdentity]) -> None:
    p7s = sign_detached(DATA, stamped(AT), AT + timedelta(hours=1))
    with pytest.raises(VerificationFailed, match="after the one of the time stamp"):
        read_signer(DATA, p7s, [identity.anchor])


def test_a_token_of_another_signature_is_refused(identity, stamped: Callable[..., SiteIdentity]) -> None:
    one = shapes.SignedContent.load(sign_detached(DATA, stamped(AT), AT))
    two = shapes.SignedContent.load(sign_detached(DATA, stamped(AT), AT))
    one["content"]["signers"][0]["unsigned_attrs"] = two["content"]["signers"][0]["unsigned_attrs"]
    with pytest.raises(VerificationFailed, match="for another signature"):
        read_signer(DATA, one.dump(force=True), [identity.anchor])


@pytest.mark.parametrize("step", [11, pytest.param(1, marks=pytest.mark.long)])
def test_every_changed_byte_of_a_stamped_signature_is_found(identity, stamped, step: int) -> None:
    p7s = sign_detached(DATA, stamped(AT), AT)
    for at in range(0, len(p7s), step):
        changed = bytearray(p7s)
        changed[at] ^= 1 << at % 8
        with pytest.raises(VerificationFailed):
            read_signer(DATA, bytes(changed), [identity.anchor])


@pytest.mark.parametrize("tag", [0xA0, 0xA2, 0xE1])
def test_a_stamp_cannot_be_hidden_under_another_tag(identity, stamped, tag: int) -> None:
    p7s = sign_detached(DATA, stamped(AT), AT)
    stamp = p7s.index(bytes.fromhex("060b2a864886f70d010910020e"))  # id-aa-timeStampToken
    place = p7s.rindex(b"\xa1", 0, stamp)
    with pytest.raises(VerificationFailed):
        read_signer(DATA, p7s[:place] + bytes([tag]) + p7s[place + 1 :], [identity.anchor])


# envelopes


@pytest.mark.parametrize("pkcs7", [False, True])
@settings(max_examples=30, deadline=None)
@given(data=st.binary(max_size=100))
def test_each_recipient_opens_what_was_encrypted(recipients: list[Recipient], data: bytes, *, pkcs7: bool) -> None:
    message = encrypt(data, [one.certificate for one in recipients], pkcs7=pkcs7)
    assert [decrypt(message, one) for one in recipients] == [data, data]


def test_the_oids_of_envelopes_are_those_of_gm_t_0010(recipients: list[Recipient]) -> None:
    found = shapes.EnvelopedContent.load(encrypt(DATA, [recipients[0].certificate]))
    content = found["content"]
    assert (found["type"].dotted, content["version"].native) == ("1.2.156.10197.6.1.4.2.3", 1)
    assert content["content"]["cipher"]["algorithm"].dotted == "1.2.156.10197.1.104.2"
    assert content["recipients"][0]["key_algorithm"]["algorithm"].dotted == "1.2.156.10197.1.301.3"


def test_a_signing_certificate_is_not_encrypted_for(identity) -> None:
    with pytest.raises(WrongUsage, match="is for signing"):
        encrypt(DATA, [identity.certificate])
    with pytest.raises(CryptoError, match="recipients"):
        encrypt(DATA, [])


def test_others_are_told_that_it_is_not_for_them(recipients: list[Recipient]) -> None:
    with pytest.raises(CryptoError, match="is not for CN=省税务局"):
        decrypt(encrypt(DATA, [recipients[0].certificate]), recipients[1])
    with pytest.raises(CryptoError, match="another key"):
        Recipient(key=recipients[0].key, certificate=recipients[1].certificate)


def changed_envelopes(message: bytes, shape: type) -> list[bytes]:
    def edit(change) -> bytes:
        found = shape.load(message)
        change(found["content"])
        return found.dump(force=True)

    def block(content) -> None:
        content["content"]["content"] = bytes(16) + content["content"]["content"].native[16:]

    def cut(content) -> None:
        content["content"]["content"] = content["content"]["content"].native[:-1]

    def empty(content) -> None:
        content["content"]["content"] = b""

    def last(content) -> None:
        text = content["content"]["content"].native
        content["content"]["content"] = text[:-17] + bytes([text[-17] ^ 1]) + text[-16:]

    def key(content) -> None:
        wrapped = content["recipients"][0]["encrypted_key"].native
        content["recipients"][0]["encrypted_key"] = wrapped[:-1] + bytes([wrapped[-1] ^ 1])

    def no_key(content) -> None:
        content["recipients"][0]["encrypted_key"] = b""

    return [edit(one) for one in (block, cut, empty, last, key, no_key)]


def test_whatever_was_changed_fails_alike_once_the_recipient_is_found(identity, recipients) -> None:
    to = [recipients[0].certificate]
    both = changed_envelopes(sign_and_encrypt(DATA * 9, [identity], to, AT), shapes.SignedAndEnvelopedContent)
    told = set()
    for message in both:
        with pytest.raises(AuthenticationFailed) as refused:
            decrypt_signed(message, recipients[0], [identity.anchor], at=AT)
        told.add(str(refused.value))
    for message in changed_envelopes(encrypt(DATA * 9, to), shapes.EnvelopedContent)[
        1:
    ]:  # CBC alone sees no changed block
        with pytest.raises(AuthenticationFailed) as refused:
            decrypt(message, recipients[0])
        told.add(str(refused.value))
    assert len(told) == 1


@pytest.mark.parametrize("pkcs7", [False, True])
def test_signed_and_enveloped_tells_data_and_signers(identity, stranger, recipients, *, pkcs7: bool) -> None:
    to = [one.certificate for one in recipients]
    message = sign_and_encrypt(DATA, [identity, stranger], to, AT, pkcs7=pkcs7)
    assert DATA not in message
    for one in recipients:
        found = decrypt_signed(message, one, [identity.anchor], at=LATER)
        assert (found.content, [signer.signed_at for signer in found.signers]) == (DATA, [AT, AT])
        assert {signer.certificate: signer.trusted for signer in found.signers} == {
            identity.certificate: True,
            stranger.certificate: False,
        }


def test_a_refused_signer_is_named_before_anything_is_decrypted(identity, recipients) -> None:
    late = sign_and_encrypt(DATA, [identity], [recipients[0].certificate], LATER)
    with pytest.raises(CertificateExpired, match="CN=省数据局 signing"):
        decrypt_signed(late, recipients[0], [identity.anchor], at=AT)


def test_other_ciphers_versions_and_kinds_are_refused(identity, recipients) -> None:
    message = encrypt(DATA, [recipients[0].certificate])

    def edited(change) -> bytes:
        found = shapes.EnvelopedContent.load(message)
        change(found["content"])
        return found.dump(force=True)

    def cipher(content) -> None:
        content["content"]["cipher"]["algorithm"] = "1.2.156.10197.1.104.1"  # ECB

    def short_iv(content) -> None:
        content["content"]["cipher"]["parameters"] = core.OctetString(bytes(8))

    def version(content) -> None:
        content["version"] = 3

    def nobody(content) -> None:
        content["recipients"] = []

    def other_key(content) -> None:
        content["recipients"][0]["key_algorithm"]["algorithm"] = "1.2.840.113549.1.1.1"

    wrong = [edited(one) for one in (cipher, short_iv, version, nobody, other_key)]
    for one in (*wrong, sign(DATA, [identity], AT), b"", message + b"\0", b"\x30\x80" + message[4:] + b"\0\0"):
        with pytest.raises(VerificationFailed, match="malformed"):
            decrypt(one, recipients[0])
