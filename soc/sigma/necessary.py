"""Necessary tests of a condition: a set of which at least one must hold, chosen so that few events meet any of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from soc.sigma.ir import And, Node, Op, Or, Test
from soc.sigma.route import CHANNEL, EVENT_ID

Frequencies: TypeAlias = Mapping[Test, float]  # share of the events seen that meet the test
ROUTED = frozenset({CHANNEL, EVENT_ID})  # every event of a bucket has the same value there
_TEXTUAL = frozenset({Op.EQUAL, Op.CONTAINS, Op.STARTS, Op.ENDS})
_TESTED = frozenset({Op.WILD, Op.REGEX, Op.CIDR})
_COMMON = (  # parts of values that half of all Windows events carry: bad to wait for
    "\\windows\\", "\\system32\\", "c:\\", ".exe", ".dll", "\\users\\", "svchost", "microsoft", "hklm", "hkcu",
    "software\\",
    "currentversion",
    "program files", "\\appdata\\", "powershell", "cmd.exe", "\\temp\\", "system", "true", "false", "http",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Choice:
    """Tests of which one must hold, and the share of events expected to meet one."""

    tests: tuple[Test, ...]
    share: float


def necessary_tests(node: Node, frequencies: Frequencies) -> tuple[Test, ...]:
    """The chosen tests; empty if the condition can hold without any, so that it must always be evaluated."""
    found = _choose(node, frequencies)
    return found.tests if found else ()


def _choose(node: Node, frequencies: Frequencies) -> Choice | None:
    if isinstance(node, Test):
        return Choice((node,), _share(node, frequencies)) if usable(node) else None
    if isinstance(node, And):
        found = [choice for part in node.parts if (choice := _choose(part, frequencies))]
        return min(found, key=lambda one: one.share) if found else None
    if isinstance(node, Or):
        each = [_choose(part, frequencies) for part in node.parts]
        known = [one for one in each if one is not None]
        if len(known) < len(each):
            return None
        unique = dict.fromkeys(test for one in known for test in one.tests)
        return Choice(tuple(unique), sum(one.share for one in known))
    return None


def usable(test: Test) -> bool:
    """Whether a test can be prefiltered: it asks for something that must be there."""
    if test.field in ROUTED:
        return False
    if test.field is None:
        return test.op in {Op.EQUAL, Op.CONTAINS}
    return (test.op in _TEXTUAL and test.operand != "") or test.op in _TESTED


def _share(test: Test, frequencies: Frequencies) -> float:
    """What was seen, on top of a guess from the length of the text, and a price for tests that run per value."""
    seen = frequencies.get(test, 0.0)
    if test.op in _TESTED:
        return seen + 0.05
    wanted = str(test.operand).lower()
    short = len(wanted) < 16  # noqa: PLR2004 - longer texts are rare even with such a part
    common = 0.3 if short and any(wanted in one or one in wanted for one in _COMMON) else 0.0
    return seen + common + 0.5 ** min(len(wanted), 12)
