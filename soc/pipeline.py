"""One event through enrichment, rules and correlations: what both the worker and ``soc detect`` do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from records.instants import microseconds
from soc.alerts import Finding
from soc.correlate import Correlator, Firing, Hit
from soc.entities import decided, entities_of, key_of, merge
from soc.event import Event
from soc.sigma.engine import Engine
from soc.sigma.rule import Head, Rule, RuleSet


class Detector:
    """All rules at work on a stream of events."""

    def __init__(self, rules: RuleSet) -> None:
        self.engine = Engine(rules.rules)
        domain = frozenset(one.head.id for one in rules.rules if one.declared.product == "yunwang")
        self.correlator = Correlator(rules.correlations, domain)
        self._silent = rules.silent()
        self._wanted = self.correlator.wanted

    def judge(self, event: Event, *, late: bool) -> Sequence[Finding]:
        """Findings of one event; a late one feeds no correlation."""
        matched = self.engine.match(event.view(), event.source)
        if not matched:
            return ()
        entities = entities_of(event.fields)
        rules = [self.engine.rules[index] for index in matched]
        return [finding for rule in rules for finding in self._follow(rule, event, entities, late=late)]

    def _follow(self, rule: Rule, event: Event, entities: dict[str, str], *, late: bool) -> Iterator[Finding]:
        name, at = rule.head.id, microseconds(event.at)
        if name not in self._silent:
            yield _single(rule.head, event, at, entities)
        if name in self._wanted and not late:
            names = {**event.fields, **event.aliases}
            for firing in self.correlator.feed(Hit(rule=name, id=event.id, at=at, names=names, entities=entities)):
                if firing.rule.head.id not in self._silent:
                    yield _correlated(firing)


def _single(head: Head, event: Event, at: int, entities: dict[str, str]) -> Finding:
    root = event.fields.get("yw.root")
    return Finding(
        head=head,
        key=key_of(head.id, entities),
        events=((event.id, at),),
        entities=entities,
        window_seconds=head.suppress_seconds,
        root=str(root) if root is not None else None,
    )


def _correlated(firing: Firing) -> Finding:
    entities = merge({}, [dict(mark.entities) for mark in firing.marks])
    rule = firing.rule
    return Finding(
        head=rule.head,
        key="|".join([rule.head.id, *(f"{name}={value}" for name, value in sorted(firing.group.items()))]),
        events=_each_once(firing.marks),
        entities=entities,
        window_seconds=max(rule.head.suppress_seconds, rule.timespan_seconds),
    )


def _each_once(marks: Sequence[tuple[int, str, int, str, object]]) -> tuple[tuple[str, int], ...]:
    found: dict[str, int] = {}
    for mark in marks:
        found.setdefault(mark[1], mark[0])
    return tuple(found.items())


def told_entities(finding: Finding) -> dict[str, str]:
    """The entities of a finding without the undecided ones."""
    return decided(finding.entities)
