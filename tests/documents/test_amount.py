from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from documents.amount import LARGEST_FEN, chinese_amount


@pytest.mark.parametrize(
    ("fen", "text"),
    [  # the examples of 《正确填写票据和结算凭证的基本规定》, then edges
        (140_950, "人民币壹仟肆佰零玖元伍角整"),
        (600_714, "人民币陆仟零柒元壹角肆分"),
        (168_032, "人民币壹仟陆佰捌拾元零叁角贰分"),
        (1_640_902, "人民币壹万陆仟肆佰零玖元零贰分"),
        (32_504, "人民币叁佰贰拾伍元零肆分"),
        (0, "人民币零元整"),
        (5, "人民币伍分"),
        (50, "人民币伍角整"),
        (100, "人民币壹元整"),
        (1_000, "人民币壹拾元整"),
        (10_000_100, "人民币壹拾万零壹元整"),
        (10_000_000_000, "人民币壹亿元整"),
        (10_000_100_000_00, "人民币壹佰亿零壹拾万元整"),
        (-23_982, "人民币负贰佰叁拾玖元捌角贰分"),
    ],
)
def test_amount(fen: int, text: str) -> None:
    assert chinese_amount(fen) == text


def spelled(text: str) -> int:
    """Read it back, digit word by digit word: an independent way round."""
    digits = {word: value for value, word in enumerate("零壹贰叁肆伍陆柒捌玖")}
    places = {"拾": 10, "佰": 100, "仟": 1000}
    total = group = digit = 0
    for word in text.removeprefix("人民币").removeprefix("负"):
        if word in digits:
            digit = digits[word]
        elif word in places:
            group, digit = group + digit * places[word], 0
        elif word in {"万", "亿"}:
            scale = {"万": 10**4, "亿": 10**8}[word]
            value = group + digit
            total = (total + value) * scale if word == "亿" and 0 < total < 10**8 else total + value * scale
            group = digit = 0
        elif word == "元":
            total, group, digit = (total + group + digit) * 100, 0, 0
        elif word == "角":
            total, digit = total + digit * 10, 0
        elif word == "分":
            total, digit = total + digit, 0
    return -total if "负" in text else total


@given(st.integers(-(10**14), 10**14) | st.integers(0, 10**6) | st.integers(0, 10**12).map(lambda n: n // 1000 * 1000))
def test_it_reads_back_and_keeps_the_rules_of_zero(fen: int) -> None:
    text = chinese_amount(fen)
    assert spelled(text) == fen
    assert "零零" not in text
    assert not any(f"零{word}" in text for word in "万亿拾佰仟角分")
    assert text.endswith(("整", "分"))


def test_beyond_the_range_is_refused() -> None:
    with pytest.raises(ValueError, match="out of range"):
        chinese_amount(LARGEST_FEN + 1)
