"""CONTRACT §8: ``yw crypto ca``, ``csr``, ``cert`` and ``keys``."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from tests.contract.conftest import MakePlatform
from tests.running import Platform


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, make_platform: MakePlatform) -> Platform:
    """A machine with a CA, a key and a request; no data folder."""
    one = make_platform(tmp_path_factory.mktemp("pki") / "none")
    at = one.data.parent
    made = one.json("crypto", "ca", "init", "--dir", str(at / "ca"), "--subject", "CN=lab,O=省数据局,C=CN")
    assert (made["subject"], made["issuer"], made["applied"]) == (*["CN=lab, O=省数据局, C=CN"] * 2, True)
    one.json("crypto", "keygen", "--out", str(at / "K.pem"))
    asked = one.json(
        "crypto",
        "csr",
        "--key",
        str(at / "K.pem"),
        "--subject",
        "CN=web",
        "--name",
        "web.cn",
        "--out",
        str(at / "r.csr"),
    )
    assert (asked["subject"], asked["names"]) == ("CN=web", ["web.cn"])
    return one


@pytest.fixture(scope="module")
def certificate(lab: Platform) -> str:
    out = path(lab, "web.pem")
    made = lab.json(
        "crypto", "ca", "issue", path(lab, "r.csr"), "--dir", path(lab, "ca"), "--profile", "server", "--out", out
    )
    assert (made["certificate"], made["names"], made["applied"]) == (out, ["web.cn"], True)
    return out


def path(platform: Platform, name: str) -> str:
    return str(platform.data.parent / name)


def check(lab: Platform, certificate: str, *more: str, code: int = 0) -> str | None:
    found = lab.json("crypto", "cert", "verify", "--ca", path(lab, "ca/ca.pem"), *more, certificate, code=code)
    assert found["valid"] is (code == 0)
    return found["why"]


def test_a_certificate_holds_for_its_use_and_name_only(lab: Platform, certificate: str) -> None:
    assert check(lab, certificate, "--use", "server", "--host", "web.cn") is None
    assert check(lab, certificate, "--use", "client", code=1) == "WrongUsage"
    assert check(lab, certificate, "--host", "other.cn", code=1) == "NameMismatch"
    assert check(lab, certificate, "--at", "2099-01-01T00:00:00Z", code=1) == "CertificateExpired"


def test_revocation_by_list(lab: Platform, certificate: str) -> None:
    ca, crl = ("--dir", path(lab, "ca")), path(lab, "ca.crl")
    first = lab.json("crypto", "ca", "crl", *ca, "--out", crl)
    assert (first["number"], first["revoked"], check(lab, certificate, "--crl", crl)) == (1, 0, None)

    dry = lab.json("crypto", "ca", "revoke", *ca, "--cert", certificate, "--dry-run")
    assert dry["applied"] is False
    assert {row["revoked_at"] for row in lab.json("crypto", "ca", "ls", *ca)} == {None}
    lab.json("crypto", "ca", "revoke", *ca, "--cert", certificate, "--reason", "key_compromise")
    second = lab.json("crypto", "ca", "crl", *ca, "--out", crl)

    assert (second["number"], second["revoked"]) == (3, 1), "revoking made one, in the folder of the CA"
    assert check(lab, certificate, "--crl", crl, code=1) == "CertificateRevoked"
    reasons = {row["serial"]: row["reason"] for row in lab.json("crypto", "ca", "ls", *ca)}
    assert reasons[dry["serial"]] == "key_compromise"
    assert lab.run("crypto", "ca", "revoke", *ca, "--serial", "1").returncode == 3
    assert lab.run("crypto", "ca", "revoke", *ca, "--serial", "xyz").returncode == 2


def test_dual_certificates_have_one_subject(lab: Platform) -> None:
    found = lab.json(
        "crypto", "ca", "issue-pair", path(lab, "r.csr"), "--dir", path(lab, "ca"), "--out", path(lab, "s.pem"),
        "--enc-out", path(lab, "e.pem"), "--enc-key", path(lab, "e.key"),
    )  # fmt: skip
    assert found["sign"]["subject"] == found["enc"]["subject"] == "CN=web"
    assert check(lab, path(lab, "e.pem"), "--use", "enc") is None
    assert check(lab, path(lab, "e.pem"), "--use", "sign", code=1) == "WrongUsage"


def test_the_ends_of_certificates_are_listed(lab: Platform, site: Platform, certificate: str) -> None:
    rows = lab.json("crypto", "cert", "ls", certificate)
    assert (rows[0]["subject"], rows[0]["level"]) == ("CN=web", "ok")
    assert lab.json("crypto", "cert", "ls", "--days", "10", certificate) == []
    assert {"site-ca", "site-signing"} <= {row["name"] for row in site.json("crypto", "cert", "ls")}


def test_bad_input_is_told(lab: Platform) -> None:
    ca = ("--dir", path(lab, "ca"))
    subject = lab.run("crypto", "ca", "init", "--dir", path(lab, "other"), "--subject", "web")
    again = lab.run("crypto", "ca", "init", *ca, "--subject", "CN=x")
    request = lab.run(
        "crypto", "ca", "issue", path(lab, "K.pem"), *ca, "--profile", "sign", "--out", path(lab, "x.pem")
    )
    assert [one.returncode for one in (subject, again, request)] == [3, 3, 3]
    assert not Path(path(lab, "x.pem")).exists()


def test_keys_are_listed_rotated_and_ended(site: Platform, folder: Path) -> None:
    before = {row["name"]: row for row in site.json("crypto", "keys", "ls")}
    assert {row["state"] for row in before.values()} == {"active"}
    assert site.json("crypto", "keys", "rotate", "site-signing", "--dry-run")["applied"] is False

    fresh = site.json("crypto", "keys", "rotate", "site-signing")
    rows = {row["name"]: row for row in site.json("crypto", "keys", "ls")}
    assert rows[fresh["kept_as"]].items() >= {"state": "deactivated", "id": before["site-signing"]["id"]}.items()
    assert rows["site-signing"]["fingerprint"] != before["site-signing"]["fingerprint"]
    (folder / "doc").write_text("x")
    site.json(
        "crypto", "cms", "sign", "--detached", "--key", "site", "--out", str(folder / "doc.p7s"), str(folder / "doc")
    )
    assert site.json("verify", str(folder / "doc.p7s"))["trusted"] is True

    (folder / "new").write_text("another passphrase")
    out = folder / "exported.pem"
    site.json(
        "crypto", "keys", "export", fresh["kept_as"], "--out", str(out), "--new-passphrase-file", str(folder / "new")
    )
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    gone = site.json("crypto", "keys", "destroy", fresh["kept_as"])
    assert (gone["state"], gone["approvals"], gone["applied"]) == ("destroyed", [], True)
    assert not (site.data / "keys" / f"{fresh['kept_as']}.key.pem").exists()


def test_what_a_state_or_policy_forbids_exits_5(site: Platform) -> None:
    assert site.run("crypto", "keys", "destroy", "site-signing").returncode == 5
    assert site.run("crypto", "keys", "rotate", "site-ca").returncode == 5
    assert site.run("crypto", "keys", "deactivate", "absent").returncode == 3
    listed = json.loads(site.run("crypto", "keys", "ls").stdout)
    assert all("PRIVATE" not in json.dumps(row) for row in listed)
