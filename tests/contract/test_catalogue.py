"""CONTRACT §4: the catalogue's format and what a month comes to; every figure here was computed by hand."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tests.running import Platform

EXAMPLE = """yunwang_catalogue: 1
currency: CNY
policy: {basis: allocated, month_hours: actual, rounding: half_up, partial_month: by_usage}
prices:
  - {sku: vcpu-std, meter: vcpu, unit: vcpu*month, model: flat, price: "48.91", valid_from: 2026-01-01, valid_to: null, approved_by: 省财政厅, demo: true}
  - {sku: mem-std, meter: memory, unit: GB*month, model: graduated, valid_from: 2026-01-01,
     tiers: [{up_to: 1000, price: "24.67"}, {up_to: null, price: "20.00"}]}
  - {sku: eip, meter: eip, unit: eip*month, model: subscription, price: "30.00", valid_from: 2026-01-01}
match: [{sku: vcpu-std, where: {attr.class: std}}]
"""
HEAD = "yunwang_catalogue: 1\ncurrency: CNY\n"
HEADER = "source,event_id,tenant,resource,meter,quantity,unit,start,end,attr.class\n"
FEB, MAR, APR, MAY, JUN, JUL, AUG, SEP, OCT = (f"2026-{month:02}-01T00:00:00+08:00" for month in range(2, 11))
ROWS = (
    # February, 672 hours: 4 vCPU all month, 100 GB and one address as months
    f"c,f1,fin-core,vm-1,vcpu,2688,vcpu*h,{FEB},{MAR},std",
    f"c,f2,fin-core,vol-1,disk,100,GB*month,{FEB},{MAR},",
    f"c,f3,fin-core,eip-1,eip,1,eip*month,{FEB},{MAR},",
    f"c,f4,fin-core,none,disk,0,GB*month,{FEB},{MAR},",
    # March: 1500 GB of each of three models; 250 requests in packages
    *(f"c,m{meter},fin-core,r,{meter},1500,GB*month,{MAR},{APR}," for meter in ("memory", "archive")),
    f"c,mp,fin-core,r,package,250,GB*month,{MAR},{APR},",
    # April: two skus of one meter
    f"c,a1,fin-core,vm-1,vcpu,3,vcpu*month,{APR},{MAY},std",
    f"c,a2,fin-core,vm-2,vcpu,2,vcpu*month,{APR},{MAY},gold",
    # May: one of each finding
    f"c,y1,fin-core,r,oil,1,barrel*h,{MAY},{JUN},",
    f"c,y2,fin-core,r,late,1,x*h,2026-05-31T00:00:00+08:00,{JUN},",
    "c,y3,gone,r,vcpu,48,vcpu*h,2026-05-15T00:00:00+08:00,2026-05-17T00:00:00+08:00,",
    f"c,y4,fin-core,r,memory,5,MB*h,{MAY},{JUN},",
    "c,y5,fin-core,r,vcpu,2,vcpu*h,2026-05-01T00:00:00+08:00,2026-05-01T02:00:00+08:00,",
    "c,y6,fin-core,r,vcpu,2,vcpu*h,2026-05-01T01:00:00+08:00,2026-05-01T03:00:00+08:00,",
    # July, 744 hours: a price changes on the 16th, a tenant changes its organisation on the 11th
    f"c,j1,fin-core,vm-1,vcpu,2232,vcpu*h,{JUL},{AUG},",
    f"c,j2,moved,r,memory,1550,GB*month,{JUL},{AUG},",
    # over the edge of August and September
    "c,s1,fin-core,vm-1,gpu,8,gpu*h,2026-08-31T20:00:00+08:00,2026-09-01T04:00:00+08:00,",
)
CONFLICT = "c,y5,fin-core,r,vcpu,7,vcpu*h,2026-05-01T00:00:00+08:00,2026-05-01T02:00:00+08:00,"


@pytest.fixture(scope="module")
def metered(site: Platform, folder: Path) -> Platform:
    file = folder / "usage.csv"
    file.write_text(HEADER + "\n".join([*ROWS, CONFLICT]) + "\n")
    found = site.json("meter", "import", str(file), code=1)
    assert found == {"received": len(ROWS) + 1, "stored": len(ROWS), "duplicates": 0, "conflicts": 1, "rejected": []}
    return site


def price(sku: str, cost: str, *, unit: str = "GB*month", model: str = "flat", more: str = "") -> str:
    """A line of ``prices``; ``cost`` is ``price: "1"`` or ``tiers: …``; the meter has the sku's name up to a dash."""
    return f"{{sku: {sku}, meter: {sku.partition('-')[0]}, unit: {unit}, model: {model}, {cost}{more}}}"


def draft(site: Platform, folder: Path, month: str, *prices: str, policy: str = "", code: int = 0) -> dict[str, Any]:
    file = folder / "prices.yaml"
    file.write_text(HEAD + policy + "prices:\n" + "".join(f"  - {one}\n" for one in prices), "utf-8")
    found: dict[str, Any] = site.json("bill", "draft", "--month", month, "--catalogue", str(file), code=code)
    assert set(found) >= {"month", "state", "total", "complete", "lines", "findings"}
    assert (found["month"], found["state"]) == (month, "open")
    return found


def line(sku: str, quantity: str, unit: str, unit_price: str, amount: str, **more: Any) -> dict[str, Any]:
    return {
        "tenant": "fin-core", "organisation": "fin", "sku": sku, "price_version": 1, "tier": None, "quantity": quantity,
        "unit": unit, "unit_price": unit_price, "amount": amount, "kind": "usage",
    } | more  # fmt: skip


VCPU = price("vcpu-std", 'price: "48.91"', unit="vcpu*month")
FEBRUARY = (VCPU, price("disk", 'price: "0.333333"'), price("eip", 'price: "0.125"', unit="eip*month"))


def test_flat_prices_of_a_month_of_672_hours(metered: Platform, folder: Path) -> None:
    found = draft(metered, folder, "2026-02", *FEBRUARY)

    assert found["lines"] == [
        line("disk", "100.000000", "GB*month", "0.333333", "33.33"),
        line("eip", "1.000000", "eip*month", "0.125000", "0.13"),
        line("vcpu-std", "4.000000", "vcpu*month", "48.91", "195.64"),
    ]
    assert (found["total"], found["findings"], found["complete"]) == ("229.10", [], False)
    # 33.3333 - 33.33 + 0.125 - 0.13 = -0.0017
    (rounding,) = found["rounding"]
    assert rounding == {"organisation": "fin", "kind": "rounding", "amount": rounding["amount"]}
    assert Fraction(rounding["amount"]) == Fraction("-0.0017")


@pytest.mark.parametrize(
    ("policy", "vcpu", "eip", "total"),
    [
        # 2688 / 720 = 3.733333…; × 48.91 = 182.597333…
        pytest.param("{month_hours: 720}", ("3.733333", "182.60"), "0.13", "216.06", id="720 hours"),
        # 2688 / 730 = 3.682192; × 48.91 = 180.096; 0.125 to the even neighbour
        pytest.param(
            "{month_hours: 730, rounding: half_even}", ("3.682192", "180.10"), "0.12", "213.55", id="730, half even"
        ),
    ],
)
def test_policy(metered: Platform, folder: Path, policy: str, vcpu: tuple[str, str], eip: str, total: str) -> None:
    found = draft(metered, folder, "2026-02", *FEBRUARY, policy=f"policy: {policy}\n")

    assert [(one["quantity"], one["amount"]) for one in found["lines"]] == [
        ("100.000000", "33.33"),
        ("1.000000", eip),
        vcpu,
    ]
    assert found["total"] == total


STEPS = 'tiers: [{up_to: 1000, price: "24.67"}, {up_to: null, price: "20.00"}]'


def test_graduated_volume_and_package(metered: Platform, folder: Path) -> None:
    found = draft(
        metered, folder, "2026-03",
        price("memory", STEPS, model="graduated"),
        price("archive", STEPS, model="volume"),
        price("package", 'price: "10.00", block: 100', model="package"),
    )  # fmt: skip

    assert found["lines"] == [
        line("archive", "1500.000000", "GB*month", "20.00", "30000.00", tier=2),
        line("memory", "1000.000000", "GB*month", "24.67", "24670.00", tier=1),
        line("memory", "500.000000", "GB*month", "20.00", "10000.00", tier=2),
        line("package", "3.000000", "block", "10.00", "30.00"),
    ]
    assert (found["total"], found["rounding"]) == ("64700.00", [])


def test_a_price_change_and_a_membership_edge_split_in_proportion_to_time(metered: Platform, folder: Path) -> None:
    found = draft(
        metered, folder, "2026-07",
        price("vcpu", 'price: "48.91"', unit="vcpu*month", more=", valid_to: 2026-07-16"),
        price("vcpu", 'price: "50"', unit="vcpu*month", more=", valid_from: 2026-07-16"),
        price("memory", STEPS, model="graduated"),
    )  # fmt: skip
    moved = {"tenant": "moved"}

    assert found["lines"] == [
        # 3 × 15/31 × 48.91 = 70.998387; 3 × 16/31 × 50 = 77.419355
        line("vcpu", "1.451613", "vcpu*month", "48.91", "71.00"),
        line("vcpu", "1.548387", "vcpu*month", "50.00", "77.42", price_version=2),
        # ten of 31 days with the first organisation: 500 of 1550; the tiers run on over the edge
        line("memory", "500.000000", "GB*month", "24.67", "12335.00", tier=1, **moved),
        line("memory", "500.000000", "GB*month", "24.67", "12335.00", tier=1, organisation="tax", **moved),
        line("memory", "550.000000", "GB*month", "20.00", "11000.00", tier=2, organisation="tax", **moved),
    ]
    assert found["total"] == "35818.42"


@pytest.mark.parametrize("month", ["2026-08", "2026-09"])
def test_a_month_edge_splits_a_record(metered: Platform, folder: Path, month: str) -> None:
    found = draft(metered, folder, month, price("gpu", 'price: "1.5"', unit="gpu*h"))

    assert found["lines"] == [line("gpu", "4.000000", "gpu*h", "1.50", "6.00")]


def finding(what: str, where: str, meter: str, quantity: str, unit: str, start: str, end: str, **more: Any) -> Any:
    return {
        "what": what, "where": where, "tenant": "fin-core", "meter": meter, "sku": None, "quantity": quantity,
        "unit": unit, "start": start, "end": end,
    } | more  # fmt: skip


def test_findings_of_every_kind(metered: Platform, folder: Path) -> None:
    found = draft(
        metered, folder, "2026-05",
        price("late", 'price: "1"', unit="x*h", more=", valid_from: 2026-06-01"),
        price("vcpu", 'price: "1"', unit="vcpu*h"),
        price("memory", 'price: "1"'),
        code=1,
    )  # fmt: skip
    first, last = "2026-04-30T16:00:00Z", "2026-05-31T16:00:00Z"

    assert sorted(found["findings"], key=lambda one: one["what"]) == [
        finding("conflict", "c/y5", "vcpu", "7.000000", "vcpu*h", first, "2026-04-30T18:00:00Z"),
        finding(
            "no_organisation", "c/y3", "vcpu", "24.000000", "vcpu*h", "2026-05-15T16:00:00Z", "2026-05-16T16:00:00Z",
            tenant="gone",
        ),
        finding("no_price", "c/y2", "late", "1.000000", "x*h", "2026-05-30T16:00:00Z", last, sku="late"),
        finding("no_sku", "c/y1", "oil", "1.000000", "barrel*h", first, last),
        finding("overlap", "c/y6", "vcpu", "2.000000", "vcpu*h", "2026-04-30T17:00:00Z", "2026-04-30T19:00:00Z"),
        finding("unit", "c/y4", "memory", "5.000000", "MB*h", first, last, sku="memory"),
    ]  # fmt: skip
    assert found["lines"] == [
        line("vcpu", "4.000000", "vcpu*h", "1.00", "4.00"),
        line("vcpu", "24.000000", "vcpu*h", "1.00", "24.00", tenant="gone", organisation="tax"),
    ]


def test_the_first_matching_rule_chooses_and_an_undecided_record_stops_the_draft(
    metered: Platform, folder: Path
) -> None:
    rules = (
        "match: [{sku: vcpu-std, where: {attr.class: std}},"
        " {sku: vcpu-gold, where: {attr.class: gold}}, {sku: vcpu-std, where: {attr.class: gold}}]\n"
    )
    both = (VCPU, price("vcpu-gold", 'price: "100"', unit="vcpu*month"))
    found = draft(metered, folder, "2026-04", *both, policy=rules)
    refused = metered.run("bill", "draft", "--month", "2026-02", "--catalogue", str(folder / "prices.yaml"))
    (folder / "prices.yaml").write_text(
        (folder / "prices.yaml").read_text().replace("attr.class: gold", "attr.class: iron")
    )
    undecided = metered.run("bill", "draft", "--month", "2026-04", "--catalogue", str(folder / "prices.yaml"))

    assert [(one["sku"], one["amount"]) for one in found["lines"]] == [("vcpu-gold", "200.00"), ("vcpu-std", "146.73")]
    assert refused.returncode == 1  # disk and address have no sku here
    assert (undecided.returncode, undecided.stdout) == (3, "")
    assert "where: c/a2" in undecided.stderr


def test_the_example_of_the_contract_is_valid(bare: Platform, folder: Path) -> None:
    file = folder / "example.yaml"
    file.write_text(EXAMPLE, "utf-8")
    found = bare.json("catalogue", "check", str(file))

    assert found == {"valid": True, "counts": {"skus": 3, "prices": 3, "rules": 1, "demo": 1}, "errors": []}


WRONG = """yunwang_catalogue: 1
currency: CNY
colour: red
prices:
  - {sku: a, meter: a, unit: a*h, model: flat, price: "1", valid_from: 2026-01-01, valid_to: 2026-03-01}
  - {sku: a, meter: a, unit: a*h, model: flat, price: "1", valid_from: 2026-02-01}
  - {sku: b, meter: b, unit: b*h, model: flat, price: "1.1234567"}
  - {sku: c, meter: c, unit: c*h, model: dynamic, price: "1"}
  - {sku: d, meter: d, unit: d*h, model: flat, price: "-1"}
  - {sku: e, meter: e, unit: e*h, model: flat, price: "1", colour: red}
  - {sku: f, meter: f, unit: f*h, model: graduated, tiers: [{up_to: 10, price: "1"}]}
match: [{sku: none, where: {attr.class: std}}]
"""


def test_every_fault_of_a_catalogue_is_told_at_once(bare: Platform, folder: Path) -> None:
    file = folder / "wrong.yaml"
    file.write_text(WRONG, "utf-8")
    done = bare.run("catalogue", "check", str(file))
    found = json.loads(done.stdout)

    assert (done.returncode, found["valid"]) == (3, False)
    assert sorted(int(one["where"].removeprefix(f"{file}:")) for one in found["errors"]) == [3, 6, 7, 8, 9, 10, 11, 12]
    assert {frozenset(one) for one in found["errors"]} == {frozenset({"where", "what", "next"})}
    assert done.stderr.count("error: ") == done.stderr.count("next: ") == 8


def test_load_and_diff(metered: Platform, folder: Path) -> None:
    first, second = folder / "first.yaml", folder / "second.yaml"
    first.write_text(EXAMPLE, "utf-8")
    second.write_text(EXAMPLE.replace("48.91", "50.00"), "utf-8")
    loaded = metered.json("catalogue", "load", str(first))
    again = metered.json("catalogue", "load", str(first))
    changes = metered.json("catalogue", "diff", str(second))

    assert loaded["new"] is True
    assert again == {"version": loaded["version"], "new": False, "changes": [], "approvals": []}
    assert changes == metered.json("catalogue", "diff", str(first), str(second))
    assert [set(one) for one in changes] == [{"what", "key", "before", "after"}]
    assert "50" in json.dumps(changes[0]["after"])
