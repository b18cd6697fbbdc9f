"""Lines and domain events -> stored events, few alerts, one incident; a repetition changes nothing."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inventory.model import Inventory
from records.spool import Entry, Kind, Position
from soc.views import Filter, get_alert, get_incident, list_alerts, list_incidents
from storage.spool import event_id
from storage.state import open_state
from tests.soc.pipeline import NOW, Worker, domain, lines, login, storm

CROSS = "Link fault, login storm and usage burst at one organisation"


@pytest.fixture
def worker(engine: sa.Engine, inventory: Inventory) -> Worker:
    return Worker(engine, inventory)


def titles(worker: Worker) -> list[str]:
    return sorted(one.rule_title for one in list_alerts(worker.state).rows)


def test_brute_force_is_one_incident(worker: Worker) -> None:
    batch = lines(storm(2000))
    for start in range(0, len(batch), 300):
        worker.judge(batch[start : start + 300])
    assert titles(worker) == ["SSH brute force", "SSH login after brute force"]
    (incident,) = list_incidents(worker.state).rows
    assert (incident.level, len(incident.alerts), len(incident.why)) == ("critical", 2, 2)
    storms = next(one for one in list_alerts(worker.state).rows if one.rule_title == "SSH brute force")
    assert storms.count == 2000
    assert storms.entities == {"host": "fin-db1", "org": "hlj-finance", "source_ip": "203.0.113.9", "user": "root"}
    assert worker.counted() == {"received": 2001, "parsed": 2001, "stored": 2001, "alerts": 2}


def test_reasons_speak_the_readers_language(worker: Worker) -> None:
    worker.judge(lines(storm(20)))
    (english,), (chinese,) = (list_incidents(worker.state, language=one).rows for one in ("en", "zh_CN"))
    shared = "host fin-db1, source address 203.0.113.9, organisation hlj-finance"
    assert english.why == (
        "“SSH brute force” opened the incident.",
        f"“SSH login after brute force” has {shared} in common with “SSH brute force”, within 60 minutes.",
    )
    assert chinese.title == "SSH 暴力破解后登录成功：主机 fin-db1"
    assert chinese.why[1].startswith("“SSH 暴力破解后登录成功”与“SSH 暴力破解”在 60 分钟内涉及相同的主机 fin-db1")


def cross_domain() -> list[list[tuple[Position, Entry]]]:
    return [
        [domain("link_down", "link", NOW - timedelta(minutes=20), 1, yw__link="l1", yw__org="hlj-finance")],
        lines(storm(12)),
        [domain("usage_burst", "cloud", NOW + timedelta(minutes=5), 2, yw__tenant="fin-core")],
        [domain("usage_burst", "cloud", NOW + timedelta(minutes=6), 3, yw__tenant="fin-core")],
    ]


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (2, 3, 1, 0), (1, 2, 0, 3)])
def test_link_log_and_metering_of_one_organisation_meet_once(worker: Worker, order: tuple[int, ...]) -> None:
    batches = cross_domain()
    for number in order:
        worker.judge(batches[number])
    found = [one for one in list_alerts(worker.state).rows if one.rule_title == CROSS]
    assert len(found) == 1
    assert found[0].entities["org"] == "hlj-finance"
    assert {"link": "l1", "tenant": "fin-core", "host": "fin-db1"}.items() <= found[0].entities.items()
    (incident,) = list_incidents(worker.state).rows
    assert found[0].id in incident.alerts


def test_other_organisations_do_not_meet(worker: Worker) -> None:
    batches = cross_domain()
    batches[0] = [domain("link_down", "link", NOW, 1, yw__link="elsewhere", yw__org="hlj-water")]
    for batch in batches:
        worker.judge(batch)
    assert CROSS not in titles(worker)


def test_the_organisation_of_a_link_follows_from_its_sites(worker: Worker) -> None:
    worker.judge([domain("link_down", "link", NOW, 1, yw__link="l1")])
    document = worker.documents["link_down-1"]
    assert {name: document[name] for name in ("yw.org", "yw.group", "yw.region")} == {
        "yw.org": "hlj-finance",
        "yw.group": "g1",
        "yw.region": "230000",
    }


STORY = [
    *cross_domain(),
    lines(["garbage", login(NOW, 7), "<13>x"], partition="other"),
    lines(storm(11), partition="third"),
]


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_batch_may_come_again(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory, empty_state: Path, inventory: Inventory
) -> None:
    def story(name: str, repeats: list[int]) -> Any:
        path = tmp_path_factory.mktemp(name) / "state.db"
        shutil.copy(empty_state, path)
        state = open_state(f"sqlite:///{path}")
        worker = Worker(state, inventory)
        for number, batch in enumerate(STORY):
            worker.judge(batch)
            if number in repeats:
                worker.restart()
                for again in STORY[: number + 1]:
                    worker.judge(again)
        state.dispose()
        return worker.told()

    repeats = data.draw(st.lists(st.integers(0, len(STORY) - 1), min_size=1, max_size=3))
    assert story("repeated", repeats) == story("plain", [])


def test_splitting_a_batch_changes_nothing(
    worker: Worker, tmp_path: Path, empty_state: Path, inventory: Inventory
) -> None:
    path = tmp_path / "other.db"
    shutil.copy(empty_state, path)
    state = open_state(f"sqlite:///{path}")
    other = Worker(state, inventory)
    for batch in STORY:
        worker.judge(batch)
        for one in batch:
            other.judge([one])
            other.restart()
    assert other.told() == worker.told()
    assert other.counted() == worker.counted()
    state.dispose()


def test_ids_follow_from_where_the_data_entered(worker: Worker) -> None:
    (position, entry), *_ = lines(["<13>x"], start=41)
    worker.judge([(position, entry)])
    digest = "ab" * 32
    of_file = Entry(kind=Kind.RAW, source=f"file:{digest}:7", received_at=NOW, payload=b"<13>x")
    worker.judge([(Position("ingest-x", 1000), of_file)])
    assert set(worker.documents) == {event_id("syslog", 41, b"<13>x"), event_id(digest, 7, b"<13>x")}


def test_what_cannot_be_parsed_is_stored_and_counted(worker: Worker) -> None:
    worker.judge(lines(["garbage", "<13>fine"]))
    assert worker.counted() == {"received": 2, "parsed": 1, "unparsed": 1, "stored": 2}
    assert sorted(one["event.kind"] for one in worker.documents.values()) == ["event", "pipeline_error"]


def test_late_events_are_stored_but_correlate_no_more(worker: Worker) -> None:
    worker.judge(lines([login(NOW, 1)]))
    old = [login(NOW - timedelta(seconds=400 + number), number) for number in range(20)]
    worker.judge(lines(old, start=1))
    assert worker.counted()["late"] == 20
    assert titles(worker) == []


def test_one_clock_ahead_makes_nobody_late(worker: Worker) -> None:
    worker.judge(lines([login(NOW + timedelta(days=400), 1), login(NOW, 2)]))
    assert "late" not in worker.counted()


def test_repetitions_raise_the_count_until_the_window_ends(worker: Worker) -> None:
    for number, minutes in enumerate((0, 30, 85, 200)):
        worker.judge([domain("link_down", "link", NOW + timedelta(minutes=minutes), number, yw__link="l1")])
    assert sorted(one.count for one in list_alerts(worker.state).rows) == [1, 3]


def test_a_closed_alert_is_not_continued(worker: Worker) -> None:
    worker.judge([domain("link_down", "link", NOW, 1, yw__link="l1")])
    with worker.state.begin() as connection:
        connection.execute(sa.text("UPDATE alert SET state = 'closed'"))
    worker.judge([domain("link_down", "link", NOW + timedelta(minutes=1), 2, yw__link="l1")])
    assert sorted((one.state, one.count) for one in list_alerts(worker.state).rows) == [("closed", 1), ("new", 1)]


def test_what_lies_behind_a_failed_device_joins_its_incident(worker: Worker) -> None:
    worker.judge([domain("device_unreachable", "link", NOW, 1, observer__name="far")])
    worker.judge([domain("quality_finding", "link", NOW, 2, yw__link="beyond", yw__root="far")])
    (incident,) = list_incidents(worker.state).rows
    assert (
        incident.why[1]
        == "“Implausible or poor link readings” lies behind the failed far, like “Device does not answer”."
    )
    assert next(one for one in list_alerts(worker.state).rows if one.root).root == "far"


def test_root_is_everybody_and_joins_nothing(worker: Worker) -> None:
    for number, host in enumerate(("a", "b")):
        texts = [login(NOW, one, host=host, ip=f"198.51.100.{number}") for one in range(12)]
        worker.judge(lines(texts, partition=host))
    assert len(list_incidents(worker.state).rows) == 2


def test_a_bridge_joins_two_incidents(worker: Worker) -> None:
    worker.judge([domain("link_down", "link", NOW, 1, yw__link="x", yw__org="o1")])
    worker.judge([domain("usage_burst", "cloud", NOW + timedelta(minutes=1), 2, yw__tenant="t", yw__org="o2")])
    before = list_incidents(worker.state).rows
    worker.judge([domain("quality_finding", "link", NOW + timedelta(minutes=2), 3, yw__link="x", yw__tenant="t")])
    (joined,) = list_incidents(worker.state).rows
    assert (len(before), len(joined.alerts), len(joined.why)) == (2, 3, 3)
    assert [get_incident(worker.state, one.id) for one in before] == [joined, joined]


def test_lists_page_by_cursor_and_filter(worker: Worker) -> None:
    for number in range(5):
        worker.judge(
            [domain("link_down", "link", NOW + timedelta(minutes=number), number, yw__link=f"l{number}", yw__org="o")]
        )
    first = list_alerts(worker.state, limit=3)
    second = list_alerts(worker.state, limit=3, cursor=first.next)
    assert [one.entities["link"] for one in (*first.rows, *second.rows)] == ["l4", "l3", "l2", "l1", "l0"]
    assert second.next is None
    assert [one.entities["link"] for one in list_alerts(worker.state, Filter(entity=("link", "l2"))).rows] == ["l2"]
    assert list_alerts(worker.state, Filter(organisations=["elsewhere"])).rows == ()
    assert len(list_incidents(worker.state, Filter(organisations=["o"])).rows) == 1
    assert list_incidents(worker.state, Filter(organisations=["elsewhere"])).rows == ()
    assert get_alert(worker.state, first.rows[0].id) == first.rows[0]
