"""State tables: what the newest readings say of each link, when that changed, what is wrong with the figures."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from link_health.states import EndView
from records.instants import microseconds
from storage.state import Instant, metadata, upsert

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

link_state = sa.Table(
    "link_state",
    metadata,
    sa.Column("link", sa.Text, primary_key=True),
    sa.Column("state", sa.Text, nullable=False),  # as judged by the worker; readers judge again by age
    sa.Column("since", Instant, nullable=False),
    sa.Column("flapping", sa.Boolean, nullable=False),
    sa.Column("finding", sa.Boolean, nullable=False),  # a quality finding is open
    sa.Column("root", sa.Text),
    sa.Column("a", sa.Text, nullable=False),  # EndRow.values as JSON
    sa.Column("b", sa.Text, nullable=False),
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


@dataclass(frozen=True, slots=True)
class EndRow:
    """One end of a link.

    Attributes:
        values: Receipt of the newest answer with ifOperStatus, ifOperStatus, receipt of the reading with the figures,
            its rates in and out, receipt of the first reading, number of the newest five-minute bucket, real samples in
            it and in the eleven before. Instants in microseconds, rates in bit/s, -1 for null. Empty without an end.
    """

    values: tuple[int, ...] = ()

    @property
    def view(self) -> EndView:
        """What a link's state and figures rest on."""
        if not self.values:
            return EndView()
        answered, oper, figure, rate_in, rate_out = (value if value >= 0 else None for value in self.values[:5])
        return EndView(answered_us=answered, oper=oper or 0, figure_us=figure, in_bps=rate_in, out_bps=rate_out)

    @property
    def first_us(self) -> int | None:
        """Receipt of the first reading."""
        return self.values[5] if self.values and self.values[5] >= 0 else None

    @property
    def recent(self) -> dict[int, int]:
        """Number of a five-minute bucket to its real samples, for the last twelve that had readings."""
        newest = self.values[6] if self.values else 0
        return {newest - back: count for back, count in enumerate(self.values[7:])}


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


def to_instant(us: int) -> datetime:
    """An instant from microseconds since 1970."""
    return _EPOCH + us * _MICROSECOND


def from_us(us: int | None) -> datetime | None:
    """As ``to_instant``, None for None."""
    return None if us is None else to_instant(us)


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
            "a": str(list(row.a.values)),  # of integers that is JSON, and ten times as quick
            "b": str(list(row.b.values)),
        }
        for row in rows
    ]
    upsert(connection, link_state, values)


def read_links(connection: sa.Connection) -> dict[str, LinkRow]:
    """All rows of ``link_state`` by link."""
    return {
        row["link"]: LinkRow(
            link=row["link"],
            state=row["state"],
            since_us=microseconds(row["since"]),
            flapping=row["flapping"],
            finding=row["finding"],
            root=row["root"],
            a=EndRow(tuple(json.loads(row["a"]))),
            b=EndRow(tuple(json.loads(row["b"]))),
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
            found.setdefault(link, []).append((microseconds(at), state))
    return found
