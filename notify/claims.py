"""Claim, send, record: a delivery is leased before it is sent, so that a crash never sends twice knowingly.

A process that dies between the send and the record leaves a claim. Whether the peer has the message cannot be known.
Where the peer drops repetitions by id, the message is sent again, the same id on it. Elsewhere the delivery ends as
``unknown``, and a short notice of kind ``delivery`` says so on the same routes: that one repeats nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from crypto.sm3 import sm3_hex
from notify.notice import Channel, Delivered, Message, Notice, Person, Receipt, Retry, Why
from notify.outbox import notice_of, put, told
from notify.pace import MINUTE, Policy, backoff
from notify.rosters import Roster
from notify.states import State
from notify.tables import notice, notice_attempt, notice_delivery
from records.alarms import LEVELS, Level

LEASE = timedelta(seconds=120)  # longer than any channel's time limit
KIND = "delivery"  # of the notices that tell about deliveries

_delivery = notice_delivery.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A message that this process alone may send now.

    Attributes:
        number: Of the try, from 1.
    """

    channel: str
    message: Message
    number: int


def due(connection: sa.Connection, channel: str, at: datetime) -> bool:
    """Whether anything waits for a channel; asked often, so it takes no lock."""
    waits = (_delivery.channel == channel, _delivery.state == State.QUEUED.value, _delivery.next_at <= at)
    return connection.scalar(sa.select(_delivery.id).where(*waits).limit(1)) is not None


def free(connection: sa.Connection, channel: str, at: datetime, per_minute: int | None) -> bool:
    """Whether the channel's limit allows one more message: every try of the last 60 s counts, also before a restart."""
    if per_minute is None:
        return True
    attempt = notice_attempt.c
    query = sa.select(sa.func.count()).where(attempt.channel == channel, attempt.at > at - MINUTE, attempt.at <= at)
    return (connection.scalar(query) or 0) < per_minute


def claim(
    connection: sa.Connection,
    name: str,
    per_minute: int | None,
    rosters: Mapping[str, Roster],
    policy: Policy,
    at: datetime,
) -> Claim | None:
    """Lease the next message of a channel; None if nothing is due or its limit is reached."""
    rows = _next(connection, name, policy, at) if free(connection, name, at, per_minute) else []
    if not rows:
        return None
    identifier = rows[0].message or sm3_hex(f"{rows[0].id}\x1f{name}".encode())[:32]
    number = rows[0].tries + 1
    chosen = sa.update(notice_delivery).where(_delivery.id.in_([row.id for row in rows]))
    values = {"state": State.CLAIMED.value, "message": identifier, "tries": number, "leased_until": at + LEASE}
    connection.execute(chosen.values(values))
    tried = {"message": identifier, "number": number, "channel": name, "at": at}
    connection.execute(sa.insert(notice_attempt).values(tried))
    message = Message(
        id=identifier,
        notices=_notices(connection, [row.notice for row in rows]),
        step=rows[0].step,
        to=_people([name for row in rows for name in row.rosters], rosters, at),
        repeated=any(row.repeated for row in rows),
    )
    return Claim(channel=name, message=message, number=number)


def _next(connection: sa.Connection, channel: str, policy: Policy, at: datetime) -> Sequence[Any]:
    """A message that was tried before goes out with the same deliveries; else all that is due of one group."""
    waits = (_delivery.channel == channel, _delivery.state == State.QUEUED.value, _delivery.next_at <= at)
    query = sa.select(notice_delivery).where(*waits).order_by(_delivery.next_at, _delivery.id)
    first = connection.execute(query.limit(1)).one_or_none()
    if first is None:
        return []
    if first.message:
        return connection.execute(query.where(_delivery.message == first.message)).all()
    return connection.execute(
        query.where(_delivery.message.is_(None), _delivery.alike == first.alike).limit(policy.most)
    ).all()


def _notices(connection: sa.Connection, ids: Sequence[str]) -> tuple[Notice, ...]:
    query = sa.select(notice).where(notice.c.id.in_(ids)).order_by(notice.c.at, notice.c.id)
    return tuple(notice_of(row) for row in connection.execute(query))


def _people(names: Sequence[str], rosters: Mapping[str, Roster], at: datetime) -> tuple[Person, ...]:
    """Who is on duty when the message goes, not when it was queued."""
    found = [person for name in dict.fromkeys(names) if name in rosters for person in rosters[name].on_duty(at)]
    return tuple(dict.fromkeys(found))


def record(
    connection: sa.Connection, one: Claim, receipt: Receipt, policy: Policy, at: datetime, chance: float
) -> State:
    """Write down what came of a claim; the state that its deliveries have now."""
    values = _result(one, receipt, policy, at, chance)
    _finish(connection, one.message.id, values)
    outcome = type(receipt).__name__.lower()
    _attempt(connection, one.message.id, one.number, outcome, at)
    return State(values["state"])


def _result(one: Claim, receipt: Receipt, policy: Policy, at: datetime, chance: float) -> dict[str, Any]:
    if isinstance(receipt, Delivered):
        return {"state": State.DELIVERED.value, "why": told(receipt.note), "done_at": at}
    if isinstance(receipt, Retry) and one.number < policy.tries:
        next_at = at + backoff(one.number, chance, policy, receipt.after_seconds)
        again = one.message.repeated or receipt.reached
        return {"state": State.QUEUED.value, "why": told(receipt.why), "next_at": next_at, "repeated": again}
    return {"state": State.FAILED.value, "why": told(receipt.why), "done_at": at}


def _finish(connection: sa.Connection, message: str, values: Mapping[str, Any]) -> None:
    claimed = (_delivery.message == message, _delivery.state == State.CLAIMED.value)
    connection.execute(sa.update(notice_delivery).where(*claimed).values(leased_until=None, **values))


def _attempt(connection: sa.Connection, message: str, number: int, outcome: str, at: datetime) -> None:
    this = (notice_attempt.c.message == message, notice_attempt.c.number == number)
    connection.execute(sa.update(notice_attempt).where(*this).values(outcome=outcome, ended_at=at))


def recover(
    connection: sa.Connection, channels: Mapping[str, Channel], at: datetime, *, alone: bool = False
) -> list[str]:
    """Deal with claims of processes that died; the ids of messages of which nobody knows whether they arrived.

    Args:
        connection: A write transaction.
        channels: By name; a channel that is gone cannot drop repetitions.
        at: Now.
        alone: No other process sends: no lease needs to run out.
    """
    query = sa.select(notice_delivery).where(_delivery.state == State.CLAIMED.value).order_by(_delivery.id)
    if not alone:
        query = query.where(_delivery.leased_until < at)
    rows = connection.execute(query).all()
    lost = []
    for message in dict.fromkeys(row.message for row in rows):
        held = [row for row in rows if row.message == message]
        if _may_repeat(channels, held[0].channel):
            _finish(connection, message, {"state": State.QUEUED.value, "next_at": at, "repeated": True})
        else:
            why = Why("the process ended while it was sent: it may have arrived, and is not sent again")
            _finish(connection, message, {"state": State.UNKNOWN.value, "why": told(why), "done_at": at})
            _tell_unknown(connection, message, held, at)
            lost.append(message)
        _attempt(connection, message, held[0].tries, State.UNKNOWN.value, at)
    return lost


def _may_repeat(channels: Mapping[str, Channel], name: str) -> bool:
    return name in channels and channels[name].dedupes


def _tell_unknown(connection: sa.Connection, message: str, held: Sequence[Any], at: datetime) -> None:
    """One short notice about a message that may be lost; none about such a notice itself, or it would never end."""
    about = [one for one in _notices(connection, [row.notice for row in held]) if one.kind != KIND]
    if not about:
        return
    level = max((one.level for one in about), key=LEVELS.index)
    put(connection, [_unsure(message, held[0].channel, about, level, at)], at)


def _unsure(message: str, channel: str, about: Sequence[Notice], level: Level, at: datetime) -> Notice:
    return Notice(
        id=f"{KIND}:{message}",
        at=at,
        key=f"{KIND}:{message}",
        kind=KIND,
        level=level,
        title=f"通知渠道 {channel} 有 {len(about)} 条通知可能未送达",
        body=("发送过程中进程中断，未重复发送；请到平台核对：", *(one.title for one in about[:5])),
        organisation=about[0].organisation,
        alike=f"{KIND}:{channel}",
        fields={"channel": channel, "message": message},
    )
