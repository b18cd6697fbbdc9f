from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud_metering.aggregate import aggregate
from cloud_metering.amounts import to_fen, yuan_text
from cloud_metering.model import Catalogue, Charge, Membership, Policy, Price, Rule, Segment, Tier
from cloud_metering.rating import factor, hours_of, rate
from records.errors import UserError
from records.instants import midnight
from records.schemas import USAGE
from tests.cloud_metering import oracle

MONTH = "2026-02"
HOURS = Fraction(28 * 24)
FIRST = datetime(2026, 1, 31, 16, tzinfo=UTC)


def tiers(*steps: tuple[str | None, str]) -> tuple[Tier, ...]:
    return tuple(Tier(up_to=None if top is None else Fraction(top), price=Fraction(price)) for top, price in steps)


def price(sku: str = "s", *, model: str = "flat", version: int = 1, steps=((None, "2"),), **more) -> Price:
    known = {"meter": sku, "unit": "u*month", "block": Fraction(10) if model == "package" else None} | more
    return Price(sku=sku, model=model, version=version, tiers=tiers(*steps), **known)


def segment(quantity: str, day: int = 1, *, organisation: str = "a", version: int = 1, sku: str = "s") -> Segment:
    start = FIRST + timedelta(days=day - 1)
    return Segment(
        tenant="t", organisation=organisation, sku=sku, version=version, start=start, end=start + timedelta(days=1),
        usage_unit="u*month", quantity=Fraction(quantity), events=1,
    )  # fmt: skip


def parts(segments: list[Segment], *prices: Price) -> list[tuple]:
    charges = rate(segments, Catalogue(policy=Policy(), prices=prices), MONTH)
    return [(one.organisation, one.version, one.tier, str(one.quantity), str(one.amount)) for one in charges]


STEPS = (("10", "3"), ("20", "2"), (None, "1"))


@pytest.mark.parametrize(
    ("model", "quantities", "expected"),
    [
        pytest.param("flat", ["0"], [], id="zero makes no line"),
        pytest.param("graduated", ["10"], [("a", 1, 1, "10", "30")], id="up_to is inclusive"),
        pytest.param(
            "graduated",
            ["25"],
            [("a", 1, 1, "10", "30"), ("a", 1, 2, "10", "20"), ("a", 1, 3, "5", "5")],
            id="three tiers",
        ),
        pytest.param(
            "graduated", ["8", "4"], [("a", 1, 1, "10", "30"), ("a", 1, 2, "2", "4")], id="filled in time order"
        ),
        pytest.param("volume", ["10"], [("a", 1, 1, "10", "30")], id="volume at the edge"),
        pytest.param("volume", ["8", "4"], [("a", 1, 2, "12", "24")], id="volume by the month's total"),
        pytest.param("package", ["10"], [("a", 1, None, "1", "3")], id="one whole block"),
        pytest.param("package", ["1", "9", "1/2"], [("a", 1, None, "2", "6")], id="a started block is whole"),
    ],
)
def test_model(model: str, quantities: list[str], expected: list[tuple]) -> None:
    steps = STEPS if model in {"graduated", "volume"} else ((None, "3"),)
    segments = [segment(one, day) for day, one in enumerate(quantities, 1)]
    assert parts(segments, price(model=model, steps=steps)) == expected


def test_tiers_run_on_across_organisations_and_prices() -> None:
    segments = [segment("8", 1), segment("8", 10, organisation="b"), segment("8", 20, organisation="b", version=2)]
    dear = price(model="graduated", steps=(("20", "30"), (None, "10")), version=2)
    assert parts(segments, price(model="graduated", steps=STEPS), dear) == [
        ("a", 1, 1, "8", "24"), ("b", 1, 1, "2", "6"), ("b", 1, 2, "6", "12"),
        ("b", 2, 1, "4", "120"), ("b", 2, 2, "4", "40"),
    ]  # fmt: skip


def test_a_block_is_charged_where_it_is_opened() -> None:
    segments = [segment("5", 1), segment("5", 2, organisation="b"), segment("1", 3, organisation="b")]
    assert parts(segments, price(model="package")) == [("a", 1, None, "1", "2"), ("b", 1, None, "1", "2")]


@pytest.mark.parametrize(
    ("model", "unit", "amount"), [("flat", "u*month", 6), ("subscription", "u*month", 6), ("package", "block", 2)]
)
def test_a_charge_tells_unit_and_price(model: str, unit: str, amount: int) -> None:
    held = price(model=model, block=Fraction(3) if model == "package" else None)
    assert rate([segment("3")], Catalogue(policy=Policy(), prices=(held,)), MONTH) == [
        Charge(
            tenant="t",
            organisation="a",
            sku="s",
            version=1,
            tier=None,
            quantity=Fraction(1 if model == "package" else 3),
            unit=unit,
            unit_price=Fraction(2),
            amount=Fraction(amount),
        )
    ]


@pytest.mark.parametrize(
    ("held", "why"),
    [
        pytest.param(price(unit="v*month"), r"^u\*month does not convert to v\*month$", id="unit"),
        pytest.param(price(model="package", block=None), "^package s has no block$", id="block"),
    ],
)
def test_what_the_catalogue_check_should_have_stopped_is_no_charge(held: Price, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        rate([segment("3")], Catalogue(policy=Policy(), prices=(held,)), MONTH)


@pytest.mark.parametrize(
    ("usage_unit", "price_unit", "expected"),
    [
        ("vcpu*h", "vcpu*month", Fraction(1, 672)),
        ("vcpu*month", "vcpu*month", Fraction(1)),
        ("request", "request", Fraction(1)),
        ("vcpu*h", "GB*month", None),
        ("vcpu*month", "vcpu*h", None),
        ("vcpu*day", "vcpu*month", None),
        ("vcpu", "vcpu*month", None),
    ],
)
def test_units(usage_unit: str, price_unit: str, expected: Fraction | None) -> None:
    assert factor(usage_unit, price_unit, HOURS) == expected


@pytest.mark.parametrize(
    ("month", "month_hours", "expected"),
    [
        ("2026-02", "actual", 672),
        ("2024-02", "actual", 696),
        ("2026-07", "actual", 744),
        ("2026-07", "720", 720),
        ("2026-02", "730", 730),
    ],
)
def test_hours(month: str, month_hours: str, expected: int) -> None:
    assert hours_of(month, Policy(month_hours=month_hours)) == expected


@pytest.mark.parametrize(
    ("yuan", "half_up", "half_even"),
    [
        ("0.005", "0.01", "0.00"),
        ("0.015", "0.02", "0.02"),
        ("0.0049", "0.00", "0.00"),
        ("-0.005", "-0.01", "0.00"),
        ("1/3", "0.33", "0.33"),
    ],
)
def test_rounding(yuan: str, half_up: str, half_even: str) -> None:
    value = Fraction(yuan)
    assert (yuan_text(to_fen(value, "half_up")), yuan_text(to_fen(value, "half_even"))) == (half_up, half_even)


def table(rows: list[dict]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=USAGE.schema)


def record(number: int, **given) -> dict:
    values = {
        "source": "c", "event_id": f"e{number}", "tenant": "t", "resource": f"vm-{number}", "meter": "s", "unit": "u*h",
        "quantity": Decimal(1), "start": FIRST, "end": FIRST + timedelta(hours=1), "attributes": "{}",
    }  # fmt: skip
    return values | given


def members(*spans: tuple) -> dict[str, list[Membership]]:
    found: dict[str, list[Membership]] = {}
    for tenant, organisation, start, end in spans:
        edges = [None if day is None else midnight(day) for day in (start, end)]
        one = Membership(tenant=tenant, organisation=organisation, start=edges[0], end=edges[1])
        found.setdefault(tenant, []).append(one)
    return found


def test_first_matching_rule_wins_and_empty_is_absent() -> None:
    prices = (price("std", meter="m"), price("big", meter="m"), price("other"))
    rules = (
        Rule(sku="other", where={"attr.class": "std"}),
        Rule(sku="std", where={"attr.class": "std", "tenant": "t"}),
        Rule(sku="big", where={}),
    )
    given = ['{"class":"std"}', '{"class":""}', '{"class":"big","name":"x"}', "{}"]
    rows = [record(n, meter="m", attributes=one) for n, one in enumerate(given)]
    found = aggregate(
        table(rows), Catalogue(policy=Policy(), prices=prices, rules=rules), members(("t", "a", None, None)), MONTH
    )
    assert [(one.sku, one.quantity) for one in found.segments] == [("big", 3), ("std", 1)]


def test_a_record_that_no_rule_decides_stops_the_draft() -> None:
    prices = (price("std", meter="m"), price("big", meter="m"))
    with pytest.raises(UserError) as stopped:
        aggregate(
            table([record(7, meter="m")]),
            Catalogue(policy=Policy(), prices=prices),
            members(("t", "a", None, None)),
            MONTH,
        )
    assert [(one.where, one.text()) for one in stopped.value.problems] == [
        ("c/e7", "no match rule decides which of std, big the usage of meter 'm' is")
    ]


def test_findings_name_what_makes_no_line() -> None:
    priced = price("s", valid_from=date(2026, 2, 10))
    rows = [
        record(1, tenant="nobody", meter="gold"),
        record(2, meter="gold"),
        record(3, unit="u*day"),
        record(4, quantity=Decimal(3)),
        record(5, start=FIRST + timedelta(days=12), end=FIRST + timedelta(days=13)),
    ]
    found = aggregate(table(rows), Catalogue(policy=Policy(), prices=(priced,)), members(("t", "a", None, None)), MONTH)
    assert [(one.what, one.tenant, one.sku, one.meter, one.where, str(one.quantity)) for one in found.findings] == [
        ("no_organisation", "nobody", None, "gold", "c/e1", "1"),
        ("no_price", "t", "s", "s", "c/e4", "3"),
        ("no_sku", "t", None, "gold", "c/e2", "1"),
        ("unit", "t", "s", "s", "c/e3", "1"),
    ]
    assert [one.events for one in found.segments] == [1]


@st.composite
def worlds(draw):
    """Random prices, memberships and usage, with windows that cross every kind of edge."""
    days = st.integers(2, 27)
    prices, skus = [], ["s1", "s2", "s3", "s4"]
    for sku, model in zip(skus, ("flat", "graduated", "volume", "package"), strict=True):
        change = date(2026, 2, draw(days))
        gap = change + timedelta(days=draw(st.integers(0, 3)))
        for version, span in ((1, {"valid_to": change}), (2, {"valid_from": gap})):
            cut = draw(st.integers(1, 40))
            steps = (
                (str(cut), str(draw(st.integers(0, 99)))),
                (str(cut * 3), "7"),
                (None, f"{draw(st.integers(0, 10**6))}/1000000"),
            )
            chosen = steps if model in {"graduated", "volume"} else steps[-1:]
            prices.append(price(sku, model=model, version=version, steps=chosen, **span))
    move = date(2026, 2, draw(days))
    spans = [("t", "a", None, move), ("t", "b", move, None), ("x", "b", date(2026, 2, 3), None)]
    rows = []
    for number in range(draw(st.integers(0, 12))):
        start = FIRST + timedelta(hours=draw(st.integers(-48, 28 * 24 + 24)))
        length = timedelta(seconds=draw(st.sampled_from((1, 3599, 3600, 86_400, 7 * 86_400, 40 * 86_400))))
        quantity = Decimal(draw(st.integers(0, 10**13))).scaleb(-9)
        rows.append(
            record(
                number, tenant=draw(st.sampled_from(("t", "x"))), meter=draw(st.sampled_from(skus)), quantity=quantity,
                start=start, end=start + length, unit=draw(st.sampled_from(("u*h", "u*month"))),
            )
        )  # fmt: skip
    return prices, spans, rows


@settings(max_examples=60, deadline=None)
@given(worlds(), st.randoms(use_true_random=False))
def test_equals_the_oracle_whatever_the_order(world, random) -> None:
    prices, spans, rows = world
    catalogue = Catalogue(policy=Policy(), prices=tuple(prices))
    shuffled = rows[:]
    random.shuffle(shuffled)
    found = rate(aggregate(table(shuffled), catalogue, members(*spans), MONTH).segments, catalogue, MONTH)
    ours = {(one.tenant, one.organisation, one.sku, one.version, one.tier): (one.quantity, one.amount) for one in found}
    assert ours == oracle.rate(rows, prices, spans, MONTH, HOURS)


@settings(max_examples=30, deadline=None)
@given(worlds())
def test_no_usage_is_lost(world) -> None:
    """Segments and findings together hold the whole month's part of each meter and unit."""
    prices, spans, rows = world
    catalogue = Catalogue(policy=Policy(), prices=tuple(prices))
    found = aggregate(table(rows), catalogue, members(*spans), MONTH)
    shown = sum((one.quantity for one in found.segments), Fraction(0))
    shown += sum((one.quantity for one in found.findings if one.quantity is not None), Fraction(0))
    low, high = midnight(date(2026, 2, 1)), midnight(date(2026, 3, 1))
    whole = Fraction(0)
    for one in rows:
        shared = max((min(one["end"], high) - max(one["start"], low)) / timedelta(seconds=1), 0)
        whole += (
            Fraction(one["quantity"]) * Fraction(shared) / Fraction((one["end"] - one["start"]) / timedelta(seconds=1))
        )
    mixed = any(one.quantity is None for one in found.findings)
    assert shown == whole or mixed
