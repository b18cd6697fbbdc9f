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
from crypto.sm2 import PrivateKey
from crypto.sm3 import hmac_sm3, pbkdf2_sm3
from records.errors import UserError
from records.secret import Secret

MAGIC = b"YWS1\x01"
KEY_ID_BYTES = 8
SALT_BYTES = 16
HEADER_BYTES = len(MAGIC) + KEY_ID_BYTES + sm4.NONCE_BYTES
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_KEY, _CERTIFICATE, _SECRET = ".key.pem", ".cert.pem", ".secret"


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
        path = self._path(name, _SECRET)
        files.private_folder(self.folder)
        key_id, key = self._key()
        nonce = sm4.new_nonce()
        header = MAGIC + key_id + nonce
        files.write_atomic(path, header + sm4.seal(key, nonce, secret.reveal().encode(), header + name.encode()))

    def secret(self, name: str) -> Secret:
        """The secret of that name; raises UserError if there is none, AuthenticationFailed for a wrong passphrase."""
        path = self._path(name, _SECRET)
        try:
            data = self._read(path)
        except FileNotFoundError:
            raise UserError(
                "unknown secret '{name}'", "store it: yw secret set {name}", where=f"secret:{name}", name=name
            ) from None
        key_id, key = self._key()
        if not data.startswith(MAGIC + key_id) or len(data) < HEADER_BYTES:
            raise AuthenticationFailed(where=str(path))
        nonce, sealed = data[HEADER_BYTES - sm4.NONCE_BYTES : HEADER_BYTES], data[HEADER_BYTES:]
        return Secret(sm4.open_sealed(key, nonce, sealed, data[:HEADER_BYTES] + name.encode()).decode())

    def secret_names(self) -> list[str]:
        """Sorted names; needs no passphrase."""
        return self._names(_SECRET)

    def remove_secret(self, name: str) -> None:
        """Forget a secret; raises UserError where there is none."""
        try:
            self._path(name, _SECRET).unlink()
        except FileNotFoundError:
            raise UserError(
                "unknown secret '{name}'", "see `yw secret ls`", where=f"secret:{name}", name=name
            ) from None
        files.sync_folder(self.folder)

    def put_key(self, name: str, key: PrivateKey) -> None:
        """Store a private key under the passphrase, durably; a key of that name is never replaced."""
        path = self._path(name, _KEY)
        with self.locked():
            self._key()  # a wrong passphrase must not add a key that the right one cannot open
            if path.exists():
                raise CryptoError("key '{name}' exists", "choose another name", where=str(path), name=name)
            files.write_atomic(path, keyfile.private_key_pem(key, self._passphrase, rounds=keyfile.ROUNDS))

    def has_key(self, name: str) -> bool:
        return self._path(name, _KEY).exists()

    def key(self, name: str) -> PrivateKey:
        """The private key of that name; raises UserError where there is none."""
        path = self._path(name, _KEY)
        try:
            return keyfile.load_private_key(self._read(path), self._passphrase)
        except FileNotFoundError:
            raise UserError(
                "unknown key '{name}'",
                "see which keys are in {folder}",
                where=str(path),
                name=name,
                folder=str(self.folder),
            ) from None

    def key_names(self) -> list[str]:
        """Sorted names; needs no passphrase."""
        return self._names(_KEY)

    def put_certificate_pem(self, name: str, data: bytes) -> None:
        """Store the certificate that belongs to the key of that name."""
        files.private_folder(self.folder)
        files.write_atomic(self._path(name, _CERTIFICATE), data)

    def certificate_pem(self, name: str) -> bytes | None:
        """The certificate of that name, None where there is none."""
        try:
            return self._read(self._path(name, _CERTIFICATE))
        except FileNotFoundError:
            return None

    def _path(self, name: str, suffix: str) -> Path:
        if not _NAME.fullmatch(name):
            raise UserError(
                "'{name}' is no name for a key or secret", "use up to 64 letters, digits, '.', '_' and '-'", name=name
            )
        return self.folder / f"{name}{suffix}"

    def _read(self, path: Path) -> bytes:
        files.check_private_folder(self.folder)
        return files.read_private(path)

    def _names(self, suffix: str) -> list[str]:
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
        salt, rounds, known = _parse_header(self._read(path), path)
        key_id, key = self._derive(salt, rounds)
        if not hmac.compare_digest(key_id, known):
            raise AuthenticationFailed(where=str(path))
        return key_id, key

    def _derive(self, salt: bytes, rounds: int) -> tuple[bytes, bytes]:
        key = pbkdf2_sm3(self._passphrase.reveal().encode(), salt, rounds, sm4.KEY_BYTES)
        return hmac_sm3(key, b"yunwang keystore key id")[:KEY_ID_BYTES], key


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
