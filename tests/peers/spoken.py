"""BouncyCastle and tjfoc/gmsm: both stand behind the same small command line of ours."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from crypto.sm2 import PrivateKey, PublicKey, generate
from crypto.x509 import Certificate
from tests.peers.base import Built, Chain, Ends, ended, line_with, talk


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

    def cms_verify(self, chain: Chain, message: bytes, data: bytes) -> None:
        self.run("cms-verify", self.file(chain.leaf), self.file(message), self.file(data))

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

    def write_list(self, revoked: Certificate) -> tuple[bytes, bytes]:
        """Anchor and list, PEM."""
        digits = f"{revoked.serial:x}"
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

    def begin_exchange(
        self, key: PrivateKey, user: bytes, peer: PublicKey, peer_user: bytes, length: int
    ) -> tuple[bytes, Callable[[bytes, bytes], tuple[bytes, bytes]]]:
        """Its point, and what turns our point and SB into the key and SA."""
        mine = generate()
        names = (str(length), user.decode(), peer_user.decode())

        def finish(ours: bytes, confirmation: bytes) -> tuple[bytes, bytes]:
            keys = (self.private(key), self.private(mine), self.public(peer), self.public(PublicKey.from_point(ours)))
            found, answer = self.run("exchange-a", *names, *keys, confirmation.hex()).split()
            return bytes.fromhex(found.decode()), bytes.fromhex(answer.decode())

        return mine.public.point, finish

    def answer_exchange(
        self, key: PrivateKey, user: bytes, peer: PublicKey, peer_user: bytes, ours: bytes, length: int
    ) -> tuple[bytes, bytes, bytes, bytes]:
        """Its point, the key, SB, and the SA that it expects."""
        mine = generate()
        names = (str(length), user.decode(), peer_user.decode())
        keys = (self.private(key), self.private(mine), self.public(peer), self.public(PublicKey.from_point(ours)))
        found = [bytes.fromhex(one.decode()) for one in self.run("exchange-b", *names, *keys).split()]
        return mine.public.point, found[0], found[1], found[2]

    def cms_sign(self, certificate: bytes, key: bytes, data: bytes) -> bytes:
        return self._made("cms-sign", self.file(key), self.file(certificate), self.file(data))

    def ask_time(self, data: bytes) -> bytes:
        return self._made("ts-query", self.file(data))

    def check_time(self, request: bytes, response: bytes, chain: Chain) -> None:
        self.run("ts-verify", self.file(request), self.file(response), self.file(chain.leaf))

    def _channel(self, role: str, ends: Ends, *more: str) -> subprocess.Popen[bytes]:
        files = (self.private(ends.key), self.file(ends.chain), self.file(ends.anchor))
        return self.start(role, *files, *more, command=self.command("Channel"))

    def call(self, ends: Ends, port: int, line: bytes) -> bytes:
        """Its client says a line of its own; what comes back is printed."""
        del line
        return talk(self._channel("client", ends, str(port)), b"")

    @contextmanager
    def listen(self, ends: Ends) -> Iterator[int]:
        with ended(self._channel("server", ends)) as process:
            yield int(line_with(process, b"listening ").split()[1])
