"""The keystore: what comes back, who may read it, what a wrong passphrase meets."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from crypto.errors import AuthenticationFailed, CryptoError, InvalidEncoding
from crypto.keys import files
from crypto.pki.site import CA_NAME, SIGNER_NAME, ensure_site_identity
from crypto.sm2 import generate
from records.errors import UserError
from records.secret import Secret
from tests.crypto.conftest import AT

SECRET = Secret("pa55wörd")


def test_secrets_come_back_in_another_process(open_keystore) -> None:
    open_keystore().put_secret("snmp-core", SECRET)
    open_keystore().put_secret("os-prov", Secret('{"a": 1}'))
    store = open_keystore()
    assert (store.secret("snmp-core"), store.secret_names()) == (SECRET, ["os-prov", "snmp-core"])
    store.put_secret("snmp-core", Secret("new"))
    assert store.secret("snmp-core") == Secret("new")
    store.remove_secret("snmp-core")
    assert store.secret_names() == ["os-prov"]


def test_an_unknown_secret_says_how_to_store_it(open_keystore) -> None:
    store = open_keystore()
    assert store.secret_names() == []
    store.put_secret("a", SECRET)
    for call in (store.secret, store.remove_secret):
        with pytest.raises(UserError, match="unknown secret 'b'"):
            call("b")


def test_modes_are_those_of_the_owner_alone(open_keystore, tmp_path: Path) -> None:
    store = open_keystore()
    store.put_secret("a", SECRET)
    store.put_key("k", generate())
    folder = tmp_path / "keys"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert not [path for path in folder.iterdir() if path.name.endswith(".tmp")]
    assert all(SECRET.reveal().encode() not in path.read_bytes() for path in folder.iterdir())


@pytest.mark.parametrize("what", ["folder", "secret", "master"])
def test_what_others_may_read_is_refused(open_keystore, tmp_path: Path, what: str) -> None:
    open_keystore().put_secret("a", SECRET)
    folder = tmp_path / "keys"
    path = {"folder": folder, "secret": folder / "a.secret", "master": folder / "master.json"}[what]
    path.chmod(path.stat().st_mode | 0o004)
    with pytest.raises(CryptoError, match="not of this user alone"):
        open_keystore().secret("a")


def test_links_are_refused(open_keystore, tmp_path: Path) -> None:
    open_keystore().put_secret("a", SECRET)
    folder = tmp_path / "keys"
    (folder / "b.secret").symlink_to(folder / "a.secret")
    with pytest.raises(CryptoError, match="cannot be read safely"):
        open_keystore().secret("b")
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CryptoError, match="is a link"):
        open_keystore().secret("a")


def test_a_wrong_passphrase_opens_and_writes_nothing(open_keystore) -> None:
    open_keystore().put_secret("a", SECRET)
    wrong = open_keystore("battery staple")
    for call in (
        lambda: wrong.secret("a"),
        lambda: wrong.put_secret("b", SECRET),
        lambda: wrong.put_key("k", generate()),
    ):
        with pytest.raises(AuthenticationFailed) as refused:
            call()
        assert "battery" not in str(refused.value) + repr(wrong)
    assert (wrong.secret_names(), wrong.key_names()) == (["a"], [])


def test_a_secret_moved_to_another_name_is_refused(open_keystore, tmp_path: Path) -> None:
    open_keystore().put_secret("a", SECRET)
    (tmp_path / "keys" / "a.secret").rename(tmp_path / "keys" / "b.secret")
    with pytest.raises(AuthenticationFailed):
        open_keystore().secret("b")


def test_every_changed_byte_of_a_secret_is_found(open_keystore, tmp_path: Path) -> None:
    store = open_keystore()
    store.put_secret("a", SECRET)
    path = tmp_path / "keys" / "a.secret"
    data = path.read_bytes()
    for at in range(len(data)):
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        with pytest.raises(AuthenticationFailed):
            store.secret("a")
    path.write_bytes(data[:10])
    with pytest.raises(AuthenticationFailed):
        store.secret("a")


@pytest.mark.parametrize("header", ["", "{}", '{"version": 2}', "[]", '{"version":1,"rounds":0,"salt":"","key_id":""}'])
def test_a_damaged_header_is_said(open_keystore, tmp_path: Path, header: str) -> None:
    open_keystore().put_secret("a", SECRET)
    (tmp_path / "keys" / "master.json").write_text(header)
    with pytest.raises(InvalidEncoding, match="header of the keystore"):
        open_keystore().secret("a")


@pytest.mark.parametrize("name", ["", ".hidden", "../x", "a/b", "a" * 65, "名"])
def test_names_that_are_no_names(open_keystore, name: str) -> None:
    with pytest.raises(UserError, match="no name"):
        open_keystore().put_secret(name, SECRET)


def test_keys_are_never_replaced(open_keystore) -> None:
    store, key = open_keystore(), generate()
    store.put_key("k", key)
    with pytest.raises(CryptoError, match="exists"):
        store.put_key("k", generate())
    assert (open_keystore().key("k").public, store.key_names()) == (key.public, ["k"])
    with pytest.raises(UserError, match="unknown key"):
        store.key("other")


def test_two_first_users_agree_on_one_identity(open_keystore, tmp_path: Path) -> None:
    found = []

    def first_run() -> None:
        found.append(ensure_site_identity(open_keystore(), tmp_path / "ca.pem", "省数据局", AT).chain)

    threads = [threading.Thread(target=first_run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1


@pytest.mark.parametrize("writes", range(6))
def test_a_first_run_cut_short_is_finished_by_the_next(open_keystore, tmp_path: Path, monkeypatch, writes: int) -> None:
    left, real = [writes], files.write_atomic

    def dying(*arguments, **named) -> None:
        if left[0] == 0:
            raise KeyboardInterrupt
        left[0] -= 1
        real(*arguments, **named)

    out = tmp_path / "ca.pem"
    for module in ("crypto.keys.files.write_atomic", "crypto.pki.site.write_atomic"):
        monkeypatch.setattr(module, dying)
    with pytest.raises(KeyboardInterrupt):
        ensure_site_identity(open_keystore(), out, "省数据局", AT)
    left[0] = 100
    first = ensure_site_identity(open_keystore(), out, "省数据局", AT)
    again = ensure_site_identity(open_keystore(), out, "other", AT)
    assert first.chain == again.chain
    assert open_keystore().key_names() == [CA_NAME, SIGNER_NAME]


def test_a_lost_ca_is_not_silently_replaced(open_keystore, tmp_path: Path) -> None:
    out = tmp_path / "ca.pem"
    ensure_site_identity(open_keystore(), out, "省数据局", AT)
    before = out.read_bytes()
    for path in (tmp_path / "keys").iterdir():
        path.unlink()
    with pytest.raises(CryptoError, match="no CA key"):
        ensure_site_identity(open_keystore(), out, "省数据局", AT)
    assert out.read_bytes() == before


def test_a_torn_export_is_written_again(open_keystore, tmp_path: Path) -> None:
    out = tmp_path / "ca.pem"
    ensure_site_identity(open_keystore(), out, "省数据局", AT)
    whole = out.read_bytes()
    out.write_bytes(whole[:100])
    ensure_site_identity(open_keystore(), out, "省数据局", AT)
    assert out.read_bytes() == whole
