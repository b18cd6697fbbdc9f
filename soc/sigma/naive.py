"""The oracle: a condition evaluated the obvious way, test after test. The fast path must agree with it, always."""

from __future__ import annotations

from soc.sigma.ir import And, Bound, FieldRef, Node, Not, Op, Or, Parts, Regex, Test, Wild
from soc.sigma.leaves import comparison, in_network
from soc.sigma.regexes import searcher
from soc.sigma.text import View, texts


def matches(node: Node, view: View) -> bool:
    """Whether an event meets a condition; a comparison with an absent field is false, and its negation true."""
    if isinstance(node, And):
        return all(matches(part, view) for part in node.parts)
    if isinstance(node, Or):
        return any(matches(part, view) for part in node.parts)
    if isinstance(node, Not):
        return not matches(node.part, view)
    return _keyword(node, view) if node.field is None else _field(node, node.field, view)


def _keyword(test: Test, view: View) -> bool:
    inside = Test(None, Op.CONTAINS if test.op is Op.EQUAL else test.op, test.operand, test.cased)
    return any(_value(inside, one, view) for value in view.values() for one in texts(value))


def _field(test: Test, name: str, view: View) -> bool:
    found = texts(view.get(name))
    if test.op is Op.NULL:
        return not found
    if test.op is Op.EXISTS:
        return bool(found)
    return any(_value(test, one, view) for one in found)


def _value(test: Test, value: str, view: View) -> bool:
    operand = test.operand
    if isinstance(operand, Regex):
        return searcher(operand)(value)
    if isinstance(operand, Bound):
        return comparison(operand)(value)
    if isinstance(operand, FieldRef):
        return any(_text(operand.op, value.lower(), other.lower()) for other in texts(view.get(operand.field)))
    if test.op is Op.CIDR:
        return in_network(str(operand))(value)
    mine = value if test.cased else value.lower()
    if isinstance(operand, tuple):
        parts = operand if test.cased else tuple(one.lower() if isinstance(one, str) else one for one in operand)
        return wild_match((Wild.MANY, *parts, Wild.MANY) if test.field is None else parts, mine)
    wanted = str(operand)
    return _text(test.op, mine, wanted if test.cased else wanted.lower())


def _text(op: Op, value: str, wanted: str) -> bool:
    if op is Op.EQUAL:
        return value == wanted
    if op is Op.CONTAINS:
        return wanted in value
    return value.startswith(wanted) if op is Op.STARTS else value.endswith(wanted)


def wild_match(parts: Parts, value: str) -> bool:
    """Whether parts with ``*`` and ``?`` cover a whole value: every position that can be reached, part by part."""
    reached = {0}
    for part in parts:
        if part is Wild.MANY:
            reached = set(range(min(reached), len(value) + 1)) if reached else set()
        elif part is Wild.ONE:
            reached = {at + 1 for at in reached if at < len(value)}
        else:
            reached = {at + len(str(part)) for at in reached if value.startswith(str(part), at)}
    return len(value) in reached
