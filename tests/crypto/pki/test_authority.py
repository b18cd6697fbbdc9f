"""An authority in its folder: it issues, revokes, counts its lists, survives a cut; what ends soon is told first."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from crypto.errors import (
    AuthenticationFailed,
    CryptoError,
    InvalidEncoding,
)
from crypto.keys.enveloped_key import open_key, seal_key
from crypto.pki.authority import Authority
from crypto.pki.chain import Policy, verify
from crypto.pki.crl import Reason
from crypto.pki.expiry import Level, report
from crypto.pki.profiles import Profile
from records.secret import Secret
from tests.crypto.conftest import AT
from tests.crypto.pki.hierarchy import DAY, LEAF, LEAF_KEY, MIDDLE, OTHER_KEY, ROOT, name


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crypto.keys.keyfile.ROUNDS", 1)


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
    assert (first.number, first.revoked, second.number, second.revoked) == (1, {}, 3, {chain[0].serial: revoked})
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
