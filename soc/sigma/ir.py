"""Intermediate form of a rule's condition: what is evaluated, stored and prefiltered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import TypeAlias


class Wild(Enum):
    """A wildcard inside a text."""

    MANY = "*"
    ONE = "?"


class Op(StrEnum):
    """What a test asks of a field's value."""

    EQUAL = "equal"
    CONTAINS = "contains"
    STARTS = "starts"
    ENDS = "ends"
    WILD = "wild"  # operand: parts
    REGEX = "regex"  # operand: Regex
    CIDR = "cidr"  # operand: network in text
    COMPARE = "compare"  # operand: Bound
    NULL = "null"  # the field is absent
    EXISTS = "exists"
    FIELD = "field"  # operand: FieldRef


@dataclass(frozen=True, slots=True)
class Regex:
    """A regular expression and its flags out of ``ims``; it searches the original value."""

    pattern: str
    flags: str = ""


@dataclass(frozen=True, slots=True)
class Bound:
    """A numeric comparison: ``<``, ``<=``, ``>`` or ``>=``."""

    operator: str
    number: int | float


@dataclass(frozen=True, slots=True)
class FieldRef:
    """Comparison with another field of the same event; ``op`` is EQUAL, STARTS or ENDS."""

    field: str
    op: Op = Op.EQUAL


Parts: TypeAlias = tuple[str | Wild, ...]
Operand: TypeAlias = str | Parts | Regex | Bound | FieldRef | None


@dataclass(frozen=True, slots=True)
class Test:
    """One comparison; ``field`` None is a keyword, searched in all values. ``cased`` compares the original letters."""

    __test__ = False  # not a test class of pytest

    field: str | None
    op: Op
    operand: Operand = None
    cased: bool = False


@dataclass(frozen=True, slots=True)
class And:
    """True if all are."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """True if any is."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """True if the part is not: two-valued, so a comparison with an absent field makes it true."""

    part: Node


Node: TypeAlias = Test | And | Or | Not


def children(node: Node) -> tuple[Node, ...]:
    """The parts directly below a node."""
    if isinstance(node, Test):
        return ()
    return (node.part,) if isinstance(node, Not) else node.parts


def depth(node: Node) -> int:
    """Levels of the tree, 1 for a single test; counts without recursion."""
    deepest, waiting = 0, [(node, 1)]
    while waiting:
        one, level = waiting.pop()
        deepest = max(deepest, level)
        waiting += [(part, level + 1) for part in children(one)]
    return deepest


def tests(node: Node) -> Iterator[Test]:
    """All tests of a tree."""
    waiting = [node]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Test):
            yield one
        waiting += children(one)


def all_of(parts: list[Node]) -> Node:
    """AND, flattened; one part stands for itself."""
    flat = [inner for part in parts for inner in (part.parts if isinstance(part, And) else (part,))]
    return flat[0] if len(flat) == 1 else And(tuple(flat))


def any_of(parts: list[Node]) -> Node:
    """OR, flattened; one part stands for itself."""
    flat = [inner for part in parts for inner in (part.parts if isinstance(part, Or) else (part,))]
    return flat[0] if len(flat) == 1 else Or(tuple(flat))
