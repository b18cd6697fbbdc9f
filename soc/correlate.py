"""Correlation (关联分析) on event time: sliding windows by group that hold sets of event ids, bounded and restorable.

Each stream (a partition of the spool) has its own watermark: the newest event time met there less the lateness. An
event behind its stream's watermark is late: it is stored and judged by itself, but counts for no correlation. What no
stream can still reach is forgotten.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import orjson

from soc.sigma.rule import Correlation
from soc.windows import Group, Mark, group_from_json

SECOND = 1_000_000  # µs
LATENESS_SECONDS = 300
FILE_LATENESS_SECONDS = 86_400  # a file is often not in order
DOMAIN_LATENESS_SECONDS = 7200  # usage is metered by the hour, its events come after the hour
IDLE_SECONDS = 600  # a stream without entries for so long holds nothing back
MOST_GROUPS = 50_000
Key = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """An event that met a rule, or a correlation that fired: ``id`` is then the event that made it fire.

    Attributes:
        at: Event time, µs since 1970.
        names: The event's fields under the names that rules use.
        entities: Kind to id.
    """

    rule: str
    id: str
    at: int
    names: Mapping[str, Any]
    entities: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """A correlation that fired: the events that no earlier firing has told, and the fields that make the group."""

    rule: Correlation
    group: Mapping[str, str]
    marks: tuple[Mark, ...]
    hit: Hit


@dataclass(slots=True)
class _Stream:
    newest: int = 0  # event time, µs
    seen: int = 0  # receipt, µs
    lateness: int = LATENESS_SECONDS * SECOND
    domain: bool = False


@dataclass(slots=True)
class Counts:
    """What was not used, and why."""

    late: int = 0
    evicted: int = 0


@dataclass(slots=True)
class Correlator:
    """All correlations at work.

    Attributes:
        correlations: In the order in which they feed each other.
        domain_rules: Ids of rules on domain events; what listens to them waits longer.
    """

    correlations: Sequence[Correlation]
    domain_rules: frozenset[str] = frozenset()
    counts: Counts = field(default_factory=Counts)
    _streams: dict[str, _Stream] = field(default_factory=dict)
    _groups: dict[tuple[str, Key], Group] = field(default_factory=dict)
    _listeners: dict[str, list[Correlation]] = field(default_factory=dict)
    _turn: int = 0

    def __post_init__(self) -> None:
        for rule in self.correlations:
            for one in dict.fromkeys(rule.rules):
                self._listeners.setdefault(one, []).append(rule)

    @property
    def wanted(self) -> frozenset[str]:
        """Ids of the rules whose hits count here."""
        return frozenset(self._listeners)

    def advance(
        self, stream: str, at: int, seen: int, *, lateness_seconds: int = LATENESS_SECONDS, domain: bool = False
    ) -> bool:
        """Move a stream's watermark; True if an event of that time is late there."""
        found = self._streams.get(stream)
        if found is None:
            found = self._streams[stream] = _Stream(newest=at, lateness=lateness_seconds * SECOND, domain=domain)
        found.seen = max(found.seen, seen)
        found.newest = max(found.newest, at)
        late = at < found.newest - found.lateness
        self.counts.late += late
        return late

    def feed(self, hit: Hit) -> Iterator[Firing]:
        """What a hit makes fire, and what those firings make fire in turn."""
        waiting = [hit]
        while waiting:
            one = waiting.pop(0)
            for rule in self._listeners.get(one.rule, ()):
                for firing in self._count(rule, one):
                    yield firing
                    waiting.append(firing.hit)

    def _count(self, rule: Correlation, hit: Hit) -> Iterator[Firing]:
        value = _value(rule, hit)
        if value is None:
            return
        for key in _keys(rule, hit):
            group = self._groups.get((rule.head.id, key))
            if group is None:
                group = self._groups[rule.head.id, key] = Group()
            self._turn += 1
            group.touched = self._turn
            for index, name in enumerate(rule.rules):
                if name != hit.rule:
                    continue
                mark = Mark(hit.at, hit.id, index, value, tuple(sorted(hit.entities.items())))
                if group.add(mark) and (told := group.fire(rule, mark)):
                    yield _firing(rule, key, tuple(told), hit)

    def forget(self, now: int) -> None:
        """Drop what no stream can reach any more, and the least used groups beyond the bound; call it now and then."""
        horizons = {rule.head.id: self._horizon(rule, now) for rule in self.correlations}
        for name, group in list(self._groups.items()):
            self.counts.evicted += group.forget_before(horizons[name[0]])
            if not group.marks:
                del self._groups[name]
        excess = len(self._groups) - MOST_GROUPS
        if excess > 0:
            oldest = sorted(self._groups, key=lambda name: self._groups[name].touched)[:excess]
            self.counts.evicted += sum(len(self._groups.pop(name).marks) for name in oldest)

    def _horizon(self, rule: Correlation, now: int) -> int:
        """Before this no event of any stream that is at work can meet another one in a window of the rule."""
        waits = not self.domain_rules.isdisjoint(rule.rules)
        active = [
            one
            for one in self._streams.values()
            if one.seen >= now - IDLE_SECONDS * SECOND and (waits or not one.domain)
        ]
        reach = [one.newest - one.lateness for one in active]
        if waits and active:
            reach.append(max(one.newest for one in active) - DOMAIN_LATENESS_SECONDS * SECOND)
        return min(reach, default=0) - rule.timespan_seconds * SECOND

    def snapshot(self) -> bytes:
        """All state as JSON."""
        streams = {name: [one.newest, one.seen, one.lateness, one.domain] for name, one in self._streams.items()}
        groups = [[rule, list(key), group.as_json()] for (rule, key), group in self._groups.items()]
        return orjson.dumps({"version": 1, "streams": streams, "groups": groups})

    def restore(self, blob: bytes) -> None:
        """Take up a snapshot; groups of correlations that are gone are dropped."""
        known = {rule.head.id for rule in self.correlations}
        found = orjson.loads(blob)
        self._streams = {name: _Stream(*values) for name, values in found["streams"].items()}
        self._groups = {
            (rule, tuple(key)): group_from_json(group) for rule, key, group in found["groups"] if rule in known
        }


def _field(rule: Correlation, hit: Hit, name: str) -> Any:
    return hit.names.get(rule.aliases.get((name, hit.rule), name))


def _value(rule: Correlation, hit: Hit) -> str | None:
    """The value to count; empty where the rule counts none, None where the event has none."""
    if rule.value_field is None:
        return ""
    found = _field(rule, hit, rule.value_field)
    return None if found is None else str(found)


def _keys(rule: Correlation, hit: Hit) -> Iterable[Key]:
    """The groups of a hit: one; none if a field is absent; several if a field holds several values."""
    each = [_all(_field(rule, hit, name)) for name in rule.group_by]
    return product(*each)


def _all(value: Any) -> list[str]:
    if isinstance(value, (list, tuple)):
        return [str(one) for one in value if one is not None]
    return [] if value is None else [str(value)]


def _firing(rule: Correlation, key: Key, marks: tuple[Mark, ...], hit: Hit) -> Firing:
    group = dict(zip(rule.group_by, key, strict=True))
    own = Hit(rule=rule.head.id, id=hit.id, at=hit.at, names={**hit.names, **group}, entities=hit.entities)
    return Firing(rule=rule, group=group, marks=marks, hit=own)
