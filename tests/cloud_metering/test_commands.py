"""From a usage table to a verified bill through the real command line (CONTRACT §3, §4, §8)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.running import Platform

INVENTORY = """
yunwang: 1
regions: [{code: "230000", name: 黑龙江省, level: province}]
organisations: [{id: fin, name: 省财政厅, region: "230000"}]
clouds: [{id: prov-cloud, name: 云, kind: openstack, url: "http://127.0.0.1:1/v3"}]
tenants: [{id: fin-core, cloud: prov-cloud, project: f, organisation: fin}]
"""
CATALOGUE = """
yunwang_catalogue: 1
currency: CNY
prices: [{sku: vcpu-std, meter: vcpu, unit: vcpu*month, model: flat, price: "48.91", demo: true}]
"""
HEADER = "event_id,tenant,resource,meter,quantity,unit,start,end,attr.class\n"
GOOD = "e1,fin-core,vm-1,vcpu,2976,vcpu*h,2026-07-01T00:00:00+08:00,2026-08-01T00:00:00+08:00,std\n"
BAD = "e2,nobody,vm-1,vcpu,1,vcpu*h,2026-07-01T00:00:00+08:00,2026-07-01T01:00:00+08:00,\n"
STRAY = "e3,fin-core,vm-1,gold,1,bar*h,2026-07-01T00:00:00+08:00,2026-07-01T01:00:00+08:00,\n"


@pytest.fixture
def site(platform: Platform, tmp_path: Path) -> Platform:
    (tmp_path / "inventory.yaml").write_text(INVENTORY, "utf-8")
    platform.json("inventory", "import", str(tmp_path / "inventory.yaml"))
    return platform


def test_from_a_table_to_a_verified_bill(site: Platform, tmp_path: Path) -> None:
    table, catalogue = tmp_path / "usage.csv", tmp_path / "prices.yaml"
    table.write_text(HEADER + GOOD + BAD, "utf-8")
    catalogue.write_text(CATALOGUE, "utf-8")
    imported = ("meter", "import", str(table), "--source", "prov-cloud")
    refused = [{"where": f"{table}:3", "what": "unknown tenant 'nobody'"}]
    first = {"received": 2, "stored": 1, "duplicates": 0, "conflicts": 0, "rejected": refused}
    assert site.json(*imported, "--dry-run", code=1) == first
    assert site.json(*imported, code=1) == first
    assert site.json(*imported, code=1) == first | {"stored": 0, "duplicates": 1}

    assert site.json("catalogue", "load", str(catalogue))["new"]
    line = {
        "tenant": "fin-core", "organisation": "fin", "sku": "vcpu-std", "price_version": 1, "tier": None,
        "quantity": "4.000000",
        "unit": "vcpu*month", "unit_price": "48.91", "amount": "195.64", "kind": "usage",
    }  # fmt: skip
    draft = {"month": "2026-07", "state": "open", "total": "195.64", "complete": False, "lines": [line], "findings": []}
    assert site.json("bill", "draft", "--month", "2026-07") == draft | {"rounding": []}

    assert site.run("bill", "close", "--month", "2026-07").returncode == 5
    assert site.json("bill", "close", "--month", "2026-07", "--waive", "one table")["state"] == "closed"
    assert site.run("bill", "issue", "--month", "2026-07").returncode == 5
    issued = site.json("bill", "issue", "--month", "2026-07", "--allow-demo")
    assert issued["paths"] == site.json("bill", "issue", "--month", "2026-07")["paths"]
    (path,) = issued["paths"]
    verdict = site.json("verify", path, "--ca", str(site.data / "ca.pem"))
    assert (verdict["kind"], verdict["valid"], verdict["trusted"], verdict["problems"]) == ("bill", True, True, [])
    assert json.loads((Path(path) / "bill.json").read_bytes())["lines"] == [line]
    assert site.json("meter", "verify")["valid"]


def test_findings_end_the_draft_with_1_and_bad_input_with_2_or_3(site: Platform, tmp_path: Path) -> None:
    table, catalogue = tmp_path / "usage.csv", tmp_path / "prices.yaml"
    table.write_text(HEADER + STRAY, "utf-8")
    catalogue.write_text(CATALOGUE, "utf-8")
    site.json("meter", "import", str(table), "--source", "prov-cloud")
    draft = ("bill", "draft", "--month", "2026-07", "--catalogue", str(catalogue))
    assert [one["what"] for one in site.json(*draft, code=1)["findings"]] == ["no_sku"]
    catalogue.write_text(CATALOGUE.replace("flat", "dynamic"), "utf-8")
    assert site.run(*draft).returncode == 3
    assert f"where: {catalogue}:4" in site.run("catalogue", "check", str(catalogue)).stderr
    assert site.run("bill", "draft", "--month", "2026-13").returncode == 2
    assert site.run("bill", "draft", "--month", "2026-07", "--org", "nobody").returncode == 3
