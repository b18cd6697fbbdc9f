"""A signer who was revoked: refused by name, unless a trusted time stamp is older than the revocation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from crypto.bundle import verify_bundle, write_bundle
from crypto.cms import Recipient, decrypt_signed, read_signed, sign, sign_and_encrypt, sign_detached, verify_detached
from crypto.errors import CertificateRevoked, RevocationUnknown
from crypto.identity import SiteIdentity
from crypto.pki import building, profiles
from crypto.pki.crl import Reason, RevocationList, Revoked, make_list
from crypto.pki.profiles import Profile
from crypto.pki.revocation import RETIRED, Revocations
from crypto.pki.site import issue_signer, issue_timestamper, make_ca
from crypto.sm2 import PrivateKey, generate
from crypto.timestamp import Authority, Serials
from crypto.x509 import Certificate
from tests.crypto.conftest import AT

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOW = AT + 100 * DAY


@dataclass(frozen=True)
class World:
    """One CA that certifies a signer and a time-stamp authority."""

    key: PrivateKey
    ca: Certificate
    signer: SiteIdentity
    clock: SiteIdentity
    folder: Path

    def list_of(self, *revoked: tuple[Certificate, datetime, Reason], made: datetime = NOW) -> RevocationList:
        entries = {one.serial: Revoked(at, reason) for one, at, reason in revoked}
        return make_list(self.key, self.ca, entries, 1, made)

    def stamped(self, at: datetime) -> SiteIdentity:
        authority = Authority(identity=self.clock, serials=Serials(self.folder / "tsa" / "n"), clock=lambda: at)
        return replace(self.signer, stamp=authority.stamp)

    def signer_revoked(self, at: datetime, reason: Reason = Reason.KEY_COMPROMISE) -> RevocationList:
        return self.list_of((self.signer.certificate, at, reason))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    key, inner, clock = generate(), generate(), generate()
    ca = make_ca(key, "省数据局", AT)
    return World(
        key=key,
        ca=ca,
        signer=SiteIdentity(key=inner, chain=(issue_signer(inner.public, key, ca, "省数据局", AT), ca)),
        clock=SiteIdentity(key=clock, chain=(issue_timestamper(clock.public, key, ca, "省数据局", AT), ca)),
        folder=tmp_path_factory.mktemp("world"),
    )


def known(*lists: RevocationList, at: datetime = NOW, complete: bool = True) -> Revocations:
    return Revocations(lists=lists, at=at, complete=complete)


def verdict(world: World, identity: SiteIdentity, what: Revocations) -> type[Exception] | None:
    """Every reader of signatures says the same; their one answer is returned."""
    data, recipient = b"data", world.signer
    reader = Recipient(key=recipient.key, certificate=recipient.certificate)
    envelope = replace(recipient.certificate, key_usage=None)
    detached, message = sign_detached(data, identity, AT), sign(data, [identity], AT)
    both = sign_and_encrypt(data, [identity], [envelope], AT)
    found = {
        refused(lambda: verify_detached(data, detached, [world.ca], known=what)),
        refused(lambda: read_signed(message, [world.ca], at=NOW, known=what)),
        refused(lambda: decrypt_signed(both, reader, [world.ca], at=NOW, known=what)),
    }
    assert len(found) == 1
    return found.pop()


def refused(read: Callable[[], object]) -> type[Exception] | None:
    try:
        read()
    except (CertificateRevoked, RevocationUnknown) as error:
        return type(error)
    return None


@pytest.mark.parametrize("at", [AT - HOUR, AT, AT + HOUR, AT + 50 * DAY], ids=["before", "then", "after", "long after"])
def test_a_signers_own_word_never_outlives_a_revocation(world: World, at: datetime) -> None:
    assert verdict(world, world.signer, known(world.signer_revoked(at))) is CertificateRevoked


@pytest.mark.parametrize(
    ("after", "answer"),
    [(-HOUR, CertificateRevoked), (timedelta(0), CertificateRevoked), (timedelta(seconds=1), CertificateRevoked),
     (timedelta(seconds=2), None), (50 * DAY, None)],
    ids=["before", "then", "within the accuracy", "after", "long after"],
)  # fmt: skip
def test_a_trusted_time_stamp_saves_what_it_is_older_than(
    world: World, after: timedelta, answer: type[Exception] | None
) -> None:
    """The authority's clock may be off by a second: what it does not rule out is refused."""
    assert verdict(world, world.stamped(AT), known(world.signer_revoked(AT + after))) is answer


def test_a_time_stamp_that_nobody_trusts_saves_nothing(world: World, authority: Authority) -> None:
    strange = replace(world.signer, stamp=authority.stamp)
    assert verdict(world, strange, known(world.signer_revoked(AT + DAY))) is CertificateRevoked
    assert verdict(world, strange, known(world.list_of())) is None


@pytest.mark.parametrize("reason", Reason)
@pytest.mark.parametrize("after", [-HOUR, DAY], ids=["before", "after"])
def test_a_revoked_authority_gave_its_word_for_nothing_unless_it_retired_later(
    world: World, reason: Reason, after: timedelta
) -> None:
    """RFC 3161 §4, 1: only three reasons say that nobody else had the key; no reason says nothing."""
    found = world.list_of((world.clock.certificate, AT + after, reason))
    spared = after == DAY and reason in RETIRED
    assert verdict(world, world.stamped(AT), known(found)) is (None if spared else CertificateRevoked)


def test_without_lists_nothing_is_asked(world: World) -> None:
    assert verdict(world, world.signer, Revocations()) is None
    assert verdict(world, world.signer, known(complete=False)) is None
    with pytest.raises(ValueError, match="at a time"):
        Revocations(lists=(world.list_of(),))


def test_a_named_list_must_be_there_signed_and_of_the_time(world: World, stranger: SiteIdentity) -> None:
    plain, stamped = world.signer, world.stamped(AT)
    old, first = world.list_of(made=AT - 8 * DAY), world.list_of(made=AT - DAY)
    forged = make_list(generate(), world.ca, {}, 1, NOW)
    other = make_list(stranger.key, replace(world.ca, subject=plain.certificate.subject), {}, 1, NOW)
    future = world.list_of(made=NOW + DAY)
    for one in (old, forged, other, future):
        assert verdict(world, plain, known(one)) is RevocationUnknown
        assert verdict(world, stamped, known(one)) is RevocationUnknown
    assert verdict(world, plain, known(first)) is RevocationUnknown, "it has run out since"
    assert verdict(world, plain, known(first, world.list_of())) is None, "one of several is enough"


def test_a_list_of_the_time_of_the_stamp_is_enough_years_later(world: World) -> None:
    """The authority has no list of now, so it is asked about by its own: a second CA."""
    key, clock = generate(), generate()
    ca = make_ca(key, "时间戳中心", AT)
    identity = SiteIdentity(key=clock, chain=(issue_timestamper(clock.public, key, ca, "时间戳中心", AT), ca))
    authority = Authority(identity=identity, serials=Serials(world.folder / "other" / "n"), clock=lambda: AT)
    signed = sign_detached(b"data", replace(world.signer, stamp=authority.stamp), AT)
    old = world.list_of(made=AT - DAY)

    def read(*lists: RevocationList) -> type[Exception] | None:
        return refused(lambda: verify_detached(b"data", signed, [world.ca, ca], known=known(*lists)))

    assert read(old, make_list(key, ca, {}, 1, NOW)) is None
    assert read(old) is RevocationUnknown, "nobody tells about the authority"
    assert read(old, make_list(key, ca, {}, 1, AT)) is RevocationUnknown, "its key may have been stolen since"


def test_lists_of_ones_own_refuse_what_they_name_and_ask_nothing_more(world: World) -> None:
    stale = make_list(world.key, world.ca, {world.signer.certificate.serial: Revoked(AT)}, 1, AT - 9 * DAY)
    foreign = make_list(generate(), make_ca(generate(), "别处", AT), {}, 1, NOW)
    assert verdict(world, world.signer, known(stale, complete=False)) is CertificateRevoked
    assert verdict(world, world.signer, known(foreign, complete=False)) is None


def test_a_revoked_ca_in_between_refuses_too() -> None:
    root_key, middle_key, key = generate(), generate(), generate()
    root = profiles.root(root_key, make_name("根"), AT, 4000, 1)
    middle = profiles.intermediate(middle_key.public, make_name("中"), (root_key, root), AT, 2000, 0)
    leaf = profiles.end_entity(Profile.SIGN, key.public, make_name("签"), (middle_key, middle), AT, 365)
    signed = sign_detached(b"data", SiteIdentity(key=key, chain=(leaf, middle, root)), AT)
    below = make_list(middle_key, middle, {}, 1, NOW)
    for entries, answer in (({}, None), ({middle.serial: Revoked(AT)}, CertificateRevoked)):
        lists = known(below, make_list(root_key, root, entries, 1, NOW))
        assert refused(lambda lists=lists: verify_detached(b"data", signed, [root], known=lists)) is answer
    assert refused(lambda: verify_detached(b"data", signed, [root], known=known(below))) is RevocationUnknown


def make_name(text: str):
    return building.name_of(f"CN={text}")


def test_a_bundle_says_that_its_signer_was_revoked(world: World, tmp_path: Path) -> None:
    out = write_bundle(tmp_path / "b", "x", {"a": b"a"}, world.signer, created=AT, producer="t")
    rules = {"x": lambda _: []}
    assert verify_bundle(out, [world.ca], rules, known(world.list_of())).accepted
    found = verify_bundle(out, [world.ca], rules, known(world.signer_revoked(AT + DAY)))
    (problem,) = found.as_json()["problems"]
    assert (found.valid, found.trusted, problem["path"]) == (False, False, "manifest.json.p7s")
    assert "was revoked at 2026-11-23T03:00:00Z (key_compromise)" in problem["what"]
