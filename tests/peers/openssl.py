"""The ``openssl`` command in three makes: the system's 3.0, OpenSSL 4, Tongsuo."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

from asn1crypto import tsp

from crypto.sm2 import PrivateKey, PublicKey
from crypto.x509 import Certificate, load_certificates
from tests.peers.base import Built, Chain, Ends, MissingError, Program, RefusedError, ended, listens, talk
from tests.running import free_port, wait_until

ID = "1234567812345678"
CONFIGURATION = """[req]
distinguished_name = name
[name]
[ca]
default_ca = own
[own]
database = index.txt
crlnumber = crlnumber
default_md = sm3
default_crl_days = 7
[authority]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[end]
keyUsage = critical,digitalSignature
[stamper]
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
[tsa]
default_tsa = clock
[clock]
serial = tsaserial
digests = sm3
default_policy = 1.2.3.4
signer_digest = sm3
ess_cert_id_alg = sm3
"""


def _imprint(found: Any) -> tuple[str, bytes]:
    imprint = found["message_imprint"]
    return imprint["hash_algorithm"]["algorithm"].dotted, imprint["hashed_message"].native


class OpenSsl(Program):
    """What all three offer. The user id is always named: before 4.0 it is empty if it is not."""

    def __init__(self, work: Path) -> None:
        super().__init__(work)
        (work / "openssl.cnf").write_text(CONFIGURATION)

    def environment(self) -> dict[str, str]:
        return super().environment() | {"OPENSSL_CONF": str(self.work / "openssl.cnf")}

    def _made(self, *arguments: str) -> bytes:
        out = self.file()
        self.run(*arguments, "-out", out)
        return self.read(out)

    def digest(self, data: bytes) -> bytes:
        return self.run("dgst", "-sm3", "-binary", self.file(data))

    def hmac(self, key: bytes, data: bytes) -> bytes:
        options = ("-digest", "SM3", "-macopt", f"hexkey:{key.hex()}", "-in", self.file(data), "HMAC")
        return bytes.fromhex(self.run("mac", *options).decode())

    def sign(self, key: PrivateKey, data: bytes, id: bytes) -> bytes:  # noqa: A002
        return self._sign(self.private(key), data, id)

    def _sign(self, key: str, data: bytes, id: bytes) -> bytes:  # noqa: A002
        out = self.file()
        self.run("dgst", "-sm3", "-sign", key, "-sigopt", f"distid:{id.decode()}", "-out", out, self.file(data))
        return self.read(out)

    def verify(self, key: PublicKey, signature: bytes, data: bytes, id: bytes) -> None:  # noqa: A002
        options = ("-verify", self.public(key), "-signature", self.file(signature), "-sigopt", f"distid:{id.decode()}")
        self.run("dgst", "-sm3", *options, self.file(data))

    def encrypt(self, key: PublicKey, text: bytes) -> bytes:
        return self._made("pkeyutl", "-encrypt", "-pubin", "-inkey", self.public(key), "-in", self.file(text))

    def decrypt(self, key: PrivateKey, sealed: bytes) -> bytes:
        return self._made("pkeyutl", "-decrypt", "-inkey", self.private(key), "-in", self.file(sealed))

    def read_key(self, pem: bytes, data: bytes) -> bytes:
        return self._sign(self.file(pem), data, ID.encode())

    def write_key(self) -> bytes:
        return self._made("genpkey", "-algorithm", "SM2")

    def verify_chain(self, chain: Chain) -> None:
        between = ["-untrusted", self.file(b"".join(chain.between))] if chain.between else []
        options = ("-x509_strict", "-vfyopt", f"distid:{ID}", "-CAfile", self.file(chain.anchor))
        self.run("verify", *options, *between, self.file(chain.leaf))

    def _issue(self, name: str, section: str, issuer: tuple[str, str] | None) -> tuple[str, str]:
        """Files of certificate and key."""
        key, request = self.file(self.write_key()), self.file()
        subject = ("-subj", f"/C=CN/O=peer/CN={name}", "-sm3", "-sigopt", f"distid:{ID}")
        made = self.file()
        if issuer is None:
            self.run("req", "-x509", "-new", "-key", key, *subject, "-extensions", section, "-days", "30", "-out", made)
            return made, key
        self.run("req", "-new", "-key", key, *subject, "-out", request)
        by = ("-CA", issuer[0], "-CAkey", issuer[1], "-sm3", "-sigopt", f"distid:{ID}", "-vfyopt", f"distid:{ID}")
        more = ("-extfile", str(self.work / "openssl.cnf"), "-extensions", section, "-CAcreateserial", "-days", "20")
        self.run("x509", "-req", "-in", request, *by, *more, "-out", made)
        return made, key

    def issue_chain(self, section: str = "end") -> Chain:
        root = self._issue("root", "authority", None)
        middle = self._issue("middle", "authority", root)
        leaf, key = self._issue("leaf", section, middle)
        return Chain(self.read(root[0]), (self.read(middle[0]),), self.read(leaf), self.read(key))

    def read_request(self, pem: bytes) -> None:
        told = self.run("req", "-in", self.file(pem), "-verify", "-vfyopt", f"distid:{ID}", "-noout", errors=True)
        if b"OK" not in told:  # 3.0 tells a wrong signature and exits 0
            raise RefusedError(told.decode())

    def write_request(self) -> bytes:
        key = self.file(self.write_key())
        subject = ("-subj", "/C=CN/O=peer/CN=request", "-sm3", "-sigopt", f"distid:{ID}")
        return self._made("req", "-new", "-key", key, *subject)

    def write_list(self, revoked: Certificate) -> tuple[bytes, bytes]:
        """Anchor and list, PEM."""
        certificate, key = self._issue("root", "authority", None)
        digits = f"{revoked.serial:X}"
        line = f"R\t400101000000Z\t250101000000Z,keyCompromise\t{digits.zfill(len(digits) + len(digits) % 2)}\tunknown\t/CN=x\n"
        (self.work / "index.txt").write_text(line)
        (self.work / "crlnumber").write_text("01\n")
        options = ("-cert", certificate, "-keyfile", key, "-sigopt", f"distid:{ID}")
        return self.read(certificate), self._made("ca", "-gencrl", *options)

    def ask_time(self, data: bytes) -> bytes:
        return self._made("ts", "-query", "-data", self.file(data), "-sm3", "-cert")


class System(OpenSsl):
    """Debian 12's; elsewhere the column stays as it is."""

    name = "openssl"
    title = "OpenSSL 3.0"

    @classmethod
    def find(cls) -> None:
        path = shutil.which("openssl", path="/usr/bin:/bin")
        found = subprocess.run([path, "version"], capture_output=True, text=True, check=True).stdout if path else "none"
        if not found.startswith(f"{cls.title}."):
            raise MissingError(f"{cls.title} is not here ({found.strip()}); install it: apt-get install openssl")

    def command(self) -> Sequence[str]:
        return ["/usr/bin/openssl"]

    def verify_chain(self, chain: Chain) -> None:
        """Link by link: 3.0 knows the user id of the first certificate only."""
        path = [chain.leaf, *chain.between, chain.anchor]
        for one, issuer in pairwise(path):
            options = ("-x509_strict", "-partial_chain", "-vfyopt", f"distid:{ID}", "-CAfile", self.file(issuer))
            self.run("verify", *options, self.file(one))


class Modern(OpenSsl, Built):
    """What 3.0 cannot: SM2 in revocation lists, OCSP, CMS and time stamps, sealed keys, RFC 8998."""

    def command(self) -> Sequence[str]:
        return [str(self.folder() / "bin" / "openssl")]

    def read_list(self, anchor: bytes, pem: bytes) -> set[int]:
        shown = self.run(
            "crl", "-in", self.file(pem), "-CAfile", self.file(anchor), "-verify", "-noout", "-text", errors=True
        )
        if b"verify OK" not in shown:
            raise RefusedError(shown.decode())
        return {int(one, 16) for one in re.findall(rb"Serial Number: ([0-9A-F]+)", shown)}

    def cms_sign(self, certificate: bytes, key: bytes, data: bytes) -> bytes:
        by = ("-signer", self.file(certificate), "-inkey", self.file(key), "-md", "sm3")
        return self._made("cms", "-sign", "-binary", "-nodetach", "-outform", "DER", *by, "-in", self.file(data))

    def cms_verify(self, chain: Chain, message: bytes, data: bytes) -> None:
        options = ("-inform", "DER", "-binary", "-purpose", "any", "-CAfile", self.file(chain.anchor))
        inside = self._made("cms", "-verify", *options, "-in", self.file(message), "-content", self.file(data))
        if inside != data:
            raise RefusedError("other content")

    def read_sealed_key(self, sealed: bytes, passphrase: str, data: bytes) -> bytes:
        plain = self._made("pkey", "-in", self.file(sealed), "-passin", f"pass:{passphrase}")
        return self.read_key(plain, data)

    def write_sealed_key(self, passphrase: str) -> bytes:
        under = ("-v2", "sm4-cbc", "-v2prf", "hmacWithSM3", "-passout", f"pass:{passphrase}")
        return self._made("pkcs8", "-topk8", "-in", self.file(self.write_key()), *under)

    def check_time(self, request: bytes, response: bytes, chain: Chain) -> None:
        """By ``cms``, for ``ts -verify`` leaves out Z and refuses SM2 tokens of its own make as well."""
        token, stated = self.file(), self.file()
        self.run("ts", "-reply", "-in", self.file(response), "-token_out", "-out", token)
        purpose = ("-purpose", "timestampsign", "-CAfile", self.file(chain.anchor))
        self.run("cms", "-verify", "-inform", "DER", "-binary", *purpose, "-in", token, "-out", stated)
        asked, told = tsp.TimeStampReq.load(request), tsp.TSTInfo.load(self.read(stated))
        if (_imprint(asked), asked["nonce"].native) != (_imprint(told), told["nonce"].native):
            raise RefusedError("an answer to another question")

    def check_status(self, certificate: bytes, issuer: bytes, answer: Callable[[bytes], bytes]) -> str:
        """Ask about a certificate, ``answer`` is the responder; what its answer says."""
        of, request = ("-issuer", self.file(issuer), "-sm3", "-cert", self.file(certificate)), self.file()
        self.run("ocsp", *of, "-reqout", request)
        response = self.file(answer(self.read(request)))
        told = self.run("ocsp", *of, "-no_nonce", "-respin", response, "-CAfile", self.file(issuer), errors=True)
        found = re.search(rb": (good|revoked|unknown)", told)
        if b"Response verify OK" not in told or found is None:
            raise RefusedError(told.decode())
        return found[1].decode()

    def respond(self, *, revoked: bool) -> tuple[bytes, bytes, Callable[[bytes], bytes]]:
        """Issuer, a certificate of it, and what answers a request about it."""
        root = self._issue("root", "authority", None)
        leaf = self.read(self._issue("leaf", "end", root)[0])
        serial = f"{load_certificates(leaf)[0].serial:X}"
        state = "R\t400101000000Z\t250101000000Z,keyCompromise" if revoked else "V\t400101000000Z\t"
        index = self.file(f"{state}\t{serial.zfill(len(serial) + len(serial) % 2)}\tunknown\t/CN=x\n".encode())

        def answer(request: bytes) -> bytes:
            out = self.file()
            by = ("-CA", root[0], "-rsigner", root[0], "-rkey", root[1], "-rmd", "sm3", "-ndays", "1")
            self.run("ocsp", "-index", index, *by, "-reqin", self.file(request), "-respout", out)
            return self.read(out)

        return self.read(root[0]), leaf, answer

    def _channel(self, role: str, ends: Ends, *more: str) -> subprocess.Popen[bytes]:
        """RFC 8998 and nothing else, the other end's certificate asked for and checked."""
        only = ("-tls1_3", "-ciphersuites", "TLS_SM4_GCM_SM3", "-groups", "curveSM2", "-sigalgs", "sm2sig_sm3")
        leaf, rest = self.file(ends.chain), self.file(ends.chain[ends.chain.index(b"-----END") :])
        own = ("-cert", leaf, "-cert_chain", rest, "-key", self.private(ends.key), "-CAfile", self.file(ends.anchor))
        return self.start(role, *only, *own, "-verify_return_error", "-quiet", *more)

    def call(self, ends: Ends, port: int, line: bytes) -> bytes:
        to = ("-connect", f"127.0.0.1:{port}", "-servername", "localhost", "-verify_hostname", "localhost")
        return talk(self._channel("s_client", ends, *to), line)

    @contextmanager
    def listen(self, ends: Ends) -> Iterator[int]:
        """It answers each line turned round."""
        port = free_port()
        more = ("-accept", f"127.0.0.1:{port}", "-Verify", "4", "-rev")
        with ended(self._channel("s_server", ends, *more)) as process:
            wait_until(lambda: process.poll() is not None or listens(port), 20, "s_server listens")
            yield port


class OpenSsl4(Modern):
    name = "openssl4"
    title = "OpenSSL 4.0.3"


class Tongsuo(Modern):
    name = "tongsuo"
    title = "Tongsuo 8.5.0"

    def give_time(self, request: bytes) -> tuple[bytes, bytes]:
        """Anchor and response."""
        chain = self.issue_chain("stamper")
        (self.work / "tsaserial").write_text("01\n")
        by = ("-signer", self.file(chain.leaf), "-inkey", self.file(chain.key), "-chain", self.file(chain.between[0]))
        return chain.anchor, self._made("ts", "-reply", "-queryfile", self.file(request), *by)
