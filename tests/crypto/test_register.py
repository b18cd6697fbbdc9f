"""The register of a CA and its audit: what somebody changed is refused by name, what is done is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from crypto.errors import AuthenticationFailed, CryptoError
from crypto.keys import KeyEvent, KeyStore
from crypto.pki import Authority, Profile, Reason, RegisterChanged, load_list
from crypto.pki.building import name_of
from crypto.pki.site import SIGNER_NAME, ensure_site_identity
from crypto.sm2 import generate
from records.secret import Secret
from tests.crypto.conftest import AT

DAY = timedelta(days=1)
SECRET = Secret("x")
LEAF = generate()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crypto.keys.keyfile.ROUNDS", 1)


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def ca(tmp_path: Path, told: list[str]) -> Authority:
    @contextmanager
    def audit(event: KeyEvent) -> Iterator[None]:
        told.append(event.action)
        yield

    made = Authority(tmp_path / "ca", SECRET, audit=audit)
    made.create_root(name_of("CN=ca"), AT)
    return made


def issue(ca: Authority) -> int:
    return ca.issue(Profile.SIGN, LEAF.public, name_of("CN=web").dump(), (), AT, days=30)[0].serial


def test_every_changed_byte_is_refused(ca: Authority) -> None:
    ca.revoke(issue(ca), AT, Reason.SUPERSEDED)
    path = ca.folder / "register.json"
    sound = path.read_bytes()
    for at in range(len(sound)):
        for bit in (1, 0x20):
            changed = bytearray(sound)
            changed[at] ^= bit
            path.write_bytes(bytes(changed))
            with pytest.raises(RegisterChanged) as refused:
                ca.register()
    assert refused.value.problems[0].where == str(path)
    assert "restore" in refused.value.problems[0].next_step
    for data in (sound[:-1], sound + b"\n", sound.replace(b"\n", b" "), b"[" * 100_000):
        path.write_bytes(data)
        with pytest.raises(RegisterChanged):
            ca.register()


def test_the_register_of_another_ca_is_refused(ca: Authority, tmp_path: Path) -> None:
    other = Authority(tmp_path / "other", SECRET)
    other.create_root(name_of("CN=ca"), AT)
    (ca.folder / "register.json").write_bytes((other.folder / "register.json").read_bytes())
    for read in (ca.register, lambda: ca.publish(AT, DAY), lambda: ca.look(1)):
        with pytest.raises(RegisterChanged):
            read()


def test_an_older_register_and_a_lost_one_are_refused(ca: Authority) -> None:
    path, serial = ca.folder / "register.json", issue(ca)
    empty = path.read_bytes()
    ca.revoke(serial, AT, Reason.KEY_COMPROMISE)
    path.write_bytes(empty)
    for act in (lambda: ca.publish(AT, DAY), lambda: ca.revoke(serial, AT, Reason.SUPERSEDED)):
        with pytest.raises(RegisterChanged):
            act()
    path.unlink()
    with pytest.raises(RegisterChanged):
        ca.register()


def test_revoking_signs_the_next_list_and_needs_the_passphrase(ca: Authority) -> None:
    serial, other = issue(ca), issue(ca)
    ca.revoke(serial, AT, Reason.SUPERSEDED)
    listed = load_list(ca.list_file.read_bytes())
    assert (listed.number, set(listed.revoked)) == (1, {serial})
    for number in (serial, other):
        with pytest.raises(AuthenticationFailed):
            Authority(ca.folder, Secret("wrong")).revoke(number, AT, Reason.SUPERSEDED)
    assert set(ca.register().revoked) == {serial}
    ca.revoke(serial, AT + DAY, Reason.KEY_COMPROMISE)
    assert load_list(ca.list_file.read_bytes()) == listed, "a second time changes nothing"


def test_a_list_that_was_lost_on_the_way_is_made_by_the_next_try(
    ca: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    serial = issue(ca)
    with monkeypatch.context() as patch:
        patch.setattr("crypto.pki.authority.make_list", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            ca.revoke(serial, AT, Reason.SUPERSEDED)
    assert ca.revoke(serial, AT + DAY, Reason.KEY_COMPROMISE).reason is Reason.SUPERSEDED
    assert set(load_list(ca.list_file.read_bytes()).revoked) == {serial}


def test_what_a_ca_does_is_told(ca: Authority, told: list[str]) -> None:
    ca.revoke(issue(ca), AT, Reason.SUPERSEDED)
    ca.publish(AT, DAY)
    ca.responder(AT)
    assert told == ["ca.init", "ca.issue", "ca.revoke", "ca.crl", "ca.issue"]


def test_nothing_is_done_where_it_cannot_be_told(ca: Authority) -> None:
    @contextmanager
    def full(event: KeyEvent) -> Iterator[None]:
        raise OSError(event.action)
        yield

    before = {one: one.read_bytes() for one in ca.folder.rglob("*.*") if one.is_file()}
    mute, serial = Authority(ca.folder, SECRET, audit=full), ca.certificate.serial
    (ca.folder / "issued").mkdir()
    (ca.folder / "issued" / f"{serial:x}.pem").write_bytes((ca.folder / "ca.pem").read_bytes())
    for act in (lambda: issue(mute), lambda: mute.revoke(serial, AT, Reason.SUPERSEDED), lambda: mute.publish(AT, DAY)):
        with pytest.raises(OSError, match=r"ca\."):
            act()
    (ca.folder / "issued" / f"{serial:x}.pem").unlink()
    assert {one: one.read_bytes() for one in ca.folder.rglob("*.*") if one.is_file()} == before


def test_the_sites_ca_revokes_what_lies_beside_the_sites_keys(tmp_path: Path) -> None:
    keystore = KeyStore(tmp_path / "keys", SECRET)
    identity = ensure_site_identity(keystore, tmp_path / "ca.pem", "省数据局", AT)
    site = Authority(tmp_path, SECRET, site=True)
    assert site.register().revoked == {}
    assert [one.serial for one in site.issued()] == [identity.certificate.serial]
    site.revoke(identity.certificate.serial, AT, Reason.KEY_COMPROMISE)
    assert site.list_file == tmp_path / "site-ca" / "crl.pem"
    assert set(load_list(site.list_file.read_bytes()).revoked) == {identity.certificate.serial}
    assert keystore.certificate_pem(SIGNER_NAME) is not None
    with pytest.raises(CryptoError, match="issued no certificate"):
        site.revoke(identity.anchor.serial, AT, Reason.KEY_COMPROMISE)
    (tmp_path / "site-ca" / "register.json").unlink()
    with pytest.raises(RegisterChanged):
        site.register()


def test_a_register_without_its_authority_says_so(tmp_path: Path) -> None:
    with pytest.raises(CryptoError, match="there is no CA"):
        Authority(tmp_path, SECRET).register()
    (tmp_path / "register.json").write_text(json.dumps({"version": 1, "crl_number": 0, "revoked": {}}))
    with pytest.raises(RegisterChanged):
        Authority(tmp_path, SECRET).register()
