"""Findings of rules -> alerts (告警). A repetition within the suppression window raises the count of the same alert.

Alerts hold events as a set and their ids follow from what opened them: judging the same events again changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from crypto.sm3 import sm3_hex
from records.alarms import LEVELS, AlertState
from soc.entities import Merged, decided, merge
from soc.sigma.rule import Head
from soc.tables import alert, alert_entity, alert_event
from storage.state import upsert

LONGEST = timedelta(days=1)  # of one alert; then a new one tells that it still goes on
_CHUNK = 500  # ids in one question to the database
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OPEN = (AlertState.NEW, AlertState.ACKNOWLEDGED, AlertState.SUPPRESSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A rule that fired once.

    Attributes:
        key: Rule and entities.
        events: Id and event time (µs since 1970) of each event, oldest first.
        window_seconds: How far apart findings may lie and still be one alert.
        root: The failed object that this lies behind.
    """

    head: Head
    key: str
    events: tuple[tuple[str, int], ...]
    entities: Mapping[str, str | None]
    window_seconds: int
    root: str | None = None


@dataclass(slots=True)
class Open:
    """An alert while findings are written into it."""

    id: str
    head: Head
    key: str
    first_at: datetime
    last_at: datetime
    entities: Merged
    count: int
    root: str | None
    new: bool
    events: list[tuple[str, datetime]] = field(default_factory=list)

    def takes(self, at: datetime, window: timedelta) -> bool:
        """Whether a finding of that time belongs to it."""
        return self.first_at - window <= at <= min(self.last_at + window, self.first_at + LONGEST)


def record(connection: sa.Connection, findings: Iterable[Finding]) -> list[Open]:
    """Write findings into alerts; returns the alerts that are new, in order of time."""
    by_key: dict[str, list[Finding]] = {}
    for one in findings:
        by_key.setdefault(one.key, []).append(one)
    touched = [found for same in by_key.values() for found in _record_key(connection, same)]
    return sorted((one for one in touched if one.new), key=lambda one: (one.first_at, one.id))


def _record_key(connection: sa.Connection, same: Sequence[Finding]) -> list[Open]:
    known = _known_events(connection, same[0].key, [event for one in same for event, _ in one.events])
    fresh = [(one, events) for one in same if (events := tuple(pair for pair in one.events if pair[0] not in known))]
    if not fresh:
        return []
    fresh.sort(key=lambda pair: (pair[1][0][1], pair[1][0][0]))
    window = timedelta(seconds=max(one.window_seconds for one in same))
    at = [_instant(event[1]) for _, events in fresh for event in events]
    alerts = _load(connection, same[0], min(at) - window, max(at) + window)
    for one, events in fresh:
        _put(alerts, one, events, window)
    changed = [one for one in alerts if one.events]
    _write(connection, changed)
    return changed


def _instant(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)


def _known_events(connection: sa.Connection, key: str, ids: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for at in range(0, len(ids), _CHUNK):
        query = (
            sa.select(alert_event.c.event)
            .join(alert, alert.c.id == alert_event.c.alert)
            .where(alert.c.key == key, alert_event.c.event.in_(ids[at : at + _CHUNK]))
        )
        found.update(connection.scalars(query))
    return found


def _load(connection: sa.Connection, like: Finding, start: datetime, end: datetime) -> list[Open]:
    query = (
        sa.select(alert)
        .where(alert.c.key == like.key, alert.c.last_at >= start, alert.c.first_at <= end, alert.c.state.in_(_OPEN))
        .order_by(alert.c.first_at)
    )
    return [
        Open(
            id=row.id,
            head=like.head,
            key=row.key,
            first_at=row.first_at,
            last_at=row.last_at,
            entities=dict(row.entities),
            count=row._mapping["count"],  # noqa: SLF001 - a row is a tuple, whose count is a method
            root=row.root,
            new=False,
        )
        for row in connection.execute(query)
    ]


def _put(alerts: list[Open], one: Finding, events: tuple[tuple[str, int], ...], window: timedelta) -> None:
    first, last = _instant(events[0][1]), _instant(events[-1][1])
    found = next((each for each in alerts if each.takes(first, window) or each.takes(last, window)), None)
    if found is None:
        identifier = sm3_hex(f"{one.key}\x1f{events[0][0]}".encode())[:32]
        found = Open(identifier, one.head, one.key, first, last, {}, 0, one.root, new=True)
        alerts.append(found)
    seen = {event for event, _ in found.events}
    fresh = [(event, _instant(at)) for event, at in events if event not in seen]
    found.events += fresh
    found.count += len(fresh)
    found.first_at, found.last_at = min(found.first_at, first), max(found.last_at, last)
    found.entities = merge(found.entities, [one.entities])
    found.root = found.root or one.root


def _write(connection: sa.Connection, changed: Sequence[Open]) -> None:
    for one in changed:
        values = _values(one)
        if one.new:
            connection.execute(sa.insert(alert).values(id=one.id, state=AlertState.NEW.value, incident=None, **values))
        else:
            connection.execute(sa.update(alert).where(alert.c.id == one.id).values(**values))
        rows = [{"alert": one.id, "event": event, "at": at} for event, at in one.events]
        upsert(connection, alert_event, rows, keep=True)
        connection.execute(sa.delete(alert_entity).where(alert_entity.c.alert == one.id))
        entities = [{"alert": one.id, "kind": kind, "value": value} for kind, value in decided(one.entities).items()]
        if entities:
            connection.execute(sa.insert(alert_entity), entities)


def _values(one: Open) -> dict[str, Any]:
    return {
        "key": one.key,
        "rule_id": one.head.id,
        "rule_title": one.head.title,
        "rule_title_zh": one.head.title_zh,
        "level": one.head.level.value,
        "rank": LEVELS.index(one.head.level),
        "attack": list(one.head.attack),
        "first_at": one.first_at,
        "last_at": one.last_at,
        "entities": one.entities,
        "count": one.count,
        "root": one.root,
        "org": one.entities.get("org"),
    }
