"""What a Sigma condition means, case by case; the naive evaluator, the compiled code and the whole engine must all say so."""

from __future__ import annotations

from typing import Any

import pytest

from soc.sigma.compile import compile_condition
from soc.sigma.engine import Engine
from soc.sigma.ir import Node
from soc.sigma.load import parse_rules
from soc.sigma.naive import matches
from soc.sigma.route import Source
from soc.sigma.text import ListMetError, Lowered

RULE = (
    "title: t\nlogsource: {{category: test}}\ndetection:\n  s: {selection}\n  f: {{x: y}}\n  condition: {condition}\n"
)
SOURCE = Source(categories=frozenset({"test"}))


def verdicts(selection: str, event: dict[str, Any], condition: str = "s") -> set[bool]:
    found = parse_rules([("t.yml", RULE.format(selection=selection, condition=condition).encode())])
    assert not found.unsupported, found.unsupported
    rule = found.rules[0]
    engine = Engine([rule])
    return {
        matches(rule.condition, event),
        compiled(rule.condition, event),
        bool(engine.match(event, SOURCE)),
        bool(engine.match(event, SOURCE)),
    }


def compiled(condition: Node, event: dict[str, Any]) -> bool:
    try:
        return bool(compile_condition(condition)(Lowered(event), event))
    except ListMetError:  # then the engine asks the naive evaluator
        return matches(condition, event)


CASES = [
    ("letters do not matter", "{a: ABC}", {"a": "abc"}, True),
    ("whole value", "{a: abc}", {"a": "abcd"}, False),
    ("contains", "{a|contains: B}", {"a": "abc"}, True),
    ("starts", "{a|startswith: AB}", {"a": "abc"}, True),
    ("ends", "{a|endswith: BC}", {"a": "abc"}, True),
    ("all of a list", "{a|contains|all: [a, c]}", {"a": "abc"}, True),
    ("not all of a list", "{a|contains|all: [a, z]}", {"a": "abc"}, False),
    ("star inside", "{a: a*c}", {"a": "abbbc"}, True),
    ("star covers nothing", "{a: a*c}", {"a": "ac"}, True),
    ("question mark is one", "{a: a?c}", {"a": "abc"}, True),
    ("question mark is not none", "{a: a?c}", {"a": "ac"}, False),
    ("star spans lines", "{a: a*c}", {"a": "a\nb\nc"}, True),
    ("escaped star", r"{a: 'a\*c'}", {"a": "a*c"}, True),
    ("escaped star is no wildcard", r"{a: 'a\*c'}", {"a": "abc"}, False),
    ("brackets are text", "{a: '[a](b)'}", {"a": "[a](b)"}, True),
    ("cased", "{a|cased: ABC}", {"a": "ABC"}, True),
    ("cased differs", "{a|cased: ABC}", {"a": "abc"}, False),
    ("cased contains", "{a|contains|cased: B}", {"a": "aBc"}, True),
    ("cased contains differs", "{a|contains|cased: B}", {"a": "abc"}, False),
    ("regex heeds letters", "{a|re: A.C}", {"a": "abc"}, False),
    ("regex reads the original", "{a|re: A.C}", {"a": "xABCx"}, True),
    ("regex flag i", "{a|re|i: A.C}", {"a": "abc"}, True),
    ("regex flag m", "{a|re|m: '^b$'}", {"a": "a\nb\nc"}, True),
    ("regex without m", "{a|re: '^b$'}", {"a": "a\nb\nc"}, False),
    ("regex flag s", "{a|re|s: a.c}", {"a": "a\nc"}, True),
    ("regex without s", "{a|re: a.c}", {"a": "a\nc"}, False),
    ("regex with look-ahead", "{a|re: 'a(?=b)'}", {"a": "ab"}, True),
    ("regex with look-ahead, none", "{a|re: 'a(?=b)'}", {"a": "ac"}, False),
    ("regex with back-reference", r"{a|re: '(.)\1'}", {"a": "abb"}, True),
    ("absent field", "{a: b}", {"c": "b"}, False),
    ("null is absent", "{a: null}", {"c": "b"}, True),
    ("JSON null is absent", "{a: null}", {"a": None}, True),
    ("empty is not absent", "{a: null}", {"a": ""}, False),
    ("empty equals empty", "{a: ''}", {"a": ""}, True),
    ("empty does not equal text", "{a: ''}", {"a": "b"}, False),
    ("absent does not equal empty", "{a: ''}", {}, False),
    ("the word null is text", "{a: 'null'}", {"a": None}, False),
    ("exists", "{a|exists: true}", {"a": ""}, True),
    ("exists not", "{a|exists: true}", {"a": None}, False),
    ("does not exist", "{a|exists: false}", {}, True),
    ("star alone means present", "{a: '*'}", {"a": "x"}, True),
    ("star alone, absent", "{a: '*'}", {}, False),
    ("number as text", "{a: 4624}", {"a": "4624"}, True),
    ("text as number", "{a: '4624'}", {"a": 4624}, True),
    ("whole float", "{a: 1}", {"a": 1.0}, True),
    ("boolean as text", "{a: 'true'}", {"a": True}, True),
    ("boolean in the rule", "{a: true}", {"a": "True"}, True),
    ("true is not one", "{a: 1}", {"a": True}, False),
    ("gt", "{a|gt: 5}", {"a": "6"}, True),
    ("gt equal", "{a|gt: 5}", {"a": 5}, False),
    ("gte", "{a|gte: 5}", {"a": 5}, True),
    ("lt", "{a|lt: 5}", {"a": -1}, True),
    ("lte float", "{a|lte: 5}", {"a": "4.9"}, True),
    ("gt big whole numbers exactly", "{a|gt: 9007199254740992}", {"a": "9007199254740993"}, True),
    ("gt of no number", "{a|gt: 5}", {"a": "many"}, False),
    ("gt of nan", "{a|gt: 5}", {"a": "nan"}, False),
    ("cidr", "{a|cidr: 10.0.0.0/8}", {"a": "10.2.3.4"}, True),
    ("cidr outside", "{a|cidr: 10.0.0.0/8}", {"a": "11.2.3.4"}, False),
    ("cidr of no address", "{a|cidr: 10.0.0.0/8}", {"a": "10.x"}, False),
    ("cidr v6", "{a|cidr: 'fe80::/10'}", {"a": "fe80::1"}, True),
    ("fieldref", "{a|fieldref: b}", {"a": "X", "b": "x"}, True),
    ("fieldref differs", "{a|fieldref: b}", {"a": "X", "b": "y"}, False),
    ("fieldref, one absent", "{a|fieldref: b}", {"a": "X"}, False),
    ("fieldref, both absent", "{a|fieldref: b}", {}, False),
    ("fieldref startswith", "{a|fieldref|startswith: b}", {"a": "Xyz", "b": "xy"}, True),
    ("windash", "{a|windash|contains: ' -f'}", {"a": "cmd /f"}, True),
    ("base64offset", "{a|base64offset|contains: foobar}", {"a": "eHhmb29iYXI="}, True),
    ("utf16 and base64", "{a|utf16le|base64offset|contains: foobar}", {"a": "ZgBvAG8AYgBhAHIA"}, True),
    ("keyword in any value", "['Mimi']", {"q": "x mimikatz"}, True),
    ("keyword in a number", "['462']", {"q": 4624}, True),
    ("keyword, none", "['Mimi']", {"mimi": "x"}, False),
    ("keyword with wildcard", "['mi*tz']", {"q": "x mimikatz y"}, True),
    ("keyword does not cross values", "['ab']", {"q": "a", "r": "b"}, False),
    ("keyword regex", "{'|re': 'M.m'}", {"q": "xMimx"}, True),
    ("list: any element", "{a: b}", {"a": ["x", "B"]}, True),
    ("list: no element", "{a: xb}", {"a": ["x", "b"]}, False),
    ("list and keyword", "['katz']", {"a": ["x", "mimikatz"]}, True),
    ("empty list is absent", "{a: null}", {"a": []}, True),
    ("chinese", "{a|contains: 登录}", {"a": "用户登录失败"}, True),
    ("capital sharp s", "{a: STRASSE}", {"a": "straße"}, False),
    ("lone surrogate", "{a|re: 'x.y'}", {"a": "x\ud800y"}, True),
]


@pytest.mark.parametrize(("selection", "event", "expected"), [pytest.param(*case[1:], id=case[0]) for case in CASES])
def test_condition(selection: str, event: dict[str, Any], expected: bool) -> None:
    assert verdicts(selection, event) == {expected}


@pytest.mark.parametrize(
    ("event", "condition", "expected"),
    [
        pytest.param({"a": "b"}, "s and not f", True, id="not of an absent field is true"),
        pytest.param({"a": "b", "x": "y"}, "s and not f", False, id="not of a match is false"),
        pytest.param({"a": "b", "x": None}, "s and not f", True, id="not of null is true"),
        pytest.param({"x": "z"}, "not s and not f", True, id="only negations"),
        pytest.param({"x": "y"}, "1 of them", True, id="one of them"),
        pytest.param({"x": "y"}, "all of them", False, id="all of them"),
    ],
)
def test_negation(event: dict[str, Any], condition: str, expected: bool) -> None:
    assert verdicts("{a: b}", event, condition) == {expected}


@pytest.mark.parametrize(
    ("selection", "why"),
    [
        pytest.param("{a|expand: '%admins%'}", "placeholder", id="placeholder"),
        pytest.param("{a|minute: 5}", "timestamp part", id="timestamp part"),
        pytest.param("{a|re: '('}", "missing", id="broken regex"),
        pytest.param("{a|nosuch: x}", "nosuch", id="unknown modifier"),
        pytest.param("['*']", "every event", id="empty keyword"),
    ],
)
def test_unsupported_is_listed(selection: str, why: str) -> None:
    found = parse_rules([("t.yml", RULE.format(selection=selection, condition="s").encode())])
    assert (len(found.rules), len(found.unsupported)) == (0, 1)
    assert why in found.unsupported[0].why


def test_regex_that_explodes_is_given_up() -> None:
    evil = "{a|re: '(?=a)(a|aa)+$'}"
    assert verdicts(evil, {"a": "a" * 60 + "!"}) == {False}
