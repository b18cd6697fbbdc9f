"""The life of keys: which states follow which, what each lets a key do, and what custody leaves in the folder."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import product
from pathlib import Path

import pytest

from crypto import asn1
from crypto.errors import AuthenticationFailed, CryptoError, InvalidEncoding, KeyMismatch, KeyStateRefused
from crypto.keys import files, keyfile
from crypto.keys.custody import Custody
from crypto.keys.datakeys import DataKeys
from crypto.keys.keystore import KeyStore
from crypto.keys.lifecycle import TRANSITIONS, Operation, State, check_transition, check_use
from crypto.keys.ports import KeyEvent, unaudited
from crypto.keys.record import KeyRecord, Use, decode, encode
from crypto.pki.site import SIGNER_NAME, ensure_site_identity
from crypto.sm2 import generate
from records.errors import RefusedError, UserError
from records.secret import Secret
from tests.crypto.conftest import AT, make_identity

LATER = AT + timedelta(days=1)
PRE, ON, OFF, BAD, GONE = State
FOLLOWS = {(PRE, ON), (PRE, BAD), (PRE, GONE), (ON, OFF), (ON, BAD), (OFF, BAD), (OFF, GONE), (BAD, GONE)}


class Log:
    """An audit log in memory."""

    def __init__(self) -> None:
        self.done: list[tuple[str, str, str]] = []

    @contextmanager
    def __call__(self, event: KeyEvent) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self.done.append((event.action, event.name, "failure"))
            raise
        self.done.append((event.action, event.name, "success"))


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def custody(open_keystore: Callable[..., KeyStore], log: Log) -> Custody:
    return Custody(keystore=open_keystore(), audit=log, approve=lambda *_: [{"approved_by": "li"}])


@pytest.mark.parametrize(("before", "after"), list(product(State, State)))
def test_only_the_states_of_the_table_follow(before: State, after: State) -> None:
    if (before, after) in FOLLOWS:
        check_transition("k", before, after)
    else:
        with pytest.raises(KeyStateRefused) as refused:
            check_transition("k", before, after)
        assert refused.value.exit_code == 5


def test_nothing_leads_back_and_everything_ends_destroyed() -> None:
    order = {PRE: 0, ON: 1, OFF: 2, BAD: 3, GONE: 4}
    assert all(order[before] < order[after] for before in State for after in TRANSITIONS[before])
    assert all(TRANSITIONS[state] for state in State if state is not GONE)


@pytest.mark.parametrize(("state", "operation"), list(product(State, Operation)))
def test_what_a_state_lets_a_key_do(state: State, operation: Operation) -> None:
    allowed = state is ON or (state is OFF and operation in {Operation.VERIFY, Operation.DECRYPT})
    if allowed:
        check_use("k", state, operation)
    else:
        with pytest.raises(KeyStateRefused, match="must not"):
            check_use("k", state, operation)


def test_a_life_from_birth_to_destruction(custody: Custody, log: Log, tmp_path: Path) -> None:
    store = custody.keystore
    made = custody.generate("k", Use.SIGN, AT)
    with pytest.raises(KeyStateRefused, match="pre-active"):
        store.key("k")
    custody.change("k", ON, AT)
    assert store.key("k").public.fingerprint == made.fingerprint
    with pytest.raises(KeyStateRefused, match="cannot become destroyed"):
        custody.destroy("k", AT)
    custody.change("k", OFF, LATER)
    with pytest.raises(KeyStateRefused):
        store.key("k")
    store.key("k", Operation.DECRYPT)
    custody.destroy("k", LATER)
    assert (store.record("k").state, store.record("k").changed, store.record("k").id) == (GONE, LATER, made.id)
    assert not (tmp_path / "keys" / "k.key.pem").exists()
    with pytest.raises(KeyStateRefused, match="destroyed"):
        store.key("k")
    assert [(action, outcome) for action, _, outcome in log.done] == [
        ("key.generate", "success"),
        ("key.activate", "success"),
        ("key.deactivate", "success"),
        ("key.destroy", "success"),
    ]


def test_a_compromised_key_does_nothing_and_is_not_exported(custody: Custody) -> None:
    custody.generate("k", Use.ENC, AT, state=ON)
    custody.change("k", BAD, AT)
    for operation in Operation:
        with pytest.raises(KeyStateRefused, match="compromised"):
            custody.keystore.key("k", operation)
    with pytest.raises(KeyStateRefused, match="exported"):
        custody.export("k", Secret("x"))
    custody.destroy("k", AT)


def test_destroying_and_exporting_wait_for_a_second_person(custody: Custody, log: Log) -> None:
    def refuse(action: str, name: str) -> list[str]:
        raise RefusedError("{action} of {name} takes two", "ask", action=action, name=name)

    custody.generate("k", Use.SIGN, AT, state=ON)
    custody.change("k", OFF, AT)
    alone = Custody(keystore=custody.keystore, audit=log, approve=refuse)
    for act in (lambda: alone.destroy("k", AT), lambda: alone.export("k", Secret("x"))):
        with pytest.raises(RefusedError, match="takes two"):
            act()
    assert (custody.keystore.has_key("k"), custody.keystore.record("k").state) == (True, OFF)


@pytest.mark.parametrize("prf", [asn1.HMAC_SM3, asn1.HMAC_SM3_OPENSSL])
def test_an_exported_key_opens_under_its_new_passphrase_alone(custody: Custody, prf: str) -> None:
    made = custody.generate("k", Use.SIGN, AT)
    data, agreed = custody.export("k", Secret("other"), prf=prf)
    assert agreed == [{"approved_by": "li"}]
    assert keyfile.load_private_key(data, Secret("other")).public.fingerprint == made.fingerprint
    with pytest.raises(AuthenticationFailed):
        keyfile.load_private_key(data, Secret("correct horse"))


def test_nothing_changes_where_the_log_cannot_be_written(open_keystore: Callable[..., KeyStore]) -> None:
    @contextmanager
    def broken(_: KeyEvent) -> Iterator[None]:
        raise OSError("disk full")
        yield

    Custody(keystore=open_keystore(), audit=unaudited, approve=lambda *_: []).generate("k", Use.SIGN, AT, state=ON)
    dumb = Custody(keystore=open_keystore(), audit=broken, approve=lambda *_: [])
    for act in (
        lambda: dumb.change("k", OFF, AT),
        lambda: dumb.rotate("k", AT),
        lambda: dumb.keep("j", generate(), Use.SIGN, AT),
    ):
        with pytest.raises(OSError, match="disk full"):
            act()
    assert [(one.name, one.state) for one in open_keystore().records()] == [("k", ON)]


def test_rotation_keeps_the_old_key_for_what_it_signed(custody: Custody) -> None:
    made = custody.generate("k", Use.SIGN, AT, state=ON)
    old_public = custody.keystore.key("k").public
    fresh, old = custody.rotate("k", LATER)
    assert (fresh.state, fresh.previous, fresh.name) == (ON, made.id, "k")
    assert (old.state, old.id, old.name) == (OFF, made.id, f"k.{old_public.fingerprint[:8]}")
    assert custody.keystore.key(old.name, Operation.DECRYPT).public == old_public
    assert custody.keystore.key("k").public.fingerprint == fresh.fingerprint != old_public.fingerprint
    with pytest.raises(KeyStateRefused):
        custody.keystore.key(old.name)


@pytest.mark.parametrize("writes", range(6))
def test_a_rotation_cut_short_leaves_a_key_that_works(
    custody: Custody, monkeypatch, tmp_path: Path, writes: int
) -> None:
    """Killed before any of its writes, the site still signs, and the rotation may be done again."""
    ensure_site_identity(custody.keystore, tmp_path / "ca.pem", "省数据局", AT)
    left, real = [writes], files.write_atomic

    def dying(*arguments, **named) -> None:
        if left[0] == 0:
            raise KeyboardInterrupt
        left[0] -= 1
        real(*arguments, **named)

    monkeypatch.setattr("crypto.keys.files.write_atomic", dying)
    with contextlib.suppress(KeyboardInterrupt):
        custody.rotate(SIGNER_NAME, LATER)
    left[0] = 100
    identity = ensure_site_identity(custody.keystore, tmp_path / "ca.pem", "省数据局", LATER)
    identity.certificate.public_key.verify(identity.key.sign(b"x"), b"x")
    custody.rotate(SIGNER_NAME, LATER)
    again = ensure_site_identity(custody.keystore, tmp_path / "ca.pem", "省数据局", LATER)
    assert again.key.public != identity.key.public


def test_a_key_from_before_there_were_records_counts_as_active(custody: Custody) -> None:
    custody.keystore.put_key("k", generate())
    assert custody.keystore.record("k") == KeyRecord(id="k", name="k", use=Use.SIGN)
    custody.change("k", OFF, AT)
    with pytest.raises(KeyStateRefused):
        custody.keystore.key("k")


def test_a_certificate_for_another_key_is_refused(custody: Custody) -> None:
    custody.generate("k", Use.SIGN, AT)
    with pytest.raises(KeyMismatch, match="another key"):
        custody.certify("k", make_identity("x").chain)
    identity = make_identity("y")
    custody.keep("j", identity.key, Use.SIGN, AT)
    assert custody.certify("j", identity.chain).certificate == identity.certificate.fingerprint


def test_records_come_back_and_damaged_ones_are_named(custody: Custody, tmp_path: Path) -> None:
    record = custody.generate("k", Use.ENC, AT)
    assert decode(encode(record), "x") == record
    path = tmp_path / "keys" / "k.key.json"
    for text in ("", "[]", "{}", '{"version": 9}', encode(record).decode().replace("enc", "dance"), "1"):
        path.write_text(text)
        with pytest.raises(InvalidEncoding, match="record"):
            custody.keystore.key("k")
    path.unlink()
    with pytest.raises(UserError, match="unknown key"):
        custody.keystore.record("absent")


def test_data_keys_are_wrapped_anew(custody: Custody, log: Log) -> None:
    keys = DataKeys(keystore=custody.keystore, audit=log)
    made = {name: keys.make(name, AT) for name in ("bills", "logs")}
    before = keys.keystore.read(keys.keystore.path("bills", ".dek"))
    fresh, count = keys.rotate(LATER)
    states = sorted(one.state for one in custody.keystore.records())
    assert (count, fresh.state, states) == (2, ON, [ON, OFF])
    assert {name: keys.key(name) for name in keys.names()} == made
    assert keys.keystore.read(keys.keystore.path("bills", ".dek")) != before
    assert keys.make("more", LATER) == keys.key("more")
    assert log.done[-2:] == [("kek.rotate", fresh.name, "success"), ("datakey.generate", "more", "success")]


def test_a_rotation_of_keks_cut_short_is_finished_by_the_next(custody: Custody, monkeypatch) -> None:
    keys = DataKeys(keystore=custody.keystore, audit=unaudited)
    made = {name: keys.make(name, AT) for name in ("a", "b", "c")}
    real = files.write_atomic
    for writes in range(6):
        left = [writes]

        def dying(*arguments, left=left, **named) -> None:
            if left[0] == 0:
                raise KeyboardInterrupt
            left[0] -= 1
            real(*arguments, **named)

        monkeypatch.setattr("crypto.keys.files.write_atomic", dying)
        with pytest.raises(KeyboardInterrupt):
            keys.rotate(LATER)
        assert {name: keys.key(name) for name in keys.names()} == made
    monkeypatch.setattr("crypto.keys.files.write_atomic", real)
    keys.rotate(LATER)
    assert {name: keys.key(name) for name in keys.names()} == made
    assert [one.state for one in custody.keystore.records()].count(ON) == 1


def test_data_keys_do_not_change_places(custody: Custody, tmp_path: Path) -> None:
    keys = DataKeys(keystore=custody.keystore, audit=unaudited)
    keys.make("a", AT)
    with pytest.raises(CryptoError, match="exists"):
        keys.make("a", AT)
    (tmp_path / "keys" / "a.dek").rename(tmp_path / "keys" / "b.dek")
    with pytest.raises(AuthenticationFailed):
        keys.key("b")
    with pytest.raises(UserError, match="unknown data key"):
        keys.key("a")
    for data in (b"", b"YWD1", b"YWD1" + bytes(100)):
        (tmp_path / "keys" / "b.dek").write_bytes(data)
        with pytest.raises(AuthenticationFailed):
            keys.key("b")
