"""The outbox (发件箱): notices are kept in the transaction of what caused them, then routed into deliveries."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from crypto.sm3 import sm3_hex
from notify.notice import Notice, Why
from notify.pace import Policy, grouped
from notify.routing import Planned, Route, plan
from notify.states import State
from notify.tables import notice, notice_attempt, notice_delivery
from records.alarms import Level
from storage.state import upsert

_MOST = 500  # notices routed in one transaction
_WAITING = (State.QUEUED.value,)
_GONE = (State.DELIVERED.value, State.CLAIMED.value, State.UNKNOWN.value)


def put(connection: sa.Connection, notices: Iterable[Notice], at: datetime) -> None:
    """Keep notices; one whose id is known changes nothing."""
    upsert(connection, notice, [_row(one, at) for one in notices], keep=True)


def _row(one: Notice, at: datetime) -> dict[str, Any]:
    return {
        "id": one.id,
        "at": one.at,
        "kept_at": at,
        "key": one.key,
        "kind": one.kind,
        "level": one.level.value,
        "title": one.title,
        "body": list(one.body),
        "organisation": one.organisation,
        "alert": one.alert,
        "alike": one.alike,
        "links": dict(one.links),
        "fields": dict(one.fields),
        "planned_at": None,
        "told": False,
        "acknowledged_at": None,
    }


def notice_of(row: Any) -> Notice:
    """A row of the table as a record."""
    return Notice(
        id=row.id,
        at=row.at,
        key=row.key,
        kind=row.kind,
        level=Level(row.level),
        title=row.title,
        body=tuple(row.body),
        organisation=row.organisation,
        alert=row.alert,
        alike=row.alike,
        links=dict(row.links),
        fields=dict(row.fields),
    )


def pending(connection: sa.Connection) -> Sequence[Notice]:
    """Notices that nobody has routed yet, oldest first."""
    query = sa.select(notice).where(notice.c.planned_at.is_(None)).order_by(notice.c.kept_at, notice.c.id).limit(_MOST)
    return [notice_of(row) for row in connection.execute(query)]


def route(
    connection: sa.Connection, notices: Iterable[Notice], routes: Sequence[Route], policy: Policy, at: datetime
) -> None:
    """Turn notices into deliveries; one that goes nowhere is in the log as suppressed, with the reason."""
    for one in notices:
        earlier = _silenced_by(connection, one, policy, at)
        planned = () if earlier else plan(one, routes, at)
        for delivery in planned:
            _queue(connection, one, delivery, policy, at)
        if not planned:
            why = Why("the same as notice {notice}", {"notice": earlier}) if earlier else Why("no route takes it")
            _keep(connection, one, Planned(channel="", step=0, due=at), at, state=State.SUPPRESSED, why=why)
        values = {"planned_at": at, "told": bool(planned)}
        connection.execute(sa.update(notice).where(notice.c.id == one.id).values(values))


def _silenced_by(connection: sa.Connection, one: Notice, policy: Policy, at: datetime) -> str | None:
    query = (
        sa.select(notice.c.id)
        .where(
            notice.c.key == one.key,
            notice.c.told,
            notice.c.planned_at > at - timedelta(seconds=policy.dedupe_seconds),
            notice.c.planned_at <= at,  # a clock that was set back must not silence the future
            notice.c.id != one.id,
        )
        .limit(1)
    )
    found: str | None = connection.scalar(query)
    return found


def _queue(connection: sa.Connection, one: Notice, planned: Planned, policy: Policy, at: datetime) -> None:
    alike = f"{planned.step}|{one.level.value}|{one.alike or one.key}"
    delivery = notice_delivery.c
    same = (delivery.channel == planned.channel, delivery.alike == alike)
    queued = connection.scalar(
        sa.select(sa.func.min(delivery.next_at)).where(
            *same, delivery.state.in_(_WAITING), delivery.message.is_(None), delivery.next_at >= planned.due
        )
    )
    last = connection.scalar(
        sa.select(sa.func.max(notice_attempt.c.at))
        .join(notice_delivery, delivery.message == notice_attempt.c.message)
        .where(*same, delivery.state.in_(_GONE))
    )
    due = grouped(planned.due, queued, last, policy)
    _keep(connection, one, planned, at, alike=alike, due=due)


def _keep(
    connection: sa.Connection,
    one: Notice,
    planned: Planned,
    at: datetime,
    *,
    state: State = State.QUEUED,
    why: Why | None = None,
    alike: str = "",
    due: datetime | None = None,
) -> None:
    row = {
        "id": delivery_id(one.id, planned.channel, planned.step),
        "at": at,
        "notice": one.id,
        "alert": one.alert,
        "channel": planned.channel,
        "step": planned.step,
        "state": state.value,
        "tries": 0,
        "next_at": due or planned.due,
        "alike": alike,
        "rosters": list(planned.rosters),
        "message": None,
        "leased_until": None,
        "repeated": False,
        "why": told(why),
        "done_at": at if state is State.SUPPRESSED else None,
    }
    upsert(connection, notice_delivery, [row], keep=True)


def told(why: Why | None) -> dict[str, Any] | None:
    """A reason as it is kept."""
    return None if why is None else {"template": why.template, "values": dict(why.values)}


def delivery_id(identifier: str, channel: str, step: int) -> str:
    """The same delivery has the same id, however often it is planned."""
    return sm3_hex(f"{identifier}\x1f{channel}\x1f{step}".encode())[:24]


def awaiting_acknowledgement(connection: sa.Connection) -> frozenset[str]:
    """Alerts with a step of the escalation still to come."""
    delivery = notice_delivery.c
    query = sa.select(delivery.alert).where(
        delivery.state.in_(_WAITING), delivery.step > 0, delivery.message.is_(None), delivery.alert.is_not(None)
    )
    return frozenset(connection.scalars(query.distinct()))


def acknowledge(connection: sa.Connection, alerts: Collection[str], at: datetime, by: str = "") -> int:
    """Somebody has taken these alerts: what was still to be escalated is not; how many deliveries that were."""
    chosen = sa.select(notice.c.id).where(notice.c.alert.in_(alerts))
    connection.execute(
        sa.update(notice)
        .where(notice.c.alert.in_(alerts), notice.c.acknowledged_at.is_(None))
        .values(acknowledged_at=at)
    )
    delivery = notice_delivery.c
    why = Why("acknowledged by {who}", {"who": by}) if by else Why("acknowledged")
    done = connection.execute(
        sa.update(notice_delivery)
        .where(
            delivery.notice.in_(chosen),
            delivery.step > 0,
            delivery.state.in_(_WAITING),
            delivery.message.is_(None),
        )
        .values(state=State.SUPPRESSED.value, why=told(why), done_at=at)
    )
    return int(done.rowcount)


def known_alerts(connection: sa.Connection, alerts: Collection[str]) -> frozenset[str]:
    """Which of these alerts the outbox has notices of."""
    return frozenset(connection.scalars(sa.select(notice.c.alert).where(notice.c.alert.in_(alerts))))
