"""Which sku a record is: rules in their order, and records told apart by no more than the rules look at."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_metering.choice import classify, sku_for
from cloud_metering.model import Catalogue, Policy, Price, Rule, Tier

NAMES = ("attr.class", "attr.zone", "resource", "source", "tenant")


def catalogue(*rules: Rule, skus: tuple[str, ...] = ("std", "big")) -> Catalogue:
    free = (Tier(up_to=None, price=0),)
    prices = [Price(sku=sku, meter="m", unit="u", model="flat", tiers=free, version=1) for sku in skus]
    other = Price(sku="other", meter="n", unit="u", model="flat", tiers=free, version=1)
    return Catalogue(policy=Policy(), prices=(*prices, other), rules=rules)


RULES = (
    Rule(sku="other", where={}),
    Rule(sku="big", where={"attr.class": "big", "tenant": "t"}),
    Rule(sku="std", where={"attr.class": "big"}),
)


@pytest.mark.parametrize(
    ("meter", "values", "known", "sku"),
    [
        pytest.param("m", {"attr.class": "big", "tenant": "t"}, catalogue(*RULES), "big", id="first that is met"),
        pytest.param("m", {"attr.class": "big", "tenant": "x"}, catalogue(*RULES), "std", id="one value differs"),
        pytest.param("m", {"tenant": "t"}, catalogue(*RULES), None, id="none is met, two skus"),
        pytest.param("m", {}, catalogue(*RULES, skus=("big",)), "big", id="none is met, the only sku"),
        pytest.param("m", {}, catalogue(), None, id="no rule, two skus"),
        pytest.param("gold", {}, catalogue(*RULES), None, id="meter without a sku"),
    ],
)
def test_sku(meter: str, values: dict[str, str], known: Catalogue, sku: str | None) -> None:
    assert sku_for(meter, values, known) == sku


TEXT = st.sampled_from(["a", "b", "7"])
ATTRIBUTES = st.dictionaries(
    st.sampled_from(["class", "zone", "other"]), st.sampled_from(["a", "b", "", None, 7, True, 1.5]), max_size=3
)
RECORD = st.fixed_dictionaries(
    {"source": TEXT, "tenant": TEXT, "resource": TEXT, "attributes": st.one_of(st.none(), ATTRIBUTES.map(json.dumps))}
)
SCHEMA = pa.schema([(name, pa.string()) for name in ("source", "tenant", "resource", "attributes")])


def looked_at(record: dict[str, Any], names: list[str]) -> dict[str, str]:
    """The obvious way, for one record."""
    attributes = json.loads(record["attributes"] or "{}")
    values = {name: attributes.get(name[5:]) if name.startswith("attr.") else record[name] for name in names}
    return {name: str(value) for name, value in values.items() if value not in (None, "")}


@given(st.lists(RECORD, max_size=12), st.lists(st.sampled_from(NAMES), unique=True).map(sorted), st.booleans())
def test_records_are_told_apart_by_what_the_rules_look_at(
    records: list[dict[str, Any]], names: list[str], halves: bool
) -> None:
    table = pa.Table.from_pylist(records, schema=SCHEMA)
    if halves:
        table = pa.concat_tables([table.slice(0, 3), table.slice(3)])
    codes, values = classify(table, names)
    assert (codes.dtype, len(codes)) == (np.int64, len(records))
    assert [values[code] for code in codes] == [looked_at(one, names) for one in records]
    assert len(values) == max(len({tuple(sorted(one.items())) for one in values}), 1)
