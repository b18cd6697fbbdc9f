"""Certificates, responders and key files by their commands; the configured providers serve every one of them."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from asn1crypto import x509

from crypto import asn1
from crypto.keys import keyfile
from crypto.pki import Profile, Responder, Revoked, building, profiles
from crypto.pki.ocsp_http import make_server
from crypto.providers import registry
from crypto.sm2 import PrivateKey, generate
from crypto.x509 import Certificate, certificates_pem
from records.instants import now
from records.secret import Secret
from yunwang.cli import main

NOW = now()
ROOT_KEY, SUB_KEY, KEY = generate(), generate(), generate()
ROOT = profiles.root(ROOT_KEY, building.name_of("CN=root"), NOW, 400, None)
Yw = Callable[..., tuple[int, Any, str]]


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("crypto.keys.keyfile.ROUNDS", 1)
    for name in ("YW_CA", "YW_DATA", "YW_PASSPHRASE_FILE", "CREDENTIALS_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "C")
    monkeypatch.chdir(tmp_path)
    Path("pass").write_text("correct horse\n")


@pytest.fixture
def yw(capsys: pytest.CaptureFixture[str]) -> Yw:
    def run(*arguments: str) -> tuple[int, Any, str]:
        code = main(list(arguments))
        out, err = capsys.readouterr()
        return code, json.loads(out) if out else None, err

    return run


@contextmanager
def responding(key: PrivateKey, ca: Certificate, revoked: dict[int, Revoked], asked: list[int]) -> Iterator[str]:
    """The address of a responder, which notes what it is asked about."""

    def look(serial: int) -> Revoked | bool:
        asked.append(serial)
        return revoked.get(serial, True)

    responder = Responder(key=key, certificate=ca, issuer=ca)
    with make_server(("127.0.0.1", 0), lambda data: responder.answer(data, look, now())) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


def below(responder: str | None) -> Certificate:
    """A CA under the root, whose certificate names a responder or none."""
    extensions = [
        building.extension("basic_constraints", {"ca": True}, critical=True),
        building.extension("key_usage", {"key_cert_sign", "crl_sign"}, critical=True),
        building.extension("key_identifier", building.key_id(SUB_KEY.public)),
    ]
    if responder:
        place = x509.GeneralName("uniform_resource_identifier", responder)
        row = {"access_method": "ocsp", "access_location": place}
        extensions.append(building.extension("authority_information_access", [row]))
    root = x509.Name.load(ROOT.subject)
    return building.sign(building.tbs(root, building.name_of("CN=sub"), SUB_KEY.public, NOW, 300, extensions), ROOT_KEY)


@pytest.mark.parametrize(
    ("names", "trusted", "revoked", "why"),
    [
        pytest.param(True, True, False, None, id="both are asked about"),
        pytest.param(False, True, True, None, id="it names nobody"),
        pytest.param(True, False, True, None, id="no anchor: its address is not believed"),
        pytest.param(True, True, True, "CertificateRevoked", id="the CA is revoked"),
    ],
)
def test_ocsp_asks_about_each_certificate_below_the_anchor(
    yw: Yw, names: bool, trusted: bool, revoked: bool, why: str | None
) -> None:
    gone, asked = dict[int, Revoked](), list[int]()
    with ExitStack() as stack:
        above = stack.enter_context(responding(ROOT_KEY, ROOT, gone, asked))
        sub = below(above if names else None)
        leaf = profiles.end_entity(Profile.SERVER, KEY.public, building.name_of("CN=web"), (SUB_KEY, sub), NOW, 30)
        gone.update({sub.serial: Revoked(NOW)} if revoked else {})
        url = stack.enter_context(responding(SUB_KEY, sub, {}, asked))
        Path("web.pem").write_bytes(certificates_pem([leaf, sub, ROOT]))
        Path("root.pem").write_bytes(certificates_pem([ROOT]))
        ca = ("--ca", "root.pem") if trusted else ()
        code, found, _ = yw("crypto", "cert", "verify", "web.pem", *ca, "--ocsp", url)
    assert (code == 0, found["why"]) == (trusted and why is None, why)
    assert asked == ([leaf.serial, sub.serial] if names and trusted else [leaf.serial])
    rows = [
        {"certificate": "CN=web", "asked": url},
        {"certificate": "CN=sub", "asked": above if len(asked) > 1 else None},
    ]
    assert found["ocsp"] == ([] if why else rows)


def test_without_ocsp_nobody_is_asked(yw: Yw) -> None:
    Path("root.pem").write_bytes(certificates_pem([ROOT]))
    leaf = profiles.end_entity(Profile.SERVER, KEY.public, building.name_of("CN=web"), (ROOT_KEY, ROOT), NOW, 30)
    Path("web.pem").write_bytes(certificates_pem([leaf]))
    assert yw("crypto", "cert", "verify", "web.pem", "--ca", "root.pem")[1]["ocsp"] == []


@pytest.mark.parametrize(("prf", "oid"), [("gm", asn1.HMAC_SM3), ("rfc", asn1.HMAC_SM3_OPENSSL)])
def test_a_key_file_names_the_wanted_oid(yw: Yw, prf: str, oid: str) -> None:
    assert yw("crypto", "keygen", "--out", "K.pem", "--passphrase-file", "pass", "--prf", prf)[0] == 0
    data = Path("K.pem").read_bytes()
    info = asn1.EncryptedPrivateKeyInfo.load(keyfile.pem.blocks(data)[0][1])
    derivation = info["encryption"]["parameters"]["derivation"]["parameters"]
    assert derivation["prf"]["algorithm"].dotted == oid
    keyfile.load_private_key(data, Secret("correct horse"))
    assert yw("crypto", "keygen", "--out", "L.pem", "--passphrase-file", "pass", "--prf", "openssl")[0] == 2


@pytest.mark.parametrize(
    "command",
    [
        ("verify", "data"),
        ("crypto", "hash", "data"),
        ("channel", "probe", "127.0.0.1:9"),
        ("channel", "send", "--to", "127.0.0.1:9", "--cert", "c", "--key", "k", "data"),
    ],
    ids=["verify", "crypto", "channel probe", "channel send"],
)
def test_every_command_asks_the_configured_providers(
    yw: Yw, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    Path("data").write_bytes(b"data")
    Path("c.toml").write_text('[crypto]\nproviders = ["gmssl", "openssl"]\nallow_slow_reference = true\n')
    seen: list[object] = []
    monkeypatch.setattr(registry, "configure", lambda order, _: seen.append(list(order)))
    yw(*command, "--config", "c.toml")
    assert seen[:1] == [["gmssl", "openssl"]]
