"""``yw crypto`` and ``yw verify`` as a user types them: JSON, exit codes, the three lines of an error."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from crypto.bundle import write_bundle
from crypto.keys.keyfile import load_private_key, private_key_pem
from crypto.x509 import certificates_pem
from records.secret import Secret
from tests.crypto.conftest import AT
from yunwang.cli import main


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("crypto.keys.keyfile.ROUNDS", 1)
    for name in ("YW_CA", "YW_DATA", "YW_PASSPHRASE_FILE", "CREDENTIALS_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "C")
    monkeypatch.chdir(tmp_path)
    Path("pass").write_text("correct horse\n")
    Path("data").write_bytes(b"data")


@pytest.fixture
def yw(capsys: pytest.CaptureFixture[str]):
    def run(*arguments: str) -> tuple[int, object, str]:
        code = main(list(arguments))
        out, err = capsys.readouterr()
        return code, json.loads(out) if out else None, err

    return run


@pytest.fixture
def key_pair(yw) -> None:
    code, found, _ = yw("crypto", "keygen", "--out", "K.pem", "--pub", "P.pem", "--passphrase-file", "pass")
    assert (code, found["key"], found["pub"]) == (0, "K.pem", "P.pem")


@pytest.fixture
def trusted(identity) -> None:
    Path("ca.pem").write_bytes(certificates_pem([identity.anchor]))
    Path("chain.pem").write_bytes(certificates_pem(identity.chain))
    Path("site.pem").write_bytes(private_key_pem(identity.key, Secret("correct horse"), rounds=1))


def test_selftest_and_providers_name_library_version_file(yw) -> None:
    for command in ("selftest", "providers"):
        code, rows, _ = yw("crypto", command)
        assert code == 0
        assert all(row["library"] == "OpenSSL" and row["version"][0].isdigit() and row["file"] for row in rows)


def test_hash_and_hmac(yw) -> None:
    Path("abc").write_bytes(b"abc")
    assert yw("crypto", "hash", "abc")[1]["digest"].startswith("66c7f0f462eeedd9")
    assert yw("crypto", "hmac", "--key-file", "pass", "abc")[1]["algorithm"] == "hmac-sm3"
    assert yw("crypto", "hash", "--alg", "md5", "abc")[0] == 2
    code, _, err = yw("crypto", "hash", "absent")
    assert code == 3
    assert err.startswith("error: cannot read absent")


@pytest.mark.parametrize("raw", [[], ["--raw"]])
@pytest.mark.usefixtures("key_pair")
def test_sign_and_verify(yw, raw: list[str]) -> None:
    assert Path("K.pem").stat().st_mode & 0o777 == 0o600
    signed = [
        "crypto",
        "sign",
        "--key",
        "K.pem",
        "--id",
        "alice",
        "--passphrase-file",
        "pass",
        "--out",
        "S",
        *raw,
        "data",
    ]
    assert yw(*signed)[0] == 0
    check = ["crypto", "verify", "--pub", "P.pem", "--sig", "S", *raw]
    assert yw(*check, "--id", "alice", "data")[:2] == (0, {"valid": True})
    assert yw(*check, "data")[:2] == (1, {"valid": False})
    Path("data").write_bytes(b"date")
    assert yw(*check, "--id", "alice", "data")[:2] == (1, {"valid": False})
    Path("S").write_bytes(b"\0" * 64)
    assert yw(*check, "--id", "alice", "data")[:2] == (1, {"valid": False})


SIZES = [0, 1, 255, 256, 100_000]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.usefixtures("key_pair")
def test_encrypt_and_decrypt(yw, size: int) -> None:
    text = bytes(number % 251 for number in range(size))
    Path("text").write_bytes(text)
    code, found, _ = yw("crypto", "encrypt", "--pub", "P.pem", "--in", "text", "--out", "sealed")
    assert (code, found["format"]) == (0, "der" if 1 <= size <= 255 else "envelope")
    opened = [*DECRYPT, "--in", "sealed", "--out", "opened"]
    assert yw(*opened)[0] == 0
    assert Path("opened").read_bytes() == text
    assert Path("opened").stat().st_mode & 0o777 == 0o600
    Path("opened").unlink()
    changed = bytearray(Path("sealed").read_bytes())
    changed[-1] ^= 1
    Path("sealed").write_bytes(changed)
    code, found, err = yw(*opened)
    assert (code, found, Path("opened").exists()) == (3, None, False)
    assert err.startswith("error: cannot be opened: wrong passphrase or key, or changed data\nwhere: sealed\n")
    assert not list(Path().glob(".opened*"))


DECRYPT = ["crypto", "decrypt", "--key", "K.pem", "--passphrase-file", "pass"]


@pytest.mark.parametrize("mode", ["der", "c1c3c2", "c1c2c3"])
@pytest.mark.usefixtures("key_pair")
def test_the_forms_of_a_ciphertext(yw, mode: str) -> None:
    code, found, _ = yw("crypto", "encrypt", "--pub", "P.pem", "--mode", mode, "--in", "data", "--out", "sealed")
    assert (code, found["format"], Path("sealed").read_bytes()[0]) == (0, mode, 0x30 if mode == "der" else 4)
    assert yw(*DECRYPT, "--mode", mode, "--in", "sealed", "--out", "opened")[0] == 0
    assert Path("opened").read_bytes() == b"data"
    other = {"der": "c1c3c2", "c1c3c2": "c1c2c3", "c1c2c3": "c1c3c2"}[mode]
    assert yw(*DECRYPT, "--mode", other, "--in", "sealed", "--out", "wrong")[0] == 3
    assert yw(*DECRYPT, "--mode", "c1c3", "--in", "sealed", "--out", "wrong")[0] == 2
    Path("long").write_bytes(bytes(256))
    assert yw("crypto", "encrypt", "--pub", "P.pem", "--mode", mode, "--in", "long", "--out", "wrong")[0] == 2
    assert yw("crypto", "encrypt", "--pub", "P.pem", "--in", "absent", "--out", "wrong")[0] == 3
    assert not Path("wrong").exists()


@pytest.mark.usefixtures("trusted")
def test_encrypt_for_the_key_of_a_certificate(yw) -> None:
    assert yw("crypto", "encrypt", "--cert", "chain.pem", "--in", "data", "--out", "sealed")[0] == 0
    site = ["crypto", "decrypt", "--key", "site.pem", "--passphrase-file", "pass"]
    assert yw(*site, "--in", "sealed", "--out", "opened")[0] == 0
    assert yw("crypto", "encrypt", "--in", "data", "--out", "sealed")[0] == 2


def test_the_configured_providers_are_asked(yw) -> None:
    Path("conf.toml").write_text('[crypto]\nproviders = ["pyca", "openssl"]\n')
    code, rows, _ = yw("--config", "conf.toml", "crypto", "selftest")
    assert (code, {row["provider"] for row in rows}) == (0, {"pyca", "openssl"})
    Path("conf.toml").write_text('[crypto]\nproviders = ["hsm"]\n')
    assert yw("--config", "conf.toml", "crypto", "selftest")[0] == 3


@pytest.fixture(autouse=True)
def default_providers():
    yield
    from crypto.providers import registry  # noqa: PLC0415 - what a test configured is undone

    registry.configure(registry.DEFAULT_ORDER)


@pytest.mark.usefixtures("key_pair")
def test_a_key_is_never_overwritten_nor_stored_plain(yw, monkeypatch) -> None:
    before = Path("K.pem").read_bytes()
    assert yw("crypto", "keygen", "--out", "K.pem", "--passphrase-file", "pass")[0] == 3
    assert Path("K.pem").read_bytes() == before
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    assert yw("crypto", "keygen", "--out", "Q.pem")[0] == 2
    assert not Path("Q.pem").exists()


@pytest.mark.usefixtures("key_pair")
def test_a_wrong_passphrase_is_one_error_without_traceback(yw) -> None:
    Path("wrong").write_text("battery staple")
    code, out, err = yw("crypto", "sign", "--key", "K.pem", "--passphrase-file", "wrong", "--out", "S", "data")
    assert (code, out) == (3, None)
    assert err.startswith("error: cannot be opened: wrong passphrase or key, or changed data\nwhere: ")
    assert "battery" not in err


@pytest.mark.usefixtures("key_pair")
def test_a_key_that_others_can_read_is_refused_plain_and_warned_of_sealed(yw) -> None:
    sign = ("crypto", "sign", "--key", "K.pem", "--passphrase-file", "pass", "--out", "S", "data")
    assert yw(*sign)[2] == ""
    Path("K.pem").chmod(0o644)
    code, _, err = yw(*sign)
    assert (code, "warning: others can read this key file" in err) == (0, True)
    plain = load_private_key(Path("K.pem").read_bytes(), Secret("correct horse"))
    Path("plain.pem").write_bytes(private_key_pem(plain, None))
    Path("plain.pem").chmod(0o640)
    code, _, err = yw("crypto", "sign", "--key", "plain.pem", "--out", "S2", "data")
    assert (code, "no passphrase guards it" in err, Path("S2").exists()) == (5, True, False)
    Path("plain.pem").chmod(0o600)
    assert yw("crypto", "sign", "--key", "plain.pem", "--out", "S2", "data")[0] == 0


@pytest.mark.usefixtures("trusted")
def test_certificates(yw) -> None:
    code, rows, _ = yw("crypto", "cert", "show", "chain.pem")
    assert (code, [row["is_ca"] for row in rows]) == (0, [False, True])
    at = ["--at", "2026-11-22T03:00:00Z"]
    code, found, _ = yw("crypto", "cert", "verify", "--ca", "ca.pem", *at, "chain.pem")
    assert (code, found["trusted"], len(found["chain"])) == (0, True, 2)
    assert yw("crypto", "cert", "verify", *at, "chain.pem")[:2][0] == 1
    late = ["--at", "2066-01-01T00:00:00Z"]
    assert yw("crypto", "cert", "verify", "--ca", "ca.pem", *late, "chain.pem")[1]["valid"] is False
    assert yw("crypto", "cert", "verify", "--at", "yesterday", "chain.pem")[0] == 2


@pytest.mark.parametrize("oids", ["gm", "pkcs7"])
@pytest.mark.usefixtures("trusted")
def test_cms(yw, oids: str, monkeypatch) -> None:
    monkeypatch.setattr("yunwang.cli.crypto_cms.now", lambda: AT)
    sign = [
        "crypto",
        "cms",
        "sign",
        "--detached",
        "--key",
        "site.pem",
        "--cert",
        "chain.pem",
        "--passphrase-file",
        "pass",
    ]
    assert yw(*sign, "--oids", oids, "--out", "data.p7s", "data")[0] == 0
    code, found, _ = yw("crypto", "cms", "verify", "--ca", "ca.pem", "data")
    assert (code, found["valid"], found["trusted"], found["signed_at"]) == (0, True, True, "2026-11-22T03:00:00Z")
    code, found, err = yw("crypto", "cms", "verify", "data")
    assert (code, found["valid"], found["trusted"]) == (1, True, False)
    assert err.endswith("next: pass --ca FILE\n")
    Path("data").write_bytes(b"date")
    assert yw("crypto", "cms", "verify", "--ca", "ca.pem", "data")[1]["valid"] is False
    assert yw("verify", "--ca", "ca.pem", "data.p7s")[1]["problems"] == [
        {"path": "data", "what": "was changed after signing"}
    ]


@pytest.mark.usefixtures("trusted", "key_pair")
def test_cms_needs_the_certificate_of_its_key(yw) -> None:
    sign = ["crypto", "cms", "sign", "--key", "K.pem", "--passphrase-file", "pass", "--out", "S"]
    assert yw(*sign, "data")[0] == 2
    assert yw(*sign, "--cert", "chain.pem", "data")[0] == 3


@pytest.mark.usefixtures("trusted")
def test_verify_takes_its_anchor_from_option_environment_or_data_folder(yw, identity, monkeypatch) -> None:
    write_bundle(Path("b"), "other", {"a": b"a"}, identity, created=AT, producer="p")
    code, found, err = yw("verify", "b")
    assert (code, found["trusted"]) == (1, False)
    for given in ("option", "environment", "data"):
        if given == "environment":
            monkeypatch.setenv("YW_CA", "ca.pem")
        if given == "data":
            monkeypatch.delenv("YW_CA")
            Path("var/demo").mkdir(parents=True)
            Path("var/demo/ca.pem").write_bytes(Path("ca.pem").read_bytes())
        code, found, err = yw("verify", *(["--ca", "ca.pem"] if given == "option" else []), "b")
        assert (code, found["trusted"], found["valid"]) == (1, True, False)
        assert found["problems"] == [{"path": "manifest.json", "what": "kind 'other' cannot be recomputed here"}]
    assert "Traceback" not in err


@pytest.mark.usefixtures("trusted")
def test_verify_without_anchor_says_what_to_pass(yw, identity) -> None:
    from crypto.cms import sign_detached  # noqa: PLC0415 - this test alone

    Path("data.p7s").write_bytes(sign_detached(b"data", identity, AT))
    code, found, err = yw("verify", "data")
    assert (code, found["valid"], found["trusted"]) == (1, True, False)
    assert err == "error: valid, but there is no CA to trust it by\nwhere: data\nnext: pass --ca FILE\n"
    assert yw("verify", "--ca", "ca.pem", "data")[0] == 0
    assert yw("verify", "--ca", "absent.pem", "data")[0] == 3
    assert yw("verify", "absent")[0] == 3
