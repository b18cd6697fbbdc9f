from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import pytest
import sqlalchemy as sa

from cloud_metering import invoice, tables
from cloud_metering.books import Chosen, bill_of, close, load_catalogue
from cloud_metering.catalogue import parse
from cloud_metering.draft import memberships_from, memberships_json, memberships_of
from cloud_metering.ledger import advance_watermark, post
from cloud_metering.verify import verify_bill
from cloud_metering.views import by_organisation, month_bill, months
from crypto.bundle import manifest_digest, verify_bundle, write_bundle
from crypto.canonical import canonical_json
from crypto.identity import SiteIdentity
from crypto.keys.keystore import KeyStore
from crypto.merkle import root
from crypto.pki.site import ensure_site_identity
from inventory.loading import parse as parse_inventory
from records.errors import RefusedError, UserError
from records.secret import Secret
from storage.state import reading, writing
from tests.cloud_metering.conftest import AT, row, usage

MONTH = "2026-07"
INVENTORY = parse_inventory(
    """
yunwang: 1
regions: [{code: "230000", name: 黑龙江省, level: province}]
organisations: [{id: fin, name: 省财政厅, region: "230000"}, {id: tax, name: 省税务局, region: "230000"}]
clouds: [{id: prov-cloud, name: 云, kind: openstack, url: "http://127.0.0.1:1/v3"}]
systems: [{id: sys, name: 财政核心系统, organisation: fin, level: 3}]
tenants:
  - {id: fin-core, cloud: prov-cloud, project: f, organisation: fin, system: sys, to: 2026-07-16}
  - {id: fin-core, cloud: prov-cloud, project: f, organisation: tax, from: 2026-07-16}
  - {id: tax-core, cloud: prov-cloud, project: t, organisation: tax}
"""
)
CATALOGUE = """
yunwang_catalogue: 1
currency: CNY
prices:
  - {sku: vcpu, meter: vcpu, unit: vcpu*month, model: flat, price: "48.91", demo: DEMO}
  - {sku: mem, meter: memory, unit: GB*month, model: graduated,
     tiers: [{up_to: 50, price: 3}, {up_to: null, price: "2.5"}]}
"""
WHOLE = {"start": "2026-07-01T00:00:00+08:00", "end": "2026-08-01T00:00:00+08:00"}
ROWS = (
    row(event_id="a", quantity="2976", **WHOLE),
    row(event_id="b", meter="memory", unit="GB*h", quantity="74400", **WHOLE),
    row(event_id="c", tenant="tax-core", resource="vm-2", quantity="1"),
)
LINES = [  # month of 744 h: 4 vCPU and 100 GB, 15 days fin and 16 days tax
    ("fin-core", "fin", "mem", 1, 1, "48.387097", "3.00", "145.16"),
    ("fin-core", "fin", "vcpu", 1, None, "1.935484", "48.91", "94.66"),
    ("fin-core", "tax", "mem", 1, 1, "1.612903", "3.00", "4.84"),
    ("fin-core", "tax", "mem", 1, 2, "50.000000", "2.50", "125.00"),
    ("fin-core", "tax", "vcpu", 1, None, "2.064516", "48.91", "100.98"),
    ("tax-core", "tax", "vcpu", 1, None, "0.001344", "48.91", "0.07"),
]
KEYS = ("tenant", "organisation", "sku", "price_version", "tier", "quantity", "unit_price", "amount")


def chosen(*, demo: bool = False) -> Chosen:
    return Chosen(catalogue=parse(CATALOGUE.replace("DEMO", str(demo).lower())))


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> SiteIdentity:
    folder = tmp_path_factory.mktemp("keys")
    return ensure_site_identity(KeyStore(folder / "keys", Secret("pass-1234")), folder / "ca.pem", "Test", AT)


@pytest.fixture
def office(state: sa.Engine, tmp_path: Path, identity: SiteIdentity) -> invoice.Office:
    with writing(state) as connection:
        post(connection, usage(*ROWS), AT)
    return invoice.Office(
        state=state,
        folder=tmp_path,
        identity=identity,
        inventory=INVENTORY,
        actor="local:test",
        producer="yunwang test",
    )


def closed(office: invoice.Office, *, demo: bool = False) -> None:
    with writing(office.state) as connection:
        members = memberships_of(INVENTORY)
        close(connection, MONTH, chosen=chosen(demo=demo), memberships=members, at=AT, actor="a", waiver="imported")


def verdict(path: Path, identity: SiteIdentity):
    return verify_bundle(path, [identity.anchor], {"bill": verify_bill})


def shown(bill: dict) -> list[tuple]:
    return [tuple(line[key] for key in KEYS) for line in bill["lines"]]


def test_draft_of_a_month(office: invoice.Office) -> None:
    with reading(office.state) as connection:
        draft = bill_of(connection, MONTH, chosen(), memberships_of(INVENTORY))
    bill = draft.for_organisation(None)
    assert shown(bill) == LINES
    assert list(bill) == ["month", "state", "total", "complete", "lines", "findings", "rounding"]
    assert (bill["state"], bill["total"], bill["complete"], bill["findings"]) == ("open", "470.71", False, [])
    assert {line["unit"] for line in bill["lines"]} == {"vcpu*month", "GB*month"}
    assert draft.for_organisation("fin")["total"] == "239.82"


def test_rounding_makes_up_the_difference_to_the_exact_total(office: invoice.Office) -> None:
    with reading(office.state) as connection:
        draft = bill_of(connection, MONTH, chosen(), memberships_of(INVENTORY))
    exact = sum((one.amount for one in draft.charges), Fraction(0))
    bill = draft.for_organisation(None)
    assert Fraction(bill["total"]) + sum(Fraction(one["amount"]) for one in bill["rounding"]) == exact
    assert all(line["kind"] == "usage" for line in bill["lines"])


def test_a_month_is_complete_when_all_its_sources_are(office: invoice.Office) -> None:
    with writing(office.state) as connection:
        advance_watermark(connection, "prov-cloud", datetime(2026, 7, 31, 16, tzinfo=UTC))
        assert bill_of(connection, MONTH, chosen(), memberships_of(INVENTORY)).complete
        post(connection, usage(row(source="late")), AT)
        assert not bill_of(connection, MONTH, chosen(), memberships_of(INVENTORY)).complete


def test_closing_needs_the_watermark_or_a_waiver(office: invoice.Office) -> None:
    with pytest.raises(RefusedError, match="not complete: prov-cloud"), writing(office.state) as connection:
        close(connection, MONTH, chosen=chosen(), memberships=memberships_of(INVENTORY), at=AT, actor="a")
    closed(office)
    assert months(office.state)[0]["state"] == "closed"


def test_late_usage_and_a_new_catalogue_change_no_line_of_a_closed_month(office: invoice.Office) -> None:
    closed(office)
    with writing(office.state) as connection:
        post(connection, usage(row(event_id="late", quantity="1000"), row(event_id="a", quantity="1", **WHOLE)), AT)
        load_catalogue(connection, parse(CATALOGUE.replace("DEMO", "false").replace("48.91", "99")), AT, "a")
        bill = bill_of(connection, MONTH, None, {}).for_organisation(None)
    assert (shown(bill), bill["state"], bill["findings"]) == (LINES, "closed", [])


def test_closing_keeps_charges_and_rounding(office: invoice.Office) -> None:
    closed(office)
    with reading(office.state) as connection:
        rows = connection.execute(sa.select(tables.charge.c.kind, sa.func.count()).group_by(tables.charge.c.kind)).all()
    assert sorted(map(tuple, rows)) == [("rounding", 2), ("usage", 6)]


def test_an_open_month_is_not_issued(office: invoice.Office) -> None:
    with pytest.raises(RefusedError, match="is open"):
        invoice.issue(office, MONTH, AT, chosen=chosen())


def test_demo_prices_are_refused_unless_allowed(office: invoice.Office, identity: SiteIdentity) -> None:
    closed(office, demo=True)
    with pytest.raises(RefusedError, match="demo prices: vcpu") as refused:
        invoice.issue(office, MONTH, AT)
    assert refused.value.exit_code == 5
    found = invoice.issue(office, MONTH, AT, allow_demo=True)
    assert [one.demo for one in found] == [True, True]
    bill = json.loads((office.folder / found[0].path / "bill.json").read_bytes())
    assert (bill["demo"], bill["approvals"], bill["state"]) == (True, [], "issued")
    assert verdict(office.folder / found[0].path, identity).accepted


def test_bundles_are_chained_valid_and_issued_once(office: invoice.Office, identity: SiteIdentity) -> None:
    closed(office)
    first = invoice.issue(office, MONTH, AT)
    assert [(one.number, one.organisation, one.total_fen) for one in first] == [
        ("YW-202607-0001", "fin", 23982),
        ("YW-202607-0002", "tax", 23089),
    ]
    paths = [office.folder / one.path for one in first]
    assert [verdict(path, identity).problems for path in paths] == [(), ()]
    manifest = json.loads((paths[1] / "manifest.json").read_bytes())
    assert manifest["previous"] == manifest_digest(paths[0])
    assert [one["path"] for one in manifest["files"]] == [
        "bill.json", "bill.pdf", "bill.xlsx", "catalogue.yaml", "policy.json", "usage.csv",
    ]  # fmt: skip
    assert invoice.issue(office, MONTH, AT.replace(year=2027)) == first


def test_a_bundle_left_by_a_crash_is_made_anew(office: invoice.Office, identity: SiteIdentity) -> None:
    closed(office)
    left = office.folder / "bills" / MONTH / "YW-202607-0001-fin"
    left.mkdir(parents=True)
    (left / "bill.json").write_text("torn")
    found = invoice.issue(office, MONTH, AT)
    assert verdict(office.folder / found[0].path, identity).accepted


def test_the_usage_s_root_is_over_its_source_events(office: invoice.Office) -> None:
    closed(office)
    found = invoice.issue(office, MONTH, AT)
    with reading(office.state) as connection:
        marks = dict(
            connection.execute(sa.select(tables.usage_event.c.event_id, tables.usage_event.c.payload_sm3)).all()
        )
    lines = (office.folder / found[1].path / "usage.csv").read_text().splitlines()
    by_row = {tuple(line.split(",")[:3]): line.split(",")[-1] for line in lines}
    assert by_row["fin-core", "tax", "mem"] == by_row["fin-core", "fin", "mem"] == root([marks["b"]]).hex()
    assert by_row["tax-core", "tax", "vcpu"] == root([marks["c"]]).hex()


def rewritten(office: invoice.Office, identity: SiteIdentity, name: str, change) -> list[tuple[str, str]]:
    """Problems of the second bill after one file was changed and everything was signed again with the right key."""
    closed(office)
    source = office.folder / invoice.issue(office, MONTH, AT)[1].path
    files = {one.name: one.read_bytes() for one in source.iterdir() if not one.name.startswith("manifest")}
    files[name] = change(files[name])
    out = write_bundle(office.folder / "again", "bill", files, identity, created=AT, producer="test")
    return [(one.path, one.as_json()["what"]) for one in verdict(out, identity).problems]


def edit(change):
    def apply(data: bytes) -> bytes:
        document = json.loads(data)
        change(document)
        return canonical_json(document)

    return apply


@pytest.mark.parametrize(
    ("name", "change", "problem"),
    [
        ("bill.json", edit(lambda bill: bill["lines"][0].update(amount="4.85")),
         "line 1 (fin-core tax mem 1 1) says amount 4.85, re-rated amount 4.84"),
        ("bill.json", edit(lambda bill: bill["lines"][2].update(quantity="2.064517")), "re-rated quantity 2.064516"),
        ("bill.json", edit(lambda bill: bill["lines"].pop()), "a line is missing: tax-core tax vcpu 1 None"),
        ("bill.json", edit(lambda bill: bill["lines"].append(bill["lines"][0])), "line 5 rests on no usage"),
        ("bill.json", edit(lambda bill: bill.update(total="230.88")), "'total' is 230.88, re-rated 230.89"),
        ("bill.json", edit(lambda bill: bill.update(demo=True)), "'demo' is True, re-rated False"),
        ("bill.json", edit(lambda bill: bill.update(organisation="fin")), "rests on no usage"),
        ("bill.json", edit(lambda bill: bill.update(month="2026-06")), "'month' is 2026-07, must be 2026-06"),
        ("bill.json", lambda _: b"[]", "cannot be read"),
        ("policy.json", edit(lambda policy: policy["policy"].update(rounding="half_even")), "'policy' is"),
        ("usage.csv", lambda data: data.replace(b"GB*h,38400", b"GB*h,38401"), "re-rated"),
        ("usage.csv", lambda data: data + data.splitlines(keepends=True)[-1], "two rows of tax-core overlap"),
        ("usage.csv", lambda data: data.replace(b"vcpu,1,2026", b"vcpu,2,2026"), "does not fit its price version"),
        ("usage.csv", lambda data: data.replace(b"-07-31T16:00:00Z", b"-08-31T16:00:00Z"), "lies outside the month"),
        ("catalogue.yaml", lambda data: data.replace(b"48.91", b"48.92"), "re-rated"),
        ("catalogue.yaml", lambda data: data.replace(b"half_up", b"half_even"), "'policy' is"),
    ],
)  # fmt: skip
def test_a_changed_figure_is_found_under_a_good_signature(
    office: invoice.Office, identity: SiteIdentity, name: str, change, problem: str
) -> None:
    found = rewritten(office, identity, name, change)
    assert any(problem in what for _, what in found), found


def test_an_unchanged_bundle_signed_again_is_valid(office: invoice.Office, identity: SiteIdentity) -> None:
    assert rewritten(office, identity, "bill.json", lambda data: data) == []


def test_a_changed_byte_names_its_file(office: invoice.Office, identity: SiteIdentity, tmp_path: Path) -> None:
    closed(office)
    source = office.folder / invoice.issue(office, MONTH, AT)[0].path
    for name in ("bill.json", "bill.xlsx", "bill.pdf", "usage.csv", "catalogue.yaml", "policy.json"):
        copy = tmp_path / f"copy-{name}"
        shutil.copytree(source, copy)
        data = bytearray((copy / name).read_bytes())
        data[len(data) // 2] ^= 1
        (copy / name).write_bytes(data)
        assert [one.path for one in verdict(copy, identity).problems] == [name]


def test_the_month_s_bill_is_rated_again_only_when_something_changed(office: invoice.Office, monkeypatch) -> None:
    members = memberships_of(INVENTORY)
    assert month_bill(office.state, MONTH, members) is None
    with writing(office.state) as connection:
        load_catalogue(connection, chosen().catalogue, AT, "a")
    first = month_bill(office.state, MONTH, members)
    assert first is not None
    assert by_organisation(first) == [
        {"organisation": "fin", "amount": "239.82"},
        {"organisation": "tax", "amount": "230.89"},
    ]
    with monkeypatch.context() as patch:
        patch.setattr("cloud_metering.views.bill_of", lambda *_: pytest.fail("rated again"))
        assert month_bill(office.state, MONTH, members) == first
    with writing(office.state) as connection:
        post(connection, usage(row(event_id="new")), AT)
    assert month_bill(office.state, MONTH, members) != first


def test_loading_the_same_catalogue_twice_changes_nothing(state: sa.Engine) -> None:
    with writing(state) as connection:
        assert load_catalogue(connection, chosen().catalogue, AT, "a") == (1, True)
        assert load_catalogue(connection, chosen().catalogue, AT, "a") == (1, False)
        assert load_catalogue(connection, chosen(demo=True).catalogue, AT, "a") == (2, True)


def test_without_a_catalogue_the_next_step_is_told(office: invoice.Office) -> None:
    with pytest.raises(UserError, match="no price catalogue"), reading(office.state) as connection:
        bill_of(connection, MONTH, None, memberships_of(INVENTORY))


def test_memberships_are_kept_whole() -> None:
    members = memberships_of(INVENTORY)
    assert memberships_from(memberships_json(members)) == members


def test_half_even_rounds_the_line(office: invoice.Office) -> None:
    catalogue = chosen().catalogue
    even = replace(catalogue, policy=replace(catalogue.policy, rounding="half_even", month_hours="720"))
    with writing(office.state) as connection:
        post(connection, usage(row(event_id="h", tenant="tax-core", meter="memory", unit="GB*h", quantity="1.2")), AT)
        bill = bill_of(connection, MONTH, Chosen(catalogue=even), memberships_of(INVENTORY)).for_organisation("tax")
    assert [line["amount"] for line in bill["lines"] if line["tenant"] == "tax-core" and line["sku"] == "mem"] == [
        "0.00"
    ]
