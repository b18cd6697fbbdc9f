"""Which rules of a bucket an event can meet: one Aho-Corasick pass per field, remembered by value.

A rule enters by its necessary tests only. Each distinct value of a field is tested once; the memory is bounded for
each field.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from ahocorasick_rs import AhoCorasick

from soc.sigma.ir import Op, Regex, Test, Wild
from soc.sigma.leaves import in_network
from soc.sigma.regexes import searcher, wildcard
from soc.sigma.text import View, text, texts

REMEMBERED = 20_000  # values of one field
Rules = tuple[int, ...]
NOTHING: Rules = ()


class _Slow(NamedTuple):
    """A test that runs on each new value; on the original letters, or on lower case."""

    holds: Callable[[str], bool]
    original: bool
    rules: Rules


class FieldFilter:
    """The necessary tests on one field."""

    def __init__(self, name: str, tests: dict[Test, list[int]]) -> None:
        self.name = name
        self.memory: dict[Any, Rules] = {}
        self._equal: dict[str, Rules] = {}
        self._slow: list[_Slow] = []
        literals: dict[str, list[tuple[Op, Rules]]] = {}
        for test, rules in tests.items():
            self._place(test, tuple(rules), literals)
        self._ways = list(literals.values())
        self._search = AhoCorasick(list(literals)).find_matches_as_indexes if literals else None

    def _place(self, test: Test, rules: Rules, literals: dict[str, list[tuple[Op, Rules]]]) -> None:
        if test.cased or test.op in {Op.WILD, Op.REGEX, Op.CIDR}:
            self._slow.append(_slow(test, rules))
            return
        wanted = str(test.operand).lower()
        if test.op is Op.EQUAL:
            self._equal[wanted] = self._equal.get(wanted, NOTHING) + rules
        else:
            literals.setdefault(wanted, []).append((test.op, rules))

    def rules(self, value: object) -> Rules:
        """Rules for which this value meets a necessary test."""
        original = value if type(value) is str else text(value)
        low = original.lower()
        found = set(self._equal.get(low, NOTHING))
        if self._search is not None:
            size = len(low)
            for index, start, end in self._search(low, overlapping=True):
                for op, rules in self._ways[index]:
                    if op is Op.CONTAINS or (end == size if op is Op.ENDS else start == 0):
                        found.update(rules)
        for slow in self._slow:
            if slow.holds(original if slow.original else low):
                found.update(slow.rules)
        return tuple(found)

    def remembered(self, value: str) -> Rules:
        """``rules`` of a text, computed once."""
        found = self.rules(value)
        if len(self.memory) >= REMEMBERED:
            self.memory.clear()
        self.memory[value] = found
        return found


def _slow(test: Test, rules: Rules) -> _Slow:
    operand = test.operand
    if isinstance(operand, Regex):
        return _Slow(searcher(operand), True, rules)
    if test.op is Op.CIDR:
        return _Slow(in_network(str(operand)), True, rules)
    if isinstance(operand, tuple):
        parts = operand if test.cased else tuple(one if isinstance(one, Wild) else one.lower() for one in operand)
        return _Slow(wildcard(parts, whole=True), test.cased, rules)
    return _Slow(_cased(test.op, str(operand)), True, rules)


def _cased(op: Op, wanted: str) -> Callable[[str], bool]:
    return {
        Op.EQUAL: lambda value: value == wanted,
        Op.CONTAINS: lambda value: wanted in value,
        Op.STARTS: lambda value: value.startswith(wanted),
        Op.ENDS: lambda value: value.endswith(wanted),
    }[op]


class KeywordFilter:
    """Necessary keywords, searched in all values of an event together, save those that are known to hold none."""

    def __init__(self, tests: dict[Test, list[int]]) -> None:
        words: dict[str, list[int]] = {}
        for test, rules in tests.items():
            words.setdefault(str(test.operand).lower(), []).extend(rules)
        self._rules = [tuple(rules) for rules in words.values()]
        self._search = AhoCorasick(list(words)).find_matches_as_indexes
        self._clean: set[object] = set()
        truths = any(word in "true\nfalse" for word in words)  # then True may not stand for 1, which has the same hash
        self._kept = frozenset({str} if truths else {str, int, bool, float})

    def rules(self, view: View) -> set[int] | None:
        """Rules of which a keyword occurs; a keyword across the border of two values is only a candidate too many."""
        clean = self._clean
        try:
            new = [value for value in view.values() if value not in clean]
        except TypeError:  # a list has no hash
            new = list(view.values())
        if not new:
            return None
        joined = "\n".join([value if type(value) is str else "\n".join(texts(value)) for value in new])
        hits = self._search(joined.lower(), overlapping=True)
        if hits:
            return {rule for index, _, _ in hits for rule in self._rules[index]}
        if len(clean) >= REMEMBERED:
            clean.clear()
        clean.update([value for value in new if type(value) in self._kept])
        return None


class Prefilter:
    """All filters of a bucket: ``always`` are the rules that have no necessary test."""

    def __init__(self, necessary: Iterable[tuple[int, Sequence[Test]]]) -> None:
        fields: dict[str | None, dict[Test, list[int]]] = {}
        always: list[int] = []
        for rule, tests in necessary:
            if not tests:
                always.append(rule)
            for test in tests:
                fields.setdefault(test.field, {}).setdefault(test, []).append(rule)
        keywords = fields.pop(None, None)
        self.always = tuple(always)
        self.keywords = KeywordFilter(keywords) if keywords else None
        self.fields = [
            (name, one.memory, one)
            for name in sorted(filter(None, fields))
            for one in (FieldFilter(name, fields[name]),)
        ]

    def candidates(self, view: View) -> set[int] | None:
        """Rules that the event may meet; None for none at all."""
        found: set[int] | None = set(self.always) if self.always else None
        for name, memory, one in self.fields:
            value = view.get(name)
            if value is None:
                continue
            rules = memory.get(value) if type(value) is str else _of_other(one, value)
            if rules is None:
                rules = one.remembered(value)
            if rules:
                found = found.union(rules) if found else set(rules)
        if self.keywords is not None and (more := self.keywords.rules(view)):
            found = found | more if found else more
        return found


def _of_other(one: FieldFilter, value: object) -> Rules:
    """Rules for a value that is no text: a number's text is remembered too, a list is taken element by element."""
    found: list[int] = []
    for each in texts(value):
        rules = one.memory.get(each)
        found += one.remembered(each) if rules is None else rules
    return tuple(found)
