"""CONTRACT §8: ``yw crypto cms sign|verify|encrypt|decrypt`` and ``tsa serve|query|verify``, through the real CLI."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.conftest import MakePlatform
from tests.running import ROOT, Platform

TEXT = "按实结算\n"


@pytest.fixture(scope="module")
def anchor(site: Platform) -> str:
    return str(site.data / "ca.pem")


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory, make_platform: MakePlatform) -> Platform:
    """A machine without a data folder."""
    return make_platform(tmp_path_factory.mktemp("elsewhere") / "none")


@pytest.fixture(scope="module")
def report(folder: Path) -> Path:
    file = folder / "report.txt"
    file.write_text(TEXT, "utf-8")
    return file


@pytest.mark.parametrize("oids", ["gm", "pkcs7"])
@pytest.mark.parametrize("detached", [(), ("--detached",)], ids=["inside", "detached"])
def test_cms_sign_and_verify(
    site: Platform, elsewhere: Platform, anchor: str, report: Path, oids: str, detached: tuple[str, ...]
) -> None:
    out, content = report.with_name(f"{oids}{len(detached)}.p7m"), report.with_name("content")
    made = site.json(
        "crypto", "cms", "sign", *detached, "--oids", oids, "--key", "site", "--out", str(out), str(report)
    )
    read = ("--sig", str(out), str(report)) if detached else (str(out),)
    found = elsewhere.json("crypto", "cms", "verify", "--ca", anchor, "--out", str(content), *read)

    assert made["signature"] == str(out)
    assert (found["valid"], found["trusted"], found["timestamped"]) == (True, True, False)
    assert [one["signer"] for one in found["signers"]] == [made["signer"]]
    assert content.read_text("utf-8") == TEXT
    assert (
        site.run("crypto", "cms", "sign", "--oids", "x", "--key", "site", "--out", str(out), str(report)).returncode
        == 2
    )


@pytest.fixture(scope="module")
def recipient(site: Platform, folder: Path) -> tuple[str, str]:
    """Key and encryption certificate of somebody, by an authority of their own."""
    key, certificate = str(folder / "enc.pem"), str(folder / "enc-cert.pem")
    authority, request = str(folder / "authority"), str(folder / "enc.csr")
    site.json("crypto", "keygen", "--out", key)
    site.json("crypto", "ca", "init", "--dir", authority, "--subject", "CN=Lab")
    site.json("crypto", "csr", "--key", key, "--subject", "CN=reader", "--out", request)
    site.json("crypto", "ca", "issue", "--dir", authority, "--profile", "enc", "--out", certificate, request)
    return key, certificate


def test_cms_encrypt_and_decrypt(site: Platform, report: Path, recipient: tuple[str, str], anchor: str) -> None:
    key, certificate = recipient
    sealed, plain = report.with_suffix(".p7e"), report.with_name("plain")
    made = site.json("crypto", "cms", "encrypt", "--cert", certificate, "--out", str(sealed), str(report))
    open_it = ("crypto", "cms", "decrypt", "--key", key, "--cert", certificate, "--out", str(plain))

    assert (made["recipients"], made["signed"]) == (["CN=reader"], False)
    assert site.json(*open_it, str(sealed)) == {"out": str(plain), "signers": []}
    assert (plain.read_text("utf-8"), plain.stat().st_mode & 0o777) == (TEXT, 0o600)

    plain.unlink()
    both = ("--sign-key", "site", "--cert", certificate, "--out", str(sealed), str(report))
    assert site.json("crypto", "cms", "encrypt", *both)["signed"] is True
    found = site.json(*open_it, "--ca", anchor, str(sealed))
    assert (found["valid"], found["trusted"], plain.read_text("utf-8")) == (True, True, TEXT)

    plain.unlink()
    damaged = bytearray(sealed.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    sealed.write_bytes(damaged)
    assert site.run(*open_it, "--ca", anchor, str(sealed)).returncode != 0
    assert not plain.exists()


@pytest.fixture(scope="module")
def tsa(site: Platform) -> Iterator[str]:
    """The address of the site's time-stamp authority."""
    command = [sys.executable, "-m", "yunwang", "crypto", "tsa", "serve", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, env=site.environment, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["url"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0


def test_tsa_query_and_verify(site: Platform, elsewhere: Platform, anchor: str, report: Path, tsa: str) -> None:
    token, request = str(report.with_suffix(".tsr")), str(report.with_suffix(".tsq"))
    asked = site.json("crypto", "tsa", "query", "--url", tsa, "--ca", anchor, "--out", token, str(report))
    found = elsewhere.json("crypto", "tsa", "verify", "--ca", anchor, "--token", token, str(report))
    untrusted = elsewhere.run("crypto", "tsa", "verify", "--token", token, str(report))
    other = elsewhere.json("crypto", "tsa", "verify", "--ca", anchor, "--token", token, anchor, code=1)
    written = site.json("crypto", "tsa", "query", "--out", request, str(report))

    assert found == {name: value for name, value in asked.items() if name != "response"}
    assert (found["valid"], found["trusted"], found["at"][-1]) == (True, True, "Z")
    assert (untrusted.returncode, untrusted.stderr.splitlines()[2]) == (1, "next: pass --ca FILE")
    assert other["valid"] is False
    assert (written["request"], Path(request).stat().st_size > 40) == (request, True)
    none = ("--url", "http://127.0.0.1:1/", "--out", request, str(report))
    assert site.run("crypto", "tsa", "query", *none).returncode == 4


def test_verify_tells_a_time_stamp(site: Platform, elsewhere: Platform, anchor: str, report: Path, tsa: str) -> None:
    for who in ("site", tsa):
        sign = ("--detached", "--key", "site", "--tsa", who, "--out", f"{report}.p7s", str(report))
        assert site.json("crypto", "cms", "sign", *sign)["timestamped"] is True
        found = elsewhere.json("verify", "--ca", anchor, str(report))
        assert (found["valid"], found["trusted"], found["timestamped"]) == (True, True, True)


def test_a_site_stamps_what_it_signs_where_the_configuration_says_so(site: Platform, report: Path, tsa: str) -> None:
    sign = ("crypto", "cms", "sign", "--key", "site", "--out", f"{report}.stamped", str(report), "-o", "json")
    for who, stamped in (("site", True), (tsa, True), ("", False)):
        done = site.run(*sign, more={"YW_CRYPTO__TSA": who})
        assert (done.returncode, json.loads(done.stdout)["timestamped"]) == (0, stamped)
    assert site.run(*sign, more={"YW_CRYPTO__TSA": "http://127.0.0.1:1/"}).returncode == 4
    assert site.run(*sign, more={"YW_CRYPTO__TSA": "nobody"}).returncode == 3
