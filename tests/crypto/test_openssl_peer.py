"""The ``openssl`` command as an independent peer, both ways."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from asn1crypto import pem as peer_pem

from crypto.cms import sign_detached
from crypto.errors import VerificationFailed
from crypto.keys import keyfile
from crypto.sm2 import PrivateKey
from crypto.sm3 import sm3_hex
from crypto.x509 import certificates_pem
from tests.crypto.conftest import AT

pytestmark = pytest.mark.peer

ID = "distid:1234567812345678"
DATA = bytes(range(256)) * 3


@pytest.fixture
def openssl(require_peer, tmp_path: Path):
    path = require_peer("OpenSSL", "openssl", "apt-get install openssl")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([path, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False)

    (tmp_path / "data").write_bytes(DATA)
    return run


def test_it_digests_as_we_do(openssl) -> None:
    assert openssl("dgst", "-sm3", "-r", "data").stdout.split()[0] == sm3_hex(DATA)


def test_it_verifies_what_we_sign(openssl, tmp_path: Path, key: PrivateKey) -> None:
    (tmp_path / "pub.pem").write_bytes(keyfile.public_key_pem(key.public))
    (tmp_path / "sig").write_bytes(key.sign(DATA))
    verify = ["dgst", "-sm3", "-verify", "pub.pem", "-signature", "sig"]
    assert openssl(*verify, "-sigopt", ID, "data").returncode == 0
    assert openssl(*verify, "-sigopt", "distid:other", "data").returncode == 1


def test_we_verify_what_it_signs_with_a_key_of_either(openssl, tmp_path: Path, key: PrivateKey) -> None:
    assert openssl("genpkey", "-algorithm", "SM2", "-out", "theirs.pem").returncode == 0
    (tmp_path / "ours.pem").write_bytes(keyfile.private_key_pem(key, None))
    for name in ("theirs.pem", "ours.pem"):
        signed = openssl("dgst", "-sm3", "-sign", name, "-sigopt", ID, "-out", "sig", "data")
        assert signed.returncode == 0, signed.stderr
        public = keyfile.load_private_key((tmp_path / name).read_bytes(), None).public
        signature = (tmp_path / "sig").read_bytes()
        public.verify(signature, DATA)
        with pytest.raises(VerificationFailed):
            public.verify(signature, DATA + b"!")


def test_it_reads_our_keys(openssl, tmp_path: Path, key: PrivateKey) -> None:
    (tmp_path / "k.pem").write_bytes(keyfile.private_key_pem(key, None))
    (tmp_path / "p.pem").write_bytes(keyfile.public_key_pem(key.public))
    text = openssl("pkey", "-in", "k.pem", "-check", "-text", "-noout").stdout
    assert "Key is valid" in text
    assert key.scalar().hex() in re.sub(r"[\s:]", "", text)
    assert openssl("pkey", "-pubin", "-in", "p.pem", "-noout").returncode == 0


def test_it_reads_and_verifies_our_certificates(openssl, tmp_path: Path, identity, stranger) -> None:
    (tmp_path / "ca.pem").write_bytes(certificates_pem([identity.anchor]))
    (tmp_path / "stranger.pem").write_bytes(certificates_pem([stranger.anchor]))
    (tmp_path / "signer.pem").write_bytes(certificates_pem([identity.certificate]))
    text = openssl("x509", "-in", "signer.pem", "-text", "-noout").stdout
    assert "SM2-with-SM3" in text
    assert "Digital Signature, Non Repudiation" in text
    assert "CA:TRUE, pathlen:0" in openssl("x509", "-in", "ca.pem", "-text", "-noout").stdout
    at = ["-attime", str(int(AT.timestamp())), "-x509_strict", "-vfyopt", ID]
    assert openssl("verify", *at, "-CAfile", "ca.pem", "signer.pem").returncode == 0
    assert openssl("verify", *at, "-CAfile", "stranger.pem", "signer.pem").returncode != 0


def test_it_reads_our_cms_and_its_signature_holds_there(openssl, tmp_path: Path, identity) -> None:
    """OpenSSL 3.0 cannot verify SM2 inside CMS, but it parses ours, and verifies the signature over the attributes."""
    p7s = sign_detached(DATA, identity, AT, pkcs7=True)
    (tmp_path / "s.p7s").write_bytes(p7s)
    shown = openssl("cms", "-cmsout", "-print", "-inform", "DER", "-in", "s.p7s")
    assert shown.returncode == 0, shown.stderr
    assert "SM2-with-SM3" in shown.stdout
    assert "pkcs7-data" in shown.stdout
    certificates = openssl("pkcs7", "-inform", "DER", "-in", "s.p7s", "-print_certs").stdout
    found = [der for _, _, der in peer_pem.unarmor(certificates.encode(), multiple=True)]
    assert set(found) == {one.der for one in identity.chain}
    start, length = attributes(openssl("asn1parse", "-inform", "DER", "-in", "s.p7s").stdout)
    (tmp_path / "attributes").write_bytes(b"\x31" + p7s[start + 1 : start + length])
    (tmp_path / "sig").write_bytes(p7s[start + length + 12 + 2 :])
    (tmp_path / "pub.pem").write_bytes(keyfile.public_key_pem(identity.key.public))
    verify = ["dgst", "-sm3", "-verify", "pub.pem", "-signature", "sig", "-sigopt", ID, "attributes"]
    assert openssl(*verify).returncode == 0


def attributes(listing: str) -> tuple[int, int]:
    """Offset and whole length of the last [0]: the signed attributes."""
    found = re.findall(r"^ *(\d+):d=\d+ +hl=(\d) l= *(\d+) cons: cont \[ 0 \]", listing, re.MULTILINE)[-1]
    return int(found[0]), int(found[1]) + int(found[2])
