"""Necessary tests: which are chosen, how often they hold, and that no rule is lost on the way; the naive evaluator judges."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from records.alarms import Level
from soc.sigma import engine as engine_module
from soc.sigma import prefilter
from soc.sigma.engine import Bucket, Engine
from soc.sigma.ir import And, Bound, FieldRef, Node, Not, Op, Or, Regex, Test, Wild
from soc.sigma.naive import matches
from soc.sigma.necessary import necessary_tests, usable
from soc.sigma.prefilter import FieldFilter, KeywordFilter, Prefilter
from soc.sigma.route import CHANNEL, EVENT_ID, Source
from soc.sigma.rule import Head, LogSource, Rule
from soc.sigma.sampling import frequencies

WORDS = st.one_of(st.sampled_from(["a", "B", "ab", "aB", "1"]), st.text(alphabet="abAB1", min_size=1, max_size=3))
TEXTUAL = st.sampled_from([Op.EQUAL, Op.CONTAINS, Op.STARTS, Op.ENDS])
PATTERNS = st.sampled_from(["a.?b", "^A", "b$", "[0-9]"]).map(Regex)
PARTS = st.lists(st.one_of(WORDS, st.sampled_from(Wild)), min_size=1, max_size=3).map(tuple)
ON_A = st.one_of(
    st.builds(Test, st.just("a"), TEXTUAL, WORDS, st.booleans()),
    st.builds(Test, st.just("a"), st.just(Op.WILD), PARTS, st.booleans()),
    st.builds(Test, st.just("a"), st.just(Op.REGEX), PATTERNS),
    st.builds(Test, st.just("a"), st.just(Op.CIDR), st.sampled_from(["10.0.0.0/8", "0.0.0.0/0"])),
)
VALUES = st.one_of(
    st.sampled_from(["a", "ab", "aB", "Bab", "abaB"]),
    st.text(alphabet="abAB1", max_size=5),
    st.integers(0, 20),
    st.booleans(),
    st.just("10.1.2.3"),
)


def numbered(tests: list[Test]) -> dict[Test, list[int]]:
    found: dict[Test, list[int]] = {}
    for number, test in enumerate(tests):
        found.setdefault(test, []).append(number)
    return found


@given(st.lists(ON_A, min_size=1, max_size=6), VALUES)
def test_a_field_filter_finds_the_rules_whose_test_holds(tests: list[Test], value: object) -> None:
    expected = {number for number, test in enumerate(tests) if matches(test, {"a": value})}
    one = FieldFilter("a", numbered(tests))
    assert set(one.rules(value)) == expected
    assert len(one.rules(value)) == len(expected)
    assert set(one.remembered(str(value).lower() if isinstance(value, bool) else str(value))) == expected


@pytest.mark.parametrize("cased", [False, True])
@pytest.mark.parametrize("op", [Op.EQUAL, Op.CONTAINS, Op.STARTS, Op.ENDS, Op.WILD])
def test_a_field_filter_heeds_letters_where_the_test_does(op: Op, cased: bool) -> None:
    test = Test("a", op, ("aB", Wild.MANY) if op is Op.WILD else "aB", cased)
    one = FieldFilter("a", {test: [1]})
    for value in ("aB", "ab", "aBx", "abx", "xaB", "xab", "", "x"):
        assert bool(one.rules(value)) is matches(test, {"a": value})


def test_values_are_remembered_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefilter, "REMEMBERED", 2)
    one = FieldFilter("a", {Test("a", Op.EQUAL, "X"): [7]})
    sizes = []
    for value in ("x", "y", "z", "X"):
        assert one.remembered(value) == ((7,) if value in "xX" else ())
        sizes.append(len(one.memory))
    assert (sizes, one.memory) == ([1, 2, 1, 2], {"z": (), "X": (7,)})


def test_a_remembered_value_is_not_judged_again() -> None:
    rules = Prefilter([(7, (Test("a", Op.EQUAL, "x"),))])
    assert rules.candidates({"a": "x"}) == {7}
    rules.fields[0][1].update({"x": (8,), "5": (9,)})
    assert rules.candidates({"a": "x"}) == {8}
    assert rules.candidates({"a": 5}) == {9}
    assert rules.candidates({"a": [5, "x"]}) == {8, 9}


VIEWS = st.dictionaries(
    st.sampled_from(["a", "b", "c"]), st.one_of(VALUES, st.none(), st.lists(VALUES, max_size=2)), max_size=3
)
ON_FIELDS = st.one_of(ON_A, st.builds(Test, st.sampled_from(["b", "c"]), TEXTUAL, WORDS))


@given(st.lists(st.lists(ON_FIELDS, max_size=2), max_size=5), st.lists(VIEWS, max_size=4))
def test_candidates_are_the_rules_of_which_a_necessary_test_holds(
    necessary: list[list[Test]], views: list[dict[str, Any]]
) -> None:
    rules = Prefilter(enumerate(necessary))
    for view in [*views, *views]:
        wanted = {
            number for number, tests in enumerate(necessary) if not tests or any(matches(one, view) for one in tests)
        }
        assert (rules.candidates(view) or set()) == wanted


KEYWORDS = st.builds(Test, st.none(), st.sampled_from([Op.EQUAL, Op.CONTAINS]), WORDS)


@given(st.lists(KEYWORDS, min_size=1, max_size=4), st.lists(VIEWS, max_size=5))
def test_a_keyword_that_occurs_makes_its_rules_candidates(tests: list[Test], views: list[dict[str, Any]]) -> None:
    found = KeywordFilter(numbered(tests))
    for view in [*views, *views]:
        expected = {number for number, test in enumerate(tests) if matches(test, view)}
        assert expected <= (found.rules(view) or set())


TRUE, ONE = (Test(None, Op.CONTAINS, word) for word in ("true", "1"))


def test_values_without_a_keyword_are_known_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefilter, "REMEMBERED", 2)
    found = KeywordFilter({ONE: [3]})
    assert [found.rules({"a": value}) for value in ("x", "x", "y", "z", "1", 1)] == [None] * 4 + [{3}, {3}]
    assert found._clean == {"z"}
    assert found.rules({"a": "z", "b": 21}) == {3}
    assert found.rules({"a": ["z", "x1"]}) == {3}
    assert found.rules({}) is None


def test_keywords_that_overlap_are_all_found_and_none_is_made_up() -> None:
    words = [Test(None, Op.CONTAINS, word) for word in ("AB", "b", "abc", "x")]
    found = KeywordFilter(numbered(words))
    assert found.rules({"a": "qabcq"}) == {0, 1, 2}
    assert found.rules({"a": "q", "b": 5, "c": ["r", "s"]}) is None


def test_one_is_not_taken_for_true() -> None:
    assert [KeywordFilter({TRUE: [3]}).rules({"a": value}) for value in (1, True)] == [None, {3}]
    known = KeywordFilter({TRUE: [3]})
    assert [known.rules({"a": value}) for value in (1, True, "x", 1.0)] == [None, {3}, None, None]
    assert known._clean == {"x"}
    other = KeywordFilter({Test(None, Op.CONTAINS, "katz"): [3]})
    assert [other.rules({"a": value}) for value in (1, True, 2.5, ("x",))] == [None] * 4
    assert other._clean == {1, 2.5}


SHORT, LONG, RARE = (Test("a", Op.CONTAINS, word) for word in ("ab", "mimikatz.log", "zq"))
LIST = Test("a", Op.WILD, ("x", Wild.MANY))
COMMON = Test("a", Op.CONTAINS, ".exe")


@pytest.mark.parametrize(
    ("node", "seen", "chosen"),
    [
        pytest.param(SHORT, {}, (SHORT,), id="a test"),
        pytest.param(Not(SHORT), {}, (), id="nothing is necessary for not"),
        pytest.param(And((SHORT, LONG)), {}, (LONG,), id="the longer text"),
        pytest.param(And((LONG, SHORT)), {}, (LONG,), id="the longer text, first"),
        pytest.param(And((SHORT, LONG)), {LONG: 0.9}, (SHORT,), id="the rarer text, as seen"),
        pytest.param(And((COMMON, Test("a", Op.CONTAINS, "qqq"))), {}, (Test("a", Op.CONTAINS, "qqq"),), id="common"),
        pytest.param(And((Not(LONG), SHORT)), {}, (SHORT,), id="and with not"),
        pytest.param(And((Not(LONG), Not(SHORT))), {}, (), id="and of not"),
        pytest.param(Or((LONG, SHORT, LONG)), {}, (LONG, SHORT), id="each of or, once"),
        pytest.param(Or((LONG, Not(SHORT))), {}, (), id="or with not"),
        pytest.param(And((Or((LONG, SHORT)), RARE)), {}, (RARE,), id="shares of or add up"),
        pytest.param(And((LIST, SHORT)), {}, (LIST,), id="a pattern before two letters"),
        pytest.param(And((LIST, Test("a", Op.CONTAINS, "abcde"))), {}, (Test("a", Op.CONTAINS, "abcde"),), id="five"),
        pytest.param(And((LIST, Test("a", Op.CONTAINS, "abcd"))), {}, (LIST,), id="a pattern before four letters"),
        pytest.param(And((LIST, SHORT)), {LIST: 0.5}, (SHORT,), id="a pattern that often holds"),
    ],
)
def test_the_rarest_necessary_tests_are_chosen(node: Node, seen: dict[Test, float], chosen: tuple[Test, ...]) -> None:
    assert necessary_tests(node, seen) == chosen


@pytest.mark.parametrize(
    ("text", "other", "chosen"),
    [
        pytest.param("microsoft", "q", "microsoft", id="common beats one letter: 0.3 against 0.5"),
        pytest.param("microsoft", "qq", "qq", id="but not two"),
        pytest.param("xmicrosoft.exex", "qq", "qq", id="15 letters with a common part"),
        pytest.param("xmicrosoft.exexx", "qq", "xmicrosoft.exexx", id="16 letters are rare"),
        pytest.param("ICROSO", "qq", "qq", id="part of a common part, whatever the case"),
        pytest.param("q" * 11, "z" * 12, "z" * 12, id="12 letters against 11"),
        pytest.param("q" * 12, "z" * 13, "q" * 12, id="beyond 12 letters the first stands"),
    ],
)
def test_how_rare_a_text_is_guessed_to_be(text: str, other: str, chosen: str) -> None:
    pair = (Test("a", Op.CONTAINS, text), Test("a", Op.CONTAINS, other))
    assert [one.operand for one in necessary_tests(And(pair), {})] == [chosen]


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        (Test(CHANNEL, Op.EQUAL, "x"), False),
        (Test(EVENT_ID, Op.EQUAL, "x"), False),
        (Test("a", Op.EQUAL, "x"), True),
        (Test("a", Op.EQUAL, ""), False),
        (Test("a", Op.ENDS, "x"), True),
        (Test("a", Op.WILD, ("x", Wild.ONE)), True),
        (Test("a", Op.REGEX, Regex("x")), True),
        (Test("a", Op.CIDR, "10.0.0.0/8"), True),
        (Test("a", Op.NULL), False),
        (Test("a", Op.EXISTS), False),
        (Test("a", Op.COMPARE, Bound("<", 5)), False),
        (Test("a", Op.FIELD, FieldRef("b")), False),
        (Test(None, Op.CONTAINS, "x"), True),
        (Test(None, Op.EQUAL, "x"), True),
        (Test(None, Op.REGEX, Regex("x")), False),
        (Test(None, Op.WILD, ("x", Wild.ONE)), False),
    ],
)
def test_what_can_be_prefiltered(test: Test, expected: bool) -> None:
    assert usable(test) is expected


SYLLABLES = st.sampled_from(["a", "A", "b", "ab", "bA", "aba", "bab"])
SCALAR_VIEWS = st.dictionaries(
    st.sampled_from(["a", "b"]), st.one_of(SYLLABLES, SYLLABLES, st.none(), st.integers()), min_size=1, max_size=2
)
COUNTED = st.builds(Test, st.sampled_from(["a", "b"]), TEXTUAL, SYLLABLES)
OTHERS = st.sampled_from(
    [Test("a", Op.EXISTS), Test("a", Op.EQUAL, ""), Test(None, Op.CONTAINS, "a"), Test(CHANNEL, Op.EQUAL, "a"), LIST]
)


@given(st.lists(SCALAR_VIEWS, min_size=1, max_size=6), st.lists(st.one_of(COUNTED, COUNTED, OTHERS), max_size=6))
def test_frequencies_are_what_counting_gives(views: list[dict[str, Any]], tests: list[Test]) -> None:
    counted = {one for one in tests if one.op is not Op.WILD and one.field in {"a", "b"} and one.operand}
    shares = {one: sum(matches(one, view) for view in views) / len(views) for one in counted}
    found = frequencies(views, [And(tuple(tests[:3])), Or(tuple(tests[3:]))])
    assert found == {one: share for one, share in shares.items() if share}


def test_frequencies_of_texts_that_overlap() -> None:
    tests = [
        Test("a", op, word)
        for op, word in [(Op.ENDS, "b"), (Op.CONTAINS, "ab"), (Op.STARTS, "a"), (Op.EQUAL, "ABAB"), (Op.EQUAL, "b")]
    ]
    assert frequencies([{"a": "abab"}, {"a": "q"}], tests) == dict.fromkeys(tests[:4], 0.5)


def rule(number: int, node: Node) -> Rule:
    source = LogSource(category="any")
    return Rule(
        head=Head(id=str(number), title="t", level=Level.LOW), logsource=source, declared=source, condition=node
    )


SOURCE = Source(categories=frozenset({"any"}))


def test_a_bucket_learns_from_its_first_events_and_then_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "LEARN_FROM", 3)
    engine = Engine([rule(0, And((SHORT, RARE)))])
    bucket = engine.bucket(SOURCE)
    names = []
    for _ in range(4):
        names.append((bucket.learning, [test.operand for test in _tests(bucket)]))
        assert not engine.match({"a": "xab"}, SOURCE)
    assert names == [(True, ["ab"])] * 3 + [(False, ["zq"])]
    assert (bucket is engine.bucket(SOURCE), bucket._sample) == (True, [])


def _tests(bucket: Bucket) -> list[Test]:
    """The one test that the bucket waits for, asked of its filter."""
    (_, _, one), *_ = bucket.prefilter.fields
    return [test for test in (SHORT, RARE) if one.rules(f"-{test.operand}-")]


def test_an_engine_answers_with_rising_numbers_of_the_admitted_rules() -> None:
    other = Rule(
        head=Head(id="x", title="t", level=Level.LOW),
        logsource=LogSource(category="other"),
        declared=LogSource(category="other"),
        condition=SHORT,
    )
    engine = Engine([rule(0, RARE), other, rule(2, SHORT), rule(3, SHORT), rule(4, Not(RARE))])
    for event, expected in [({"a": "ab"}, [2, 3, 4]), ({"a": ["ab", "zq"]}, [0, 2, 3]), ({}, [4]), ({"a": 5}, [4])]:
        assert list(engine.match(event, SOURCE)) == expected
        assert list(engine.match_naive(event, SOURCE)) == expected
    assert engine.match({"a": "ab"}, Source()) == ()


def test_a_condition_is_compiled_once() -> None:
    engine = Engine([rule(0, SHORT)])
    engine.match({"a": "ab"}, SOURCE)
    first = engine._matchers[0]
    assert engine.match({"a": "ab"}, SOURCE) == [0]
    assert engine._matchers == {0: first}
