"""BouncyCastle and tjfoc/gmsm: both stand behind the same small command line of ours."""

from __future__ import annotations

from collections.abc import Sequence

from crypto.sm2 import PrivateKey, PublicKey
from tests.peers.base import Built, Chain


class Spoken(Built):
    """COMMAND FILE…"""

    def digest(self, data: bytes) -> bytes:
        return bytes.fromhex(self.run("digest", self.file(data)).decode())

    def hmac(self, key: bytes, data: bytes) -> bytes:
        return bytes.fromhex(self.run("hmac", key.hex(), self.file(data)).decode())

    def _made(self, *arguments: str) -> bytes:
        out = self.file()
        self.run(*arguments, out)
        return self.read(out)

    def sign(self, key: PrivateKey, data: bytes, id: bytes) -> bytes:  # noqa: A002
        return self._made("sign", self.private(key), id.decode(), self.file(data))

    def verify(self, key: PublicKey, signature: bytes, data: bytes, id: bytes) -> None:  # noqa: A002
        self.run("verify", self.public(key), id.decode(), self.file(signature), self.file(data))

    def encrypt_raw(self, key: PublicKey, text: bytes, mode: str) -> bytes:
        return self._made("encrypt", mode, self.public(key), self.file(text))

    def decrypt_raw(self, key: PrivateKey, sealed: bytes, mode: str) -> bytes:
        return self._made("decrypt", mode, self.private(key), self.file(sealed))

    def read_key(self, pem: bytes, data: bytes) -> bytes:
        return self._made("sign", self.file(pem), "1234567812345678", self.file(data))

    def write_key(self) -> bytes:
        return self._made("key-write")

    def verify_chain(self, chain: Chain) -> None:
        self.run("chain-verify", *(self.file(one) for one in (chain.anchor, chain.leaf, *chain.between)))

    def issue_chain(self) -> Chain:
        self.run("chain-issue", str(self.work))
        parts = {name: (self.work / name).read_bytes() for name in ("ca.pem", "middle.pem", "leaf.pem", "leaf.key")}
        return Chain(parts["ca.pem"], (parts["middle.pem"],), parts["leaf.pem"], parts["leaf.key"])

    def read_request(self, pem: bytes) -> None:
        self.run("csr-read", self.file(pem))

    def write_request(self) -> bytes:
        out = self.file()
        self.run("csr-write", out, self.file())
        return self.read(out)

    def read_list(self, anchor: bytes, pem: bytes) -> set[int]:
        return {int(one, 16) for one in self.run("crl-read", self.file(anchor), self.file(pem)).split()}

    def write_list(self, serial: int) -> tuple[bytes, bytes]:
        """Anchor and list, PEM."""
        digits = f"{serial:x}"
        self.run("crl-write", str(self.work), digits.zfill(len(digits) + len(digits) % 2))
        return (self.work / "ca.pem").read_bytes(), (self.work / "list.pem").read_bytes()


class GmSm(Spoken):
    name = "gmtls"
    title = "tjfoc/gmsm 1.4.1"

    def command(self) -> Sequence[str]:
        return [str(self.folder() / "bin" / "gmtls")]

    def encrypt(self, key: PublicKey, text: bytes) -> bytes:
        return self.encrypt_raw(key, text, "der")

    def decrypt(self, key: PrivateKey, sealed: bytes) -> bytes:
        return self.decrypt_raw(key, sealed, "der")


class BouncyCastle(Spoken):
    name = "bouncycastle"
    title = "BouncyCastle 1.84"

    def command(self, program: str = "Peer") -> Sequence[str]:
        folder = self.folder()
        return ["java", "-XX:TieredStopAtLevel=1", "-cp", f"{folder / 'classes'}:{folder / 'jars'}/*", program]

    def gcm_seal(self, key: bytes, nonce: bytes, more: bytes, text: bytes) -> bytes:
        return self._made("gcm-seal", key.hex(), nonce.hex(), more.hex(), self.file(text))

    def gcm_open(self, key: bytes, nonce: bytes, more: bytes, sealed: bytes) -> bytes:
        return self._made("gcm-open", key.hex(), nonce.hex(), more.hex(), self.file(sealed))
