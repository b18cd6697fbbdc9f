from __future__ import annotations

from pathlib import Path

import pytest

import cloud_metering
from cloud_metering.catalogue import canonical, diff, examine, load_file, parse
from records.errors import UserError

CONTRACT = """\
yunwang_catalogue: 1
currency: CNY
policy: {basis: allocated, month_hours: actual, rounding: half_up, partial_month: by_usage}   # actual | 720 | 730
prices:
  - {sku: vcpu-std, meter: vcpu, unit: vcpu*month, model: flat, price: "48.91", valid_from: 2026-01-01, valid_to: null,
     approved_by: 省财政厅, demo: true}
  - {sku: mem-std, meter: memory, unit: GB*month, model: graduated, valid_from: 2026-01-01,
     tiers: [{up_to: 1000, price: "24.67"}, {up_to: null, price: "20.00"}]}
  - {sku: eip, meter: eip, unit: eip*month, model: subscription, price: "30.00", valid_from: 2026-01-01}
match: [{sku: vcpu-std, where: {attr.class: std}}]
"""


def prices(*lines: str, policy: str = "{}", match: str = "[]") -> str:
    return "\n".join(
        [
            "yunwang_catalogue: 1",
            "currency: CNY",
            f"policy: {policy}",
            f"match: {match}",
            "prices:",
            *(f"  - {{{one}}}" for one in lines),
        ]
    )


FLAT = 'sku: a, meter: m, unit: u, model: flat, price: "1"'


def problems(text: str) -> list[str]:
    return [f"{one.where} {one.text()}" for one in examine(text, "c.yaml")[1]]


def test_the_contract_s_example_is_read() -> None:
    found = parse(CONTRACT)
    assert [(one.sku, one.model, one.version, one.demo) for one in found.prices] == [
        ("vcpu-std", "flat", 1, True), ("mem-std", "graduated", 1, False), ("eip", "subscription", 1, False),
    ]  # fmt: skip


def test_canonical_reads_back_the_same() -> None:
    found = parse(CONTRACT)
    assert parse(canonical(found)) == found
    assert canonical(parse(canonical(found))) == canonical(found)


def test_the_demo_catalogue_is_sound_and_all_demo() -> None:
    found = load_file(Path(cloud_metering.__file__).parent / "demo_catalogue.yaml")
    assert all(one.demo for one in found.prices)


def test_versions_count_by_valid_from() -> None:
    text = prices(
        f"{FLAT}, valid_from: 2026-03-01",
        f"{FLAT}, valid_to: 2026-02-01",
        f"{FLAT}, valid_from: 2026-02-01, valid_to: 2026-03-01",
    )
    assert [(one.version, str(one.valid_from)) for one in parse(text).prices] == [
        (1, "None"),
        (2, "2026-02-01"),
        (3, "2026-03-01"),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (prices(FLAT + ", colour: red"), ["c.yaml:6 unknown key 'colour'"]),
        (prices(FLAT, FLAT.replace("a,", "b,") + ", sku: c"), ["c.yaml:7 key 'sku' stands twice"]),
        (prices("sku: a, meter: m, unit: u, model: flat"), ["c.yaml:6 a flat price needs 'price'"]),
        (prices(FLAT.replace('"1"', "1e3")), ["c.yaml:6 '1e3' is no number of the kind wanted here"]),
        (prices(FLAT.replace('"1"', "-1")), ["c.yaml:6 '-1' is no number of the kind wanted here"]),
        (prices(FLAT.replace('"1"', "0.1234567")), ["c.yaml:6 '0.1234567' is no number of the kind wanted here"]),
        (prices(FLAT + ", block: 5"), ["c.yaml:6 a flat price has no 'block'"]),
        (prices(FLAT.replace("sku: a", "sku: null")), ["c.yaml:6 'sku' is missing"]),
        (prices(FLAT + ", valid_from: 2026-02-30"), ["c.yaml:6 '2026-02-30' is no date"]),
        (prices(FLAT + ", valid_from: 2026-02-01, valid_to: 2026-02-01"),
         ["c.yaml:6 valid_to is not after valid_from"]),
        (prices(FLAT, FLAT + ", valid_from: 2026-01-01"),
         ["c.yaml:7 the validity overlaps that of the price of 'a' from None"]),
        (
            prices(FLAT + ", valid_to: 2026-02-01", FLAT.replace("unit: u", "unit: v") + ", valid_from: 2026-02-01"),
            ["c.yaml:7 prices of 'a' differ in 'unit'"],
        ),
        (prices(FLAT, match="[{sku: zz, where: {}}]"), ["c.yaml:4 the rule's sku 'zz' has no price"]),
        (prices(FLAT, match="[{sku: a, where: {colour: x}}]"), ["c.yaml:4 a rule cannot look at 'colour'"]),
        (prices(FLAT, policy="{basis: max_commit}"), ["c.yaml:1 basis 'max_commit' is not rated by this version"]),
        (prices(FLAT + ", commit: 5"), ["c.yaml:6 'commit' is not rated by this version"]),
        (
            prices(FLAT.replace("flat", "subscription"), policy="{partial_month: half_month}"),
            ["c.yaml:6 a subscription with partial_month 'half_month' is not rated by this version"],
        ),
        (prices(FLAT.replace("flat", "dynamic")), ["c.yaml:6 'dynamic' is none of the values known here"]),
        (
            prices(
                FLAT.replace("flat", "package") + ", block: 5, valid_to: 2026-02-10",
                FLAT.replace("flat", "package") + ", block: 6, valid_from: 2026-02-10",
            ),
            ["c.yaml:7 'block' changes within a month"],
        ),
        ("yunwang_catalogue: 2\ncurrency: CNY\nprices: []", ["c.yaml:1 '2' is none of the values known here"]),
        ("yunwang_catalogue: 1\ncurrency: USD\nprices: []", ["c.yaml:2 'USD' is none of the values known here"]),
        ("a: [", ["c.yaml:2 not valid YAML: did not find expected node content"]),
        ("- 1", ["c.yaml:1 expected a mapping {key: value}"]),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_line(text: str, expected: list[str]) -> None:
    assert sorted(problems(text)) == sorted(expected)


@pytest.mark.parametrize(
    "tiers",
    [
        "[]",
        "[{up_to: 5, price: 1}]",
        "[{up_to: null, price: 1}, {up_to: null, price: 1}]",
        "[{up_to: 5, price: 1}, {up_to: 5, price: 1}, {up_to: null, price: 1}]",
    ],
)
def test_tiers_cover_every_quantity_once(tiers: str) -> None:
    text = prices(f"sku: a, meter: m, unit: u, model: graduated, tiers: {tiers}")
    assert problems(text) == ["c.yaml:6 the tiers do not cover every quantity once"]


def test_all_faults_come_at_once() -> None:
    with pytest.raises(UserError) as refused:
        parse(prices(FLAT.replace('"1"', "x"), "sku: b"))
    assert len(refused.value.problems) == 4


def test_diff_names_price_policy_and_rule() -> None:
    before = parse(CONTRACT)
    after = parse(
        CONTRACT.replace("48.91", "50").replace("half_up", "half_even").replace("attr.class: std", "attr.class: big")
    )
    assert [(one["what"], one["key"]) for one in diff(before, after)] == [
        ("policy", "rounding"), ("price", "vcpu-std 2026-01-01"), ("match", "1"),
    ]  # fmt: skip
    assert diff(before, before) == []
