"""Profiles, names, chains and their revocation lists: each refusal by its name."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from crypto.errors import (
    CertificateExpired,
    CertificateRefused,
    CertificateRevoked,
    CryptoError,
    InvalidEncoding,
    NameMismatch,
    RevocationUnknown,
    WrongUsage,
)
from crypto.pki import building, profiles
from crypto.pki.chain import Policy, check_name, verify
from crypto.pki.crl import Reason, Revoked, list_pem, load_list, make_list, parse_list
from crypto.pki.profiles import RULES, Profile
from tests.crypto.conftest import AT
from tests.crypto.pki.hierarchy import DAY, LEAF, MIDDLE, MIDDLE_KEY, OTHER_KEY, ROOT, ROOT_KEY, leaf, lists, name


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
