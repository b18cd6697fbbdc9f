"""A rule is input from outside: nothing in it becomes code, and no rule file stops the others."""

from __future__ import annotations

import pytest

from soc.sigma.compile import compile_condition, source_of
from soc.sigma.ir import And, Bound, FieldRef, Node, Not, Op, Or, Regex, Test, Wild
from soc.sigma.load import parse_rules
from soc.sigma.text import Lowered

EVIL = "') or __import__('os').system('touch /tmp/owned') or ('"
NEWLINE = "x\n import os\n\"\"\"'''\\"


@pytest.mark.parametrize("text", [EVIL, NEWLINE, "{0}", "%s", "K0", "\\x00", "\x00"])
@pytest.mark.parametrize("op", [Op.EQUAL, Op.CONTAINS, Op.STARTS, Op.ENDS])
def test_no_text_of_a_rule_in_the_code(text: str, op: Op) -> None:
    nodes: list[Node] = [
        Test(text, op, text),
        Test(text, op, text, cased=True),
        Test(None, Op.CONTAINS, text),
        Or((Test(text, op, text), Test(text, op, text + "b"))),
        Test(text, Op.FIELD, FieldRef(text, Op.ENDS)),
        Test(text, Op.WILD, (text, Wild.MANY, text)),
        Test(text, Op.NULL),
        Not(And((Test(text, Op.EXISTS), Test(text, Op.COMPARE, Bound("<", 5)), Test(text, Op.CIDR, "10.0.0.0/8")))),
        Test(text, Op.REGEX, Regex("a'\"b")),
    ]
    for node in nodes:
        words = set(
            source_of(node)
            .replace("(", " ")
            .replace(")", " ")
            .replace("[", " ")
            .replace("]", " ")
            .replace(".", " ")
            .split()
        )
        known = {
            "low",
            "raw",
            "v",
            ":=",
            "is",
            "not",
            "None",
            "and",
            "or",
            "in",
            "==",
            "get",
            "text",
            "startswith",
            "endswith",
            "any",
            "for",
            "one",
            "all",
            "values",
        }
        assert {word for word in words if not (word[0] == "K" and word[1:].isdigit())} <= known


def test_hostile_literal_matches_as_text() -> None:
    node = Test("a", Op.CONTAINS, EVIL)
    event = {"a": "x" + EVIL.upper() + "y"}
    assert compile_condition(node)(Lowered(event), event)


def test_generated_code_has_no_builtins() -> None:
    matcher = compile_condition(Test("a", Op.EQUAL, "b"))
    assert matcher.__globals__["__builtins__"] == {}


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"\xff\xfe\x00", id="no text"),
        pytest.param(b"a: [", id="broken YAML"),
        pytest.param(b"- 1\n- 2", id="a list"),
        pytest.param(b"title: x\ntitle: y\nlogsource: {}\ndetection: {}", id="key twice"),
        pytest.param(b"title: x", id="no detection"),
        pytest.param(b"title: x\nlogsource: {product: a}\ndetection: {condition: s}", id="unknown selection"),
        pytest.param(
            b"title: x\nlogsource: {product: a}\ndetection: {s: {a: b}, condition: " + b"not " * 300 + b"s}",
            id="many nots",
        ),
        pytest.param(b"title: x\nlogsource: 5\ndetection: 7", id="wrong types"),
        pytest.param(
            b"title: x\ncorrelation: {type: event_count, rules: [nobody], timespan: 1m, condition: {gte: 1}}",
            id="dangling",
        ),
        pytest.param(
            b"title: x\nname: x\ncorrelation: {type: event_count, rules: [x], timespan: 1m, condition: {gte: 1}}",
            id="circle",
        ),
        pytest.param(
            b"title: x\ncorrelation: {type: value_sum, rules: [good], timespan: 1m, condition: {gte: 1, field: a}}",
            id="other type",
        ),
        pytest.param(b"x: &a [*a]", id="YAML circle"),
        pytest.param(b"!!python/object/apply:os.system ['true']", id="YAML object"),
    ],
)
def test_bad_rule_is_listed_and_the_rest_runs(content: bytes) -> None:
    good = b"title: good\nname: good\nlogsource: {product: a}\ndetection: {s: {a: b}, condition: s}"
    found = parse_rules([("bad.yml", content), ("good.yml", good)])
    assert [rule.head.title for rule in found.rules] == ["good"]
    assert len(found.unsupported) == 1
    assert found.unsupported[0].why
