"""CONTRACT §8: the rows of ``yw crypto`` that exist, on known answers."""

from __future__ import annotations

import json
import shutil
import stat
from pathlib import Path

import pytest

from tests.contract.conftest import MakePlatform
from tests.running import Platform

# GB/T 32905-2016 A.1 and A.2
ABC = "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
LONG = "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"
# openssl dgst -sm3 -mac hmac -macopt hexkey:0b…0b over "abc"
HMAC = "8ec4d9f9e5159d52d8b7f8e8e681a62ecd2fb0cb58ba554ee56c962d0fa5daa1"


@pytest.fixture(scope="module")
def nowhere(tmp_path_factory: pytest.TempPathFactory, make_platform: MakePlatform) -> Platform:
    """A machine without a data folder."""
    one = make_platform(tmp_path_factory.mktemp("nowhere") / "none")
    (one.data.parent / "abc").write_text("abc")
    (one.data.parent / "long").write_text("abcd" * 16)
    (one.data.parent / "key").write_bytes(b"\x0b" * 20)
    return one


@pytest.fixture(scope="module")
def pair(nowhere: Platform) -> tuple[str, str]:
    """A key and its public key; the passphrase is the environment's."""
    private, public = (str(nowhere.data.parent / name) for name in ("K.pem", "P.pem"))
    made = nowhere.json("crypto", "keygen", "--out", private, "--pub", public)
    assert (made["key"], made["pub"], set(made)) == (private, public, {"key", "pub", "fingerprint"})
    return private, public


def path(platform: Platform, name: str) -> str:
    return str(platform.data.parent / name)


def test_selftest_and_providers_name_library_version_and_file(nowhere: Platform) -> None:
    for verb in ("selftest", "providers"):
        rows = nowhere.json("crypto", verb)
        assert rows
        assert all(set(row) >= {"name", "library", "version", "file"} for row in rows)
        assert all(row["version"][0].isdigit() and row["file"] for row in rows)


def test_digests_of_the_standard(nowhere: Platform) -> None:
    abc, long = path(nowhere, "abc"), path(nowhere, "long")

    assert nowhere.json("crypto", "hash", abc) == {"algorithm": "sm3", "digest": ABC, "file": abc}
    assert nowhere.json("crypto", "hash", long)["digest"] == LONG
    assert nowhere.json("crypto", "hash", "-", stdin="abc")["digest"] == ABC
    assert nowhere.run("crypto", "hash", "--alg", "md5", abc).returncode == 2
    assert nowhere.run("crypto", "hash", path(nowhere, "absent")).returncode == 3


def test_hmac(nowhere: Platform) -> None:
    found = nowhere.json("crypto", "hmac", "--key-file", path(nowhere, "key"), path(nowhere, "abc"))

    assert found == {"algorithm": "hmac-sm3", "digest": HMAC, "file": path(nowhere, "abc")}


def test_a_key_is_kept_encrypted_and_never_overwritten(nowhere: Platform, pair: tuple[str, str]) -> None:
    private, public = (Path(one) for one in pair)
    again = nowhere.run("crypto", "keygen", "--out", str(private))
    plain = nowhere.run("crypto", "keygen", "--out", path(nowhere, "Q.pem"), more={"YW_PASSPHRASE_FILE": ""})

    assert private.read_text().startswith("-----BEGIN ENCRYPTED PRIVATE KEY-----")
    assert public.read_text().startswith("-----BEGIN PUBLIC KEY-----")
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert (again.returncode, again.stdout) == (3, "")
    assert (plain.returncode, Path(path(nowhere, "Q.pem")).exists()) == (2, False)


@pytest.mark.parametrize("raw", [(), ("--raw",)], ids=["DER", "raw"])
def test_sign_and_verify(nowhere: Platform, pair: tuple[str, str], raw: tuple[str, ...]) -> None:
    private, public = pair
    sig = path(nowhere, f"sig{len(raw)}")
    nowhere.json("crypto", "sign", "--key", private, "--id", "alice", *raw, "--out", sig, path(nowhere, "abc"))
    check = ("crypto", "verify", "--pub", public, "--sig", sig, *raw)

    assert (Path(sig).stat().st_size == 64) is bool(raw)
    assert nowhere.json(*check, "--id", "alice", path(nowhere, "abc")) == {"valid": True}
    assert nowhere.json(*check, path(nowhere, "abc"), code=1) == {"valid": False}
    assert nowhere.json(*check, "--id", "alice", path(nowhere, "long"), code=1) == {"valid": False}


@pytest.mark.parametrize("size", [1, 255, 256, 70_000])
@pytest.mark.parametrize("mode", [(), ("--mode", "c1c3c2"), ("--mode", "c1c2c3")], ids=["DER", "C1C3C2", "C1C2C3"])
def test_encrypt_and_decrypt(nowhere: Platform, pair: tuple[str, str], size: int, mode: tuple[str, ...]) -> None:
    """More than 255 bytes: envelope, which has no mode."""
    private, public = pair
    text, sealed, opened = (path(nowhere, f"{name}{size}{len(mode)}") for name in ("text", "sealed", "opened"))
    Path(text).write_bytes(b"x" * size)
    encrypt = ("crypto", "encrypt", "--pub", public, *mode, "--in", text, "--out", sealed)
    if mode and size > 255:
        assert nowhere.run(*encrypt).returncode == 2
        return
    nowhere.json(*encrypt)
    nowhere.json("crypto", "decrypt", "--key", private, *mode, "--in", sealed, "--out", opened)

    assert Path(opened).read_bytes() == b"x" * size
    assert (Path(sealed).stat().st_size == 97 + size) is bool(mode)


def test_a_wrong_passphrase_and_a_missing_option_are_told(nowhere: Platform, pair: tuple[str, str]) -> None:
    Path(path(nowhere, "wrong")).write_text("battery staple")
    sign = ("crypto", "sign", "--key", pair[0], "--out", path(nowhere, "none"), path(nowhere, "abc"))
    wrong = nowhere.run(*sign, "--passphrase-file", path(nowhere, "wrong"))
    both = nowhere.run("crypto", "verify", "--sig", path(nowhere, "abc"), path(nowhere, "abc"))

    assert (wrong.returncode, wrong.stdout, Path(path(nowhere, "none")).exists()) == (3, "", False)
    assert [line.partition(": ")[0] for line in wrong.stderr.splitlines()] == ["error", "where", "next"]
    assert "battery" not in wrong.stderr
    assert both.returncode == 2


@pytest.fixture(scope="module")
def signed(site: Platform, folder: Path) -> Path:
    """A file with the site's CMS signature beside it."""
    file = folder / "report.txt"
    file.write_text("网络安全等级保护\n", "utf-8")
    made = site.json("crypto", "cms", "sign", "--detached", "--key", "site", "--out", f"{file}.p7s", str(file))
    assert made.items() >= {"signature": f"{file}.p7s"}.items()
    return file


def test_cms_holds_elsewhere_under_the_right_anchor_only(
    site: Platform, nowhere: Platform, signed: Path, folder: Path
) -> None:
    anchor = str(site.data / "ca.pem")
    found = nowhere.json("crypto", "cms", "verify", "--ca", anchor, "--sig", f"{signed}.p7s", str(signed))
    untrusted = nowhere.run("crypto", "cms", "verify", str(signed))
    changed = folder / "changed.txt"
    changed.write_text("x")
    shutil.copy(f"{signed}.p7s", folder / "changed.txt.p7s")

    assert set(found) >= {"valid", "trusted", "signer", "signed_at", "timestamped", "signers"}
    assert (found["valid"], found["trusted"], found["signed_at"][-1]) == (True, True, "Z")
    assert (untrusted.returncode, json.loads(untrusted.stdout)["trusted"]) == (1, False)
    assert untrusted.stderr.splitlines()[2] == "next: pass --ca FILE"
    assert nowhere.json("crypto", "cms", "verify", "--ca", anchor, str(changed), code=1)["valid"] is False
    assert nowhere.json("verify", "--ca", anchor, f"{changed}.p7s", code=1)["problems"][0]["path"] == "changed.txt"


def test_certificates_are_shown_and_verified(site: Platform, nowhere: Platform) -> None:
    anchor = str(site.data / "ca.pem")
    (row,) = nowhere.json("crypto", "cert", "show", anchor)
    late = nowhere.json("crypto", "cert", "verify", "--ca", anchor, "--at", "2099-01-01T00:00:00Z", anchor, code=1)

    assert (row["is_ca"], row["subject"], row["not_after"][-1]) == (True, row["issuer"], "Z")
    assert nowhere.json("crypto", "cert", "verify", "--ca", anchor, anchor)["trusted"] is True
    assert late["valid"] is False
    assert nowhere.run("crypto", "cert", "show", path(nowhere, "abc")).returncode == 3
