"""Alerts that belong together -> incidents (事件单): by shared entities in a window, with a reason for each join."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from crypto.sm3 import sm3_hex
from records.alarms import LEVELS, IncidentState, Level
from soc.alerts import Open
from soc.entities import decided
from soc.reasons import Titled, reason
from soc.tables import alert, alert_entity, incident, incident_alert

WINDOW = timedelta(hours=1)
JOINING = ("link", "device", "group", "host", "source_ip", "user", "tenant", "org", "certificate")  # the closest first
COMMON_USERS = frozenset(
    {"root", "admin", "administrator", "system", "local system", "network service", "local service", "nobody"}
)
ENDED = (IncidentState.CLOSED.value, IncidentState.FALSE_POSITIVE.value)


def group(connection: sa.Connection, alerts: Sequence[Open]) -> None:
    """Put each new alert into an incident: the oldest that it has something in common with, else one of its own."""
    for one in alerts:
        _place(connection, one)


def _place(connection: sa.Connection, one: Open) -> None:
    found = _related(connection, one)
    if not found:
        if one.head.level is not Level.INFORMATIONAL:  # news alone is no incident, but may belong to one
            _open(connection, one)
        return
    home = min(found, key=lambda row: (row.opened_at, row.incident))
    others = sorted(
        {row.incident for row in found if row.incident != home.incident and row.incident_state == IncidentState.NEW}
    )
    for other in others:
        _absorb(connection, home.incident, other)
    _join(connection, home.incident, one, _reason(one, found))


def _related(connection: sa.Connection, one: Open) -> list[Any]:
    """Alerts in running incidents that share an entity or a root with this one, not longer ago than the window."""
    shared = [
        sa.and_(alert_entity.c.kind == kind, alert_entity.c.value == value)
        for kind, value in decided(one.entities).items()
        if _joins(kind, value)
    ]
    if one.root:
        shared += [alert.c.root == one.root, alert_entity.c.value == one.root]
    own = [value for kind in ("link", "device", "group") if (value := one.entities.get(kind))]
    if own:
        shared.append(alert.c.root.in_(own))
    if not shared:
        return []
    query = (
        sa.select(
            alert.c.id,
            alert.c.rule_title,
            alert.c.rule_title_zh,
            alert.c.first_at,
            alert.c.root,
            alert.c.incident,
            alert_entity.c.kind,
            alert_entity.c.value,
            incident.c.opened_at,
            incident.c.state.label("incident_state"),
        )
        .join(alert_entity, alert_entity.c.alert == alert.c.id)
        .join(incident, incident.c.id == alert.c.incident)
        .where(
            sa.or_(*shared),
            alert.c.last_at >= one.first_at - WINDOW,
            alert.c.first_at <= one.last_at + WINDOW,
            incident.c.state.not_in(ENDED),
            alert.c.id != one.id,
        )
        .order_by(alert.c.first_at, alert.c.id)
    )
    return list(connection.execute(query))


def _joins(kind: str, value: str) -> bool:
    """Whether sharing this says anything: everybody is root, and everything is on 127.0.0.1."""
    if kind == "user":
        return value.rpartition("\\")[2].lower() not in COMMON_USERS
    if kind == "source_ip":
        try:
            address = ipaddress.ip_address(value)
        except ValueError:
            return False
        return not (address.is_loopback or address.is_unspecified or address.is_link_local)
    return kind in JOINING


def _reason(one: Open, found: Sequence[Any]) -> dict[str, Any]:
    title = Titled(en=one.head.title, zh=one.head.title_zh)
    shared = {
        (row.kind, row.value)
        for row in found
        if one.entities.get(row.kind) == row.value and _joins(row.kind, row.value)
    }
    ordered = sorted(shared, key=lambda pair: (JOINING.index(pair[0]), pair[1]))
    if not ordered:
        other = found[0]
        root = one.root or other.root
        return reason("behind", title, Titled(en=other.rule_title, zh=other.rule_title_zh), root=root)
    other = next(row for row in found if (row.kind, row.value) == ordered[0])
    return reason(
        "shares",
        title,
        Titled(en=other.rule_title, zh=other.rule_title_zh),
        shared=[list(pair) for pair in ordered],
        minutes=int(WINDOW.total_seconds() // 60),
    )


def _open(connection: sa.Connection, one: Open) -> None:
    identifier = sm3_hex(f"incident\x1f{one.id}".encode())[:32]
    connection.execute(
        sa.insert(incident).values(
            id=identifier,
            level=one.head.level.value,
            rank=LEVELS.index(one.head.level),
            state=IncidentState.NEW.value,
            opened_at=one.first_at,
            last_at=one.last_at,
        )
    )
    _join(connection, identifier, one, reason("first", Titled(en=one.head.title, zh=one.head.title_zh)))


def _join(connection: sa.Connection, identifier: str, one: Open, why: dict[str, Any]) -> None:
    values = {"alert": one.id, "incident": identifier, "position": _size(connection, identifier), "reason": why}
    connection.execute(sa.insert(incident_alert).values(**values))
    connection.execute(sa.update(alert).where(alert.c.id == one.id).values(incident=identifier))
    refresh(connection, [identifier])


def _size(connection: sa.Connection, identifier: str) -> int:
    query = sa.select(sa.func.coalesce(sa.func.max(incident_alert.c.position) + 1, 0)).where(
        incident_alert.c.incident == identifier
    )
    return int(connection.scalar(query) or 0)


def _absorb(connection: sa.Connection, home: str, other: str) -> None:
    """Move the alerts of an incident that nobody has worked on into an older one."""
    start = _size(connection, home)
    moved = incident_alert.c.incident == other
    connection.execute(
        sa.update(incident_alert).where(moved).values(incident=home, position=incident_alert.c.position + start)
    )
    connection.execute(sa.update(alert).where(alert.c.incident == other).values(incident=home))
    connection.execute(
        sa.update(incident).where(incident.c.id == other).values(state=IncidentState.CLOSED.value, merged_into=home)
    )


def refresh(connection: sa.Connection, identifiers: Sequence[str]) -> None:
    """Take level and times of incidents from their alerts again."""
    for identifier in identifiers:
        query = sa.select(sa.func.max(alert.c.rank), sa.func.min(alert.c.first_at), sa.func.max(alert.c.last_at))
        rank, first, last = connection.execute(query.where(alert.c.incident == identifier)).one()
        if rank is not None:
            values = {"rank": rank, "level": LEVELS[rank].value, "opened_at": first, "last_at": last}
            connection.execute(sa.update(incident).where(incident.c.id == identifier).values(**values))
