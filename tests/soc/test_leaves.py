"""The parts that a match is made of: trees, texts, numbers, networks, patterns; each against an obvious other way."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soc.sigma import ir, leaves, naive, regexes, text
from soc.sigma.ir import And, Bound, Node, Not, Op, Or, Parts, Regex, Test, Wild

A, B, C = (Test(name, Op.EQUAL, name) for name in "abc")


@pytest.mark.parametrize(
    ("node", "deep", "found"),
    [
        pytest.param(A, 1, {A}, id="one test"),
        pytest.param(Not(A), 2, {A}, id="not"),
        pytest.param(And((A, Or((B, Not(C))))), 4, {A, B, C}, id="a deep second branch"),
        pytest.param(Or((And((Not(A), B)), C)), 4, {A, B, C}, id="a deep first branch"),
        pytest.param(And(()), 1, set(), id="nothing"),
    ],
)
def test_a_tree_is_measured_and_walked(node: Node, deep: int, found: set[Test]) -> None:
    assert (ir.depth(node), set(ir.tests(node)), len(list(ir.tests(node)))) == (deep, found, len(found))


@pytest.mark.parametrize(
    ("build", "parts", "node"),
    [
        pytest.param(ir.all_of, [A], A, id="and of one"),
        pytest.param(ir.any_of, [A], A, id="or of one"),
        pytest.param(ir.all_of, [And((A, B)), C], And((A, B, C)), id="and in and"),
        pytest.param(ir.any_of, [Or((A, B)), C], Or((A, B, C)), id="or in or"),
        pytest.param(ir.all_of, [Or((A, B)), C], And((Or((A, B)), C)), id="or in and"),
        pytest.param(ir.any_of, [And((A, B)), C], Or((And((A, B)), C)), id="and in or"),
        pytest.param(ir.all_of, [And((A, B))], And((A, B)), id="and of one and"),
    ],
)
def test_and_and_or_are_flat(build: Any, parts: list[Node], node: Node) -> None:
    assert build(parts) == node


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", ""),
        ("Ab", "Ab"),
        (True, "true"),
        (False, "false"),
        (7, "7"),
        (7.0, "7"),
        (-7.5, "-7.5"),
        (2.0**53 - 1, "9007199254740991"),
        (2.0**53, "9007199254740992.0"),
        (-(2.0**53), "-9007199254740992.0"),
        (float("inf"), "inf"),
        ({"b": [1, None]}, '{"b":[1,null]}'),
        ([1, "x"], '[1,"x"]'),
        ({"a": 1j}, '{"a":"1j"}'),
    ],
)
def test_a_value_reads_as_text(value: object, expected: str) -> None:
    assert text.text(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, ()),
        ("", ("",)),
        (1.0, ("1",)),
        ([], ()),
        ([None, "a", True, [1]], ("a", "true", "[1]")),
        (("a", None), ("a",)),
        ({"a": 1}, ('{"a":1}',)),
    ],
)
def test_a_field_has_the_texts_of_its_elements(value: object, expected: tuple[str, ...]) -> None:
    assert text.texts(value) == expected


@pytest.mark.parametrize("value", [[], ["a"], ("a",)])
def test_compiled_code_leaves_lists_to_the_oracle(value: object) -> None:
    with pytest.raises(text.ListMetError):
        text.scalar(value)
    with pytest.raises(text.ListMetError):
        text.Lowered({"a": value})["a"]


def test_lower_case_texts_are_made_once() -> None:
    view: dict[str, Any] = {"a": "AB", "b": True, "c": None}
    low = text.Lowered(view)
    assert [low[name] for name in ("a", "b", "c", "d")] == ["ab", "true", None, None]
    assert (low.all(), text.scalar("AB")) == (["ab", "true"], "AB")
    view["a"] = "changed"
    assert low["a"] == "ab"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("5", 5),
        (" -5 ", -5),
        ("+5", 5),
        ("9007199254740993", 9007199254740993),
        ("5.5", 5.5),
        ("5e2", 500.0),
        ("5E-1", 0.5),
        ("1" * 300, int("1" * 300)),
        ("1" * 301, None),
        ("5e1000", None),
        ("5.", None),
        (".5", None),
        ("٥", None),
        ("0x5", None),
        ("nan", None),
        ("", None),
    ],
)
def test_number(value: str, expected: float | None) -> None:
    found = leaves.number(value)
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("operator", "verdicts"), [("<", (1, 0, 0)), ("<=", (1, 1, 0)), (">", (0, 0, 1)), (">=", (0, 1, 1))]
)
def test_comparison(operator: str, verdicts: tuple[int, ...]) -> None:
    holds = leaves.comparison(Bound(operator, 5))
    assert tuple(holds(value) for value in ("4.9", "5", "5.1")) == tuple(map(bool, verdicts))
    assert not holds("many")


@pytest.mark.parametrize(
    ("network", "value", "expected"),
    [
        ("10.0.0.0/8", "10.255.0.1", True),
        ("10.0.0.0/8", "11.0.0.1", False),
        ("10.9.9.9/8", "10.0.0.1", True),
        ("10.0.0.0/8", "fe80::1", False),
        ("fe80::/10", "FE80::1", True),
        ("10.0.0.0/8", "10.0.0.256", False),
    ],
)
def test_network(network: str, value: str, expected: bool) -> None:
    assert leaves.in_network(network)(value) is expected


WORDS = st.text(alphabet="ab.\n", max_size=4)
PARTS = st.lists(st.one_of(WORDS, st.sampled_from(Wild)), max_size=5).map(tuple)


@given(PARTS, st.text(alphabet="ab.\n", max_size=6))
def test_wildcards_are_what_a_regular_expression_says(parts: Parts, value: str) -> None:
    body = "".join({Wild.MANY: ".*", Wild.ONE: "."}.get(one) or re.escape(str(one)) for one in parts)  # type: ignore[arg-type,call-overload]
    whole = re.fullmatch(body, value, re.DOTALL) is not None
    assert naive.wild_match(parts, value) == whole
    assert regexes.wildcard(parts, whole=True)(value) == whole
    assert regexes.wildcard(parts, whole=False)(value) == (re.search(body, value, re.DOTALL) is not None)


@pytest.mark.parametrize("look", ["", "(?=)"])  # with a look-ahead another engine searches
@pytest.mark.parametrize(
    ("flags", "found"), [("", set()), ("i", {"A"}), ("s", {"a\nb"}), ("m", {"x\nab"}), ("ims", {"A", "a\nb", "x\nab"})]
)
def test_flags(look: str, flags: str, found: set[str]) -> None:
    patterns = {"A": "^a$", "a\nb": "a.b", "x\nab": "^ab"}
    hits = {value for value, pattern in patterns.items() if regexes.searcher(Regex(look + pattern, flags))(value)}
    assert hits == found


def test_a_pattern_that_no_engine_takes_is_told() -> None:
    with pytest.raises(ValueError, match="missing"):
        regexes.searcher(Regex("("))


def test_a_pattern_that_is_given_up_is_counted() -> None:
    before = regexes.Timeouts.count
    for times in (1, 2):
        assert not regexes.searcher(Regex("(?=a)(a|aa)+$"))("a" * 60 + "!")
        assert regexes.Timeouts.count == before + times


@pytest.mark.parametrize("pattern", ["x.y", "(?=x)x.y"])
def test_a_lone_surrogate_is_one_letter(pattern: str) -> None:
    assert regexes.searcher(Regex(pattern))("x\ud800y")
    assert not regexes.searcher(Regex(pattern))("x\ud800z")
