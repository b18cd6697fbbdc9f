"""Rules as the engine holds them: detections, correlations, and the ones that it cannot run, with the reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from records.alarms import Level
from soc.sigma.ir import Node


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSource:
    """For which events a rule is written; None asks nothing."""

    product: str | None = None
    category: str | None = None
    service: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What rules of both kinds carry.

    Attributes:
        name: How correlations refer to it, next to its id.
        title_zh: The title in Chinese, from ``yunwang: {title_zh: …}``.
        attack: ATT&CK technique ids, e.g. ``T1110.001``.
        path: File it came from.
        suppress_seconds: How long a repetition raises the count of the same alert, ``yunwang: {suppress_seconds: …}``.
        alert: Whether it makes alerts at all, or only feeds correlations, ``yunwang: {alert: false}``.
    """

    id: str
    title: str
    level: Level
    name: str | None = None
    title_zh: str | None = None
    attack: tuple[str, ...] = ()
    path: str = ""
    suppress_seconds: int = 3600
    alert: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A detection. ``logsource`` is the one after the pipelines; ``declared`` stands in the file."""

    head: Head
    logsource: LogSource
    declared: LogSource
    condition: Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlation:
    """A rule over the hits of other rules.

    Attributes:
        type: ``event_count``, ``value_count``, ``temporal`` or ``temporal_ordered``.
        rules: Ids of the rules it listens to, in the file's order.
        group_by: Fields, or aliases, whose values make a group; a hit without one of them belongs to none.
        aliases: (alias, rule id) to the field of that rule's events.
        operator: One of ``< <= > >= == !=`` for the counts.
        value_field: What ``value_count`` counts the distinct values of.
        generate: Whether the rules it listens to also make alerts of their own.
    """

    head: Head
    type: str
    rules: tuple[str, ...]
    timespan_seconds: int
    group_by: tuple[str, ...] = ()
    aliases: Mapping[tuple[str, str], str] = field(default_factory=dict)
    operator: str = ">="
    count: int = 1
    value_field: str | None = None
    generate: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsupported:
    """A rule that is not run, and why; never dropped in silence."""

    rule: str
    path: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSet:
    """All rules of a load."""

    rules: tuple[Rule, ...] = ()
    correlations: tuple[Correlation, ...] = ()
    unsupported: tuple[Unsupported, ...] = ()

    @property
    def all(self) -> tuple[Rule | Correlation, ...]:
        """Detections, then correlations."""
        return (*self.rules, *self.correlations)

    def silent(self) -> frozenset[str]:
        """Ids of rules that only feed correlations and make no alert themselves."""
        quiet = {one for rule in self.correlations if not rule.generate for one in rule.rules}
        loud = {one for rule in self.correlations if rule.generate for one in rule.rules}
        mute = {one.head.id for one in self.all if not one.head.alert}
        return frozenset((quiet - loud) | mute)
