"""Notices put together: alerts of the worker into the outbox, the outbox to the configured channels."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import sqlalchemy as sa

from notify.notice import Notice
from notify.outbox import put
from notify.routing import Route, Step
from records.alarms import AlertState, IncidentState, Level
from records.instants import now
from soc.tables import alert, incident

if TYPE_CHECKING:
    from inventory.model import Inventory
    from notify.dispatch import Dispatcher, Plan
    from notify.notice import Channel
    from yunwang.wiring import Site

Tell = Callable[[sa.Connection, Sequence[str]], None]
KIND = "alert"
_SHOWN = ("link", "device", "group", "host", "tenant", "certificate", "source", "source_ip", "user", "cloud")
_NAMES = {
    "link": "链路",
    "device": "设备",
    "group": "链路组",
    "host": "主机",
    "tenant": "租户",
    "certificate": "证书",
    "source": "数据源",
    "source_ip": "来源地址",
    "user": "用户",
    "cloud": "云平台",
}
_UNTAKEN = IncidentState.NEW.value


def channels(site: Site) -> Mapping[str, Channel]:
    """The configured channels; each is made when it is first used."""
    from notify.channels.make import Configured  # noqa: PLC0415 - http, mail, TLS: the sender's own weight

    return {name: Configured(config=one.config(), resolve=site.resolve) for name, one in site.settings.notify.items()}


def routes(site: Site) -> Sequence[Route]:
    """The configured routes; without any, what is high or critical goes to every channel."""
    settings = site.settings
    if not settings.notify_routes and settings.notify:
        return [Route(name="default", steps=(Step(channels=tuple(settings.notify)),))]
    return [one.route(name) for name, one in settings.notify_routes.items()]


def plan(site: Site) -> Plan:
    """All that the engine follows."""
    from notify.dispatch import Plan  # noqa: PLC0415 - the sender's own weight

    settings = site.settings
    return Plan(
        routes=routes(site),
        rosters={name: one.roster() for name, one in settings.notify_rosters.items()},
        policy=settings.notify_policy.policy(),
        acknowledged=acknowledged,
    )


@contextmanager
def dispatching(site: Site) -> Iterator[None]:
    """Send while the block runs; without a channel there is nothing to send to."""
    if not site.settings.notify:
        yield
        return
    from notify.dispatch import Dispatcher  # noqa: PLC0415 - the sender's own weight

    one: Dispatcher = Dispatcher(site.state, channels(site), plan(site), now)
    one.start()
    try:
        yield
    finally:
        one.stop()


def tell_of(site: Site) -> Tell | None:
    """What puts new alerts into the outbox, in the transaction that opens them; None while nobody wants to hear."""
    levels = frozenset().union(*(one.levels for one in routes(site)))
    if not levels:
        return None
    base = site.settings.notify_policy.console_url.rstrip("/")

    def tell(connection: sa.Connection, ids: Sequence[str]) -> None:
        put(connection, notices(connection, ids, levels, site.inventory, base), now())

    return tell


def notices(
    connection: sa.Connection, ids: Sequence[str], levels: Collection[Level], inventory: Inventory, base: str
) -> list[Notice]:
    """One notice for each of these alerts that has one of the levels.

    Alerts of one incident are alike: an attack or a failure with forty alerts is one message, then one a window.
    """
    names = {one.id: one.name for one in inventory.organisations}
    wanted = [level.value for level in levels]
    rows = connection.execute(sa.select(alert).where(alert.c.id.in_(ids), alert.c.level.in_(wanted))).mappings()
    return [_notice(row, names, base) for row in rows]


def _notice(row: sa.RowMapping, names: Mapping[str, str], base: str) -> Notice:
    entities = {kind: str(row["entities"][kind]) for kind in _SHOWN if row["entities"].get(kind)}
    organisation = row["org"]
    lines = [f"{_NAMES[kind]}：{value}" for kind, value in entities.items()]
    if organisation:
        lines.insert(0, f"单位：{names.get(organisation, organisation)}")
    if row["root"]:
        lines.append(f"根因：{row['root']}")
    return Notice(
        id=f"{KIND}:{row['id']}",
        at=row["first_at"],
        key=f"{KIND}:{row['key']}",
        kind=KIND,
        level=Level(row["level"]),
        title=row["rule_title_zh"] or row["rule_title"],
        body=tuple(lines),
        organisation=organisation,
        alert=row["id"],
        alike=row["incident"] or f"{row['rule_id']}|{organisation}",
        links={"详情": f"{base}/alerts/{row['id']}"} if base else {},
        fields={
            "rule_id": row["rule_id"],
            "rule_title": row["rule_title"],
            "incident": row["incident"] or "",
            **entities,
        },
    )


def acknowledged(connection: sa.Connection, alerts: Collection[str]) -> Collection[str]:
    """Which of these alerts somebody has taken: in their own state, or in that of their incident."""
    query = (
        sa.select(alert.c.id)
        .outerjoin(incident, incident.c.id == alert.c.incident)
        .where(alert.c.id.in_(alerts), sa.or_(alert.c.state != AlertState.NEW.value, incident.c.state != _UNTAKEN))
    )
    return frozenset(connection.scalars(query))
