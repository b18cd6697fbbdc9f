"""Exact numbers as text: every form there is, and none besides."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_metering import amounts

EXACT = st.fractions()


@pytest.mark.parametrize(
    ("value", "whole"),
    [("0", 0), ("1/3", 0), ("1/2", 1), ("2/3", 1), ("1", 1), ("3/2", 2), ("-1/3", 0), ("-1/2", -1), ("-3/2", -2)],
)
def test_half_goes_away_from_zero(value: str, whole: int) -> None:
    assert amounts.half_up(Fraction(value)) == whole


@given(EXACT)
def test_half_up_is_nearest(value: Fraction) -> None:
    found = amounts.half_up(value)
    assert abs(found - value) <= Fraction(1, 2)
    assert amounts.half_up(-value) == -found


@pytest.mark.parametrize(
    ("fen", "text"),
    [(0, "0.00"), (5, "0.05"), (-5, "-0.05"), (99, "0.99"), (100, "1.00"), (-101, "-1.01"), (12_345, "123.45")],
)
def test_yuan(fen: int, text: str) -> None:
    assert (amounts.yuan_text(fen), amounts.fen_of(text)) == (text, fen)


@pytest.mark.parametrize("text", ["", "1", "1.2", "1.234", "1.23\n", "+1.00", " 1.00", "--1.00", "1,00", ".50", "1.2x"])
def test_another_form_of_yuan_is_refused(text: str) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - the whole text is compared below
        amounts.fen_of(text)
    assert str(refused.value) == f"not an amount in yuan with two places: {text!r}"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("0", "0.000000"),
        ("1/3", "0.333333"),
        ("2/3", "0.666667"),
        ("-2/3", "-0.666667"),
        ("1/2000000", "0.000001"),
        ("1/2000001", "0.000000"),
        ("1234567", "1234567.000000"),
    ],
)
def test_quantity_has_six_places(value: str, text: str) -> None:
    assert amounts.quantity_text(Fraction(value)) == text


@pytest.mark.parametrize(
    ("price", "text"),
    [
        ("0", "0.00"),
        ("12", "12.00"),
        ("1/20", "0.05"),
        ("1/100", "0.01"),
        ("1/8", "0.125000"),
        ("1/1000000", "0.000001"),
        ("1/3", "0.333333"),
        ("19999/10000", "1.999900"),
    ],
)
def test_price_has_two_places_or_six(price: str, text: str) -> None:
    assert amounts.price_text(Fraction(price)) == text


@given(EXACT)
def test_an_exact_value_comes_back(value: Fraction) -> None:
    assert amounts.parse_exact(amounts.exact_text(value)) == value


@pytest.mark.parametrize("text", ["", "1.5", "1/0", "1/01", "1/-2", "+1", "1/", "1 ", "1/2\n", "½"])
def test_another_form_of_a_fraction_is_refused(text: str) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - the whole text is compared below
        amounts.parse_exact(text)
    assert str(refused.value) == f"not an integer or fraction: {text!r}"


@pytest.mark.parametrize(
    ("value", "text"),
    [("0", "0"), ("100", "100"), ("3/2", "1.5"), ("1/1000000000", "0.000000001"), ("101/10", "10.1")],
)
def test_decimal_without_trailing_zeros(value: str, text: str) -> None:
    assert amounts.decimal_text(Fraction(value)) == text


@pytest.mark.parametrize("value", ["1/3", "-1", "1/10000000000"])
def test_what_is_no_plain_decimal_is_refused(value: str) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - the whole text is compared below
        amounts.decimal_text(Fraction(value))
    assert str(refused.value) == f"no plain decimal with 9 places: {value}"
