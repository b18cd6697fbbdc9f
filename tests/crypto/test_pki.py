"""Requests, profiles, lists, OCSP, chains: each refusal by its name; our verdict on chains is pyOpenSSL's."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509 as pyca
from hypothesis import given, settings
from hypothesis import strategies as st
from OpenSSL import crypto as pyopenssl

from crypto import pem
from crypto.errors import (
    AuthenticationFailed,
    CertificateExpired,
    CertificateRefused,
    CertificateRevoked,
    CryptoError,
    InvalidEncoding,
    NameMismatch,
    RevocationUnknown,
    VerificationFailed,
    WrongUsage,
)
from crypto.keys.enveloped_key import open_key, seal_key
from crypto.pki import building, ocsp, profiles
from crypto.pki.authority import Authority
from crypto.pki.chain import Policy, check_name, verify
from crypto.pki.crl import Reason, RevocationList, Revoked, list_pem, load_list, make_list, parse_list
from crypto.pki.csr import make_request, read_request
from crypto.pki.expiry import Level, report
from crypto.pki.ocsp_http import ask, make_server
from crypto.pki.profiles import RULES, Profile
from crypto.sm2 import PrivateKey, generate
from crypto.x509 import Certificate, parse_certificate
from records.errors import UnreachableError
from records.secret import Secret
from tests.crypto.conftest import AT

DAY = timedelta(days=1)
KEYS = [generate() for _ in range(4)]
ROOT_KEY, MIDDLE_KEY, LEAF_KEY, OTHER_KEY = KEYS


def name(text: str):
    return building.name_of(f"CN={text},O=省数据局,C=CN")


ROOT = profiles.root(ROOT_KEY, name("root"), AT, 4000, 1)
MIDDLE = profiles.intermediate(MIDDLE_KEY.public, name("middle"), (ROOT_KEY, ROOT), AT, 2000, 0)


def leaf(profile: Profile = Profile.SERVER, names: tuple[str, ...] = ("web.example.cn", "10.0.0.1")) -> Certificate:
    return profiles.end_entity(profile, LEAF_KEY.public, name("web"), (MIDDLE_KEY, MIDDLE), AT, 365, names)


LEAF = leaf()
OCSP_KEY = OTHER_KEY
OCSP_CERTIFICATE = profiles.end_entity(Profile.OCSP, OCSP_KEY.public, name("ocsp"), (MIDDLE_KEY, MIDDLE), AT, 30)


def lists(revoked: dict[int, Revoked] | None = None) -> tuple[RevocationList, ...]:
    return make_list(MIDDLE_KEY, MIDDLE, revoked or {}, 7, AT), make_list(ROOT_KEY, ROOT, {}, 1, AT)


def test_a_request_says_what_was_asked_and_proves_the_key() -> None:
    data = make_request(LEAF_KEY, "C=CN, O=省数据局, CN=web", ["Web.example.cn", "*.a.cn", "::1"])
    asked = read_request(data)
    assert (asked.subject_text, asked.names) == ("CN=web, O=省数据局, C=CN", ("web.example.cn", "*.a.cn", "::1"))
    assert asked.public_key == LEAF_KEY.public
    assert read_request(pem.blocks(data)[0][1]) == asked


def test_a_request_for_a_key_that_its_maker_lacks_is_refused() -> None:
    body = pem.blocks(make_request(LEAF_KEY, "CN=web"))[0][1]
    stolen = body.replace(LEAF_KEY.public.point, OTHER_KEY.public.point)
    with pytest.raises(VerificationFailed):
        read_request(stolen)


def test_every_changed_byte_of_a_request_is_refused() -> None:
    body = pem.blocks(make_request(LEAF_KEY, "CN=web", ["a.cn"]))[0][1]
    for at in range(len(body)):
        changed = bytearray(body)
        changed[at] ^= 1
        with pytest.raises(CryptoError):
            read_request(bytes(changed))


@pytest.mark.parametrize(
    "subject", ["", "web", "CN=", "O=x", "CN=a,CN=b", "CN=a,X=b", "CN=a,C=CHN", "CN=" + "a" * 65, "CN=a\n"]
)
def test_what_is_no_subject_is_told(subject: str) -> None:
    if subject == "CN=a\n":
        assert building.name_of(subject).native == {"common_name": "a"}
        return
    with pytest.raises(CryptoError, match="no subject"):
        building.name_of(subject)


@pytest.mark.parametrize("host", ["", "a b", "-a.cn", "a..cn", "http://a.cn", "a.cn/", "*.*.cn", "你好.cn"])
def test_what_is_no_host_is_not_certified(host: str) -> None:
    with pytest.raises(CryptoError):
        building.alternative_names([host])


@pytest.mark.parametrize("profile", Profile)
def test_a_profile_is_accepted_for_itself_and_certificates_are_as_gmssl_wants(profile: Profile) -> None:
    found = leaf(profile)
    assert (found.key_usage, found.is_ca, found.subject_key is not None) == (RULES[profile].key_usage, False, True)
    assert b"\x06\x03\x55\x1d\x13" not in found.der  # no BasicConstraints
    assert verify(found, [MIDDLE], [ROOT], AT, Policy(profile=profile)).trusted


@pytest.mark.parametrize(
    ("made", "used"),
    [(Profile.SERVER, Profile.CLIENT), (Profile.CLIENT, Profile.SERVER), (Profile.SIGN, Profile.ENC), (Profile.ENC, Profile.SIGN),
     (Profile.SIGN, Profile.TSA), (Profile.TSA, Profile.SIGN), (Profile.SERVER, Profile.OCSP), (Profile.ENC, Profile.SERVER)],
)  # fmt: skip
def test_a_certificate_for_one_use_is_refused_for_another(made: Profile, used: Profile) -> None:
    with pytest.raises(WrongUsage):
        verify(leaf(made), [MIDDLE], [ROOT], AT, Policy(profile=used))


def test_a_ca_is_no_server() -> None:
    with pytest.raises(WrongUsage):
        verify(MIDDLE, [], [ROOT], AT, Policy(profile=Profile.SERVER))


@pytest.mark.parametrize("host", ["web.example.cn", "WEB.example.cn", "web.example.cn.", "10.0.0.1"])
def test_names_of_the_certificate_are_taken(host: str) -> None:
    check_name(LEAF, host)


@pytest.mark.parametrize("host", ["example.cn", "a.web.example.cn", "10.0.0.2", "::1", "web", "*.example.cn", ""])
def test_other_names_are_refused(host: str) -> None:
    with pytest.raises(NameMismatch):
        check_name(LEAF, host)


def test_a_wildcard_is_one_label_and_the_common_name_is_no_name() -> None:
    wild = leaf(names=("*.example.cn", "*.cn"))
    check_name(wild, "a.example.cn")
    for host in ("example.cn", "a.b.example.cn", "b.cn"):
        with pytest.raises(NameMismatch):
            check_name(wild, host)
    with pytest.raises(NameMismatch):
        check_name(leaf(names=()), "web")


@pytest.mark.parametrize("at", [AT - DAY, AT + 366 * DAY, AT + 9000 * DAY])
def test_outside_its_validity_a_certificate_is_expired_by_name(at: datetime) -> None:
    with pytest.raises(CertificateExpired):
        verify(LEAF, [MIDDLE], [ROOT], at)


def test_a_chain_to_nobody_we_trust_is_refused() -> None:
    stranger = profiles.root(OTHER_KEY, name("root"), AT, 4000, 1)
    for anchors, others in (([stranger], [MIDDLE, ROOT]), ([], [MIDDLE, ROOT]), ([ROOT], [])):
        with pytest.raises(CertificateRefused):
            verify(LEAF, others, anchors, AT)


def test_name_constraints_are_refused_whether_critical_or_not() -> None:
    constraint = {"permitted_subtrees": [{"base": building.alternative_names(["example.cn"])[0]}]}
    extension = building.extension("name_constraints", constraint)
    with pytest.raises(InvalidEncoding, match="name_constraints"):
        building.sign(building.tbs(name("x"), name("x"), ROOT_KEY.public, AT, 9, [extension]), ROOT_KEY)


def test_a_revoked_certificate_is_refused_by_name_whenever_it_was_revoked() -> None:
    for at in (AT - DAY, AT, AT + DAY):
        found = lists({LEAF.serial: Revoked(at, Reason.KEY_COMPROMISE)})
        with pytest.raises(CertificateRevoked, match="key_compromise"):
            verify(LEAF, [MIDDLE], [ROOT], AT, Policy(lists=found))
    assert verify(LEAF, [MIDDLE], [ROOT], AT, Policy(lists=lists({LEAF.serial + 1: Revoked(AT)}))).trusted


def test_a_revoked_intermediate_is_refused() -> None:
    found = (lists()[0], make_list(ROOT_KEY, ROOT, {MIDDLE.serial: Revoked(AT)}, 2, AT))
    with pytest.raises(CertificateRevoked, match="middle"):
        verify(LEAF, [MIDDLE], [ROOT], AT, Policy(lists=found))


def test_lists_that_prove_nothing_are_refused() -> None:
    own, above = lists()
    forged = make_list(OTHER_KEY, MIDDLE, {}, 9, AT)
    stale, early = (make_list(MIDDLE_KEY, MIDDLE, {}, 9, AT + days * DAY) for days in (-8, 1))
    for found in ((above,), (own,), (forged, above), (stale, above), (early, above), (own, forged, above)):
        with pytest.raises(RevocationUnknown):
            verify(LEAF, [MIDDLE], [ROOT], AT, Policy(lists=found))
    with pytest.raises(RevocationUnknown):
        verify(
            LEAF, [MIDDLE], [ROOT], AT, Policy(lists=(replace(own, issuer_key=None, signature=above.signature), above))
        )


def test_a_list_comes_back_and_every_changed_byte_is_found() -> None:
    found = make_list(MIDDLE_KEY, MIDDLE, {5: Revoked(AT, Reason.SUPERSEDED), 1 << 100: Revoked(AT)}, 7, AT)
    assert load_list(list_pem(found)) == load_list(found.der) == found
    assert (found.number, found.revoked) == (7, {5: Revoked(AT, Reason.SUPERSEDED), 1 << 100: Revoked(AT)})
    for at in range(len(found.der)):
        changed = bytearray(found.der)
        changed[at] ^= 1
        with pytest.raises(CryptoError):
            verify(LEAF, [MIDDLE], [ROOT], AT, Policy(lists=(parse_list(bytes(changed)), lists()[1])))


def responder(key: PrivateKey = OCSP_KEY, certificate: Certificate = OCSP_CERTIFICATE) -> ocsp.Responder:
    return ocsp.Responder(key=key, certificate=certificate, issuer=MIDDLE)


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


@given(data=st.binary(max_size=200), at=st.integers(0, 10_000), value=st.integers(1, 255))
@settings(max_examples=150, deadline=None)
def test_hostile_bytes_meet_typed_errors(data: bytes, at: int, value: int) -> None:
    attack(data, at, value)


@pytest.mark.long
@given(data=st.binary(max_size=200), at=st.integers(0, 10_000), value=st.integers(1, 255))
@settings(max_examples=40_000, deadline=None)
def test_many_hostile_bytes_meet_typed_errors(data: bytes, at: int, value: int) -> None:
    attack(data, at, value)


def attack(data: bytes, at: int, value: int) -> None:
    for sample, read in PARSERS:
        changed = bytearray(sample)
        changed[at % len(changed)] ^= value
        for hostile in (data, bytes(changed), bytes(changed[: at % len(changed)])):
            with contextlib.suppress(CryptoError):
                read(hostile)


PARSERS: list[tuple[bytes, Callable[[bytes], object]]] = [
    (pem.blocks(make_request(LEAF_KEY, "CN=web", ["a.cn"]))[0][1], read_request),
    (lists({5: Revoked(AT, Reason.SUPERSEDED)})[0].der, parse_list),
    (ocsp.make_request(LEAF, MIDDLE, b"n" * 32), ocsp.read_request),
    (
        responder().answer(ocsp.make_request(LEAF, MIDDLE, b"n" * 32), lambda _: True, AT),
        lambda data: ocsp.check_response(data, LEAF, MIDDLE, b"n" * 32, AT),
    ),
    (LEAF.der, parse_certificate),
    (seal_key(OTHER_KEY, LEAF_KEY.public), lambda data: open_key(data, LEAF_KEY)),
]


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


def test_the_encryption_key_of_dual_certificates_opens_for_its_applicant_alone(tmp_path: Path) -> None:
    ca = Authority(tmp_path, Secret("x"))
    ca.create_root(name("ca"), AT)
    signing, encryption, inner = ca.issue_pair(LEAF_KEY.public, name("alice").dump(), AT)
    sealed = seal_key(inner, LEAF_KEY.public)
    opened = open_key(sealed, LEAF_KEY)
    assert (opened.scalar(), opened.public) == (inner.scalar(), encryption.public_key)
    assert (signing.subject, signing.public_key) == (encryption.subject, LEAF_KEY.public)
    assert not signing.key_usage & encryption.key_usage
    assert inner.scalar() not in sealed
    with pytest.raises(AuthenticationFailed):
        open_key(sealed, OTHER_KEY)


def test_every_changed_byte_of_an_enveloped_key_is_refused() -> None:
    sealed = seal_key(OTHER_KEY, LEAF_KEY.public)
    for at in range(len(sealed)):
        changed = bytearray(sealed)
        changed[at] ^= 1
        with pytest.raises((AuthenticationFailed, InvalidEncoding)):
            open_key(bytes(changed), LEAF_KEY)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crypto.keys.keyfile.ROUNDS", 1)


def test_an_authority_issues_revokes_and_counts_its_lists(tmp_path: Path) -> None:
    root, below = Authority(tmp_path / "root", Secret("x")), Authority(tmp_path / "below", Secret("y"))
    root.create_root(name("root"), AT)
    below.create_below(root, name("below"), AT)
    chain = below.issue(Profile.SERVER, LEAF_KEY.public, name("web").dump(), ["a.cn"], AT, days=100_000)
    assert chain[0].not_after <= below.certificate.not_after
    assert verify(chain[0], chain[1:], [root.certificate], AT, Policy(profile=Profile.SERVER, host="a.cn")).trusted
    first = below.publish(AT, DAY)
    revoked = below.revoke(chain[0].serial, AT, Reason.SUPERSEDED)
    assert below.revoke(chain[0].serial, AT + DAY, Reason.KEY_COMPROMISE) == revoked
    again = Authority(tmp_path / "below", Secret("y"))
    second = again.publish(AT, DAY)
    assert (first.number, first.revoked, second.number, second.revoked) == (1, {}, 2, {chain[0].serial: revoked})
    assert again.look(chain[0].serial) == revoked
    assert again.look(1) is False
    with pytest.raises(CryptoError, match="issued no certificate"):
        below.revoke(1, AT, Reason.SUPERSEDED)
    with pytest.raises(CryptoError, match="holds a CA already"):
        below.create_root(name("x"), AT)
    with pytest.raises(AuthenticationFailed):
        Authority(tmp_path / "below", Secret("wrong")).publish(AT, DAY)


def test_an_authority_cut_short_is_finished_by_the_next_try(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def dying(*_: object) -> None:
        raise KeyboardInterrupt

    ca = Authority(tmp_path, Secret("x"))
    with monkeypatch.context() as patch:
        patch.setattr(Authority, "_settle", dying)
        with pytest.raises(KeyboardInterrupt):
            ca.create_root(name("ca"), AT)
    ca.create_root(name("ca"), AT)
    assert ca.certificate.is_ca


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"version": 2}', '{"version": 1, "crl_number": 1, "revoked": {"x": {}}}']
)
def test_a_damaged_register_stops_the_authority(tmp_path: Path, text: str) -> None:
    (tmp_path / "register.json").write_text(text)
    with pytest.raises(InvalidEncoding, match="register"):
        Authority(tmp_path, Secret("x")).register()


@pytest.mark.parametrize(
    ("left", "days", "level"),
    [(timedelta(0), 0, Level.CRITICAL), (-timedelta(seconds=1), -1, Level.EXPIRED), (7 * DAY, 7, Level.WARNING),
     (7 * DAY - timedelta(seconds=1), 6, Level.CRITICAL), (30 * DAY, 30, Level.OK), (400 * DAY, 400, Level.NOT_YET)],
)  # fmt: skip
def test_how_urgent_the_end_of_a_certificate_is(left: timedelta, days: int, level: Level) -> None:
    (row,) = report([("web", LEAF)], LEAF.not_after - left)
    assert (row.days_left, row.level, row.name, row.serial) == (days, level, "web", f"{LEAF.serial:x}")


def test_the_certificate_that_ends_first_stands_on_top() -> None:
    assert [row.name for row in report([("r", ROOT), ("m", MIDDLE), ("l", LEAF)], AT)] == ["l", "m", "r"]


def pyopenssl_accepts(
    chain: list[Certificate], anchors: list[Certificate], at: datetime, found: tuple[RevocationList, ...]
) -> bool:
    store = pyopenssl.X509Store()
    flags = pyopenssl.X509StoreFlags.PARTIAL_CHAIN
    if found:
        flags |= pyopenssl.X509StoreFlags.CRL_CHECK | pyopenssl.X509StoreFlags.CRL_CHECK_ALL
    store.set_flags(flags)
    store.set_time(at)
    for one in anchors:
        store.add_cert(converted(one))
    for one in found:
        store.add_crl(pyca.load_der_x509_crl(one.der))
    context = pyopenssl.X509StoreContext(store, converted(chain[0]), [converted(one) for one in chain[1:]])
    try:
        context.verify_certificate()
    except pyopenssl.X509StoreContextError:
        return False
    return True


def converted(one: Certificate) -> pyopenssl.X509:
    return pyopenssl.X509.from_cryptography(pyca.load_der_x509_certificate(one.der))


@st.composite
def chains(draw: st.DrawFn) -> tuple[list[Certificate], list[Certificate], tuple[RevocationList, ...]]:
    """A root, up to three CAs, a leaf; each may be out of date, short of path length, no CA, forged or revoked."""
    depth = draw(st.integers(0, 3))
    lives = st.sampled_from([100, 100, 100, 100, 1])
    signer, above = (
        ROOT_KEY,
        profiles.root(ROOT_KEY, name("top"), AT, draw(lives), draw(st.sampled_from([None, 3, 2, 1, 0]))),
    )
    chain, revocations, keep = [above], [], [(ROOT_KEY, above)]
    for number in range(depth):
        key = KEYS[1 + number % 3]
        forger = OTHER_KEY if draw(st.integers(0, 9)) == 0 else signer
        if draw(st.integers(0, 9)) == 0:
            made = profiles.end_entity(Profile.SIGN, key.public, name(f"ca{number}"), (forger, above), AT, draw(lives))
        else:
            length = draw(st.sampled_from([None, 2, 1, 0]))
            made = profiles.intermediate(key.public, name(f"ca{number}"), (forger, above), AT, draw(lives), length)
        chain.insert(0, made)
        keep.append((key, made))
        signer, above = key, made
    forger = OTHER_KEY if draw(st.integers(0, 9)) == 0 else signer
    chain.insert(
        0, profiles.end_entity(Profile.SERVER, generate().public, name("leaf"), (forger, above), AT, draw(lives))
    )
    if draw(st.booleans()):
        for (key, ca), below in zip(keep, reversed(chain[:-1]), strict=True):
            serials = {below.serial: Revoked(AT)} if draw(st.integers(0, 5)) == 0 else {}
            if draw(st.integers(0, 9)):
                revocations.append(make_list(key, ca, serials, 1, AT, draw(st.sampled_from([20 * DAY, 20 * DAY, DAY]))))
    lower = len(chain) > 2 and not revocations and draw(st.booleans())  # OpenSSL asks for a list about the anchor too
    anchors = [chain[-2 if lower else -1]]
    return chain, anchors, tuple(revocations)


@given(case=chains(), days=st.sampled_from([0, 0, 5]))
@settings(max_examples=40, deadline=None)
def test_our_verdict_on_a_chain_is_that_of_pyopenssl(case, days: int) -> None:
    compare(case, days)


@pytest.mark.long
@given(case=chains(), days=st.sampled_from([0, 0, 5]))
@settings(max_examples=2000, deadline=None)
def test_our_verdict_on_many_chains_is_that_of_pyopenssl(case, days: int) -> None:
    compare(case, days)


def compare(case, days: int) -> None:
    chain, anchors, found = case
    at = AT + days * DAY
    try:
        verify(chain[0], chain[1:], anchors, at, Policy(lists=found))
        ours = True
    except CertificateRefused:
        ours = False
    assert ours == pyopenssl_accepts(chain, anchors, at, found)
