"""Sigma correlation documents -> Correlation, resolved and put in the order in which they feed each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sigma.correlations import (
    SigmaCorrelationCondition,
    SigmaCorrelationRule,
    SigmaExtendedCorrelationCondition,
)
from sigma.exceptions import SigmaError

from soc.sigma.convert import NotSupportedError, head_of
from soc.sigma.rule import Correlation, Unsupported

TYPES = frozenset({"event_count", "value_count", "temporal", "temporal_ordered"})
_OPERATORS = {"LT": "<", "LTE": "<=", "GT": ">", "GTE": ">=", "EQ": "==", "NEQ": "!="}


def convert_correlation(document: Mapping[str, Any], path: str, names: Mapping[str, str]) -> Correlation:
    """One correlation; ``names`` maps names and ids of rules to ids. Raises NotSupportedError with the reason."""
    try:
        parsed = SigmaCorrelationRule.from_dict(dict(document))
        head = head_of(document, parsed, path)
    except (SigmaError, TypeError, ValueError, KeyError, AttributeError) as error:
        raise NotSupportedError(str(error)) from error
    kind = parsed.type.name.lower()
    if kind not in TYPES:
        raise NotSupportedError(f"correlation type {kind}")
    if isinstance(parsed.condition, SigmaExtendedCorrelationCondition):
        raise NotSupportedError("a temporal correlation with a boolean condition")
    return Correlation(
        head=head,
        type=kind,
        rules=tuple(_resolved(one.reference, names) for one in parsed.rules or ()),
        timespan_seconds=parsed.timespan.seconds,
        group_by=tuple(parsed.group_by or ()),
        aliases=_aliases(parsed, names),
        generate=parsed.generate,
        **_condition(kind, parsed.condition),
    )


def _resolved(reference: str, names: Mapping[str, str]) -> str:
    if reference not in names:
        raise NotSupportedError(f"refers to '{reference}', which is no rule here")
    return names[reference]


def _aliases(parsed: SigmaCorrelationRule, names: Mapping[str, str]) -> dict[tuple[str, str], str]:
    return {
        (alias.alias, _resolved(reference.reference, names)): name
        for alias in parsed.aliases
        for reference, name in alias.mapping.items()
    }


def _condition(kind: str, condition: SigmaCorrelationCondition) -> dict[str, Any]:
    if kind.startswith("temporal"):
        return {}
    name = condition.fieldref
    if isinstance(name, list):
        if len(name) != 1:
            raise NotSupportedError("a count over several fields")
        name = name[0]
    return {"operator": _operator(condition), "count": condition.count, "value_field": name}


def _operator(condition: SigmaCorrelationCondition) -> str:
    found = _OPERATORS[condition.op.name]
    if found not in {">", ">="}:
        raise NotSupportedError(f"a count condition {condition.op.name.lower()}: it would fire on what did not happen")
    return found


def in_order(found: Sequence[Correlation], known: frozenset[str]) -> tuple[tuple[Correlation, ...], list[Unsupported]]:
    """Correlations so that each stands after the ones it listens to; those in a circle or on a missing one are left."""
    ready, waiting, kept = set(known), list(found), list[Correlation]()
    while True:
        usable = [one for one in waiting if ready.issuperset(one.rules)]
        if not usable:
            break
        kept += usable
        ready |= {one.head.id for one in usable}
        waiting = [one for one in waiting if one.head.id not in ready]
    left = [
        Unsupported(rule=one.head.id, path=one.head.path, why="listens to a rule that is not run, or to itself")
        for one in waiting
    ]
    return tuple(kept), left
