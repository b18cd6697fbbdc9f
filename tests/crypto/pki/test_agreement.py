"""Our verdict on chains, of any depth and with any fault, is that of pyOpenSSL."""

from __future__ import annotations

from datetime import datetime

import pytest
from cryptography import x509 as pyca
from hypothesis import given, settings
from hypothesis import strategies as st
from OpenSSL import crypto as pyopenssl

from crypto.errors import CertificateRefused, CertificateRevoked, RevocationUnknown
from crypto.pki import profiles
from crypto.pki.chain import Policy, verify
from crypto.pki.crl import RevocationList, Revoked, make_list
from crypto.pki.profiles import Profile
from crypto.sm2 import generate
from crypto.x509 import Certificate
from tests.crypto.conftest import AT
from tests.crypto.pki.hierarchy import DAY, KEYS, LEAF, MIDDLE, OTHER_KEY, ROOT, ROOT_KEY, lists, name


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
    lower = len(chain) > 2 and not revocations and draw(st.booleans())  # with lists they differ: see the last test
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


def test_an_intermediate_ca_as_anchor_needs_no_list_about_itself_where_openssl_asks_for_one() -> None:
    """The one place where we differ, on purpose: an anchor is trusted by decision, not by what its issuer says."""
    chain, own = [LEAF, MIDDLE], lists()[:1]
    assert verify(LEAF, [], [MIDDLE], AT, Policy(lists=own)).trusted
    assert not pyopenssl_accepts(chain, [MIDDLE], AT, own)
    assert not pyopenssl_accepts(chain, [MIDDLE], AT, lists()), "whoever signed a list about it is not trusted"
    assert pyopenssl_accepts(chain, [ROOT], AT, lists()), "with the root as anchor both agree"
    with pytest.raises(CertificateRevoked):
        verify(LEAF, [], [MIDDLE], AT, Policy(lists=lists({LEAF.serial: Revoked(AT)})[:1]))
    with pytest.raises(RevocationUnknown):
        verify(LEAF, [], [MIDDLE], AT, Policy(lists=lists()[1:]))
