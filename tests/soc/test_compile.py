"""The code that a condition becomes: cheap tests first, equal ones together, and what each asks of a value."""

from __future__ import annotations

from typing import Any

import pytest

from soc.sigma.compile import _Writer, compile_condition, source_of
from soc.sigma.ir import And, Bound, FieldRef, Node, Not, Op, Or, Regex, Test, Wild
from soc.sigma.naive import matches
from soc.sigma.text import Lowered


def on(name: str | None, op: Op, operand: Any = None, *, cased: bool = False) -> Test:
    return Test(name, op, operand, cased)


EQUAL, CONTAINS, STARTS, ENDS = (on("a", op, "X") for op in (Op.EQUAL, Op.CONTAINS, Op.STARTS, Op.ENDS))
REGEX, NULL, EXISTS = on("a", Op.REGEX, Regex("x")), on("a", Op.NULL), on("a", Op.EXISTS)
WORD = on(None, Op.CONTAINS, "X")


@pytest.mark.parametrize(
    ("node", "source"),
    [
        pytest.param(EQUAL, "((v := low[K0]) is not None and v == K1)", id="equal"),
        pytest.param(CONTAINS, "((v := low[K0]) is not None and K1 in v)", id="contains"),
        pytest.param(STARTS, "((v := low[K0]) is not None and v.startswith(K1))", id="starts"),
        pytest.param(ENDS, "((v := low[K0]) is not None and v.endswith(K1))", id="ends"),
        pytest.param(REGEX, "((v := raw.get(K0)) is not None and K1(text(v)))", id="regex reads the original"),
        pytest.param(
            on("a", Op.ENDS, "X", cased=True),
            "((v := raw.get(K0)) is not None and text(v).endswith(K1))",
            id="cased reads the original",
        ),
        pytest.param(on("a", Op.WILD, ("X", Wild.MANY)), "((v := low[K0]) is not None and K1(v))", id="wild"),
        pytest.param(on("a", Op.CIDR, "10.0.0.0/8"), "((v := low[K0]) is not None and K1(v))", id="network"),
        pytest.param(
            on("a", Op.COMPARE, Bound("<", 1)), "((v := raw.get(K0)) is not None and K1(text(v)))", id="number"
        ),
        pytest.param(NULL, "(low[K0] is None)", id="null"),
        pytest.param(EXISTS, "(low[K0] is not None)", id="exists"),
        pytest.param(
            on("a", Op.FIELD, FieldRef("b", Op.STARTS)),
            "(low[K1] is not None and ((v := low[K0]) is not None and v.startswith(low[K1])))",
            id="another field",
        ),
        pytest.param(WORD, "any([K0 in one for one in low.all()])", id="keyword"),
        pytest.param(on(None, Op.EQUAL, "X"), "any([K0 in one for one in low.all()])", id="keyword means contains"),
        pytest.param(
            on(None, Op.CONTAINS, "X", cased=True),
            "any([K0 in text(one) for one in raw.values() if one is not None])",
            id="cased keyword",
        ),
        pytest.param(
            on(None, Op.REGEX, Regex("x")),
            "any([K0(text(one)) for one in raw.values() if one is not None])",
            id="keyword by regex",
        ),
        pytest.param(Not(EXISTS), "(not (low[K0] is not None))", id="not"),
        pytest.param(
            Or((ENDS, EQUAL, on("a", Op.EQUAL, "y"), on("b", Op.EQUAL, "z"))),
            "(((v := low[K1]) is not None and v in K0) or ((v := low[K3]) is not None and v in K2)"
            " or ((v := low[K5]) is not None and v.endswith(K4)))",
            id="comparisons of one field together",
        ),
        pytest.param(
            Or((NULL, STARTS, on("a", Op.STARTS, "y", cased=True))),
            "(((v := low[K1]) is not None and v.startswith(K0)) or (low[K2] is None)"
            " or ((v := raw.get(K3)) is not None and text(v).startswith(K4)))",
            id="others one by one",
        ),
    ],
)
def test_the_code_of_a_condition(node: Node, source: str) -> None:
    assert source_of(node) == source


@pytest.mark.parametrize(
    "rising",
    [
        pytest.param((EQUAL, STARTS, CONTAINS, REGEX), id="by what they ask"),
        pytest.param((NULL, ENDS, CONTAINS), id="null is cheap"),
        pytest.param((EXISTS, STARTS, CONTAINS), id="exists is cheap"),
        pytest.param((EQUAL, Not(EQUAL), CONTAINS, Not(CONTAINS)), id="not costs a little"),
        pytest.param((EQUAL, Or((EQUAL, EQUAL)), CONTAINS), id="or costs a little and its parts"),
        pytest.param((Or((CONTAINS, CONTAINS)), Or((CONTAINS, CONTAINS, CONTAINS)), REGEX, WORD), id="sums"),
        pytest.param((Not(REGEX), Or((REGEX, CONTAINS)), WORD), id="a keyword is dear"),
        pytest.param((Or((REGEX,) * 5), WORD, Or((REGEX,) * 5 + (CONTAINS,))), id="a keyword is worth five others"),
    ],
)
def test_the_cheap_tests_come_first(rising: tuple[Node, ...]) -> None:
    writer = _Writer()
    told = "(" + " and ".join([writer.expression(part) for part in rising]) + ")"
    assert (source_of(And(rising)), source_of(And(rising[::-1]))) == (told, told)


def test_the_cheap_alternatives_come_first() -> None:
    told = source_of(Or((EQUAL, NULL, CONTAINS, REGEX, WORD)))
    assert source_of(Or((WORD, REGEX, CONTAINS, NULL, EQUAL))) == told
    assert [told.index(part) for part in ("in K0", "is None", "in v", "raw.get", "low.all")] == sorted(
        told.index(part) for part in ("in K0", "is None", "in v", "raw.get", "low.all")
    )


@pytest.mark.parametrize(
    ("operand", "op"),
    [("aB", Op.EQUAL), ("aB", Op.STARTS), ("aB", Op.ENDS), ("aB", Op.CONTAINS), (("aB", Wild.MANY), Op.WILD)],
)
@pytest.mark.parametrize("cased", [False, True])
@pytest.mark.parametrize("name", ["a", None])
def test_letters(operand: Any, op: Op, cased: bool, name: str | None) -> None:
    test = Test(name, op, operand, cased)
    for node in (test, Or((test, test)), Not(test), And((test, EXISTS))):
        for value in ("aB", "AB", "ab", "xaB", "aBx", "AbX", "", None):
            view = {"a": value}
            assert bool(compile_condition(node)(Lowered(view), view)) is matches(node, view), (node, view)


def test_many_equal_values_are_one_set() -> None:
    code = compile_condition(Or((EQUAL, on("a", Op.EQUAL, "y")))).__globals__  # type: ignore[attr-defined]
    assert code["K0"] == frozenset({"x", "y"})
    assert isinstance(code["K0"], frozenset)


def test_generated_code_has_no_builtins() -> None:
    namespace = compile_condition(EQUAL).__globals__  # type: ignore[attr-defined]
    assert (namespace["__builtins__"], namespace["K0"], namespace["K1"]) == ({}, "a", "x")
