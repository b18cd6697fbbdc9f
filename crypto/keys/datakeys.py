"""Data keys (数据密钥) under key-encrypting keys (KEK): one data key a data set, wrapped; rotation wraps anew.

A KEK lies in the keystore under its id; a data key names the KEK that wraps it. So a rotation that is cut short leaves
every data key readable, and the next one finishes it.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime

from crypto import sm4
from crypto.envelope import KEY_ID_BYTES, Kek
from crypto.errors import AuthenticationFailed, CryptoError
from crypto.keys import files
from crypto.keys.keystore import KeyStore
from crypto.keys.lifecycle import Operation, State, check_use
from crypto.keys.ports import Audit, KeyEvent
from crypto.keys.record import KeyRecord, Use
from records.errors import UserError

KEK, DATA_KEY = ".kek", ".dek"
MAGIC = b"YWD1"
_HEAD = len(MAGIC) + KEY_ID_BYTES
PREFIX = "kek-"
SHORT = 16  # letters of the id in the name of a KEK


@dataclass(frozen=True, slots=True, kw_only=True)
class DataKeys:
    """The data keys of one keystore."""

    keystore: KeyStore
    audit: Audit

    def make(self, name: str, at: datetime) -> bytes:
        """A new data key of that name; an existing one is never replaced."""
        with self.keystore.locked():
            path = self.keystore.path(name, DATA_KEY)
            if path.exists():
                raise CryptoError("data key '{name}' exists", "choose another name", where=str(path), name=name)
            key = sm4.new_key()
            with self.audit(KeyEvent(action="datakey.generate", name=name)):
                self._wrap(name, key, self._current(at))
        return key

    def key(self, name: str) -> bytes:
        """The data key; raises UserError where there is none, AuthenticationFailed, KeyStateRefused."""
        path = self.keystore.path(name, DATA_KEY)
        try:
            data = self.keystore.read(path)
        except FileNotFoundError:
            raise UserError("unknown data key '{name}'", "make it first", where=str(path), name=name) from None
        head, nonce, sealed = data[:_HEAD], data[_HEAD : _HEAD + sm4.NONCE_BYTES], data[_HEAD + sm4.NONCE_BYTES :]
        if not head.startswith(MAGIC) or len(nonce) != sm4.NONCE_BYTES:
            raise AuthenticationFailed(where=str(path))
        kek = self.kek(head[len(MAGIC) :], Operation.DECRYPT)
        return sm4.open_sealed(kek.key, nonce, sealed, head + name.encode())

    def names(self) -> list[str]:
        """Sorted."""
        return self.keystore.names(DATA_KEY)

    def kek(self, identifier: bytes, operation: Operation) -> Kek:
        """The KEK of an id; AuthenticationFailed where there is none, KeyStateRefused."""
        name = _name(identifier)
        try:
            key = self.keystore.open_sealed(name, KEK)
        except FileNotFoundError:
            raise AuthenticationFailed(where=name) from None
        check_use(name, self.keystore.record(name).state, operation)
        if key[:KEY_ID_BYTES] != identifier:
            raise AuthenticationFailed(where=name)
        return Kek(identifier, key[KEY_ID_BYTES:])

    def rotate(self, at: datetime) -> tuple[KeyRecord, int]:
        """A new KEK; all data keys are wrapped under it and the older ones deactivated. (Its record, how many keys)."""
        with self.keystore.locked():
            fresh = self._new(at)
            name = _name(fresh.id)
            names = self.names()
            with self.audit(KeyEvent(action="kek.rotate", name=name, detail={"rewrapped": len(names)})):
                for one in names:
                    self._wrap(one, self.key(one), fresh)
                self._deactivate_others(name, at)
        return self.keystore.record(name), len(names)

    def _deactivate_others(self, name: str, at: datetime) -> None:
        """Also those whose making was cut short after their record."""
        for record in self.keystore.records():
            if record.algorithm == "sm4" and record.state is State.ACTIVE and record.name != name:
                self.keystore.put_record(record.become(State.DEACTIVATED, at))

    def _current(self, at: datetime) -> Kek:
        """The newest active KEK; there are several only after a rotation that was cut short."""
        found = [self.keystore.record(name) for name in self.keystore.names(KEK)]
        active = [one for one in found if one.state is State.ACTIVE]
        if not active:
            return self._new(at)
        newest = max(active, key=lambda one: (str(one.created), one.id))
        return self.kek(bytes.fromhex(newest.id), Operation.ENCRYPT)

    def _new(self, at: datetime) -> Kek:
        kek = Kek(secrets.token_bytes(KEY_ID_BYTES), sm4.new_key())
        name = _name(kek.id)
        record = KeyRecord(
            id=kek.id.hex(), name=name, use=Use.ENC, algorithm="sm4", state=State.ACTIVE, created=at, changed=at
        )
        self.keystore.put_record(record)  # first: a KEK without a record would have no state
        self.keystore.put_sealed(name, KEK, kek.id + kek.key)
        return kek

    def _wrap(self, name: str, key: bytes, kek: Kek) -> None:
        nonce, head = sm4.new_nonce(), MAGIC + kek.id
        sealed = sm4.seal(kek.key, nonce, key, head + name.encode())
        files.write_atomic(self.keystore.path(name, DATA_KEY), head + nonce + sealed)


def _name(identifier: bytes) -> str:
    return PREFIX + identifier.hex()[:SHORT]
