"""The delivery log (投递日志), newest first, by cursor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from notify.notice import Delivered, Notice, Receipt, Retry, Why
from notify.outbox import delivery_id, put, told
from notify.states import State
from notify.tables import notice, notice_attempt, notice_delivery


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One line of the log.

    Attributes:
        channel: None if no route took the notice.
        why: The last reason: of the next try, of the failure, of the suppression.
        organisation: Of the notice, for the reader's scope.
        message: Deliveries with the same one went out together.
    """

    id: str
    at: datetime
    channel: str | None
    alert: str | None
    state: State
    tries: int
    next_at: datetime | None
    notice: str
    title: str
    level: str
    organisation: str | None
    step: int
    message: str | None
    why: Why | None


def ls(
    connection: sa.Connection,
    *,
    state: State | None = None,
    channel: str | None = None,
    organisations: Sequence[str] | None = None,
    after: tuple[datetime, str] | None = None,
    limit: int = 200,
) -> list[Delivery]:
    """Deliveries, newest first.

    Args:
        connection: Any.
        state: Only these.
        channel: Only of this channel.
        organisations: Only notices of these: the reader's scope; None sees all.
        after: ``(at, id)`` of the last one seen: what follows it.
        limit: Most rows.
    """
    row = notice_delivery.c
    query = sa.select(notice_delivery, notice.c.title, notice.c.level, notice.c.organisation).join(notice)
    asked = [
        row.state == state.value if state is not None else None,
        row.channel == channel if channel is not None else None,
        notice.c.organisation.in_(organisations) if organisations is not None else None,
        sa.or_(row.at < after[0], sa.and_(row.at == after[0], row.id < after[1])) if after is not None else None,
    ]
    query = query.where(*(one for one in asked if one is not None)).order_by(row.at.desc(), row.id.desc()).limit(limit)
    return [_delivery(found) for found in connection.execute(query).mappings()]


def _delivery(row: sa.RowMapping) -> Delivery:
    why = row["why"]
    return Delivery(
        id=row["id"],
        at=row["at"],
        channel=row["channel"] or None,
        alert=row["alert"],
        state=State(row["state"]),
        tries=row["tries"],
        next_at=row["next_at"] if row["state"] == State.QUEUED.value else None,
        notice=row["notice"],
        title=row["title"],
        level=row["level"],
        organisation=row["organisation"],
        step=row["step"],
        message=row["message"],
        why=None if why is None else Why(why["template"], why["values"]),
    )


def counts(connection: sa.Connection) -> Mapping[State, int]:
    """How many deliveries stand where."""
    state = notice_delivery.c.state
    return {
        State(name): number for name, number in connection.execute(sa.select(state, sa.func.count()).group_by(state))
    }


def keep_test(connection: sa.Connection, one: Notice, channel: str, receipt: Receipt, at: datetime) -> Delivery:
    """Write down a test that was sent directly: one try, which counts for the channel's limit, then it is over."""
    put(connection, [one], at)
    connection.execute(sa.update(notice).where(notice.c.id == one.id).values(planned_at=at, told=True))
    delivered = isinstance(receipt, Delivered)
    why = receipt.note if isinstance(receipt, Delivered) else receipt.why
    row = {
        "id": delivery_id(one.id, channel, 0),
        "at": at,
        "notice": one.id,
        "alert": None,
        "channel": channel,
        "step": 0,
        "state": (State.DELIVERED if delivered else State.FAILED).value,
        "tries": 1,
        "next_at": at,
        "alike": one.key,
        "message": one.id,
        "rosters": [],
        "repeated": isinstance(receipt, Retry) and receipt.reached,
        "why": told(why),
        "done_at": at,
    }
    connection.execute(sa.insert(notice_delivery).values(row))
    tried = {"message": one.id, "number": 1, "channel": channel, "at": at, "ended_at": at}
    connection.execute(sa.insert(notice_attempt).values(outcome=type(receipt).__name__.lower(), **tried))
    (found,) = (each for each in ls(connection, channel=channel) if each.id == row["id"])
    return found
