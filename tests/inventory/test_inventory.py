"""CONTRACT §2: reading, every fault at once, merging, writing."""

from __future__ import annotations

import string
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.loading import examine, load, parse
from inventory.merging import compare, merge
from inventory.model import Inventory, Organisation, Region, RegionLevel, Tenant
from inventory.restoring import restore
from inventory.writing import ansible, to_json, to_yaml
from lab.province import FILE
from records.errors import UserError

CONTRACT = (Path(__file__).parent / "contract.yaml").read_text("utf-8")


def faults(text: str) -> list[tuple[str, str]]:
    with pytest.raises(UserError) as caught:
        parse(text, "f.yaml")
    return [(one.where, one.text()) for one in caught.value.problems]


def test_the_contract_example_is_read_whole() -> None:
    found = parse(CONTRACT)

    assert {name: len(getattr(found, name)) for name in ("regions", "devices", "links", "tenants", "maintenance")} == {
        "regions": 2,
        "devices": 2,
        "links": 1,
        "tenants": 1,
        "maintenance": 1,
    }
    assert found.tenants[0] == Tenant(
        id="fin-core",
        cloud="prov-cloud",
        project="finance",
        organisation="hlj-finance",
        system="sys-fin",
        start=date(2026, 1, 1),
    )
    assert found.maintenance[0].start == datetime(2026, 11, 30, 16, tzinfo=UTC)


def test_what_is_stored_is_restored_as_the_strict_reader_reads_it() -> None:
    for text in (CONTRACT, FILE.read_text("utf-8")):
        assert restore(to_json(parse(text))) == parse(text)


@pytest.mark.parametrize("write", [to_yaml, to_json], ids=["yaml", "json"])
def test_what_is_written_reads_back_equal(write: Callable[[Inventory], str]) -> None:
    for text in (CONTRACT, FILE.read_text("utf-8")):
        assert parse(write(parse(text))) == parse(text)


REPLACEMENTS = [
    ("level: province", "level: land", 2, "'land' is no level"),
    ('parent: "230000"', 'parent: "230100"', 2, "'230100' lies above itself"),
    ('parent: "230000"', 'parent: "999999"', 2, "there is no '999999' in regions"),
    ("id: ctcc", "id: ctcc, colour: red", 4, "unknown key 'colour'"),
    ("id: ctcc, name", "name", 4, "'id' is missing"),
    ('community: "secret:snmp-core"', "community: public", 7, "literal secret"),
    ("port: 1161", "port: 99999", 7, "outside 1 to 65535"),
    ("port: 1161", "port: many", 7, "must be a whole number"),
    ("address: 127.0.1.1", "address: 127.0.1.1.9", 6, "is no address"),
    ("contract_bps: 10000000000", "contract_bps: 0", 11, "outside 1"),
    ("b: {device: hrb-pe1", "b: {device: nowhere", 11, "there is no device 'nowhere'"),
    ("b: {device: hrb-pe1", "b: {device: hlj-pe1", 11, "already ends link"),
    ("level: 3", "level: 9", 14, "outside 1 to 5"),
    ("from: 2026-01-01", "from: 1 May", 15, "is no date"),
    ("on_cloud: true", "on_cloud: maybe", 14, "must be true or false"),
    ("scope: {links: [hlj-hrb-1]}", "scope: {links: [x]}", 20, "there is no 'x' in links"),
    ("clouds:  ", "cluods:  ", 13, "unknown key 'cluods'"),
    ("yunwang: 1", "yunwang: 2", 1, "is missing"),
    ("carriers: ", "carriers: 5 #", 4, "must be a list"),
]


@pytest.mark.parametrize(("old", "new", "line", "what"), REPLACEMENTS)
def test_a_fault_is_told_with_its_line(old: str, new: str, line: int, what: str) -> None:
    assert old in CONTRACT
    found = faults(CONTRACT.replace(old, new, 1))

    assert any(where == f"f.yaml:{line}" and what in text for where, text in found), found


def test_all_faults_are_told_at_once() -> None:
    text = (
        CONTRACT.replace("level: province", "level: land")
        .replace("port: 1161", "port: x")
        .replace("level: 3", "level: 9")
    )

    assert [where for where, _ in faults(text)] == ["f.yaml:2", "f.yaml:7", "f.yaml:14"]


def test_a_repeated_key_and_a_repeated_id_are_faults() -> None:
    region, carriers = '{code: "1", code: "2", name: a, level: county}', "{id: a, name: b}, {id: a, name: c}"
    text = f"yunwang: 1\nregions: [{region}]\ncarriers: [{carriers}]\n"

    assert [what for _, what in faults(text)] == [
        "'code' stands twice",
        "carriers: 'a' stands twice, first at f.yaml:3",
    ]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "the file is empty"),
        ("yunwang: 1\nregions: [", "not valid YAML"),
        ("- 1", "this is no inventory"),
        ("yunwang: 1\nregions: [1]", "expected a mapping"),
        ("yunwang: 1\nlinks: [{id: a, tier: metro, contract_bps: 1, a: 5}]", "expected a mapping"),
        ("[" * 5000, "not valid YAML"),
    ],
)
def test_garbage_is_refused_with_a_reason(text: str, what: str) -> None:
    assert any(what in one for _, one in faults(text))


def spans(*pairs: tuple[date | None, date | None]) -> str:
    rows = "".join(
        "  - {id: t, cloud: c, project: p, organisation: o"
        + (f", from: {start}" if start else "")
        + (f", to: {end}" if end else "")
        + "}\n"
        for start, end in pairs
    )
    return (
        'yunwang: 1\nregions: [{code: "1", name: a, level: county}]\norganisations: [{id: o, name: o, region: "1"}]\n'
        f"clouds: [{{id: c, name: c, kind: openstack, url: u}}]\ntenants:\n{rows}"
    )


def test_adjoining_memberships_are_no_duplicate_but_overlapping_ones_are() -> None:
    may, june = date(2026, 5, 1), date(2026, 6, 1)

    assert len(parse(spans((None, may), (may, None))).memberships["t"]) == 2
    assert "overlaps its membership" in faults(spans((None, june), (may, None)))[0][1]
    assert "`to` is not after `from`" in faults(spans((june, may)))[0][1]


def test_a_folder_is_one_inventory(tmp_path: Path) -> None:
    head, tail = CONTRACT.split("carriers:")
    (tmp_path / "a.yaml").write_text(head)
    (tmp_path / "b.yml").write_text("yunwang: 1\ncarriers:" + tail)

    assert load(tmp_path) == parse(CONTRACT)


def test_a_missing_path_and_a_foreign_encoding_are_told(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_bytes("yunwang: 1 # 云网".encode("gb18030"))

    with pytest.raises(UserError, match="not UTF-8"):
        load(tmp_path / "x.yaml")
    with pytest.raises(UserError, match="no file or folder"):
        load(tmp_path / "y.yaml")


def test_import_keeps_what_the_file_does_not_name_unless_pruned() -> None:
    stored, wanted = parse(CONTRACT), parse("yunwang: 1\ncarriers: [{id: cucc, name: 联通}]\n")

    kept, pruned = merge(stored, wanted, prune=False), merge(stored, wanted, prune=True)

    assert [one.id for one in kept.carriers] == ["ctcc", "cucc"]
    assert pruned == wanted
    assert compare(stored, kept).as_json() == {"added": {"carriers": ["cucc"]}, "changed": {}, "removed": {}}
    assert compare(stored, stored).nothing


def test_a_tenant_named_by_the_file_takes_all_its_memberships_from_it() -> None:
    may = date(2026, 5, 1)
    stored, wanted = parse(spans((None, None))), parse(spans((None, may), (may, None)))

    assert merge(stored, wanted, prune=False).tenants == wanted.tenants


def test_ansible_gets_hosts_and_devices_without_secrets() -> None:
    found = ansible(parse(CONTRACT))

    assert found["_meta"]["hostvars"]["fin-db1"] == {
        "ansible_host": "127.0.2.1",
        "yw_organisation": "hlj-finance",
        "yw_system": "sys-fin",
        "ansible_port": 22,
        "ansible_user": "audit",
    }
    assert found["org_hlj_finance"] == {"hosts": ["fin-db1"]}
    assert "secret:" not in str(found)


def test_the_demo_province_is_as_the_issue_wants_it() -> None:
    found, problems = examine(FILE)
    levels = [one.level for one in found.regions]

    assert problems == []
    assert [levels.count(one) for one in (RegionLevel.PROVINCE, RegionLevel.PREFECTURE, RegionLevel.COUNTY)] == [
        1,
        13,
        121,
    ]
    assert {len(members) for members in found.links_of_group.values()} == {2}
    assert (len(found.organisations), len(found.systems), len(found.tenants)) == (12, 20, 40)
    assert not {"230671", "232761", "232762", "232763", "232764"} & set(found.region)


NAMES = st.text(string.ascii_letters + "黑龙江 '\":{}[],#&*!|>%@`\\\t", min_size=1).map(str.strip).filter(bool)


@given(st.lists(NAMES, unique=True, max_size=5))
def test_any_name_survives_writing_and_reading(names: list[str]) -> None:
    found = Inventory(
        regions=(Region(code="1", name="r", level=RegionLevel.COUNTY),),
        organisations=tuple(Organisation(id=f"o{n}", name=name, region="1") for n, name in enumerate(names)),
    )

    assert parse(to_yaml(found)) == parse(to_json(found)) == found


@given(st.text(max_size=200))
def test_no_text_makes_the_reader_fail_otherwise_than_by_a_user_error(text: str) -> None:
    try:
        parse(text)
    except UserError as error:
        assert error.problems
