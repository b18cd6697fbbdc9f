"""Alerts (告警) and incidents (事件单): the one kind of alarm of every domain, CONTRACT §5."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Level(StrEnum):
    """Severity of a rule, an alert or an incident, in Sigma's words."""

    INFORMATIONAL = "informational"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


LEVELS = tuple(Level)  # rising


class AlertState(StrEnum):
    """Where an alert stands."""

    NEW = "new"
    ACKNOWLEDGED = "acknowledged"
    CLOSED = "closed"
    SUPPRESSED = "suppressed"


class IncidentState(StrEnum):
    """Where an incident stands."""

    NEW = "new"
    TRIAGE = "triage"
    CONFIRMED = "confirmed"
    CONTAINED = "contained"
    ERADICATED = "eradicated"
    RECOVERED = "recovered"
    CLOSED = "closed"
    FALSE_POSITIVE = "false_positive"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """A rule that fired on one set of entities.

    Attributes:
        key: Rule and entities: a repetition within the suppression window raises ``count`` of the alert with this key.
        attack: ATT&CK technique ids of the rule.
        entities: ``link``, ``device``, ``group``, ``host``, ``user``, ``tenant``, ``org``, ``source_ip`` to its id.
        events: Ids of the events that made it, oldest first; ``count`` counts all of them.
        root: The failed object that the alert's object lies behind, if any.
        incident: Id of the incident that it joined.
    """

    id: str
    key: str
    rule_id: str
    rule_title: str
    level: Level
    first_at: datetime
    last_at: datetime
    entities: Mapping[str, str]
    events: tuple[str, ...]
    count: int
    attack: tuple[str, ...] = ()
    root: str | None = None
    incident: str | None = None
    state: AlertState = AlertState.NEW


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """Alerts that belong together.

    Attributes:
        why: One sentence for each alert: what it shares with the ones before it.
        gb20986: ``class``, ``level``, ``verified``; empty while ungraded.
    """

    id: str
    title: str
    level: Level
    state: IncidentState
    opened_at: datetime
    alerts: tuple[str, ...]
    entities: Mapping[str, tuple[str, ...]]
    why: tuple[str, ...]
    owner: str | None = None
    gb20986: Mapping[str, object] = field(default_factory=dict)
    clocks: tuple[Mapping[str, object], ...] = ()
