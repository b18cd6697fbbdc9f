"""The domain packages behind the console's ports; bulk libraries are loaded when a page first needs them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import sqlalchemy as sa

from access.ownership import Owners, owners
from access.scope import Scope
from access.tables import audit_log
from cloud_metering import tables as ledger
from cloud_metering import views as metering
from cloud_metering.draft import memberships_of
from console.language import Language
from console.lists import security
from console.ports import Row, Views
from console.statements import StatementSource
from inventory.model import Inventory
from link_health import views as link_health
from records.instants import month_bounds
from records.schemas import EVENTS
from soc import tables
from soc import views as soc
from soc.reasons import Titled
from storage.driver import consumer_offset
from storage.port import RecordStore, Where
from storage.state import reading

if TYPE_CHECKING:
    from soc.reasons import Language as SocLanguage

_SOC: Mapping[Language, SocLanguage] = {"zh": "zh_CN", "en": "en"}


class Domain:
    """Reads of one site.

    Args:
        engine: The state database.
        store: The record store, for reading.
        inventory: The inventory in force.
        interval_seconds: Of the SNMP poller; a link that is silent for two of them is unknown.
        bin_seconds: Of the percentile.
        clock: The wall clock.
    """

    def __init__(
        self,
        *,
        engine: sa.Engine,
        store: Callable[[], RecordStore],
        inventory: Callable[[], Inventory],
        interval_seconds: float,
        bin_seconds: int,
        clock: Callable[[], datetime],
    ) -> None:
        self._engine = engine
        self._store = store
        self._inventory = inventory
        self._interval_seconds = interval_seconds
        self._bin_seconds = bin_seconds
        self._clock = clock
        self._kept: dict[str, tuple[tuple[Any, ...], Sequence[Row]]] = {}

    def views(self) -> Views:
        """The functions that the console asks."""
        return Views(
            links=self.links,
            link_samples=self.link_samples,
            p95=self.p95,
            usage=self.usage,
            months=self.months,
            bill=self.bill,
            alerts=self.alerts,
            incidents=self.incidents,
            alert=self.alert,
            incident=self.incident,
            events=self.events,
            rules=rule_rows,
        )

    def links(self) -> Sequence[Row]:
        return link_health.link_rows(
            self._engine, self._inventory(), interval_seconds=self._interval_seconds, now=self._clock()
        )

    def link_samples(self, link: str, start: datetime, end: datetime) -> Sequence[Row]:
        return link_health.link_samples(
            self._store(), self._inventory(), link, start, end, interval_seconds=self._interval_seconds
        )

    def p95(self, month: str, link: str) -> Row | None:
        found = link_health.p95_rows(
            self._store(),
            self._inventory(),
            month=month,
            now=self._clock(),
            bin_seconds=self._bin_seconds,
            link=link,
        )
        return found[0] if found else None

    def usage(self, month: str) -> Sequence[Row]:
        start, end = month_bounds(month)
        rows = self._unchanged("usage " + month, lambda: metering.usage(self._engine, start, end, by_day=True))
        inventory = self._inventory()
        return [_daily(inventory, row) for row in rows]

    def months(self) -> Sequence[Row]:
        return self._unchanged("months", lambda: metering.months(self._engine))

    def _unchanged(self, name: str, compute: Callable[[], Sequence[Row]]) -> Sequence[Row]:
        """The rows of last time while the ledger stands as it stood then: sums over a month are dear."""
        with reading(self._engine) as connection:
            version = tuple(connection.execute(_LEDGER).one())
        kept = self._kept.get(name)
        if kept is None or kept[0] != version:
            kept = self._kept[name] = (version, compute())
        return kept[1]

    def bill(self, month: str) -> Row | None:
        return metering.month_bill(self._engine, month, memberships_of(self._inventory()))

    def alerts(self, scope: Scope, language: Language) -> StatementSource:
        title = sa.func.coalesce(tables.alert.c.rule_title_zh, tables.alert.c.rule_title)
        columns: dict[str, sa.ColumnElement[Any]] = {one.name: one for one in tables.alert.columns}
        columns["rule_title"] = title if language == "zh" else tables.alert.c.rule_title
        statement = sa.select(tables.alert).where(self._visible(scope))

        def decode(connection: sa.Connection, rows: Sequence[sa.Row[Any]]) -> list[Mapping[str, Any]]:
            return [alert_row(one) for one in soc.alerts_of(connection, rows, _SOC[language])]

        return StatementSource(security.ALERTS, self._engine, statement, columns, decode)

    def incidents(self, scope: Scope, language: Language) -> StatementSource:
        visible = self._visible(scope)
        columns: dict[str, sa.ColumnElement[Any]] = {one.name: one for one in tables.incident.columns}
        columns["title"] = _titles(language, visible)

        def decode(connection: sa.Connection, rows: Sequence[sa.Row[Any]]) -> list[Mapping[str, Any]]:
            found = soc.incidents_of(connection, rows, _SOC[language], visible=visible)
            return [incident_row(one) for one in found]

        return StatementSource(security.INCIDENTS, self._engine, _incidents(scope, visible), columns, decode)

    def alert(self, name: str, scope: Scope, language: Language) -> Row | None:
        statement = sa.select(tables.alert).where(tables.alert.c.id == name, self._visible(scope))
        with reading(self._engine) as connection:
            rows = connection.execute(statement).all()
            found = soc.alerts_of(connection, rows, _SOC[language])
        return alert_row(found[0]) if found else None

    def incident(self, name: str, scope: Scope, language: Language) -> Row | None:
        known = soc.get_incident(self._engine, name)  # the one that it went into, where it went into another
        if known is None:
            return None
        visible = self._visible(scope)
        statement = _incidents(scope, visible).where(tables.incident.c.id == known.id)
        with reading(self._engine) as connection:
            rows = connection.execute(statement).all()
            found = soc.incidents_of(connection, rows, _SOC[language], visible=visible)
        return incident_row(found[0]) if found else None

    def _visible(self, scope: Scope) -> sa.ColumnElement[bool]:
        return _admitted(scope, owners(self._inventory()))

    def events(self, ids: Sequence[str]) -> Sequence[Row]:
        if not ids:
            return []
        found = self._store().read(EVENTS, where=[Where("id", "in", tuple(ids))], columns=["at", "doc"])
        rows = sorted(found.to_pylist(), key=lambda row: row["at"])
        return [orjson.loads(row["doc"]) for row in rows]


def _daily(inventory: Inventory, row: Row) -> Row:
    """A row of ``metering.usage`` with the organisation that the tenant belonged to on that day."""
    day = date.fromisoformat(row["day"])
    spans = inventory.memberships.get(row["tenant"], ())
    owner = next((one.organisation for one in spans if _within(day, one.start, one.end)), None)
    return {**row, "day": day, "quantity": Decimal(row["quantity"]), "organisation": owner}


def _within(day: date, start: date | None, end: date | None) -> bool:
    return (start is None or start <= day) and (end is None or day < end)


def _admitted(scope: Scope, owned: Owners) -> sa.ColumnElement[bool]:
    """An alert that names an organisation of the scope, or one of its links, hosts, tenants and so on."""
    if scope.organisations is None:
        return sa.true()
    about = tables.alert_entity.c
    kinds = [
        sa.and_(about.kind == kind, about.value.in_([name for name, whose in things.items() if scope.admits(whose)]))
        for kind, things in owned.items()
    ]
    own = sa.and_(about.kind == "org", about.value.in_(sorted(scope.organisations)))
    return tables.alert.c.id.in_(sa.select(about.alert).where(sa.or_(own, *kinds)))


def _incidents(scope: Scope, visible: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """Incidents that did not go into another, and of which the reader sees an alert."""
    statement = sa.select(tables.incident).where(tables.incident.c.merged_into.is_(None))
    if scope.organisations is None:
        return statement
    return statement.where(tables.incident.c.id.in_(sa.select(tables.alert.c.incident).where(visible)))


def _titles(language: Language, visible: sa.ColumnElement[bool]) -> sa.ColumnElement[Any]:
    """The rules' titles of an incident's visible alerts: what a search for its title looks into."""
    own = tables.alert.c
    title = sa.func.coalesce(own.rule_title_zh, own.rule_title) if language == "zh" else own.rule_title
    found = sa.select(sa.func.aggregate_strings(title, " ")).where(own.incident == tables.incident.c.id, visible)
    return found.correlate(tables.incident).scalar_subquery()


def alert_row(one: Any) -> Mapping[str, Any]:
    """An alert as CONTRACT §5 writes it."""
    return asdict(one)


def incident_row(one: Any) -> Mapping[str, Any]:
    """An incident as CONTRACT §5 writes it, with the number of its alerts."""
    return {**asdict(one), "alert_count": len(one.alerts)}


@cache
def rule_rows(language: Language) -> Sequence[Row]:
    """The rules that come with the product."""
    from soc.pack import own_rules  # noqa: PLC0415 - pySigma only where rules are shown

    found = own_rules()
    return [_rule_row(one, language) for one in (*found.rules, *found.correlations)]


def _rule_row(rule: Any, language: Language) -> Row:
    head = rule.head
    source = getattr(rule, "declared", None)
    parts = [source.product, source.category, source.service] if source else [rule.type]
    return {
        "id": head.id,
        "title": Titled(en=head.title, zh=head.title_zh).text(_SOC[language]),
        "level": head.level.value,
        "domain": Path(head.path).parts[-3] if len(Path(head.path).parts) > 2 else "",  # noqa: PLR2004 - DOMAIN/NAME/rule.yml
        "logsource": "/".join(one for one in parts if one),
        "attack": head.attack,
    }


def change_versions(engine: sa.Engine) -> Mapping[str, str]:
    """A text for each topic that changes when its data do: counts and newest times, no full reads."""
    with reading(engine) as connection:
        return {topic: str(tuple(connection.execute(statement).one())) for topic, statement in _VERSIONS.items()}


def _judged(consumer: str) -> sa.Select[Any]:
    mine = consumer_offset.c.consumer == consumer
    return sa.select(sa.func.sum(consumer_offset.c.offset)).where(mine)


def _newest(table: sa.Table, column: sa.ColumnElement[Any]) -> sa.Select[int, Any]:
    return sa.select(sa.func.count(), sa.func.max(column)).select_from(table)


_LEDGER = sa.select(
    sa.select(sa.func.max(ledger.usage_event.c.seq)).scalar_subquery(),
    sa.select(sa.func.max(ledger.period.c.number)).scalar_subquery(),
    sa.select(sa.func.max(ledger.invoice.c.seq)).scalar_subquery(),
)
_VERSIONS: Mapping[str, Any] = {
    "links": _judged("link_health"),
    "usage": _judged("cloud_metering"),
    "bills": _judged("cloud_metering"),
    "alerts": _newest(tables.alert, tables.alert.c.last_at),
    "incidents": _newest(tables.incident, tables.incident.c.last_at),
    "status": sa.select(sa.func.sum(consumer_offset.c.offset)),
    "audit": _newest(audit_log, audit_log.c.number),
    "users": _newest(audit_log, audit_log.c.number),
}
