"""密码服务: what the page tells, and what an upload may be."""

from __future__ import annotations

import io
import itertools
import json
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from access.roles import Role
from collectors.certificates import Fault
from console import uploads
from console.app import create_app
from console.deps import ConsoleDeps
from console.keyring import SelfTest, certificate_rows, key_rows, provider_row
from console.ports import KeyViews
from console.uploads import Upload
from console.words import CERTIFICATE_LEVEL, KEY_STATE
from crypto.bundle import verify_artefact, write_bundle
from crypto.cms import sign_detached
from crypto.errors import UnsafeFile
from crypto.identity import SiteIdentity
from crypto.keys import keyfile
from crypto.keys.keystore import KeyStore
from crypto.pki.site import ensure_site_identity
from crypto.providers.registry import Registry
from records.secret import Secret
from tests.console.keyrings import fake_sightings, made_site
from tests.console.made_up import AT

FORM = "/crypto/verify"
Send = Callable[..., Any]


def form_token(page: str) -> str:
    return page.split('name="csrf" value="', 1)[1].split('"', 1)[0]


@pytest.fixture
def send(admin: TestClient) -> Send:
    """Send a form as the page would."""

    def post(file: tuple[str, bytes] | None = None, signature: tuple[str, bytes] | None = None, **more: Any) -> Any:
        token = form_token(admin.get(FORM).text)
        files = {"file": file or ("", b""), "signature": signature or ("", b"")}
        return admin.post(FORM, data={"csrf": token}, files=files, **more)

    return post


@pytest.fixture
def bundle(tmp_path: Path, signer: SiteIdentity) -> bytes:
    return bundle_of(tmp_path / "b.zip", signer, {"total": b"1", "a/table.csv": b"x,y\n"})


def bundle_of(out: Path, signer: SiteIdentity, files: dict[str, bytes]) -> bytes:
    made = write_bundle(out, "report", files, signer, created=AT, producer="yunwang 0.1.0", as_zip=True)
    return made.read_bytes()


def packed(method: int = zipfile.ZIP_DEFLATED, **files: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def test_a_whole_bundle_is_valid_and_trusted(send: Send, bundle: bytes) -> None:
    answer = send(("账单.zip", bundle))
    assert answer.status_code == 200
    assert "有效且可信" in answer.text
    assert "账单.zip" in answer.text
    assert "CN=Yunwang signing" in answer.text


def test_the_verdict_is_that_of_the_command(
    send: Send, admin: TestClient, bundle: bytes, signer: SiteIdentity, tmp_path: Path
) -> None:
    admin.cookies.set("lang", "en")
    spoilt = bundle.replace(b"x,y\n", b"x,z\n")
    (tmp_path / "c.zip").write_bytes(spoilt)
    said = verify_artefact(tmp_path / "c.zip", [signer.anchor], {}).as_json()
    page = send(("c.zip", spoilt)).text
    assert (said["valid"], bool(said["problems"])) == (False, True)
    assert all(one["path"] in page for one in said["problems"])
    assert "Not valid" in page


def test_a_file_with_its_signature(send: Send, signer: SiteIdentity) -> None:
    data, p7s = b"figures", sign_detached(b"figures", signer, AT)
    right = send(("f.csv", data), ("f.csv.p7s", p7s))
    swapped = send(("f.csv.p7s", p7s), ("f.csv", data))
    changed = send(("f.csv", b"Figures"), ("f.csv.p7s", p7s))
    assert ["有效且可信" in one.text for one in (right, swapped, changed)] == [True, True, False]
    assert "签名后被改动" in changed.text or "was changed after signing" in changed.text


def test_the_bundle_of_another_site_is_valid_and_not_trusted(send: Send, tmp_path: Path) -> None:
    stranger = made_site(AT)
    answer = send(("b.zip", bundle_of(tmp_path / "x.zip", stranger, {"total": b"1"})))
    assert "有效，但不可信" in answer.text


def test_a_right_signature_over_a_wrong_sum_is_not_valid(send: Send, signer: SiteIdentity, tmp_path: Path) -> None:
    answer = send(("b.zip", bundle_of(tmp_path / "x.zip", signer, {"total": b"2"})))
    assert "2 is not 1" in answer.text
    assert "有效且可信" not in answer.text


@pytest.mark.parametrize(
    ("file", "signature", "zh", "en"),
    [
        pytest.param(None, None, "没有选择文件", "no file was chosen", id="nothing"),
        pytest.param(("a.zip", b""), None, "文件是空的", "the file is empty", id="empty"),
        pytest.param(("a.csv", b"a,b"), None, "也没有附上签名", "came without its signature", id="no signature"),
        pytest.param(("a.p7s", b"0\x80"), None, "无法证明", "proves nothing", id="signature alone"),
    ],
)
def test_what_is_no_artefact_is_told_in_both_languages(
    send: Send, admin: TestClient, file: Any, signature: Any, zh: str, en: str
) -> None:
    told = []
    for lang in ("zh", "en"):
        admin.cookies.set("lang", lang)
        told.append(send(file, signature))
    assert [one.status_code for one in told] == [400, 400]
    assert (zh in told[0].text, en in told[1].text) == (True, True)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.zip", b"PK\x03\x04" + bytes(40)),
        ("a.zip", b"PK"),
        ("a.zip", packed(x=b"1")),
        ("a.zip", packed(**{"manifest.json": b"{}", "manifest.json.p7s": b"0"})),
        ("../../etc/passwd.zip", packed(x=b"1")),
        ("名" * 300 + ".zip", packed(x=b"1")),
        ("\ud800.zip".encode("utf-8", "replace").decode(), packed(x=b"1")),
        ("a.zip", b"PK\x05\x06" + b"\xff" * 16 + b"\x00\x00"),
    ],
    ids=["cut", "two letters", "no manifest", "empty manifest", "path as name", "long name", "odd name", "bad end"],
)
def test_garbage_is_refused_by_name_and_tells_nothing_of_this_machine(send: Send, name: str, data: bytes) -> None:
    answer = send((name, data))
    assert answer.status_code in {200, 400}
    assert "有效且可信" not in answer.text
    assert "yunwang-verify-" not in answer.text
    assert "/etc/" not in answer.text


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(packed(zeros=bytes(uploads.UNPACKED_BYTES + 1)), id="much of nothing"),
        pytest.param(b"PK\x03\x04PK\x06\x07" + bytes(16) + b"PK\x05\x06" + bytes(18), id="zip64"),
        pytest.param(b"PK\x03\x04PK\x05\x06" + bytes(8) + b"\xff" * 8 + bytes(2), id="a directory of millions"),
    ],
)
def test_a_bomb_is_not_unpacked(send: Send, data: bytes) -> None:
    started = time.process_time()
    answer = send(("bomb.zip", data))
    assert (answer.status_code, "解开后超过 256 MiB" in answer.text) == (400, True)
    assert time.process_time() - started < 2


def test_what_is_too_big_is_told_before_it_is_read(send: Send) -> None:
    answer = send(("a.zip", bytes(uploads.UPLOAD_BYTES + (1 << 17))))
    assert (answer.status_code, "文件超过 64 MiB — 在命令行使用" in answer.text) == (413, True)


def test_what_does_not_say_how_big_it_is_ends_at_the_limit(admin: TestClient) -> None:
    piece = bytes(1 << 20)
    pieces = itertools.repeat(piece, (uploads.UPLOAD_BYTES >> 20) + 2)
    kind = {"content-type": "multipart/form-data; boundary=x"}
    head = b'--x\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\n'
    answer = admin.post(FORM, content=itertools.chain([head], pieces), headers=kind)
    assert (answer.status_code, "文件超过 64 MiB" in answer.text) == (413, True)


def test_other_pages_still_take_small_forms_only(admin: TestClient) -> None:
    assert admin.post("/account/password", data={"old": "x" * 100_000}).status_code == 413


@pytest.mark.parametrize(
    ("content", "kind"),
    [(b"--x\r\n", "multipart/form-data"), (b"nothing", "multipart/form-data; boundary=x"), (b"{}", "application/json")],
)
def test_a_body_that_is_no_form_is_refused(admin: TestClient, content: bytes, kind: str) -> None:
    answer = admin.post(FORM, content=content, headers={"content-type": kind})
    assert answer.status_code in {400, 403}


def test_a_third_file_is_refused(admin: TestClient) -> None:
    files = [("file", (f"{number}.zip", b"PK")) for number in range(3)]
    assert admin.post(FORM, data={"csrf": form_token(admin.get(FORM).text)}, files=files).status_code == 400


def test_nothing_is_kept(send: Send, bundle: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(uploads.tempfile, "tempdir", str(folder))
    for data in (bundle, b"PK", packed(big=bytes(3 << 20))):
        send(("b.zip", data))
    assert list(folder.iterdir()) == []


class Slow:
    """A verifier that waits to be let go."""

    def __init__(self) -> None:
        self.go = threading.Event()

    def __call__(self, path: Path) -> Any:
        self.go.wait(20)
        return verify_artefact(path, [], {})


@pytest.fixture
def slow(app: FastAPI) -> Iterator[Slow]:
    made = Slow()
    app.state.desk = uploads.Desk(made, seconds=0.05)
    yield made
    made.go.set()


def test_a_slow_file_is_given_up_and_its_place_is_free_when_it_ends(send: Send, slow: Slow, bundle: bytes) -> None:
    answers = [send(("b.zip", bundle)) for _ in range(uploads.AT_ONCE + 1)]
    assert [one.status_code for one in answers] == [503] * (uploads.AT_ONCE + 1)
    assert ["验证用时过长" in one.text for one in answers] == [True] * uploads.AT_ONCE + [False]
    assert "正在验证其他文件" in answers[-1].text
    slow.go.set()
    deadline = time.monotonic() + 10
    while send(("b.zip", bundle)).status_code == 503:
        assert time.monotonic() < deadline


def test_who_may_not_read_keys_sends_nothing(
    client: TestClient, add_user: Callable[..., None], log_in: Callable[..., Any], bundle: bytes
) -> None:
    add_user("wang", {Role.BUREAU: ["hlj-finance"]})
    log_in("wang")
    token = form_token(client.get("/help").text)
    assert client.post(FORM, data={"csrf": token}, files={"file": ("b.zip", bundle)}).status_code == 403
    assert "密码服务" not in client.get("/help").text


@pytest.mark.parametrize("role", [Role.SECADMIN, Role.AUDITOR])
def test_who_may(
    client: TestClient, add_user: Callable[..., None], log_in: Callable[..., Any], role: Role, bundle: bytes
) -> None:
    add_user("wang", {role: None})
    log_in("wang")
    assert client.get("/crypto").status_code == 200
    token = form_token(client.get(FORM).text)
    answer = client.post(FORM, data={"csrf": token}, files={"file": ("b.zip", bundle)})
    assert "有效且可信" in answer.text


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("a.zip", "a.zip"),
        ("C:\\data\\a.zip", "a.zip"),
        ("../../a", "a"),
        ("..", "file"),
        (".hidden", "hidden"),
        ("a\x00\nb", "a__b"),
        ("/", "file"),
        ("名" * 100, "名" * 60),
    ],
)
def test_a_name_is_never_a_path(name: str, safe: str) -> None:
    assert Upload(name=name, stream=io.BytesIO()).safe_name == safe


def test_the_page_shows_each_level_and_state(admin: TestClient) -> None:
    page = admin.get("/crypto").text
    shown = [one.title for kind in (CERTIFICATE_LEVEL, KEY_STATE) for one in kind.values()]
    assert [one for one in [*shown, "自检通过", "算法合规", "GB/T 37092"] if one not in page] == []
    assert "pyca" in page
    assert page.index("console.tls_certificate") < page.index("crypto.ca") < page.index("site-tsa")


def test_an_unsafe_keystore_is_told_and_the_rest_is_shown(deps: ConsoleDeps, admin: TestClient) -> None:
    def unsafe() -> Any:
        raise UnsafeFile("{path} is a link", "make it a folder", where="keys", path="keys")

    app = create_app(replace(deps, keyring=replace(deps.keyring, keys=unsafe)))
    with TestClient(app, base_url="http://127.0.0.1", cookies=admin.cookies) as client:
        page, api = client.get("/crypto"), client.get("/api/v1/keys")
    assert (page.status_code, "keys is a link" in page.text, "site-tsa" in page.text) == (200, True, True)
    assert (api.status_code, api.json()["errors"][0]["where"]) == (400, "keys")


def test_the_api_gives_the_same_keys_by_cursor(admin: TestClient) -> None:
    whole = admin.get("/api/v1/keys?limit=200").json()
    names, cursor = [], ""
    while cursor is not None:
        page = admin.get("/api/v1/keys", params={"limit": 3} | ({"cursor": cursor} if cursor else {})).json()
        names += [one["name"] for one in page["items"]]
        cursor = page["next"]
    assert names == [one["name"] for one in whole["items"]]
    assert whole["total"] == len(names) == 7
    active = admin.get("/api/v1/keys?state=active").json()["items"]
    assert [one["name"] for one in active] == ["site-ca", "site-signing", "site-tsa"]
    assert active[1]["rotate_by"] == "2026-11-19T03:00:00Z"
    assert active[0]["rotate_by"] is None


def test_metrics_tell_days_left_and_fallbacks(deps: ConsoleDeps) -> None:
    app = create_app(replace(deps, keyring=replace(deps.keyring, fallbacks=lambda: {"sm3": 2, "sm2.sign": 1})))
    text = TestClient(app.state.metrics.app()).get("/metrics").text
    assert 'yunwang_certificate_days_left{name="console.tls_certificate"} -2.0' in text
    assert 'yunwang_certificate_not_after_timestamp_seconds{name="crypto.ca"}' in text
    assert 'yunwang_certificate_readable{name="ca.pem"} 0.0' in text
    assert 'yunwang_certificate_days_left{name="ca.pem"}' not in text
    assert 'yunwang_crypto_fallback_total{operation="all"} 3.0' in text
    assert 'yunwang_crypto_fallback_total{operation="sm3"} 2.0' in text


@pytest.fixture
def keystore(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KeyStore:
    """A real keystore with a CA and a signing key."""
    monkeypatch.setattr(keyfile, "ROUNDS", 1)
    made = KeyStore(tmp_path / "keys", Secret("correct horse"))
    ensure_site_identity(made, tmp_path / "ca.pem", "Yunwang", AT)
    return made


def test_rows_of_a_real_keystore_need_no_passphrase_and_hold_no_secret(
    keystore: KeyStore, deps: ConsoleDeps, admin: TestClient
) -> None:
    rows = key_rows(KeyStore(keystore.folder, Secret("")))
    secret = keystore.open_key("site-signing")
    views: KeyViews = replace(deps.keyring, keys=lambda: rows)
    with TestClient(
        create_app(replace(deps, keyring=views)), base_url="http://127.0.0.1", cookies=admin.cookies
    ) as client:
        shown = client.get("/crypto").text + client.get("/api/v1/keys").text
    assert [(one["name"], one["state"], one["use"]) for one in rows] == [
        ("site-ca", "active", "sign"),
        ("site-signing", "active", "sign"),
    ]
    assert rows[0]["rotate_by"] is None
    assert (rows[1]["not_after"] - rows[1]["rotate_by"]).days == 30
    assert rows[1]["fingerprint"] == secret.public.fingerprint
    assert rows[1]["fingerprint"] in shown
    body = (keystore.folder / "site-signing.key.pem").read_text().splitlines()[1]
    assert body not in shown
    assert "PRIVATE" not in shown
    assert "correct horse" not in shown


def test_a_fault_has_no_days() -> None:
    rows = certificate_rows(fake_sightings(AT))
    assert [(one["level"], one["days_left"], one["not_after"]) for one in rows[:2]] == [
        (Fault.MISSING, None, None),
        (Fault.UNREADABLE, None, None),
    ]


def test_providers_are_tested_and_one_that_cannot_be_loaded_is_told() -> None:
    rows = SelfTest().rows()
    assert [one["name"] for one in rows] == ["hashlib", "pyca", "openssl"]
    assert {one["state"] for one in rows} == {"passed"}
    served = [name for one in rows for name in one["serves"]]
    assert len(served) == len(set(served))
    broken = provider_row(Registry(("pyca", "sdf")), 2, "sdf")
    assert (broken["state"], broken["serves"], bool(broken["why"])) == ("failed", (), True)
    json.dumps(broken)
