"""CONTRACT §2: the inventory's format; check, import, export, ansible."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.contract.conftest import INVENTORY, MakePlatform
from tests.running import ROOT, Platform

EXAMPLE = ROOT / "tests" / "inventory" / "contract.yaml"
COUNTS = {
    "regions": 2, "organisations": 1, "carriers": 1, "devices": 2, "groups": 1, "links": 1, "clouds": 1, "systems": 1,
    "tenants": 1, "hosts": 1, "sites": 1, "services": 1, "log_sources": 1, "maintenance": 1,
}  # fmt: skip
WRONG = """yunwang: 1
colours: []
regions:
  - {code: "230000", name: 黑龙江省, level: province, parent: "230100"}
  - {code: "230100", name: 哈尔滨市, level: city, parent: "230000"}
  - {code: "231000", name: 牡丹江市, level: prefecture, parent: "239999"}
  - {code: "232000", name: 甲, level: prefecture, parent: "233000"}
  - {code: "233000", name: 乙, level: prefecture, parent: "232000"}
organisations:
  - {id: fin, name: 省财政厅, region: "230000", colour: red}
  - {id: tax, name: 省税务局, region: "230000"}
  - {id: tax, name: 省税务局, region: "230000"}
devices:
  - {id: d1, name: d1, region: "230000", role: core, vendor: huawei, platform: huawei_vrp, address: 127.0.1.1,
     snmp: {version: "2c", community: public, port: 1161}}
clouds: [{id: c, name: c, kind: openstack, url: "http://127.0.0.1:1/v3"}]
tenants:
  - {id: t, cloud: c, project: p, organisation: tax, from: 2026-01-01, to: 2026-07-01}
  - {id: t, cloud: c, project: p, organisation: tax, from: 2026-06-30}
"""


def check(platform: Platform, folder: Path, text: str, code: int = 3) -> dict[str, Any]:
    file = folder / "checked.yaml"
    file.write_text(text, "utf-8")
    found: dict[str, Any] = platform.json("inventory", "check", str(file), code=code)
    return found


def test_the_example_of_the_contract_is_valid(bare: Platform) -> None:
    assert bare.json("inventory", "check", str(EXAMPLE)) == {"valid": True, "counts": COUNTS, "errors": []}


def test_every_fault_is_told_at_once_with_its_line(bare: Platform, folder: Path) -> None:
    file = folder / "wrong.yaml"
    file.write_text(WRONG, "utf-8")
    done = bare.run("inventory", "check", str(file))
    found = json.loads(done.stdout)
    lines = done.stderr.splitlines()

    assert (done.returncode, set(found), found["valid"]) == (3, {"valid", "counts", "errors"}, False)
    assert {frozenset(one) for one in found["errors"]} == {frozenset({"where", "what", "next"})}
    assert [one["where"] for one in found["errors"]] == [f"{file}:{line}" for line in (2, 5, 6, 7, 8, 10, 12, 15, 19)]
    assert all(one["next"] for one in found["errors"])
    assert lines == [
        f"{label}: {one[key]}"
        for one in found["errors"]
        for label, key in (("error", "what"), ("where", "where"), ("next", "next"))
    ]


def test_a_literal_password_is_refused_and_not_repeated(bare: Platform, folder: Path) -> None:
    text = EXAMPLE.read_text("utf-8").replace('"secret:snmp-core"', '"Pa55word!"')
    (fault,) = check(bare, folder, text)["errors"]

    assert fault["where"].endswith("checked.yaml:7")
    assert "Pa55word!" not in json.dumps(fault)
    assert "secret:" in fault["next"]


def test_a_folder_of_files_is_one_inventory(bare: Platform, folder: Path) -> None:
    parts = folder / "parts"
    parts.mkdir()
    for number, (section, records) in enumerate(yaml.safe_load(EXAMPLE.read_text("utf-8")).items()):
        if section != "yunwang":
            text = json.dumps({"yunwang": 1, section: records}, ensure_ascii=False, default=str)
            (parts / f"{number:02}.yaml").write_text(text, "utf-8")

    assert bare.json("inventory", "check", str(parts))["counts"] == COUNTS


@pytest.mark.parametrize(
    ("first", "second", "valid"),
    [
        pytest.param("to: 2026-07-01", "from: 2026-07-01", True, id="adjoining"),
        pytest.param("to: 2026-07-02", "from: 2026-07-01", False, id="a day twice"),
        pytest.param("to: null", "from: 2026-07-01", False, id="open end"),
    ],
)
def test_memberships_adjoin_and_never_overlap(
    bare: Platform, folder: Path, first: str, second: str, valid: bool
) -> None:
    text = INVENTORY.replace("to: 2026-07-11", first).replace("from: 2026-07-11", second)
    found = check(bare, folder, text, code=0 if valid else 3)

    assert (found["valid"], len(found["errors"])) == (valid, 0 if valid else 1)


def test_import_adds_changes_and_removes_only_with_prune(site: Platform, folder: Path) -> None:
    file = folder / "next.yaml"
    file.write_text(INVENTORY.replace("hosts: [{id: web1", "hosts: [{id: web2").replace("省税务局", "国税"), "utf-8")
    kept = site.json("inventory", "import", str(file))
    dry = site.json("inventory", "import", str(file), "--prune", "--dry-run")
    before = site.run("inventory", "export").stdout
    pruned = site.json("inventory", "import", str(file), "--prune")

    assert (kept["added"], kept["changed"], kept["removed"]) == ({"hosts": ["web2"]}, {"organisations": ["tax"]}, {})
    assert (kept["valid"], kept["applied"], kept["counts"]["hosts"]) == (True, True, 2)
    assert dry == pruned | {"applied": False}
    assert (pruned["added"], pruned["changed"], pruned["removed"]) == ({}, {}, {"hosts": ["web1"]})
    assert [one["id"] for one in yaml.safe_load(before)["hosts"]] == ["web1", "web2"]


def test_a_faulty_file_changes_nothing_and_exits_3(site: Platform, folder: Path) -> None:
    file = folder / "faulty.yaml"
    file.write_text(INVENTORY.replace('region: "230000"', 'region: "239999"'), "utf-8")
    before = site.run("inventory", "export").stdout
    found = site.run("inventory", "import", str(file), "--prune")

    assert (found.returncode, found.stdout) == (3, "")
    assert found.stderr.count("error: ") == found.stderr.count("where: ") == 3
    assert site.run("inventory", "export").stdout == before


def test_the_first_import_sets_the_site_up_and_an_export_reads_back(
    tmp_path: Path, make_platform: MakePlatform
) -> None:
    one = make_platform(tmp_path / "data")
    one.configure()
    made = one.json("inventory", "import", str(EXAMPLE))
    out = tmp_path / "out.yaml"
    one.run("inventory", "export", "--out", str(out))
    again = one.json("inventory", "import", str(out))
    hosts = json.loads(one.run("inventory", "ansible", "--list").stdout)
    one_host = json.loads(one.run("inventory", "ansible", "--host", "fin-db1").stdout)

    assert made["counts"] == COUNTS
    assert (one.data / "ca.pem").read_text().startswith("-----BEGIN CERTIFICATE-----")
    assert (again["added"], again["changed"], again["removed"]) == ({}, {}, {})
    assert hosts["_meta"]["hostvars"]["fin-db1"] == one_host
    assert one_host.items() >= {"ansible_host": "127.0.2.1", "ansible_port": 22, "ansible_user": "audit"}.items()
    assert "secret" not in json.dumps(hosts)
    shutil.rmtree(one.data)
