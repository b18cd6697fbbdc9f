"""The certificates of a site: which are looked at, what stands in them, and one alert on their way to their end."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from asn1crypto import x509 as names
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from collectors.certificates import Fault
from crypto.cms import sign_detached
from crypto.keys import keyfile
from crypto.keys.keystore import KeyStore
from crypto.keys.lifecycle import State
from crypto.pki import profiles
from crypto.pki.expiry import Level
from crypto.pki.site import ensure_site_identity
from crypto.sm2 import generate
from crypto.x509 import certificates_pem
from records.instants import now
from records.schemas import EVENTS
from records.secret import Secret
from records.spool import Kind
from storage.embedded import EmbeddedStore
from storage.spool import SpoolReader
from tests.running import Platform, wait_until
from yunwang.certificates import look, marks
from yunwang.place import Place
from yunwang.serving import console_deps
from yunwang.settings import Settings
from yunwang.wiring import Site

AT = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def sm2_certificate(days: int, at: datetime = AT, name: str = "Partner CA") -> bytes:
    return certificates_pem([profiles.root(generate(), names.Name.build({"common_name": name}), at, days, None)])


def other_certificate(days: int) -> bytes:
    """P-256 with SHA-256, as a public CA would issue it for the console."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"), x509.NameAttribute(NameOID.COMMON_NAME, "yunwang.gov.cn")]
    )
    built = x509.CertificateBuilder(name, name, key.public_key(), 0x0A1B, AT - DAY, AT + days * DAY)
    return built.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A data folder with its CA and signing key."""
    monkeypatch.setattr(keyfile, "ROUNDS", 1)
    place = Place(data=tmp_path / "data", demo=False)
    ensure_site_identity(KeyStore(place.keys, Secret("correct horse")), place.ca, "Yunwang", AT)
    return Site(place, Settings())


def configured(site: Site, tls: Path | None = None, ca: Path | None = None) -> Site:
    console = site.settings.console.model_copy(update={"tls_certificate": str(tls or "")})
    crypto = site.settings.crypto.model_copy(update={"ca": str(ca or "")})
    return replace(site, settings=site.settings.model_copy(update={"console": console, "crypto": crypto}))


def seen(site: Site, at: datetime = AT) -> dict[str, str]:
    return {one.name: one.level for one in look(site, at)}


def test_the_site_s_own_are_looked_at_without_a_passphrase(site: Site) -> None:
    found = look(site, AT)
    assert [(one.name, one.level) for one in found] == [("site-signing", "ok"), ("site-ca", "ok")]  # ca.pem is site-ca
    assert [one.row.days_left for one in found if one.row] == [5 * 365 - 1, 20 * 365 - 1]
    assert seen(site, AT + (5 * 365 - 4) * DAY) == {"site-signing": Level.CRITICAL, "site-ca": Level.OK}


def test_a_trust_anchor_that_is_not_the_site_s_ca_is_one_more(site: Site) -> None:
    site.place.ca.write_bytes(sm2_certificate(3))
    assert seen(site)["ca.pem"] == Level.CRITICAL


def test_the_console_s_certificate_may_be_of_any_algorithm(site: Site, tmp_path: Path) -> None:
    (tmp_path / "tls.pem").write_bytes(other_certificate(20) + other_certificate(900))
    found = {one.name: one.row for one in look(configured(site, tls=tmp_path / "tls.pem"), AT)}
    leaf = found["console.tls_certificate"]
    assert leaf is not None
    assert (leaf.level, leaf.days_left, leaf.serial) == (Level.WARNING, 20, "a1b")
    assert leaf.subject == leaf.issuer == "CN=yunwang.gov.cn, C=CN"
    assert "console.tls_certificate#2" in found


def test_an_anchor_of_another_algorithm_is_of_no_use_and_is_told(site: Site, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(other_certificate(900))
    found = next(one for one in look(configured(site, ca=tmp_path / "ca.pem"), AT) if one.name == "crypto.ca")
    assert (found.fault, "SM2" in found.why) == (Fault.UNREADABLE, True)


@pytest.mark.parametrize(
    "data", [b"", b"0\x82", b"-----BEGIN CERTIFICATE-----\n", b"\x00" * 5000, sm2_certificate(9)[:300]]
)
def test_what_is_no_certificate_is_unreadable_never_in_order(site: Site, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.pem").write_bytes(data)
    found = seen(configured(site, tls=tmp_path / "x.pem", ca=tmp_path / "x.pem"))
    assert (found["console.tls_certificate"], found["crypto.ca"]) == ("unreadable", "unreadable")


def test_a_file_that_is_not_there_is_missing_and_a_folder_unreadable(site: Site, tmp_path: Path) -> None:
    found = seen(configured(site, tls=tmp_path / "none.pem", ca=tmp_path))
    assert (found["console.tls_certificate"], found["crypto.ca"]) == ("missing", "unreadable")


def test_a_signing_key_without_its_certificate_is_told_and_a_plain_key_is_not(site: Site) -> None:
    keystore = KeyStore(site.place.keys, Secret("correct horse"))
    keystore.put_key("partner", generate())
    keystore.remove_certificate("site-signing")
    assert seen(site) == {"site-signing": "missing", "site-ca": "ok"}


def test_a_key_that_is_used_no_more_is_not_watched(site: Site) -> None:
    keystore = KeyStore(site.place.keys, Secret("correct horse"))
    keystore.put_record(keystore.record("site-signing").become(State.DEACTIVATED, AT))
    assert seen(site) == {"site-ca": "ok"}


def test_a_damaged_record_or_certificate_hides_no_other(site: Site) -> None:
    (site.place.keys / "site-signing.key.json").write_text("{")
    found = look(site, AT)
    assert [(one.name, one.level) for one in found] == [("site-signing", "unreadable"), ("site-ca", "ok")]
    assert "damaged" in found[0].why


def test_a_keystore_that_others_can_read_is_told(site: Site) -> None:
    site.place.keys.chmod(0o755)
    assert seen(site) == {"keys": "unreadable", "ca.pem": "ok"}


def test_the_marks_change_with_the_files_and_only_then(site: Site, tmp_path: Path) -> None:
    other = configured(site, tls=tmp_path / "tls.pem")
    keystore = KeyStore(site.place.keys, Secret("correct horse"))
    found = [marks(other), marks(other)]
    (tmp_path / "tls.pem").write_bytes(other_certificate(9))
    found += [marks(other), marks(other)]
    keystore.put_record(keystore.record("site-ca"))
    found.append(marks(other))
    site.place.ca.unlink()
    found.append(marks(other))
    assert [one == before for before, one in itertools.pairwise(found)] == [True, False, True, False, False]


def test_the_console_of_a_site_shows_its_own_and_trusts_nobody_else(site: Site, tmp_path: Path) -> None:
    keystore = KeyStore(site.place.keys, Secret("correct horse"))
    identity = ensure_site_identity(keystore, site.place.ca, "Yunwang", AT)
    site.place.run.mkdir(parents=True)
    keyring = console_deps(site).keyring
    list_keys = keyring.keys
    (tmp_path / "f").write_bytes(b"figures")
    (tmp_path / "f.p7s").write_bytes(sign_detached(b"figures", identity, AT))
    trusted = keyring.verify(tmp_path / "f")
    site.place.ca.unlink()
    untrusted = keyring.verify(tmp_path / "f")
    assert [one["name"] for one in list_keys()] == ["site-ca", "site-signing"]
    assert [one["name"] for one in keyring.certificates()] == ["ca.pem", "site-signing", "site-ca"]
    assert keyring.certificates()[0]["level"] == "missing"
    assert [one["state"] for one in keyring.providers()] == ["passed"] * 3
    assert [(one.valid, one.trusted) for one in (trusted, untrusted)] == [(True, True), (True, False)]


INVENTORY = """yunwang: 1
regions: [{code: "230000", name: 黑龙江省, level: province}]
organisations: [{id: hlj-finance, name: 省财政厅, region: "230000"}]
"""


@pytest.fixture
def running(platform: Platform, tmp_path: Path) -> Iterator[Platform]:
    """A site whose configured trust anchor ends in three days."""
    put(tmp_path / "partner.pem", sm2_certificate(3, now()))
    platform.configure(f'[crypto]\nca = "{tmp_path / "partner.pem"}"\n')
    (tmp_path / "inventory.yaml").write_text(INVENTORY)
    platform.json("inventory", "import", str(tmp_path / "inventory.yaml"))
    platform.up("--no-demo")
    yield platform
    platform.stop()


def put(path: Path, data: bytes) -> None:
    path.with_suffix(".new").write_bytes(data)
    path.with_suffix(".new").replace(path)


def told(platform: Platform) -> list[str]:
    """Actions of the certificate events in the spool; the very same event once more is no second."""
    reader = SpoolReader(platform.data / "spool")
    entries = (entry for name in reader.partitions() for _, entry in reader.read(name, 0, 10**6, {Kind.EVENT}))
    payloads = dict.fromkeys(one.payload for one in entries if one.source == "certificates")
    return [json.loads(one)["event.action"] for one in payloads]


def stored(platform: Platform) -> list[str]:
    """Actions of the certificate events in the record store."""
    store = EmbeddedStore(platform.data / "records")
    docs = [json.loads(doc) for doc in store.read(EVENTS, columns=["doc"]).column("doc").to_pylist()]
    store.close()
    return [doc["event.action"] for doc in docs if doc.get("event.dataset") == "yunwang.crypto"]


def alerts(platform: Platform) -> list[tuple[str, str, int]]:
    rows = platform.json("soc", "alerts")
    return [(one["rule_title"], one["entities"]["certificate"], one["count"]) for one in rows]


@pytest.mark.system
def test_three_days_before_its_end_there_is_one_alert_whatever_happens(running: Platform, tmp_path: Path) -> None:
    expected = [("Certificate ends within days or has ended", "crypto.ca", 1)]
    wait_until(lambda: alerts(running), 30, "the alert")
    assert (told(running), alerts(running)) == (["certificate_critical"], expected)
    for _ in range(2):
        os.utime(tmp_path / "partner.pem")  # another look
        old = running.pid("collect")
        assert old is not None
        os.kill(old, 9)
        wait_until(lambda old=old: running.pid("collect") not in {None, old}, 10, "collect is back")
    running.stop()
    running.up("--no-demo")
    report = running.data / "run" / "collect.json"
    wait_until(lambda: "crypto.ca" in json.loads(report.read_text())["certificates"], 20, "another look")
    assert (told(running), alerts(running)) == (["certificate_critical"], expected)
    put(tmp_path / "partner.pem", sm2_certificate(400, now()))
    wait_until(lambda: "certificate_renewed" in told(running), 20, "the renewal")
    wait_until(
        lambda: json.loads(report.read_text())["certificates"]["crypto.ca"]["level"] == "ok", 5, "the status follows"
    )
    (tmp_path / "partner.pem").unlink()
    wait_until(lambda: len(alerts(running)) == 2, 40, "the loss")
    assert told(running) == ["certificate_critical", "certificate_renewed", "certificate_missing"]
    assert sorted(stored(running)) == sorted(told(running))
    assert sorted(alerts(running)) == [*expected, ("Certificate missing or unreadable", "crypto.ca", 1)]
