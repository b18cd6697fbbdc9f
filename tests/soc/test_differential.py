"""Any rule on any events: the compiled, prefiltered engine says exactly what the naive evaluator says."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from records.alarms import Level
from soc.sigma.engine import LEARN_FROM, Engine
from soc.sigma.ir import And, Bound, FieldRef, Node, Not, Op, Or, Regex, Test, Wild
from soc.sigma.route import Source
from soc.sigma.rule import Head, LogSource, Rule

NAMES = st.sampled_from(["a", "b", "c", "Channel"])
WORDS = st.text(alphabet="aAbBσΣς.1İ", min_size=1, max_size=4)
SCALARS = st.one_of(
    WORDS, st.just(""), st.integers(-2, 12), st.booleans(), st.none(), st.floats(allow_nan=False), st.just("10.1.2.3")
)
VALUES = st.one_of(SCALARS, SCALARS, SCALARS, st.lists(SCALARS, max_size=3))
EVENTS = st.lists(st.dictionaries(NAMES, VALUES, max_size=4), min_size=1, max_size=8)
TEXTUAL = st.sampled_from([Op.EQUAL, Op.CONTAINS, Op.STARTS, Op.ENDS])
PARTS = st.lists(st.one_of(WORDS, st.sampled_from(Wild)), min_size=1, max_size=4).map(tuple)

TESTS = st.one_of(
    st.builds(Test, NAMES, TEXTUAL, WORDS, st.booleans()),
    st.builds(Test, NAMES, st.just(Op.EQUAL), st.just("")),
    st.builds(Test, NAMES, st.just(Op.WILD), PARTS, st.booleans()),
    st.builds(
        Test,
        NAMES,
        st.just(Op.REGEX),
        st.builds(Regex, st.sampled_from(["a.?b", "^A", "b$", "[0-9]+", "(?=a)A?"]), st.sampled_from(["", "i", "is"])),
    ),
    st.builds(Test, NAMES, st.just(Op.CIDR), st.sampled_from(["10.0.0.0/8", "::/0"])),
    st.builds(
        Test, NAMES, st.just(Op.COMPARE), st.builds(Bound, st.sampled_from(["<", "<=", ">", ">="]), st.integers(-2, 12))
    ),
    st.builds(Test, NAMES, st.sampled_from([Op.NULL, Op.EXISTS])),
    st.builds(
        Test, NAMES, st.just(Op.FIELD), st.builds(FieldRef, NAMES, st.sampled_from([Op.EQUAL, Op.STARTS, Op.ENDS]))
    ),
    st.builds(Test, st.none(), st.just(Op.CONTAINS), WORDS, st.booleans()),
    st.builds(Test, st.none(), st.just(Op.REGEX), st.builds(Regex, st.just("a.?b"))),
    st.builds(
        Test, st.none(), st.just(Op.WILD), PARTS.filter(lambda parts: any(isinstance(part, str) for part in parts))
    ),
)


def _branch(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    several = st.lists(inner, min_size=1, max_size=3).map(tuple)
    return st.one_of(st.builds(And, several), st.builds(Or, several), st.builds(Not, inner))


CONDITIONS = st.recursive(TESTS, _branch, max_leaves=8)
SOURCE = Source(categories=frozenset({"any"}))


def engine_of(conditions: list[Node]) -> Engine:
    source = LogSource(category="any")
    heads = [Head(id=str(number), title="t", level=Level.LOW) for number in range(len(conditions))]
    return Engine(
        [
            Rule(head=head, logsource=source, declared=source, condition=node)
            for head, node in zip(heads, conditions, strict=True)
        ]
    )


@settings(max_examples=150, deadline=None)
@given(st.lists(CONDITIONS, min_size=1, max_size=5), EVENTS)
def test_engine_is_the_oracle(conditions: list[Node], events: list[dict[str, Any]]) -> None:
    engine = engine_of(conditions)
    for event in [*events, *events]:  # the second round meets what is remembered
        assert list(engine.match(event, SOURCE)) == list(engine.match_naive(event, SOURCE))


@settings(max_examples=15, deadline=None)
@given(st.lists(CONDITIONS, min_size=1, max_size=4), EVENTS)
def test_learning_changes_no_answer(conditions: list[Node], events: list[dict[str, Any]]) -> None:
    engine = engine_of(conditions)
    before = [list(engine.match(event, SOURCE)) for event in events]
    while engine.bucket(SOURCE).learning:
        engine.match(events[0], SOURCE)
    assert len(events) < LEARN_FROM
    assert [list(engine.match(event, SOURCE)) for event in events] == before
