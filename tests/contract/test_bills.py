"""CONTRACT §7, §8: bills closed, issued, exported; verification recomputes and trusts no certificate that it finds."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from crypto.bundle import write_bundle
from crypto.identity import SiteIdentity
from crypto.keys.keystore import KeyStore
from crypto.pki.site import ensure_site_identity
from crypto.sm3 import sm3_hex
from records.instants import now, parse_instant
from records.secret import Secret
from tests.contract.conftest import MakePlatform
from tests.running import Platform

MONTH = "2026-03"
USAGE = """source,event_id,tenant,resource,meter,quantity,unit,start,end
c,e1,fin-core,vm-1,vcpu,2976,vcpu*h,2026-03-01T00:00:00+08:00,2026-04-01T00:00:00+08:00
c,e2,gone,vm-2,vcpu,744,vcpu*h,2026-03-01T00:00:00+08:00,2026-04-01T00:00:00+08:00
c,e3,fin-core,vm-1,vcpu,720,vcpu*h,2026-04-01T00:00:00+08:00,2026-05-01T00:00:00+08:00
"""
PRICES = """yunwang_catalogue: 1
currency: CNY
prices: [{sku: vcpu-std, meter: vcpu, unit: vcpu*month, model: flat, price: "48.91", approved_by: 省财政厅, demo: DEMO}]
"""
FILES = ("bill.json", "bill.pdf", "bill.xlsx", "catalogue.yaml", "policy.json", "usage.csv")


@pytest.fixture(scope="module")
def issued(site: Platform, folder: Path) -> dict[str, Any]:
    """What the first ``bill issue`` of the month printed."""
    (folder / "usage.csv").write_text(USAGE)
    for name, demo in (("prices", "false"), ("demo", "true")):
        (folder / f"{name}.yaml").write_text(PRICES.replace("DEMO", demo), "utf-8")
    site.json("meter", "import", str(folder / "usage.csv"))
    site.json("catalogue", "load", str(folder / "prices.yaml"))
    early = site.run("bill", "issue", "--month", MONTH)
    assert (early.returncode, early.stdout) == (5, "")
    closed = site.json("bill", "close", "--month", MONTH, "--waive", "usage by table")
    assert (closed["month"], closed["state"], closed["approvals"]) == (MONTH, "closed", [])
    found: dict[str, Any] = site.json("bill", "issue", "--month", MONTH)
    return found


@pytest.fixture(scope="module")
def bundle(issued: dict[str, Any]) -> Path:
    """The first organisation's bundle."""
    return Path(issued["paths"][0])


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory, make_platform: MakePlatform) -> Platform:
    """A machine without any data folder."""
    one = make_platform(tmp_path_factory.mktemp("elsewhere") / "none")
    one.data.parent.mkdir(exist_ok=True)
    return one


@pytest.fixture(scope="module")
def anchor(site: Platform, elsewhere: Platform) -> str:
    """``ca.pem``, carried there."""
    return str(shutil.copy(site.data / "ca.pem", elsewhere.data.parent / "anchor.pem"))


def test_one_bundle_an_organisation_and_the_same_paths_again(site: Platform, issued: dict[str, Any]) -> None:
    again = site.json("bill", "issue", "--month", MONTH)

    assert [one["organisation"] for one in issued["bills"]] == ["fin", "tax"]
    assert [one["total"] for one in issued["bills"]] == ["195.64", "48.91"]
    assert issued["paths"] == [one["path"] for one in issued["bills"]] == again["paths"]
    assert issued["approvals"] == []


def test_the_manifest_names_every_file_and_the_bill_before(issued: dict[str, Any]) -> None:
    first, second = (json.loads((Path(path) / "manifest.json").read_bytes()) for path in issued["paths"])
    root = Path(issued["paths"][0])

    assert set(first) == {"kind", "created", "producer", "files", "previous"}
    assert (first["kind"], first["previous"]) == ("bill", None)
    assert second["previous"] == sm3_hex((root / "manifest.json").read_bytes())
    assert tuple(one["path"] for one in first["files"]) == FILES
    assert first["files"] == [
        {"path": name, "size": (root / name).stat().st_size, "sm3": sm3_hex((root / name).read_bytes())}
        for name in FILES
    ]
    assert {one.name for one in root.iterdir()} == {*FILES, "manifest.json", "manifest.json.p7s"}
    assert (root / "bill.pdf").read_bytes().startswith(b"%PDF-")


def test_the_bill_has_the_shape_of_the_draft(site: Platform, bundle: Path) -> None:
    bill = json.loads((bundle / "bill.json").read_bytes())
    line = {
        "tenant": "fin-core", "organisation": "fin", "sku": "vcpu-std", "price_version": 1, "tier": None,
        "quantity": "4.000000", "unit": "vcpu*month", "unit_price": "48.91", "amount": "195.64", "kind": "usage",
    }  # fmt: skip

    assert (bill["month"], bill["state"], bill["total"], bill["lines"]) == (MONTH, "issued", "195.64", [line])
    assert (bill["findings"], bill["approvals"], bill["demo"]) == ([], [], False)
    assert site.json("bill", "show", "--month", MONTH, "--org", "fin") == bill


def test_elsewhere_it_is_valid_and_trusted_by_the_anchor_alone(elsewhere: Platform, bundle: Path, anchor: str) -> None:
    found = elsewhere.json("verify", str(bundle), "--ca", anchor)
    signed_at = parse_instant(found.pop("signed_at"))

    assert found == {
        "kind": "bill", "valid": True, "trusted": True, "signer": found["signer"], "timestamped": False,
        "checked": len(FILES), "problems": [],
    }  # fmt: skip
    assert "Yunwang" in found["signer"]
    assert now() - signed_at < timedelta(hours=1)
    assert elsewhere.run("verify", str(bundle), more={"YW_CA": anchor}).returncode == 0
    assert not elsewhere.data.exists()


def test_without_an_anchor_it_is_valid_but_not_trusted(elsewhere: Platform, bundle: Path) -> None:
    done = elsewhere.run("verify", str(bundle))
    found = json.loads(done.stdout)

    assert (done.returncode, found["valid"], found["trusted"], found["problems"]) == (1, True, False, [])
    assert done.stderr.splitlines()[1:] == [f"where: {bundle}", "next: pass --ca FILE"]


@pytest.mark.parametrize("name", [*FILES, "manifest.json", "manifest.json.p7s"])
def test_one_changed_byte_names_the_file(
    elsewhere: Platform, bundle: Path, anchor: str, tmp_path: Path, name: str
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(bundle, copy)
    data = bytearray((copy / name).read_bytes())
    data[len(data) // 2] ^= 1
    (copy / name).write_bytes(data)
    found = elsewhere.json("verify", str(copy), "--ca", anchor, code=1)
    named = "manifest.json.p7s" if name == "manifest.json" else name

    assert found["valid"] is False
    assert found["problems"][0]["path"] in {name, named}
    assert all(set(one) == {"path", "what"} and one["what"] for one in found["problems"])


def test_a_missing_and_an_added_file_are_named(elsewhere: Platform, bundle: Path, anchor: str, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(bundle, copy)
    (copy / "bill.pdf").rename(copy / "other.pdf")
    found = elsewhere.json("verify", str(copy), "--ca", anchor, code=1)

    assert sorted(one["path"] for one in found["problems"]) == ["bill.pdf", "other.pdf"]


def own_identity(site: Platform, folder: Path) -> SiteIdentity:
    """The site's right key."""
    secret = Secret((folder / "passphrase").read_text())
    return ensure_site_identity(KeyStore(site.data / "keys", secret), site.data / "ca.pem", "Yunwang", now())


def resign(bundle: Path, out: Path, identity: SiteIdentity, change: Callable[[dict[str, Any]], None]) -> str:
    """The bundle again with ``bill.json`` changed, signed by somebody."""
    bill = json.loads((bundle / "bill.json").read_bytes())
    change(bill)
    files: dict[str, bytes | Path] = {name: bundle / name for name in FILES}
    text = json.dumps(bill, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    files["bill.json"] = text.encode()
    return str(write_bundle(out, "bill", files, identity, created=now().replace(microsecond=0), producer="test"))


def untouched(_bill: dict[str, Any]) -> None:
    pass


def dearer(bill: dict[str, Any]) -> None:
    bill["lines"][0]["amount"] = bill["total"] = "295.64"


def cheaper_total(bill: dict[str, Any]) -> None:
    bill["total"] = "95.64"


def test_signed_by_another_ca_it_is_valid_but_not_trusted(
    elsewhere: Platform, bundle: Path, anchor: str, tmp_path: Path
) -> None:
    stranger = ensure_site_identity(
        KeyStore(tmp_path / "keys", Secret("another")), tmp_path / "ca.pem", "Somebody", now()
    )
    path = resign(bundle, tmp_path / "again", stranger, untouched)
    found = elsewhere.json("verify", path, "--ca", anchor, code=1)

    assert (found["valid"], found["trusted"], found["problems"]) == (True, False, [])
    assert "Somebody" in found["signer"]
    assert elsewhere.json("verify", path, "--ca", str(tmp_path / "ca.pem"))["trusted"] is True


@pytest.mark.parametrize("change", [dearer, cheaper_total])
def test_a_changed_amount_under_the_right_key_is_found_by_rating_again(
    site: Platform, elsewhere: Platform, folder: Path, bundle: Path, anchor: str, tmp_path: Path,
    change: Callable[[dict[str, Any]], None],
) -> None:  # fmt: skip
    path = resign(bundle, tmp_path / "again", own_identity(site, folder), change)
    found = elsewhere.json("verify", path, "--ca", anchor, code=1)

    assert (found["valid"], found["trusted"]) == (False, True)
    assert {one["path"] for one in found["problems"]} == {"bill.json"}


def test_signed_again_unchanged_by_the_right_key_it_holds(
    site: Platform, elsewhere: Platform, folder: Path, bundle: Path, anchor: str, tmp_path: Path
) -> None:
    path = resign(bundle, tmp_path / "again", own_identity(site, folder), untouched)

    assert elsewhere.json("verify", path, "--ca", anchor)["valid"] is True


def test_a_closed_month_keeps_its_lines_and_its_prices(site: Platform, issued: dict[str, Any], folder: Path) -> None:
    before = site.json("bill", "draft", "--month", MONTH)
    (folder / "late.csv").write_text(USAGE.splitlines()[0] + "\n" + USAGE.splitlines()[1].replace("e1", "e9") + "\n")
    stored = site.json("meter", "import", str(folder / "late.csv"))

    assert stored["stored"] == 1
    assert site.json("bill", "draft", "--month", MONTH) == before
    assert (before["state"], before["total"], len(issued["paths"])) == ("issued", "244.55", 2)


def test_demo_prices_are_refused_and_marked(site: Platform, issued: dict[str, Any], folder: Path) -> None:
    assert issued["paths"]
    prices = ("--catalogue", str(folder / "demo.yaml"))
    refused = site.run("bill", "issue", "--month", "2026-04", *prices)
    dry = site.json("bill", "issue", "--month", "2026-04", *prices, "--allow-demo", "--dry-run")
    found = site.json("bill", "issue", "--month", "2026-04", *prices, "--allow-demo")
    (path,) = found["paths"]

    assert (refused.returncode, refused.stdout) == (5, "")
    assert dry["paths"] == []
    assert json.loads((Path(path) / "bill.json").read_bytes())["demo"] is True
    assert [one["demo"] for one in site.json("bill", "show", "--month", "2026-04")] == [True]


def test_show_lists_months_and_export_writes_files(site: Platform, issued: dict[str, Any], folder: Path) -> None:
    months = {one["month"]: one for one in site.json("bill", "show")}
    bills = site.json("bill", "show", "--month", MONTH)
    out = folder / "lines.csv"
    made = site.json("bill", "export", "--month", MONTH, "--out", str(out))
    paper = folder / "bill.pdf"
    site.json("bill", "export", "--month", MONTH, "--org", "fin", "--format", "pdf", "--out", str(paper))

    assert (months[MONTH]["state"], months[MONTH]["total"]) == ("issued", "244.55")
    assert [one["path"] for one in bills] == issued["paths"]
    assert made == {"path": str(out)}
    with out.open(encoding="utf-8-sig", newline="") as stream:
        assert [one["amount"] for one in csv.DictReader(stream)] == ["195.64", "48.91"]
    assert paper.read_bytes() == (Path(issued["paths"][0]) / "bill.pdf").read_bytes()
