"""The same by the verbs of CONTRACT §8: what ``yw crypto`` writes the peers read, what they write it reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from crypto.keys import keyfile
from crypto.sm2 import PrivateKey
from crypto.x509 import load_certificates
from records.secret import Secret
from tests.contract.warm import Server, WarmPlatform
from tests.crypto.interop.cells import PEERS
from tests.peers.base import Chain

PROGRAMS = [pytest.param(one, id=one.name) for one in PEERS if hasattr(one, "issue_chain")]
with_each = pytest.mark.parametrize("peer", PROGRAMS, indirect=True)
pytestmark = pytest.mark.peer
TEXT = "按实结算\r\n".encode()


@dataclass
class Lab:
    """A machine without a data folder, with a CA, a signer, a recipient and one of everything that verbs write."""

    platform: WarmPlatform
    at: Path

    def yw(self, *arguments: str, code: int = 0) -> Any:
        return self.platform.json("crypto", *arguments, code=code)

    def file(self, name: str, data: bytes | None = None) -> str:
        if data is not None:
            (self.at / name).write_bytes(data)
        return str(self.at / name)

    def read(self, name: str) -> bytes:
        return (self.at / name).read_bytes()

    def key(self, name: str) -> PrivateKey:
        passphrase = (self.at / "passphrase").read_text()
        return keyfile.load_private_key(self.read(name), Secret(passphrase))

    def issue(self, name: str, profile: str) -> None:
        key, request = self.file(f"{name}.key"), self.file(f"{name}.csr")
        self.yw("keygen", "--out", key, "--pub", self.file(f"{name}.pub"))
        self.yw("csr", "--key", key, "--subject", f"CN={name}", "--name", "localhost", "--out", request)
        issued = ("--dir", self.file("ca"), "--profile", profile, "--out", self.file(f"{name}.pem"))
        self.yw("ca", "issue", request, *issued)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with Server() as server:
        platform = WarmPlatform(tmp_path_factory.mktemp("verbs") / "none", server=server)
        one = Lab(platform, platform.data.parent)
        one.yw("ca", "init", "--dir", one.file("ca"), "--subject", "CN=lab,O=peer,C=CN")
        for name, profile in (("signer", "sign"), ("reader", "enc"), ("gone", "server")):
            one.issue(name, profile)
        one.yw("ca", "revoke", "--dir", one.file("ca"), "--cert", one.file("gone.pem"), "--reason", "key_compromise")
        one.yw("ca", "crl", "--dir", one.file("ca"), "--out", one.file("list.pem"))
        _messages(one)
        yield one


def _messages(one: Lab) -> None:
    data, sealed = one.file("data", TEXT), ("--cert", one.file("reader.pem"))
    by = ("--key", one.file("signer.key"))
    one.yw("sign", *by, "--id", "alice", "--out", one.file("data.sig"), data)
    one.yw("encrypt", *sealed, "--mode", "der", "--in", data, "--out", one.file("data.enc"))
    by += ("--cert", one.file("signer.pem"))
    one.yw("cms", "sign", *by, "--oids", "pkcs7", "--out", one.file("pkcs7"), data)
    one.yw("cms", "sign", *by, "--for", "gmssl", "--out", one.file("gmssl"), data)
    one.yw("cms", "encrypt", *sealed, "--for", "gmssl", "--out", one.file("sealed"), data)


def _leaf(lab: Lab, name: str) -> Chain:
    whole = lab.read(f"{name}.pem").partition(b"-----END CERTIFICATE-----\n")
    return Chain(lab.read("ca/ca.pem"), (), whole[0] + whole[1])


@with_each
def test_they_read_what_the_verbs_write(peer: Any, lab: Lab) -> None:
    signer, reader = lab.key("signer.key"), lab.key("reader.key")
    peer.verify(signer.public, lab.read("data.sig"), TEXT, b"alice")
    peer.verify_chain(_leaf(lab, "signer"))
    peer.read_request(lab.read("signer.csr"))
    if hasattr(peer, "decrypt"):
        assert peer.decrypt(reader, lab.read("data.enc")) == TEXT
    if hasattr(peer, "read_list"):
        gone = load_certificates(lab.read("gone.pem"))[0].serial
        assert peer.read_list(lab.read("ca/ca.pem"), lab.read("list.pem")) == {gone}
    _they_read_messages(peer, lab, reader)


def _they_read_messages(peer: Any, lab: Lab, reader: PrivateKey) -> None:
    if hasattr(peer, "cms_verify"):
        peer.cms_verify(_leaf(lab, "signer"), lab.read("gmssl" if peer.name == "gmssl" else "pkcs7"), TEXT)
    if hasattr(peer, "cms_decrypt"):
        assert peer.cms_decrypt(_leaf(lab, "reader").leaf, reader, lab.read("sealed")) == TEXT


@with_each
def test_the_verbs_read_what_they_write(peer: Any, lab: Lab) -> None:
    signer = lab.key("signer.key")
    sig = lab.file("theirs.sig", peer.sign(signer, TEXT, b"bob"))
    verify = ("verify", "--cert", lab.file("signer.pem"), "--sig", sig, lab.file("data"))
    assert lab.yw(*verify, "--id", "bob") == {"valid": True}
    assert lab.yw(*verify, "--id", "alice", code=1) == {"valid": False}
    _the_verbs_read_certificates(peer, lab)
    if hasattr(peer, "encrypt"):
        sealed = lab.file("theirs.enc", peer.encrypt(lab.key("reader.key").public, TEXT))
        opened = ("--in", sealed, "--out", lab.file(f"opened.{peer.name}"))
        lab.yw("decrypt", "--key", lab.file("reader.key"), "--mode", "der", *opened)
        assert lab.read(f"opened.{peer.name}") == TEXT


def _the_verbs_read_certificates(peer: Any, lab: Lab) -> None:
    chain = peer.issue_chain()
    whole = lab.file("theirs.pem", b"".join((chain.leaf, *chain.between)))
    anchor = lab.file("theirs.ca", chain.anchor)
    found = lab.yw("cert", "verify", "--ca", anchor, whole)
    assert (found["valid"], found["trusted"], len(found["chain"])) == (True, True, 3)
    assert lab.yw("cert", "verify", "--ca", lab.file("ca/ca.pem"), whole, code=1)["trusted"] is False
    issued = lab.file(f"issued.{peer.name}")
    request = lab.file("theirs.csr", peer.write_request())
    lab.yw("ca", "issue", request, "--dir", lab.file("ca"), "--profile", "client", "--out", issued)
    if hasattr(peer, "cms_sign"):
        message = lab.file("theirs.p7", peer.cms_sign(chain.leaf, chain.key, TEXT))
        middle = lab.file("theirs.middle", chain.between[0])
        found = lab.yw("cms", "verify", "--ca", middle, message)
        assert (found["valid"], found["trusted"]) == (True, True)
    if hasattr(peer, "cms_encrypt"):
        sealed = lab.file("theirs.sealed", peer.cms_encrypt(_leaf(lab, "reader").leaf, TEXT))
        by = ("--key", lab.file("reader.key"), "--cert", lab.file("reader.pem"))
        lab.yw("cms", "decrypt", *by, "--out", lab.file("unsealed"), sealed)
        assert lab.read("unsealed") == TEXT


@pytest.mark.parametrize("peer", [one for one in PROGRAMS if hasattr(one.values[0], "give_time")], indirect=True)
def test_the_verbs_ask_and_verify_their_time(peer: Any, lab: Lab) -> None:
    lab.yw("tsa", "query", "--out", lab.file("question"), lab.file("data"))
    anchor, response = peer.give_time(lab.read("question"))
    token, ca = lab.file("answer", response), lab.file("time.ca", anchor)
    verify = ("tsa", "verify", "--ca", ca, "--token", token)
    found = lab.yw(*verify, "--request", lab.file("question"), lab.file("data"))
    assert (found["valid"], found["trusted"]) == (True, True)
    assert lab.yw(*verify, lab.file("signer.pem"), code=1)["valid"] is False
