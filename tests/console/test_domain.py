"""The real read functions behind the pages: scope, language, search and cost of alerts and incidents in the state database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from access.ownership import owners
from access.scope import EVERYWHERE, NOWHERE, Scope
from console.domain import Domain, change_versions, rule_rows
from console.lists import security
from console.table import parse_query
from inventory.model import Inventory
from soc.reasons import Titled, reason
from soc.tables import alert, alert_entity, alert_event, incident, incident_alert
from storage.state import writing

AT = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
OWN = Scope(frozenset({"hlj-finance"}))


def put_alert(connection: sa.Connection, number: int, joined: str, entities: dict[str, str]) -> None:
    title = Titled(en=f"Brute force {number}", zh=f"暴力破解 {number}")
    row = {
        "id": f"al-{number:03}",
        "key": f"k{number}",
        "rule_id": "r",
        "rule_title": title.en,
        "rule_title_zh": title.zh,
    }
    row |= {"level": "high", "rank": 3, "attack": ["T1110"], "first_at": AT, "last_at": AT + timedelta(minutes=number)}
    row |= {
        "entities": entities,
        "count": 2,
        "root": None,
        "org": entities.get("org"),
        "incident": joined,
        "state": "new",
    }
    connection.execute(sa.insert(alert).values(**row))
    for kind, value in entities.items():
        connection.execute(sa.insert(alert_entity).values(alert=row["id"], kind=kind, value=value))
    connection.execute(sa.insert(alert_event).values(alert=row["id"], event=f"ev-{number}", at=AT))
    why = reason("first", title)
    connection.execute(sa.insert(incident_alert).values(alert=row["id"], incident=joined, position=number, reason=why))


def put_incident(connection: sa.Connection, name: str, at: datetime = AT) -> None:
    row = {"id": name, "level": "high", "rank": 3, "state": "new", "opened_at": at, "last_at": at}
    connection.execute(sa.insert(incident).values(**row))


@pytest.fixture
def domain(engine: sa.Engine, inventory: Inventory) -> Domain:
    def no_store() -> Any:
        raise AssertionError("no events are read here")

    return Domain(
        engine=engine,
        store=no_store,
        inventory=lambda: inventory,
        interval_seconds=60,
        bin_seconds=300,
        clock=lambda: AT,
    )


@pytest.fixture
def things(inventory: Inventory) -> dict[str, str]:
    """A link, a device and a tenant of our bureau, and a link of somebody else alone."""
    owned = owners(inventory)
    mine = {
        kind: next(name for name, whose in owned[kind].items() if OWN.admits(whose))
        for kind in ("link", "device", "tenant")
    }
    return mine | {"foreign": next(name for name, whose in owned["link"].items() if whose and not OWN.admits(whose))}


@pytest.fixture
def filled(engine: sa.Engine, things: dict[str, str]) -> None:
    with writing(engine) as connection:
        for name in ("in-org", "in-link", "in-foreign", "in-nobody"):
            put_incident(connection, name)
        put_alert(connection, 1, "in-org", {"org": "hlj-finance"})
        put_alert(connection, 2, "in-link", {"link": things["link"]})
        put_alert(connection, 3, "in-link", {"tenant": things["tenant"]})
        put_alert(connection, 4, "in-foreign", {"link": things["foreign"], "org": "hlj-police"})
        put_alert(connection, 5, "in-nobody", {"source_ip": "203.0.113.1"})


def ids(source: Any, table: Any, **asked: str) -> list[str]:
    return [row["id"] for row in source.page(parse_query(table, asked)).rows]


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize(
    ("scope", "alerts", "incidents"),
    [
        pytest.param(EVERYWHERE, [5, 4, 3, 2, 1], {"in-org", "in-link", "in-foreign", "in-nobody"}, id="all"),
        pytest.param(OWN, [3, 2, 1], {"in-org", "in-link"}, id="a bureau"),
        pytest.param(NOWHERE, [], set(), id="none"),
    ],
)
def test_scope(domain: Domain, scope: Scope, alerts: list[int], incidents: set[str]) -> None:
    assert ids(domain.alerts(scope, "zh"), security.ALERTS) == [f"al-{number:03}" for number in alerts]
    assert set(ids(domain.incidents(scope, "zh"), security.INCIDENTS)) == incidents


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("scope", [EVERYWHERE, OWN, NOWHERE], ids=["all", "a bureau", "none"])
def test_lists_and_single_records_agree(domain: Domain, scope: Scope) -> None:
    shown = set(ids(domain.alerts(scope, "zh"), security.ALERTS))
    assert {name for name in (f"al-{number:03}" for number in range(7)) if domain.alert(name, scope, "zh")} == shown
    listed = {row["id"]: row for row in domain.incidents(scope, "zh").page(parse_query(security.INCIDENTS, {})).rows}
    for name in ("in-org", "in-link", "in-foreign", "in-nobody", "in-none"):
        assert domain.incident(name, scope, "zh") == listed.get(name)


@pytest.mark.usefixtures("filled")
def test_an_incident_shows_a_bureau_its_own_part_only(domain: Domain, engine: sa.Engine) -> None:
    with writing(engine) as connection:
        put_alert(connection, 9, "in-org", {"org": "hlj-police", "host": "police-db1"})
        connection.execute(sa.update(alert).where(alert.c.id == "al-009").values(rank=4, level="critical"))
    everything, own = (domain.incident("in-org", scope, "en") for scope in (EVERYWHERE, OWN))
    assert everything is not None
    assert own is not None
    assert (everything["title"], everything["alert_count"]) == ("Brute force 9: host police-db1", 2)
    assert (own["title"], own["alerts"], own["entities"]) == (
        "Brute force 1: organisation hlj-finance",
        ("al-001",),
        {"org": ("hlj-finance",)},
    )
    assert "police" not in str(own)
    assert ids(domain.incidents(OWN, "en"), security.INCIDENTS, q="Brute force 9") == []


@pytest.mark.usefixtures("filled")
def test_titles_speak_and_are_found_in_the_readers_language(domain: Domain) -> None:
    for language, word in (("zh", "暴力破解 4"), ("en", "Brute force 4")):
        alerts, incidents = domain.alerts(EVERYWHERE, language), domain.incidents(EVERYWHERE, language)  # type: ignore[arg-type]  # a literal
        assert ids(alerts, security.ALERTS, q=word) == ["al-004"]
        assert ids(incidents, security.INCIDENTS, q=word) == ["in-foreign"]
        found = next(iter(alerts.page(parse_query(security.ALERTS, {"q": word})).rows))
        assert (found["rule_title"], found["events"]) == (word, ("ev-4",))


@pytest.mark.usefixtures("filled")
def test_an_incident_that_went_into_another_is_listed_once(domain: Domain, engine: sa.Engine) -> None:
    with writing(engine) as connection:
        connection.execute(sa.update(incident).where(incident.c.id == "in-org").values(merged_into="in-link"))
    assert "in-org" not in ids(domain.incidents(EVERYWHERE, "zh"), security.INCIDENTS)


def statements(engine: sa.Engine, call: Callable[[], object]) -> int:
    seen: list[str] = []

    def count(*details: Any) -> None:
        seen.append(str(details[2]))

    sa.event.listen(engine, "before_cursor_execute", count)
    call()
    sa.event.remove(engine, "before_cursor_execute", count)
    return len(seen)


def test_a_page_costs_a_constant_number_of_statements(domain: Domain, engine: sa.Engine) -> None:
    def cost() -> tuple[int, int]:
        alerts, incidents = domain.alerts(EVERYWHERE, "zh"), domain.incidents(EVERYWHERE, "zh")
        return (
            statements(engine, lambda: alerts.page(parse_query(security.ALERTS, {}))),
            statements(engine, lambda: incidents.page(parse_query(security.INCIDENTS, {}))),
        )

    with writing(engine) as connection:
        put_incident(connection, "in-0")
        put_alert(connection, 0, "in-0", {})
    few = cost()
    with writing(engine) as connection:
        for number in range(1, 60):
            put_incident(connection, f"in-{number}")
            put_alert(connection, number, f"in-{number}", {})
    assert cost() == few


def test_versions_change_with_their_topic(engine: sa.Engine) -> None:
    before = change_versions(engine)
    with writing(engine) as connection:
        put_incident(connection, "in-0")
        put_alert(connection, 0, "in-0", {})
    after = change_versions(engine)
    assert {topic for topic in before if before[topic] != after[topic]} == {"alerts", "incidents"}


def test_rules_are_those_that_come_with_the_product() -> None:
    chinese, english = rule_rows("zh"), rule_rows("en")
    assert len(chinese) >= 10
    assert {one["domain"] for one in chinese} >= {"network", "cloud", "security"}
    assert [one["id"] for one in chinese] == [one["id"] for one in english]
    assert [one["title"] for one in chinese] != [one["title"] for one in english]
