"""gmssl-pyx (GmSSL in C) and gmalg (pure Python): libraries of this environment, asked in process."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from typing import Any

import gmalg
import gmssl_pyx

from crypto import der
from crypto.sm2 import PrivateKey, PublicKey
from tests.peers.base import MissingError, Peer, RefusedError


class Library(Peer):
    """A distribution of the dev group."""

    @classmethod
    def find(cls) -> None:
        wanted = cls.title.split()[1]
        try:
            found = importlib.metadata.version(cls.name)
        except importlib.metadata.PackageNotFoundError:
            found = "none"
        if found != wanted:
            raise MissingError(
                f"{cls.title} is not installed ({found}); install it: pip install -r requirements-dev.lock"
            )


class GmsslPyx(Library):
    name = "gmssl-pyx"
    title = "gmssl-pyx 2.1.0"

    def _ask(self, function: str, *arguments: Any) -> Any:
        try:
            return getattr(gmssl_pyx, function)(*arguments)
        except gmssl_pyx.GmsslInnerError as error:
            raise RefusedError(str(error)) from error

    def digest(self, data: bytes) -> bytes:
        return self._ask("sm3_hash", data)

    def hmac(self, key: bytes, data: bytes) -> bytes:
        return self._ask("sm3_hmac", key, data)

    def sign(self, key: PrivateKey, data: bytes, user: bytes) -> bytes:
        return self._ask("sm2_sign", key.scalar(), key.public.point[1:], data, user)

    def verify(self, key: PublicKey, signature: bytes, data: bytes, user: bytes) -> None:
        if not self._ask("sm2_verify", key.point[1:], data, signature, user):
            raise RefusedError("invalid")

    def encrypt(self, key: PublicKey, text: bytes) -> bytes:
        return self._ask("sm2_encrypt", key.point[1:], text)

    def decrypt(self, key: PrivateKey, sealed: bytes) -> bytes:
        return self._ask("sm2_decrypt", key.scalar(), sealed)

    def gcm_seal(self, key: bytes, nonce: bytes, more: bytes, text: bytes) -> bytes:
        sealed, tag = self._ask("sm4_gcm_encrypt", key, nonce, more, text)
        return sealed + tag

    def gcm_open(self, key: bytes, nonce: bytes, more: bytes, sealed: bytes) -> bytes:
        return self._ask("sm4_gcm_decrypt", key, nonce, more, sealed[:-16], sealed[-16:])


class GmAlg(Library):
    name = "gmalg"
    title = "gmalg 1.1.2"

    def digest(self, data: bytes) -> bytes:
        running = gmalg.SM3()
        running.update(data)
        return running.value()

    def sign(self, key: PrivateKey, data: bytes, user: bytes) -> bytes:
        return der.signature_from_raw(b"".join(gmalg.SM2(key.scalar(), user, key.public.point).sign(data)))

    def verify(self, key: PublicKey, signature: bytes, data: bytes, user: bytes) -> None:
        raw = der.signature_to_raw(signature)
        if not gmalg.SM2(uid=user, pk=key.point).verify(data, raw[:32], raw[32:]):
            raise RefusedError("invalid")

    def begin_bare_exchange(
        self,
        key: PrivateKey,
        user: bytes,
        peer: PublicKey,
        peer_user: bytes,
        length: int,
    ) -> tuple[bytes, Callable[[bytes], bytes]]:
        """Its point, and what turns ours into the key."""
        side = gmalg.SM2(key.scalar(), user, key.public.point)
        point, secret = side.begin_key_exchange()
        mode = gmalg.KEYXCHG_MODE.INITIATOR
        return point, lambda ours: side.end_key_exchange(length, secret, ours, peer_user, peer.point, mode)

    def answer_bare_exchange(
        self,
        key: PrivateKey,
        user: bytes,
        peer: PublicKey,
        peer_user: bytes,
        ours: bytes,
        length: int,
    ) -> tuple[bytes, bytes]:
        """Its point and the key."""
        side = gmalg.SM2(key.scalar(), user, key.public.point)
        point, secret = side.begin_key_exchange()
        mode = gmalg.KEYXCHG_MODE.RESPONDER
        return point, side.end_key_exchange(length, secret, ours, peer_user, peer.point, mode)

    def encrypt_raw(self, key: PublicKey, text: bytes, mode: str) -> bytes:
        del mode
        return gmalg.SM2(pk=key.point).encrypt(text)

    def decrypt_raw(self, key: PrivateKey, sealed: bytes, mode: str) -> bytes:
        del mode
        try:
            return gmalg.SM2(key.scalar()).decrypt(sealed)
        except gmalg.errors.GMError as error:
            raise RefusedError(str(error)) from error
