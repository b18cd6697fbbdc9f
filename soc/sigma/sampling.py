"""How often the tests of a bucket's rules hold on the events seen so far."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from ahocorasick_rs import AhoCorasick

from soc.sigma.ir import Node, Op, Test, tests
from soc.sigma.necessary import usable
from soc.sigma.text import View, texts

_COUNTED = frozenset({Op.EQUAL, Op.CONTAINS, Op.STARTS, Op.ENDS})


def frequencies(views: Sequence[View], conditions: Iterable[Node]) -> dict[Test, float]:
    """The share of events that meet each text test; a test that none met is not in it."""
    fields: dict[str, dict[str, list[Test]]] = {}
    for test in {test for node in conditions for test in tests(node)}:
        if test.field is not None and test.op in _COUNTED and usable(test):
            fields.setdefault(test.field, {}).setdefault(str(test.operand).lower(), []).append(test)
    found: Counter[Test] = Counter()
    for name, literals in fields.items():
        values = Counter(one.lower() for view in views for one in texts(view.get(name)))
        if values:
            _count(literals, values, found)
    return {test: count / len(views) for test, count in found.items()}


def _count(literals: dict[str, list[Test]], values: Counter[str], found: Counter[Test]) -> None:
    by_index = list(literals.values())
    search = AhoCorasick(list(literals)).find_matches_as_indexes
    for value, times in values.items():
        met: set[Test] = set()
        for index, start, end in search(value, overlapping=True):
            met.update(test for test in by_index[index] if _holds(test.op, start, end, len(value)))
        for test in met:
            found[test] += times


def _holds(op: Op, start: int, end: int, size: int) -> bool:
    return (start == 0 or op in {Op.CONTAINS, Op.ENDS}) and (end == size or op in {Op.CONTAINS, Op.STARTS})
