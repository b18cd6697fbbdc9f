"""Issue B: a bundle re-signed by another CA, with its chain cut, or whose signer had expired: refused by name.

The bundles are whole otherwise; ``yw verify`` is called as a user calls it.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from asn1crypto import x509

from crypto import asn1
from crypto.bundle import write_bundle
from crypto.cms import shapes, sign_detached
from crypto.cms.signing import encode_signed
from crypto.identity import SiteIdentity
from crypto.pki import profiles
from crypto.sm2 import generate
from crypto.x509 import certificates_pem, parse_certificate
from tests.crypto.conftest import AT, make_identity
from yunwang.cli import main

SIGNED = "manifest.json.p7s"
KIND = "report"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("YW_CA", "YW_DATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "C")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("yunwang.cli.verify.RULES", {KIND: lambda _: []})


@pytest.fixture
def verify(capsys: pytest.CaptureFixture[str]):
    """Exit code, verdict and errors of ``yw verify``."""

    def run(path: Path, *anchors: SiteIdentity) -> tuple[int, dict, str]:
        Path("anchors.pem").write_bytes(certificates_pem([one.anchor for one in anchors]))
        code = main(["verify", "--ca", "anchors.pem", "-o", "json", str(path)])
        out, err = capsys.readouterr()
        return code, json.loads(out), err

    return run


def bundle(identity: SiteIdentity, created=AT) -> Path:
    return write_bundle(Path("b"), KIND, {"a.json": b"{}"}, identity, created=created, producer="test")


def test_whole_bundles_are_accepted_with_and_without_a_time_stamp(verify, identity, stamped) -> None:
    code, found, _ = verify(bundle(identity), identity)
    assert (code, found["valid"], found["trusted"], found["timestamped"]) == (0, True, True, False)
    (Path("b") / SIGNED).write_bytes(sign_detached((Path("b") / "manifest.json").read_bytes(), stamped(AT), AT))
    code, found, _ = verify(Path("b"), identity)
    assert (code, found["timestamped"], found["signed_at"]) == (0, True, "2026-11-22T03:00:00Z")


def test_another_ca_is_named(verify, identity) -> None:
    path, other = bundle(identity), make_identity("别的单位")
    (path / SIGNED).write_bytes(sign_detached((path / "manifest.json").read_bytes(), other, AT))
    code, found, err = verify(path, identity)
    assert (code, found["valid"], found["trusted"]) == (1, True, False)
    assert found["signer"] == "CN=别的单位 signing, O=别的单位, C=CN"
    assert "under CN=别的单位 CA, O=别的单位, C=CN, which is not trusted here" in err


def test_another_ca_of_the_same_name_is_refused_too(verify, identity, stranger) -> None:
    path = bundle(identity)
    (path / SIGNED).write_bytes(sign_detached((path / "manifest.json").read_bytes(), stranger, AT))
    assert verify(path, identity)[0] == 1


def cut(path: Path, keep: list[int]) -> None:
    """Leave only some certificates in the signature of a bundle."""
    found = shapes.SignedContent.load((path / SIGNED).read_bytes())["content"]
    chain = sorted(found["certificates"], key=lambda one: one.subject == one.issuer)
    kept = [[parse_certificate(chain[at].dump()) for at in keep]]
    message = encode_signed(asn1.GM_SIGNED, asn1.GM_DATA, None, kept, list(found["signers"]), version=1)
    (path / SIGNED).write_bytes(message)


def test_a_chain_cut_above_the_signer_is_named(verify, identity) -> None:
    path = bundle(identity)
    cut(path, [0])
    code, found, _ = verify(path, identity)
    assert (code, found["valid"]) == (1, False)
    assert found["problems"] == [
        {
            "path": SIGNED,
            "what": "the chain is cut: the certificate of CN=省数据局 CA, O=省数据局, C=CN, which issued "
            "CN=省数据局 signing, O=省数据局, C=CN, is missing",
        }
    ]


def test_a_chain_without_its_signer_is_refused(verify, identity) -> None:
    path = bundle(identity)
    cut(path, [1])
    code, found, _ = verify(path, identity)
    assert (code, found["valid"]) == (1, False)
    assert "the signer's certificate is missing" in found["problems"][0]["what"]


def test_a_missing_intermediate_is_named(verify) -> None:
    keys = [generate() for _ in range(3)]
    names = [x509.Name.build({"common_name": one}) for one in ("root", "middle", "signer")]
    root = profiles.root(keys[0], names[0], AT, 3650, 1)
    middle = profiles.intermediate(keys[1].public, names[1], (keys[0], root), AT, 3650, 0)
    leaf = profiles.end_entity(profiles.Profile.SIGN, keys[2].public, names[2], (keys[1], middle), AT, 365)
    whole = SiteIdentity(key=keys[2], chain=(leaf, middle, root))
    path = bundle(whole)
    assert verify(path, whole)[0] == 0
    (path / SIGNED).write_bytes(
        sign_detached((path / "manifest.json").read_bytes(), replace(whole, chain=(leaf, root)), AT)
    )
    code, found, _ = verify(path, whole)
    assert (code, found["valid"]) == (1, False)
    assert found["problems"][0]["what"] == "the certificate of CN=middle, which issued CN=signer, is missing"


def test_a_signer_expired_at_the_signing_time_is_named(verify, identity) -> None:
    path = bundle(identity, AT + timedelta(days=365 * 6))
    code, found, _ = verify(path, identity)
    assert (code, found["valid"], found["trusted"]) == (1, False, False)
    assert found["problems"] == [
        {
            "path": SIGNED,
            "what": "certificate CN=省数据局 signing, O=省数据局, C=CN was not valid at 2032-11-20T03:00:00Z",
        }
    ]


def test_a_signer_who_backdates_is_found_by_the_time_stamp(verify, authority) -> None:
    """The certificate ran out a day before; the signature states an earlier time, the authority the true one."""
    short = make_identity("省财政厅", AT - timedelta(days=365 * 5 + 1))
    stated = AT - timedelta(days=30)
    path = bundle(replace(short, stamp=authority.stamp), stated)
    code, found, _ = verify(path, short, authority.identity)
    assert (code, found["valid"]) == (1, False)
    assert "CN=省财政厅 signing, O=省财政厅, C=CN was not valid at 2026-11-22" in found["problems"][0]["what"]


def test_a_broken_time_stamp_refuses_the_bundle(verify, identity, stamped) -> None:
    path = bundle(stamped(AT))
    found = shapes.SignedContent.load((path / SIGNED).read_bytes())
    other = shapes.SignedContent.load(sign_detached(b"other", stamped(AT), AT))
    found["content"]["signers"][0]["unsigned_attrs"] = other["content"]["signers"][0]["unsigned_attrs"]
    (path / SIGNED).write_bytes(found.dump(force=True))
    code, verdict, _ = verify(path, identity)
    assert (code, verdict["valid"], verdict["problems"][0]["what"]) == (
        1,
        False,
        "the time-stamp token is for another signature",
    )
