"""GmSSL 3.1.1, the command."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from crypto import pem
from crypto.keys import keyfile
from crypto.sm2 import PrivateKey, PublicKey
from crypto.x509 import Certificate, certificates_pem
from records.secret import Secret
from tests.peers.base import Built, Chain, Ends, RefusedError, ended, listens, talk
from tests.running import free_port, wait_until

PASS = "correct horse"
PLAIN = b"""openssl_conf = all
[all]
ssl_conf = tls
[tls]
system_default = plain
[plain]
Options = -MiddleboxCompat
NumTickets = 0
"""


class GmSsl(Built):
    """It opens private keys only where they are sealed."""

    name = "gmssl"
    title = "GmSSL 3.1.1"

    def command(self) -> Sequence[str]:
        return [str(self.folder() / "bin" / "gmssl")]

    def _made(self, *arguments: str) -> bytes:
        out = self.file()
        self.run(*arguments, "-out", out)
        return self.read(out)

    def private(self, key: PrivateKey) -> str:
        return self.file(keyfile.private_key_pem(key, Secret(PASS), rounds=1000), ".key")

    def digest(self, data: bytes) -> bytes:
        return bytes.fromhex(self.run("sm3", "-hex", "-in", self.file(data)).decode())

    def hmac(self, key: bytes, data: bytes) -> bytes:
        return bytes.fromhex(self.run("sm3hmac", "-key", key.hex(), "-hex", "-in", self.file(data)).decode())

    def sign(self, key: PrivateKey, data: bytes, id: bytes) -> bytes:  # noqa: A002
        options = ("-key", self.private(key), "-pass", PASS, "-id", id.decode(), "-in", self.file(data))
        return self._made("sm2sign", *options)

    def verify(self, key: PublicKey, signature: bytes, data: bytes, id: bytes) -> None:  # noqa: A002
        options = (
            "-pubkey",
            self.public(key),
            "-id",
            id.decode(),
            "-in",
            self.file(data),
            "-sig",
            self.file(signature),
        )
        self._held(self.run("sm2verify", *options))

    def _held(self, told: bytes) -> None:
        if b"success" not in told:
            raise RefusedError(told.decode())

    def encrypt(self, key: PublicKey, text: bytes) -> bytes:
        return self._made("sm2encrypt", "-pubkey", self.public(key), "-in", self.file(text))

    def decrypt(self, key: PrivateKey, sealed: bytes) -> bytes:
        return self._made("sm2decrypt", "-key", self.private(key), "-pass", PASS, "-in", self.file(sealed))

    def gcm_seal(self, key: bytes, nonce: bytes, more: bytes, text: bytes) -> bytes:
        return self._gcm("-encrypt", key, nonce, more, text)

    def gcm_open(self, key: bytes, nonce: bytes, more: bytes, sealed: bytes) -> bytes:
        return self._gcm("-decrypt", key, nonce, more, sealed)

    def _gcm(self, way: str, key: bytes, nonce: bytes, more: bytes, data: bytes) -> bytes:
        options = ("-key", key.hex(), "-iv", nonce.hex(), "-aad_hex", more.hex(), "-in", self.file(data))
        return self._made("sm4", "-gcm", way, *options)

    def read_sealed_key(self, sealed: bytes, passphrase: str, data: bytes) -> bytes:
        return self._made("sm2sign", "-key", self.file(sealed), "-pass", passphrase, "-in", self.file(data))

    def write_sealed_key(self, passphrase: str) -> bytes:
        return self._made("sm2keygen", "-pass", passphrase, "-pubout", self.file())

    def verify_chain(self, chain: Chain) -> None:
        self._held(
            self.run(
                "certverify",
                "-in",
                self.file(b"".join((chain.leaf, *chain.between))),
                "-cacert",
                self.file(chain.anchor),
            )
        )

    def issue_chain(self) -> Chain:
        anchor, top = self._root()
        middle_key, leaf_key = self._key(), self._key()
        middle = self._issue(
            "middle", middle_key, (anchor, top), "-ca", "-path_len_constraint", "0", "-key_usage", "keyCertSign"
        )
        leaf = self._issue("leaf", leaf_key, (middle, middle_key), "-key_usage", "digitalSignature")
        return Chain(self.read(anchor), (self.read(middle),), self.read(leaf), self.read(leaf_key))

    def _key(self) -> str:
        return self.file(self.write_sealed_key(PASS))

    def _root(self) -> tuple[str, str]:
        key, out = self._key(), self.file()
        name = ("-C", "CN", "-O", "peer", "-CN", "root", "-serial_len", "12", "-days", "30")
        uses = (
            "-key_usage",
            "keyCertSign",
            "-key_usage",
            "cRLSign",
            "-ca",
            "-path_len_constraint",
            "1",
            "-gen_subject_key_id",
        )
        self.run("certgen", *name, *uses, "-key", key, "-pass", PASS, "-out", out)
        return out, key

    def _request(self, name: str, key: str) -> str:
        return self.file(self._made("reqgen", "-C", "CN", "-O", "peer", "-CN", name, "-key", key, "-pass", PASS))

    def _issue(self, name: str, key: str, issuer: tuple[str, str], *more: str) -> str:
        by = ("-cacert", issuer[0], "-key", issuer[1], "-pass", PASS, "-serial_len", "12", "-days", "20")
        return self.file(self._made("reqsign", "-in", self._request(name, key), *by, *more))

    def read_request(self, request: bytes) -> None:
        """Its CA checks the signature before it issues."""
        anchor, key = self._root()
        by = ("-cacert", anchor, "-key", key, "-pass", PASS, "-serial_len", "12", "-days", "20")
        self._made("reqsign", "-in", self.file(request), *by)

    def write_request(self) -> bytes:
        return self.read(self._request("request", self._key()))

    def read_list(self, anchor: bytes, text: bytes) -> set[int]:
        body = self.file(pem.blocks(text)[0][1])
        self._held(self.run("crlverify", "-in", body, "-cacert", self.file(anchor)))
        shown = self.run("crlparse", "-in", body)
        return {int(one, 16) for one in re.findall(rb"userCertificate: ([0-9A-F]+)", shown)}

    def cms_sign(self, certificate: bytes, key: bytes, data: bytes) -> bytes:
        by = ("-key", self.file(key), "-pass", PASS, "-cert", self.file(certificate))
        return pem.blocks(self._made("cmssign", *by, "-in", self.file(data)))[0][1]

    def cms_verify(self, chain: Chain, message: bytes, data: bytes) -> None:
        del chain  # it checks the signature with the certificate inside, and no chain
        inside = self.file()
        told = self.run("cmsverify", "-in", self.file(pem.encode("CMS", message)), "-out", inside)
        self._held(told)
        if self.read(inside) != data:
            raise RefusedError("other content")

    def write_list(self, revoked: Certificate) -> tuple[bytes, bytes]:
        """Anchor and list, PEM."""
        entry = self._made("certrevoke", "-in", self.file(certificates_pem([revoked])), "-reason", "keyCompromise")
        anchor, key = self._root()
        by = ("-cacert", anchor, "-key", key, "-pass", PASS, "-gen_authority_key_id", "-crl_num", "1")
        made = self._made("crlgen", "-in", self.file(entry), *by, "-next_update", "20400101000000Z")
        return self.read(anchor), pem.encode("X509 CRL", made)

    def cms_encrypt(self, certificate: bytes, data: bytes) -> bytes:
        return pem.blocks(self._made("cmsencrypt", "-rcptcert", self.file(certificate), "-in", self.file(data)))[0][1]

    def cms_decrypt(self, certificate: bytes, key: PrivateKey, message: bytes) -> bytes:
        by = ("-key", self.private(key), "-pass", PASS, "-cert", self.file(certificate))
        return self._made("cmsdecrypt", *by, "-in", self.file(pem.encode("CMS", message)))

    def asks_of_us(self) -> dict[str, str]:
        """Its TLS 1.3 knows neither middlebox compatibility (RFC 8446 appendix D.4) nor session tickets."""
        return {"OPENSSL_CONF": self.file(PLAIN)}

    def _channel(self, role: str, ends: Ends, *more: str) -> subprocess.Popen[bytes]:
        own = ("-cert", self.file(ends.chain), "-key", self.private(ends.key), "-pass", PASS)
        return self.start(role, *more, *own, "-cacert", self.file(ends.anchor))

    def call(self, ends: Ends, port: int, line: bytes) -> bytes:
        return talk(self._channel("tls13_client", ends, "-host", "127.0.0.1", "-port", str(port)), line, line.strip())

    @contextmanager
    def listen(self, ends: Ends) -> Iterator[int]:
        """It echoes."""
        port = free_port()
        with ended(self._channel("tls13_server", ends, "-port", str(port))) as process:
            wait_until(lambda: process.poll() is not None or listens(port), 20, "tls13_server listens")
            yield port
