"""gmssl-pyx (GmSSL in C) and gmalg (pure Python): libraries of this environment, asked in process."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from typing import Any

from crypto import der
from crypto.sm2 import PrivateKey, PublicKey
from tests.peers.base import Missing, Peer, Refused


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
            raise Missing(f"{cls.title} is not installed ({found}); install it: pip install -r requirements-dev.lock")


class GmsslPyx(Library):
    name = "gmssl-pyx"
    title = "gmssl-pyx 2.1.0"

    def _ask(self, function: str, *arguments: Any) -> Any:
        import gmssl_pyx

        try:
            return getattr(gmssl_pyx, function)(*arguments)
        except gmssl_pyx.GmsslInnerError as error:
            raise Refused(str(error)) from error

    def digest(self, data: bytes) -> bytes:
        return self._ask("sm3_hash", data)

    def hmac(self, key: bytes, data: bytes) -> bytes:
        return self._ask("sm3_hmac", key, data)

    def sign(self, key: PrivateKey, data: bytes, id: bytes) -> bytes:  # noqa: A002
        return self._ask("sm2_sign", key.scalar(), key.public.point[1:], data, id)

    def verify(self, key: PublicKey, signature: bytes, data: bytes, id: bytes) -> None:  # noqa: A002
        if not self._ask("sm2_verify", key.point[1:], data, signature, id):
            raise Refused("invalid")

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
        import gmalg

        running = gmalg.SM3()
        running.update(data)
        return running.value()

    def sign(self, key: PrivateKey, data: bytes, id: bytes) -> bytes:  # noqa: A002
        import gmalg

        return der.signature_from_raw(b"".join(gmalg.SM2(key.scalar(), id, key.public.point).sign(data)))

    def verify(self, key: PublicKey, signature: bytes, data: bytes, id: bytes) -> None:  # noqa: A002
        import gmalg

        raw = der.signature_to_raw(signature)
        if not gmalg.SM2(uid=id, pk=key.point).verify(data, raw[:32], raw[32:]):
            raise Refused("invalid")

    def begin_exchange(
        self, key: PrivateKey, id: bytes, peer: PublicKey, peer_id: bytes, length: int  # noqa: A002
    ) -> tuple[bytes, Callable[[bytes], bytes]]:
        """Its point, and what turns ours into the key."""
        import gmalg

        side = gmalg.SM2(key.scalar(), id, key.public.point)
        point, secret = side.begin_key_exchange()
        mode = gmalg.KEYXCHG_MODE.INITIATOR
        return point, lambda ours: side.end_key_exchange(length, secret, ours, peer_id, peer.point, mode)

    def answer_exchange(
        self, key: PrivateKey, id: bytes, peer: PublicKey, peer_id: bytes, ours: bytes, length: int  # noqa: A002
    ) -> tuple[bytes, bytes]:
        """Its point and the key."""
        import gmalg

        side = gmalg.SM2(key.scalar(), id, key.public.point)
        point, secret = side.begin_key_exchange()
        mode = gmalg.KEYXCHG_MODE.RESPONDER
        return point, side.end_key_exchange(length, secret, ours, peer_id, peer.point, mode)

    def encrypt_raw(self, key: PublicKey, text: bytes, mode: str) -> bytes:
        import gmalg

        del mode
        return gmalg.SM2(pk=key.point).encrypt(text)

    def decrypt_raw(self, key: PrivateKey, sealed: bytes, mode: str) -> bytes:
        import gmalg

        del mode
        try:
            return gmalg.SM2(key.scalar()).decrypt(sealed)
        except gmalg.errors.GMError as error:
            raise Refused(str(error)) from error
