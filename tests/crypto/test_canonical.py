"""Canonical JSON: RFC 8785, without floats."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.canonical import canonical_json, parse_canonical
from crypto.errors import InvalidEncoding

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(VALUES)
def test_a_value_comes_back(value: object) -> None:
    data = canonical_json(value)
    assert parse_canonical(data) == value == json.loads(data)


def test_keys_are_sorted_by_utf16_and_nothing_is_escaped_needlessly() -> None:
    assert canonical_json({"\U0001f600": 1, "\ufb33": 2, "b": "中\n\x1f/", "a": [True, None]}) == (
        '{"a":[true,null],"b":"中\\n\\u001f/","\U0001f600":1,"\ufb33":2}'.encode()
    )


@pytest.mark.parametrize("value", [1.0, [float("nan")], {"a": (0.5,)}, 2**53, Decimal(1), "\ud800", {1: 2}, b"x"])
def test_values_without_an_exact_form_are_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r".*"):
        canonical_json(value)


@pytest.mark.parametrize(
    "text",
    [
        '{"b":1,"a":2}',
        '{"a": 1}',
        '{"a":1,"a":1}',
        '{"a":1.0}',
        '{"a":1e2}',
        "[NaN]",
        "01",
        "",
        "\ufeff1",
        '"\\u0061"',
        "1\n",
        "[" * 5000,
    ],
)
def test_other_forms_are_refused(text: str) -> None:
    with pytest.raises(InvalidEncoding):
        parse_canonical(text.encode())


def test_bytes_that_are_no_utf8_are_refused() -> None:
    with pytest.raises(InvalidEncoding):
        parse_canonical(b'"\xff"')
