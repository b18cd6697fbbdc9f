"""What the CLI and the console ask: alerts, incidents with their reasons, events. All lists page by cursor."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

import orjson
import sqlalchemy as sa

from records.alarms import LEVELS, Alert, Incident, IncidentState, Level
from records.alarms import AlertState as State
from records.errors import UserError
from records.instants import format_instant, parse_instant
from records.schemas import EVENTS
from soc.entities import decided
from soc.reasons import Language, Titled, entities_text, sentence
from soc.tables import alert, alert_entity, alert_event, incident, incident_alert
from storage.port import RecordStore, Where
from storage.state import reading

Row = TypeVar("Row")
MOST_EVENTS = 1000  # ids of one alert that are listed; ``count`` counts all of them
_CHUNK = 500
_SUBJECTS = (
    "link",
    "group",
    "device",
    "host",
    "tenant",
    "certificate",
    "source",
    "org",
    "source_ip",
    "user",
    "item",
    "cloud",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What to list; None asks nothing.

    Attributes:
        state: An alert's or an incident's state.
        level: This level or a higher one.
        entity: Kind and id that it concerns.
        organisations: Only those of these organisations: the reader's scope.
        start: Last seen at or after.
        end: First seen before.
    """

    state: str | None = None
    level: Level | None = None
    rule: str | None = None
    entity: tuple[str, str] | None = None
    organisations: Sequence[str] | None = None
    incident: str | None = None
    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing(Generic[Row]):
    """One page; ``next`` is None on the last."""

    rows: tuple[Row, ...]
    next: str | None


EVERYTHING = Filter()


def list_alerts(
    state: sa.Engine,
    what: Filter = EVERYTHING,
    *,
    limit: int = 200,
    cursor: str | None = None,
    language: Language = "en",
) -> Listing[Alert]:
    """Alerts, the last seen first; UserError for a cursor that is none."""
    query = sa.select(alert).where(*_alert_conditions(what)).order_by(alert.c.last_at.desc(), alert.c.id.desc())
    if cursor is not None:
        query = query.where(sa.tuple_(alert.c.last_at, alert.c.id) < _position(cursor, alert))
    with reading(state) as connection:
        rows = list(connection.execute(query.limit(limit + 1)))
        events = _events(connection, [row.id for row in rows[:limit]])
    found = tuple(_alert(row, events.get(row.id, ()), language) for row in rows[:limit])
    return Listing(rows=found, next=_cursor(rows[limit - 1].last_at, rows[limit - 1].id) if len(rows) > limit else None)


def count_alerts(state: sa.Engine, what: Filter = EVERYTHING) -> int:
    """How many alerts ``list_alerts`` would give in all."""
    with reading(state) as connection:
        return int(
            connection.scalar(sa.select(sa.func.count()).select_from(alert).where(*_alert_conditions(what))) or 0
        )


def get_alert(state: sa.Engine, identifier: str, *, language: Language = "en") -> Alert | None:
    """One alert; None if there is none of that id."""
    with reading(state) as connection:
        row = connection.execute(sa.select(alert).where(alert.c.id == identifier)).one_or_none()
        return _alert(row, _events(connection, [identifier]).get(identifier, ()), language) if row else None


def alert_documents(state: sa.Engine, store: RecordStore, identifier: str, *, limit: int = 200) -> list[dict[str, Any]]:
    """The stored events of an alert, oldest first, flat ECS names."""
    query = sa.select(alert_event.c.event, alert_event.c.at).where(alert_event.c.alert == identifier)
    with reading(state) as connection:
        rows = list(connection.execute(query.order_by(alert_event.c.at, alert_event.c.event).limit(limit)))
    found: dict[str, dict[str, Any]] = {}
    for at in range(0, len(rows), _CHUNK):
        ids = tuple(row.event for row in rows[at : at + _CHUNK])
        found.update(_documents(store, ids))
    return [found[row.event] for row in rows if row.event in found]


def _documents(store: RecordStore, ids: tuple[str, ...]) -> list[tuple[str, dict[str, Any]]]:
    table = store.read(EVENTS, where=[Where("id", "in", ids)], columns=["id", "doc"])
    return [(row["id"], orjson.loads(row["doc"])) for row in table.to_pylist()]


def list_events(
    store: RecordStore,
    *,
    limit: int = 100,
    cursor: str | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    where: Sequence[Where] = (),
) -> Listing[dict[str, Any]]:
    """Stored events, the newest first: the columns of EVENTS with ``doc`` as an object."""
    page = store.page(EVENTS, limit=limit, cursor=cursor, start=start, end=end, where=where)
    rows = tuple({**row, "doc": orjson.loads(row["doc"])} for row in page.rows.to_pylist())
    return Listing(rows=rows, next=page.next)


def list_incidents(
    state: sa.Engine,
    what: Filter = EVERYTHING,
    *,
    limit: int = 200,
    cursor: str | None = None,
    language: Language = "en",
) -> Listing[Incident]:
    """Incidents, the last opened first, without those that went into another; UserError for a cursor that is none."""
    query = (
        sa.select(incident)
        .where(*_incident_conditions(what))
        .order_by(incident.c.opened_at.desc(), incident.c.id.desc())
    )
    if cursor is not None:
        query = query.where(sa.tuple_(incident.c.opened_at, incident.c.id) < _position(cursor, incident))
    with reading(state) as connection:
        rows = list(connection.execute(query.limit(limit + 1)))
        found = tuple(incidents_of(connection, rows[:limit], language))
    return Listing(
        rows=found, next=_cursor(rows[limit - 1].opened_at, rows[limit - 1].id) if len(rows) > limit else None
    )


def get_incident(state: sa.Engine, identifier: str, *, language: Language = "en") -> Incident | None:
    """One incident; the one that it went into if it was joined to another; None if there is none of that id."""
    with reading(state) as connection:
        row = connection.execute(sa.select(incident).where(incident.c.id == identifier)).one_or_none()
        while row is not None and row.merged_into is not None:
            row = connection.execute(sa.select(incident).where(incident.c.id == row.merged_into)).one_or_none()
        return _incident(connection, row, language) if row is not None else None


def alerts_of(connection: sa.Connection, rows: Sequence[Any], language: Language) -> list[Alert]:
    """Rows of the table ``alert`` as alerts; one more statement however many they are."""
    events = _events(connection, [row.id for row in rows])
    return [_alert(row, events.get(row.id, ()), language) for row in rows]


def incidents_of(
    connection: sa.Connection,
    rows: Sequence[Any],
    language: Language,
    *,
    visible: sa.ColumnElement[bool] | None = None,
) -> list[Incident]:
    """Rows of the table ``incident`` as incidents; one more statement however many they are.

    ``visible`` is a condition on ``alert``: what a reader may not see is left out of title, entities and reasons alike.
    Each incident must have an alert that is visible.
    """
    query = (
        sa.select(alert, incident_alert.c.reason, incident_alert.c.incident.label("joined"))
        .join(incident_alert, incident_alert.c.alert == alert.c.id)
        .where(incident_alert.c.incident.in_([row.id for row in rows]), sa.true() if visible is None else visible)
        .order_by(incident_alert.c.incident, incident_alert.c.position)
    )
    members: dict[str, list[Any]] = {}
    for one in connection.execute(query):
        members.setdefault(one.joined, []).append(one)
    return [_incident_of(row, members.get(row.id, []), language) for row in rows]


def _alert_conditions(what: Filter) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool] | None] = [
        alert.c.state == what.state if what.state is not None else None,
        alert.c.rank >= LEVELS.index(what.level) if what.level is not None else None,
        alert.c.rule_id == what.rule if what.rule is not None else None,
        alert.c.incident == what.incident if what.incident is not None else None,
        alert.c.org.in_(what.organisations) if what.organisations is not None else None,
        alert.c.last_at >= what.start if what.start is not None else None,
        alert.c.first_at < what.end if what.end is not None else None,
        alert.c.id.in_(_about(*what.entity)) if what.entity is not None else None,
    ]
    return [one for one in found if one is not None]


def _about(kind: str, value: str) -> sa.Select[tuple[str]]:
    return sa.select(alert_entity.c.alert).where(alert_entity.c.kind == kind, alert_entity.c.value == value)


def _incident_conditions(what: Filter) -> list[sa.ColumnElement[bool]]:
    """An incident is listed for a reader if one of its alerts would be."""
    inner = Filter(rule=what.rule, entity=what.entity, organisations=what.organisations)
    found: list[sa.ColumnElement[bool] | None] = [
        incident.c.merged_into.is_(None),
        incident.c.state == what.state if what.state is not None else None,
        incident.c.rank >= LEVELS.index(what.level) if what.level is not None else None,
        incident.c.id == what.incident if what.incident is not None else None,
        incident.c.last_at >= what.start if what.start is not None else None,
        incident.c.opened_at < what.end if what.end is not None else None,
        incident.c.id.in_(sa.select(alert.c.incident).where(*_alert_conditions(inner)))
        if inner != EVERYTHING
        else None,
    ]
    return [one for one in found if one is not None]


def _events(connection: sa.Connection, alerts: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The first events of each alert, oldest first."""
    number = sa.func.row_number().over(
        partition_by=alert_event.c.alert, order_by=(alert_event.c.at, alert_event.c.event)
    )
    inner = (
        sa.select(alert_event.c.alert, alert_event.c.event, number.label("number"))
        .where(alert_event.c.alert.in_(alerts))
        .subquery()
    )
    query = (
        sa.select(inner.c.alert, inner.c.event)
        .where(inner.c.number <= MOST_EVENTS)
        .order_by(inner.c.alert, inner.c.number)
    )
    found: dict[str, list[str]] = {}
    for name, event in connection.execute(query):
        found.setdefault(name, []).append(event)
    return {name: tuple(events) for name, events in found.items()}


def _alert(row: Any, events: tuple[str, ...], language: Language) -> Alert:
    return Alert(
        id=row.id,
        key=row.key,
        rule_id=row.rule_id,
        rule_title=Titled(en=row.rule_title, zh=row.rule_title_zh).text(language),
        level=Level(row.level),
        first_at=row.first_at,
        last_at=row.last_at,
        entities=decided(row.entities),
        events=events,
        count=row._mapping["count"],  # noqa: SLF001 - a row is a tuple, whose count is a method
        attack=tuple(row.attack),
        root=row.root,
        incident=row.incident,
        state=State(row.state),
    )


def _incident(connection: sa.Connection, row: Any, language: Language) -> Incident:
    return incidents_of(connection, [row], language)[0]


def _incident_of(row: Any, members: Sequence[Any], language: Language) -> Incident:
    return Incident(
        id=row.id,
        title=_title(members, language),
        level=Level(row.level),
        state=IncidentState(row.state),
        opened_at=row.opened_at,
        alerts=tuple(one.id for one in members),
        entities=_entities(members),
        why=tuple(sentence(one.reason, language) for one in members),
        owner=row.owner,
    )


def _title(members: Sequence[Any], language: Language) -> str:
    """The gravest alert, and what it is about."""
    gravest = max(members, key=lambda one: one.rank)
    title = Titled(en=gravest.rule_title, zh=gravest.rule_title_zh).text(language)
    about = decided(gravest.entities)
    subject = next(([kind, about[kind]] for kind in _SUBJECTS if kind in about), None)
    colon = "：" if language == "zh_CN" else ": "
    return f"{title}{colon}{entities_text([subject], language)}" if subject else title


def _entities(members: Sequence[Any]) -> dict[str, tuple[str, ...]]:
    found: dict[str, dict[str, None]] = {}
    for one in members:
        for kind, value in decided(one.entities).items():
            found.setdefault(kind, {})[value] = None
    return {kind: tuple(values) for kind, values in found.items()}


def _cursor(at: datetime, identifier: str) -> str:
    return base64.urlsafe_b64encode(f"{format_instant(at)} {identifier}".encode()).decode()


def _position(cursor: str, table: sa.Table) -> Any:
    try:
        at, _, identifier = base64.urlsafe_b64decode(cursor).decode().partition(" ")
        instant = parse_instant(at)
    except (ValueError, binascii.Error) as error:
        raise UserError("not a cursor of this list", "begin again without a cursor", where="cursor") from error
    time = table.c.last_at if table is alert else table.c.opened_at
    return sa.tuple_(sa.literal(instant, time.type), sa.literal(identifier))
