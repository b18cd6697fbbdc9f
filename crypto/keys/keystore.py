"""The keystore (密钥库): a folder of this user alone with encrypted private keys, certificates and named secrets.

``master.json`` holds salt and rounds of the key that the passphrase gives, and that key's id. A secret is one file:
header ``YWS1`` | algorithm 1 (SM4-GCM) | 8 bytes key id | 12 bytes nonce, then ciphertext and tag; header and name are
authenticated.
"""

from __future__ import annotations

import fcntl
import hmac
import json
import os
import re
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from crypto import sm4
from crypto.errors import AuthenticationFailed, CryptoError, InvalidEncoding
from crypto.keys import files, keyfile
from crypto.keys.lifecycle import Operation, State, check_use
from crypto.keys.record import KeyRecord, Use, decode, encode
from crypto.sm2 import PrivateKey
from crypto.sm3 import hmac_sm3, pbkdf2_sm3
from records.errors import UserError
from records.secret import Secret

MAGIC = b"YWS1\x01"
KEY_ID_BYTES = 8
SALT_BYTES = 16
HEADER_BYTES = len(MAGIC) + KEY_ID_BYTES + sm4.NONCE_BYTES
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_KEY, _CERTIFICATE, _SECRET, _RECORD = ".key.pem", ".cert.pem", ".secret", ".key.json"


class KeyStore:
    """Named keys and secrets under one passphrase, for threads and processes at once. Opens nothing until first use."""

    def __init__(self, folder: Path, passphrase: Secret) -> None:
        self.folder = folder
        self._passphrase = passphrase
        self._master: tuple[bytes, bytes] | None = None  # key id, key
        self._lock = threading.RLock()
        self._depth = 0  # how often this thread holds the lock

    def __repr__(self) -> str:
        return f"KeyStore({str(self.folder)!r})"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other threads and processes out, for a check followed by a write; may be nested in one thread."""
        files.private_folder(self.folder)
        with self._lock, self._flock() if self._depth == 0 else nullcontext():
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1

    @contextmanager
    def _flock(self) -> Iterator[None]:
        with (self.folder / ".lock").open("ab") as file:
            os.fchmod(file.fileno(), files.PRIVATE_FILE)
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def put_secret(self, name: str, secret: Secret) -> None:
        """Store or replace a secret, durably."""
        self.put_sealed(name, _SECRET, secret.reveal().encode())

    def secret(self, name: str) -> Secret:
        """The secret of that name; raises UserError if there is none, AuthenticationFailed for a wrong passphrase."""
        try:
            return Secret(self.open_sealed(name, _SECRET).decode())
        except FileNotFoundError:
            raise UserError(
                "unknown secret '{name}'", "store it: yw secret set {name}", where=f"secret:{name}", name=name
            ) from None

    def put_sealed(self, name: str, suffix: str, data: bytes) -> None:
        """Store or replace bytes under the master key, durably; the name is authenticated with them."""
        path = self.path(name, suffix)
        files.private_folder(self.folder)
        key_id, key = self._key()
        nonce = sm4.new_nonce()
        header = MAGIC + key_id + nonce
        files.write_atomic(path, header + sm4.seal(key, nonce, data, header + _bound(name, suffix)))

    def open_sealed(self, name: str, suffix: str) -> bytes:
        """What ``put_sealed`` stored; raises FileNotFoundError, AuthenticationFailed."""
        path = self.path(name, suffix)
        data = self.read(path)
        key_id, key = self._key()
        if not data.startswith(MAGIC + key_id) or len(data) < HEADER_BYTES:
            raise AuthenticationFailed(where=str(path))
        nonce, sealed = data[HEADER_BYTES - sm4.NONCE_BYTES : HEADER_BYTES], data[HEADER_BYTES:]
        return sm4.open_sealed(key, nonce, sealed, data[:HEADER_BYTES] + _bound(name, suffix))

    def secret_names(self) -> list[str]:
        """Sorted names; needs no passphrase."""
        return self.names(_SECRET)

    def remove_secret(self, name: str) -> None:
        """Forget a secret; raises UserError where there is none."""
        try:
            self.path(name, _SECRET).unlink()
        except FileNotFoundError:
            raise UserError(
                "unknown secret '{name}'", "see `yw secret ls`", where=f"secret:{name}", name=name
            ) from None
        files.sync_folder(self.folder)

    def put_key(self, name: str, key: PrivateKey, record: KeyRecord | None = None) -> None:
        """Store a private key under the passphrase, durably; a key of that name is never replaced."""
        path = self.path(name, _KEY)
        with self.locked():
            self._key()  # a wrong passphrase must not add a key that the right one cannot open
            self.check_free(name)
            if record is not None:  # first: without its record a key counts as active
                self.put_record(record)
            files.write_atomic(path, keyfile.private_key_pem(key, self._passphrase, rounds=keyfile.ROUNDS))

    def check_free(self, name: str) -> None:
        """Return quietly if no key has that name, else raise CryptoError."""
        path = self.path(name, _KEY)
        if path.exists():
            raise CryptoError("key '{name}' exists", "choose another name", where=str(path), name=name)

    def replace_key(self, name: str, key: PrivateKey) -> None:
        """Put a successor in the place of a key that was kept under another name before."""
        with self.locked():
            self._key()
            data = keyfile.private_key_pem(key, self._passphrase, rounds=keyfile.ROUNDS)
            files.write_atomic(self.path(name, _KEY), data)

    def copy_key(self, name: str, other: str) -> None:
        """Keep a key, with its certificate, under a second name as well."""
        for suffix in (_CERTIFICATE, _KEY):
            if self.path(name, suffix).exists():
                files.write_atomic(self.path(other, suffix), self.read(self.path(name, suffix)))

    def destroy_key(self, name: str) -> None:
        """Overwrite and unlink a private key; its record and certificate stay."""
        with self.locked():
            files.destroy(self.path(name, _KEY))

    def has_key(self, name: str) -> bool:
        return self.path(name, _KEY).exists()

    def key(self, name: str, operation: Operation = Operation.SIGN) -> PrivateKey:
        """The private key of that name for one kind of use; raises UserError where there is none, KeyStateRefused."""
        if self.path(name, _RECORD).exists():
            check_use(name, self.record(name).state, operation)
        return self.open_key(name)

    def open_key(self, name: str) -> PrivateKey:
        """The private key whatever its state, for those who manage it; raises UserError where there is none."""
        path = self.path(name, _KEY)
        try:
            return keyfile.load_private_key(self.read(path), self._passphrase)
        except FileNotFoundError:
            raise self._unknown_key(name) from None
        except AuthenticationFailed:
            raise AuthenticationFailed(where=str(path)) from None

    def _unknown_key(self, name: str) -> UserError:
        advice = "see which keys are in {folder}"
        where = str(self.path(name, _KEY))
        return UserError("unknown key '{name}'", advice, where=where, name=name, folder=str(self.folder))

    def record(self, name: str) -> KeyRecord:
        """What is known of a key, destroyed ones included; needs no passphrase. UserError where there is none."""
        path = self.path(name, _RECORD)
        try:
            return decode(self.read(path), str(path))
        except FileNotFoundError:
            if not self.has_key(name):
                raise self._unknown_key(name) from None
            return KeyRecord(id=name, name=name, use=Use.SIGN, state=State.ACTIVE)

    def records(self) -> list[KeyRecord]:
        """All keys by name; needs no passphrase."""
        return [self.record(name) for name in sorted({*self.names(_KEY), *self.names(_RECORD)})]

    def put_record(self, record: KeyRecord) -> None:
        """Write what is known of a key, durably."""
        files.private_folder(self.folder)
        files.write_atomic(self.path(record.name, _RECORD), encode(record))

    def key_names(self) -> list[str]:
        """Sorted names; needs no passphrase."""
        return self.names(_KEY)

    def put_certificate_pem(self, name: str, data: bytes) -> None:
        """Store the certificate that belongs to the key of that name."""
        files.private_folder(self.folder)
        files.write_atomic(self.path(name, _CERTIFICATE), data)

    def certificate_pem(self, name: str) -> bytes | None:
        """The certificate of that name, None where there is none."""
        try:
            return self.read(self.path(name, _CERTIFICATE))
        except FileNotFoundError:
            return None

    def remove_certificate(self, name: str) -> None:
        """Forget the certificate of that name, if there is one."""
        self.path(name, _CERTIFICATE).unlink(missing_ok=True)
        files.sync_folder(self.folder)

    def path(self, name: str, suffix: str) -> Path:
        """Where a file of that name and kind lies; UserError for what is no name."""
        if not _NAME.fullmatch(name):
            raise UserError(
                "'{name}' is no name for a key or secret", "use up to 64 letters, digits, '.', '_' and '-'", name=name
            )
        return self.folder / f"{name}{suffix}"

    def read(self, path: Path) -> bytes:
        """A file of the folder, both of this user alone; raises UnsafeFile, FileNotFoundError."""
        files.check_private_folder(self.folder)
        return files.read_private(path)

    def names(self, suffix: str) -> list[str]:
        """Sorted names of one kind of file."""
        if not self.folder.exists():
            return []
        files.check_private_folder(self.folder)
        found = (path.name for path in self.folder.iterdir() if path.name.endswith(suffix))
        return sorted(name.removesuffix(suffix) for name in found if not name.startswith("."))

    def _key(self) -> tuple[bytes, bytes]:
        """(key id, key) that the passphrase gives; derived once. Raises AuthenticationFailed for a wrong passphrase."""
        with self._lock:
            if self._master is None:
                path = self.folder / "master.json"
                if not path.exists():
                    self._create_master(path)
                self._master = self._unlock(path)
            return self._master

    def _create_master(self, path: Path) -> None:
        with self.locked():
            if path.exists():
                return
            salt, rounds = secrets.token_bytes(SALT_BYTES), keyfile.ROUNDS
            header = {
                "version": 1,
                "kdf": "pbkdf2-hmac-sm3",
                "rounds": rounds,
                "salt": salt.hex(),
                "key_id": self._derive(salt, rounds)[0].hex(),
            }
            files.write_atomic(path, json.dumps(header).encode())

    def _unlock(self, path: Path) -> tuple[bytes, bytes]:
        salt, rounds, known = _parse_header(self.read(path), path)
        key_id, key = self._derive(salt, rounds)
        if not hmac.compare_digest(key_id, known):
            raise AuthenticationFailed(where=str(path))
        return key_id, key

    def _derive(self, salt: bytes, rounds: int) -> tuple[bytes, bytes]:
        key = pbkdf2_sm3(self._passphrase.reveal().encode(), salt, rounds, sm4.KEY_BYTES)
        return hmac_sm3(key, b"yunwang keystore key id")[:KEY_ID_BYTES], key


def _bound(name: str, suffix: str) -> bytes:
    """What a sealed file authenticates beside its header: kinds do not change places; secrets came first, bare."""
    return name.encode() if suffix == _SECRET else f"{name}{suffix}".encode()


def _parse_header(data: bytes, path: Path) -> tuple[bytes, int, bytes]:
    """Salt, rounds and key id of ``master.json``; raises InvalidEncoding."""
    try:
        header = json.loads(data)
        salt, rounds, known = bytes.fromhex(header["salt"]), int(header["rounds"]), bytes.fromhex(header["key_id"])
        sound = header["version"] == 1 and 1 <= rounds <= keyfile.MAX_ROUNDS
    except (ValueError, KeyError, TypeError):
        sound = False
    if not sound:
        raise InvalidEncoding("the header of the keystore is damaged", "restore it from a backup", where=str(path))
    return salt, rounds, known
