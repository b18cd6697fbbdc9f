"""State tables: what the newest readings say of each link, when that changed, what is wrong with the figures."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from link_health.states import EndView
from storage.state import Instant, metadata, upsert

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

_END = (
    ("answered_at", Instant),  # newest answer that told ifOperStatus
    ("oper_status", sa.SmallInteger),
    ("figure_at", Instant),  # the reading that the figures rest on
    ("in_bps", sa.BigInteger),
    ("out_bps", sa.BigInteger),
    ("first_at", Instant),  # first reading ever, answered or not
    ("recent", sa.Text),  # JSON [number of the newest five-minute bucket, real samples in it and in the eleven before]
)

link_state = sa.Table(
    "link_state",
    metadata,
    sa.Column("link", sa.Text, primary_key=True),
    sa.Column("state", sa.Text, nullable=False),  # as judged by the worker; readers judge again by age
    sa.Column("since", Instant, nullable=False),
    sa.Column("flapping", sa.Boolean, nullable=False),
    sa.Column("finding", sa.Boolean, nullable=False),  # a quality finding is open
    sa.Column("root", sa.Text),
    *(sa.Column(f"{end}_{name}", kind) for end in ("a", "b") for name, kind in _END),
)

link_transition = sa.Table(
    "link_transition",
    metadata,
    sa.Column("link", sa.Text, primary_key=True),
    sa.Column("at", Instant, primary_key=True),
    sa.Column("state", sa.Text, nullable=False),
)

quality_finding = sa.Table(
    "quality_finding",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("link", sa.Text, nullable=False, index=True),
    sa.Column("kind", sa.Text, nullable=False),  # implausible | clock | mismatch
    sa.Column("device", sa.Text, nullable=False),
    sa.Column("interface", sa.Text, nullable=False),
    sa.Column("opened_at", Instant, nullable=False),
    sa.Column("closed_at", Instant),
    sa.Column("raw_in_bps", sa.BigInteger),
    sa.Column("raw_out_bps", sa.BigInteger),
)

device_answer = sa.Table(
    "device_answer",
    metadata,
    sa.Column("device", sa.Text, primary_key=True),
    sa.Column("answered_at", Instant),
    sa.Column("first_at", Instant, nullable=False),  # first poll, answered or not
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndRow:
    """One end in ``link_state``; ``recent`` is (newest bucket, real samples of twelve buckets, newest first)."""

    view: EndView
    first_us: int | None = None
    recent: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkRow:
    """One row of ``link_state``."""

    link: str
    state: str
    since_us: int
    flapping: bool
    finding: bool
    root: str | None
    a: EndRow
    b: EndRow


def to_us(at: datetime) -> int:
    """Microseconds since 1970."""
    return (at - _EPOCH) // _MICROSECOND


def to_instant(us: int) -> datetime:
    """An instant from microseconds since 1970."""
    return _EPOCH + us * _MICROSECOND


def from_us(us: int | None) -> datetime | None:
    """As ``to_instant``, None for None."""
    return None if us is None else to_instant(us)


def _end_values(prefix: str, end: EndRow) -> dict[str, object]:
    view = end.view
    return {
        f"{prefix}_answered_at": from_us(view.answered_us),
        f"{prefix}_oper_status": view.oper or None,
        f"{prefix}_figure_at": from_us(view.figure_us),
        f"{prefix}_in_bps": view.in_bps,
        f"{prefix}_out_bps": view.out_bps,
        f"{prefix}_first_at": from_us(end.first_us),
        f"{prefix}_recent": json.dumps(end.recent) if end.recent else None,
    }


def save_links(connection: sa.Connection, rows: Iterable[LinkRow]) -> None:
    """Write the newest rows of links."""
    values = [
        {
            "link": row.link,
            "state": row.state,
            "since": from_us(row.since_us),
            "flapping": row.flapping,
            "finding": row.finding,
            "root": row.root,
            **_end_values("a", row.a),
            **_end_values("b", row.b),
        }
        for row in rows
    ]
    upsert(connection, link_state, values)


def _end_row(row: sa.RowMapping, prefix: str) -> EndRow:
    def us(name: str) -> int | None:
        value = row[f"{prefix}_{name}"]
        return None if value is None else to_us(value)

    recent = row[f"{prefix}_recent"]
    return EndRow(
        view=EndView(
            answered_us=us("answered_at"),
            oper=row[f"{prefix}_oper_status"] or 0,
            figure_us=us("figure_at"),
            in_bps=row[f"{prefix}_in_bps"],
            out_bps=row[f"{prefix}_out_bps"],
        ),
        first_us=us("first_at"),
        recent=tuple(json.loads(recent)) if recent else (),
    )


def read_links(connection: sa.Connection) -> dict[str, LinkRow]:
    """All rows of ``link_state`` by link."""
    return {
        row["link"]: LinkRow(
            link=row["link"],
            state=row["state"],
            since_us=to_us(row["since"]),
            flapping=row["flapping"],
            finding=row["finding"],
            root=row["root"],
            a=_end_row(row, "a"),
            b=_end_row(row, "b"),
        )
        for row in connection.execute(sa.select(link_state)).mappings()
    }


def save_transitions(connection: sa.Connection, turns: Iterable[tuple[str, int, str]]) -> None:
    """Add (link, microseconds, state); a known (link, instant) changes nothing."""
    rows = [{"link": link, "at": from_us(at), "state": state} for link, at, state in turns]
    upsert(connection, link_transition, rows, keep=True)


def read_transitions(connection: sa.Connection, start: datetime, end: datetime) -> dict[str, list[tuple[int, str]]]:
    """Changes of state by link within [start, end), preceded by the state that each link had at ``start``."""
    found: dict[str, list[tuple[int, str]]] = {}
    latest = (
        sa.select(link_transition.c.link, sa.func.max(link_transition.c.at).label("at"))
        .where(link_transition.c.at < start)
        .group_by(link_transition.c.link)
        .subquery()
    )
    both = (link_transition.c.link == latest.c.link) & (link_transition.c.at == latest.c.at)
    before = sa.select(link_transition).join(latest, both)
    within = sa.select(link_transition).where(link_transition.c.at >= start, link_transition.c.at < end)
    for statement in (before, within.order_by(link_transition.c.link, link_transition.c.at)):
        for link, at, state in connection.execute(statement):
            found.setdefault(link, []).append((to_us(at), state))
    return found
