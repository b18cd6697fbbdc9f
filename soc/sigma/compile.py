"""A condition as generated Python.

The generated source holds no text of a rule: every field name, literal and pattern is a constant bound by number in
the function's own namespace. A rule is input from outside; nothing in it may ever reach ``compile`` as code.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from soc.sigma.ir import And, Bound, FieldRef, Node, Not, Op, Or, Regex, Test, Wild
from soc.sigma.leaves import comparison, in_network
from soc.sigma.regexes import searcher, wildcard
from soc.sigma.text import Lowered, View, scalar

Matcher = Callable[[Lowered, View], bool]  # lower-case texts, original values
_COST = {Op.EQUAL: 0, Op.NULL: 0, Op.EXISTS: 0, Op.STARTS: 1, Op.ENDS: 1, Op.CONTAINS: 2}
_GROUPED = {
    Op.EQUAL: "{value} in {wanted}",
    Op.STARTS: "{value}.startswith({wanted})",
    Op.ENDS: "{value}.endswith({wanted})",
}


def compile_condition(node: Node) -> Matcher:
    """A function of (lower-case texts, original values); it raises ListMetError where it reads a list."""
    writer = _Writer()
    source = f"def matches(low, raw):\n v = None\n return {writer.expression(node)}\n"
    namespace: dict[str, Any] = {"__builtins__": {}, "any": any, "text": scalar, **writer.constants}
    exec(compile(source, "<sigma>", "exec"), namespace)  # noqa: S102 - the source is made of the templates below only
    matcher: Matcher = namespace["matches"]
    return matcher


def source_of(node: Node) -> str:
    """The generated expression, for tests and curiosity."""
    return _Writer().expression(node)


class _Writer:
    """Collects constants while it writes the expression."""

    def __init__(self) -> None:
        self.constants: dict[str, Any] = {}

    def bind(self, value: object) -> str:
        name = f"K{len(self.constants)}"
        self.constants[name] = value
        return name

    def expression(self, node: Node) -> str:
        if isinstance(node, And):
            return "(" + " and ".join(self.expression(part) for part in sorted(node.parts, key=_cost)) + ")"
        if isinstance(node, Or):
            return "(" + " or ".join(self._alternatives(node)) + ")"
        if isinstance(node, Not):
            return f"(not {self.expression(node.part)})"
        return self._keyword(node) if node.field is None else self._test(node, self.bind(node.field))

    def _alternatives(self, node: Or) -> list[str]:
        """Plain comparisons of one field as one set or tuple, the rest one by one."""
        groups: dict[tuple[str, Op], list[str]] = {}
        rest: list[Node] = []
        for part in sorted(node.parts, key=_cost):
            if isinstance(part, Test) and part.field is not None and part.op in _GROUPED and not part.cased:
                groups.setdefault((part.field, part.op), []).append(str(part.operand).lower())
            else:
                rest.append(part)
        grouped = [self._group(name, op, wanted) for (name, op), wanted in groups.items()]
        return grouped + [self.expression(part) for part in rest]

    def _group(self, name: str, op: Op, wanted: list[str]) -> str:
        constant = self.bind(frozenset(wanted) if op is Op.EQUAL else tuple(wanted))
        return self._guarded(self.bind(name), _GROUPED[op].format(value="v", wanted=constant))

    @staticmethod
    def _guarded(name: str, condition: str, *, raw: bool = False) -> str:
        """False for an absent field; else the condition on ``v``."""
        read = f"raw.get({name})" if raw else f"low[{name}]"
        return f"((v := {read}) is not None and {condition})"

    def _test(self, test: Test, name: str) -> str:
        if test.op is Op.NULL:
            return f"(low[{name}] is None)"
        if test.op is Op.EXISTS:
            return f"(low[{name}] is not None)"
        if isinstance(test.operand, FieldRef):
            other = self.bind(test.operand.field)
            condition = _PLAIN[test.operand.op].format(value="v", wanted=f"low[{other}]")
            return f"(low[{other}] is not None and {self._guarded(name, condition)})"
        original = _reads_original(test)
        return self._guarded(name, self._condition(test, "text(v)" if original else "v"), raw=original)

    def _condition(self, test: Test, value: str) -> str:
        operand = test.operand
        if isinstance(operand, Regex):
            return f"{self.bind(searcher(operand))}({value})"
        if isinstance(operand, Bound):
            return f"{self.bind(comparison(operand))}({value})"
        if isinstance(operand, tuple):
            parts = operand if test.cased else tuple(one if isinstance(one, Wild) else one.lower() for one in operand)
            return f"{self.bind(wildcard(parts, whole=test.field is not None))}({value})"
        if test.op is Op.CIDR:
            return f"{self.bind(in_network(str(operand)))}({value})"
        wanted = str(operand) if test.cased else str(operand).lower()
        return _PLAIN[test.op].format(value=value, wanted=self.bind(wanted))

    def _keyword(self, test: Test) -> str:
        contains = Test(None, Op.CONTAINS if test.op is Op.EQUAL else test.op, test.operand, test.cased)
        if _reads_original(contains):
            return f"any([{self._condition(contains, 'text(one)')} for one in raw.values() if one is not None])"
        return f"any([{self._condition(contains, 'one')} for one in low.all()])"


_PLAIN = {
    Op.EQUAL: "{value} == {wanted}",
    Op.CONTAINS: "{wanted} in {value}",
    Op.STARTS: "{value}.startswith({wanted})",
    Op.ENDS: "{value}.endswith({wanted})",
}


def _reads_original(test: Test) -> bool:
    return test.cased or test.op in {Op.REGEX, Op.COMPARE}


def _cost(node: Node) -> int:
    """A rough price, so that the cheap and telling tests of an AND come first."""
    if isinstance(node, Test):
        return _COST.get(node.op, 10) + (50 if node.field is None else 0)
    if isinstance(node, Not):
        return 1 + _cost(node.part)
    return 1 + sum(map(_cost, node.parts))
