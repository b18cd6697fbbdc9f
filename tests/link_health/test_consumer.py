"""The consumer: states, events, root causes, findings; and that a repetition changes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from province import PROVINCE, T, batch_of, link, poll, reading, silent, when

from inventory.model import Inventory
from link_health.consumer import LinkConsumer
from link_health.tables import device_answer, link_state, link_transition, quality_finding
from records.schemas import RATES
from storage.consumer import Step
from storage.state import metadata, open_state, writing


@pytest.fixture
def state(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = open_state(f"sqlite:///{tmp_path}/state.db")
    metadata.create_all(engine)
    yield engine
    engine.dispose()


class Bench:
    """A consumer whose steps are carried out as the driver would."""

    def __init__(self, state: sa.Engine, inventory: Inventory = PROVINCE) -> None:
        self.state, self.inventory = state, inventory
        self.events: list[dict[str, Any]] = []
        self.rates: dict[tuple[Any, ...], dict[str, Any]] = {}
        self.restart()

    def restart(self) -> None:
        self.consumer = LinkConsumer(self.state, lambda: self.inventory, interval_seconds=T)

    def perform(self, step: Step) -> None:
        for table, rows in step.rows:
            if table is RATES:
                for row in rows.to_pylist():
                    self.rates.setdefault((row["device"], row["interface"], row["at"]), row)
        self.events += [json.loads(entry.payload) for entry in step.events]
        with writing(self.state) as connection:
            for apply in step.apply:
                apply(connection)

    def feed(self, *rounds: Sequence[dict[str, Any]], now: float) -> None:
        self.perform(self.consumer.process(batch_of(*rounds), when(now)))

    def tick(self, now: float) -> None:
        self.perform(self.consumer.tick(when(now)))

    def poll(self, first: int, last: int, **changes: Any) -> None:
        for step in range(first, last + 1):
            self.feed(poll(step, **changes), now=step + 0.01)

    def actions(self) -> list[tuple[str, str]]:
        return [
            (one["event.action"], one.get("yw.link") or one.get("yw.group") or one["observer.name"])
            for one in self.events
        ]

    def rows(self, table: sa.Table) -> list[dict[str, Any]]:
        with self.state.connect() as connection:
            return [dict(row) for row in connection.execute(sa.select(table).order_by(*table.primary_key)).mappings()]

    def states(self) -> dict[str, str]:
        return {row["link"]: row["state"] for row in self.rows(link_state)}


@pytest.fixture
def bench(state: sa.Engine) -> Bench:
    return Bench(state)


def test_a_quiet_province_is_up_and_tells_nothing(bench: Bench) -> None:
    bench.poll(0, 3)
    assert bench.states() == {"up1": "up", "up2": "up", "down1": "up"}
    assert bench.events == []
    assert {
        (row["in_bps"], row["out_bps"]) for key, row in bench.rates.items() if key[2] == when(3) and key[0] == "core"
    } == {(40_000_000, 80_000_000)}
    assert [(row["device"], row["answered_at"]) for row in bench.rows(device_answer)] == [
        (name, when(3)) for name in ("city", "core", "county")
    ]


def test_a_cut_seen_from_both_ends_is_told_at_once(bench: Bench) -> None:
    bench.poll(0, 2)
    bench.poll(3, 3, down=[("core", "up1"), ("city", "up1")])
    assert bench.states()["up1"] == "down"
    told = [(one["event.action"], one.get("yw.link"), one["yw.group"], one["yw.org"]) for one in bench.events]
    assert told == [
        ("link_down", "up1", "core-city", "finance"),
        ("link_down", "up1", "core-city", "tax"),
        ("protection_degraded", None, "core-city", "finance"),
        ("protection_degraded", None, "core-city", "tax"),
    ]
    assert len({one["event.id"] for one in bench.events}) == 4
    first = bench.events[0]
    assert first["@timestamp"] == "2026-03-01T00:03:00Z"
    assert (first["event.dataset"], first["yw.region"], first["yw.flapping"]) == ("yunwang.link", "230100", False)
    assert "yw.root" not in first


def test_one_end_alone_turns_the_state_at_once_and_the_event_waits_for_the_second_answer(bench: Bench) -> None:
    bench.poll(0, 2)
    bench.poll(3, 3, down=[("city", "up1")])
    assert (bench.states()["up1"], bench.events) == ("down", [])
    bench.poll(4, 4, down=[("city", "up1")])
    assert [name for name, _ in bench.actions()][:1] == ["link_down"]
    assert bench.events[0]["@timestamp"] == "2026-03-01T00:03:00Z"


def test_a_blink_of_one_answer_is_history_and_no_event(bench: Bench) -> None:
    bench.poll(0, 2)
    bench.poll(3, 3, down=[("city", "up1")])
    bench.poll(4, 5)
    assert bench.events == []
    turns = [(row["at"], row["state"]) for row in bench.rows(link_transition) if row["link"] == "up1"]
    assert turns == [(when(0), "up"), (when(3), "down"), (when(4), "up")]


def test_repair_restores_protection(bench: Bench) -> None:
    cut = [("core", "up1"), ("city", "up1")]
    bench.poll(0, 1)
    bench.poll(2, 3, down=cut)
    bench.poll(4, 4)
    assert [action for action, _ in bench.actions()][4::2] == ["link_up", "protection_restored"]


def test_both_cut_is_protection_lost(bench: Bench) -> None:
    cut = [(name, one) for name in ("core", "city") for one in ("up1", "up2")]
    bench.poll(0, 1)
    bench.poll(2, 2, down=cut)
    assert ("protection_lost", "core-city") in bench.actions()


def test_a_dead_device_is_the_root_of_what_lies_behind_it(bench: Bench) -> None:
    bench.poll(0, 2)
    for step in range(3, 8):
        bench.feed(poll(step, mute=["city", "county"], down=[("core", "up1"), ("core", "up2")]), now=step + 0.01)
        bench.tick(step + 0.5)
    roots = {
        (one["event.action"], one.get("yw.link") or one.get("observer.name")): one.get("yw.root")
        for one in bench.events
    }
    assert roots["device_unreachable", "city"] is None
    assert roots["device_unreachable", "county"] == "city"
    assert roots["link_unknown", "down1"] == "city"
    assert bench.states() == {"up1": "down", "up2": "down", "down1": "unknown"}


def test_a_single_uplink_that_was_cut_is_the_root(state: sa.Engine) -> None:
    lone = replace(PROVINCE, links=tuple(one for one in PROVINCE.links if one.id != "up2"))
    bench = Bench(state, lone)
    for step in range(8):
        dead = {"mute": ["city", "county"], "down": [("core", "up1")]} if step > 2 else {}
        rows = [row for row in poll(step, **dead) if row["interface"] != "to-up2"]  # type: ignore[arg-type]
        bench.feed(rows, now=step + 0.01)
        bench.tick(step + 0.5)
    roots = {
        (one["event.action"], one.get("yw.link") or one.get("observer.name")): one.get("yw.root")
        for one in bench.events
    }
    assert roots["link_down", "up1"] is None
    assert roots["device_unreachable", "city"] == roots["device_unreachable", "county"] == "up1"
    assert roots["link_unknown", "down1"] == "up1"


def test_silence_is_unknown_after_two_intervals_and_a_second(bench: Bench) -> None:
    bench.poll(0, 2)
    bench.feed(poll(3, mute=["core", "city", "county"]), now=3)
    bench.feed(poll(4, mute=["core", "city", "county"]), now=4)
    bench.tick(4 + 1 / T)
    assert set(bench.states().values()) == {"up"}
    bench.tick(4 + 1.1 / T)
    assert set(bench.states().values()) == {"unknown"}
    turns = [(row["at"], row["state"]) for row in bench.rows(link_transition) if row["link"] == "up1"]
    assert turns == [(when(0), "up"), (when(4) + timedelta(seconds=1), "unknown")]
    assert bench.events == []


def test_a_stopped_collector_is_one_event_and_no_outage(bench: Bench) -> None:
    bench.poll(0, 2)
    for now in (4, 6, 60):
        bench.tick(now)
    assert [one["event.action"] for one in bench.events] == ["collection_silent"]
    assert bench.events[0]["event.dataset"] == "yunwang.platform"
    bench.poll(60, 61)
    bench.tick(61.1)
    assert [one["event.action"] for one in bench.events] == ["collection_silent", "collection_resumed"]
    turns = [(row["at"], row["state"]) for row in bench.rows(link_transition) if row["link"] == "up1"]
    assert turns == [(when(0), "up"), (when(4) + timedelta(seconds=1), "unknown"), (when(60), "up")]


def test_a_backlog_is_no_outage(bench: Bench) -> None:
    bench.feed(poll(0), poll(1), now=500)
    bench.tick(500)
    bench.feed(*[poll(step) for step in range(2, 90)], now=501)
    assert not [one for one in bench.events if one["event.action"] not in {"collection_silent", "collection_resumed"}]
    assert {row["state"] for row in bench.rows(link_transition)} == {"up"}


def test_flapping_is_told_once_and_marks_its_events(bench: Bench) -> None:
    cut = [("core", "up1"), ("city", "up1")]
    bench.poll(0, 0)
    for step in range(1, 9):
        bench.poll(step, step, down=cut if step % 2 else [])
    flapping = [one for one in bench.events if one["event.action"] == "link_flapping"]
    assert [(one["@timestamp"], one["yw.link"]) for one in flapping] == [
        ("2026-03-01T00:04:00Z", "up1")
    ] * 2  # two organisations
    assert [one["yw.flapping"] for one in bench.events if one["event.action"] == "link_down"][::2] == [
        False,
        False,
        True,
        True,
    ]


def test_an_implausible_rate_is_a_finding_and_degrades_until_the_next_good_one(bench: Bench) -> None:
    bench.poll(0, 2)
    jump = [
        row | {"in_octets": row["in_octets"] + 10**12}
        if row["device"] == "core" and row["interface"] == "to-up1"
        else row
        for row in poll(3)
    ]
    bench.feed(jump, now=3)
    assert bench.states()["up1"] == "degraded"
    row = bench.rates["core", "to-up1", when(3)]
    assert (row["status"], row["in_bps"], row["raw_in_bps"]) == ("implausible", None, 40_000_000 + 8 * 10**12 // 60)
    found = bench.rows(quality_finding)
    assert [(one["kind"], one["link"], one["raw_in_bps"], one["closed_at"]) for one in found] == [
        ("implausible", "up1", row["raw_in_bps"], None)
    ]
    grown = [
        [
            one | {"in_octets": one["in_octets"] + 10**12}
            if one["interface"] == "to-up1" and one["device"] == "core"
            else one
            for one in poll(step)
        ]
        for step in (4, 5)
    ]
    bench.feed(*grown, now=5)
    assert bench.states()["up1"] == "up"
    assert bench.rows(quality_finding)[0]["closed_at"] == when(4)
    assert [one["event.action"] for one in bench.events][::2] == ["quality_finding", "quality_restored"]


def test_two_ends_that_count_differently_are_a_finding(bench: Bench) -> None:
    def lossy(step: int) -> list[dict[str, Any]]:
        return [
            row | {"in_octets": 10**9 + int(step * T * 10**7 * 0.97)}
            if (row["device"], row["interface"]) == ("city", "to-up2")
            else row
            for row in poll(step)
        ]

    bench.feed(*[lossy(step) for step in range(125)], now=125)
    assert [(one["kind"], one["link"], one["opened_at"]) for one in bench.rows(quality_finding)] == [
        ("mismatch", "up2", when(60))
    ]


def test_inventory_changes_follow(bench: Bench) -> None:
    bench.poll(0, 1)
    bench.inventory = replace(PROVINCE, links=(*PROVINCE.links[1:], link("new", "core", "county")))
    bench.tick(1.5)
    assert set(bench.states()) == {"up2", "down1"}
    fresh = [reading("core", "to-new", step) for step in (2, 3)]
    bench.feed([*poll(2), fresh[0]], [*poll(3), fresh[1]], now=3)
    assert bench.states() == {"up2": "up", "down1": "up", "new": "up"}


def test_an_entry_that_is_no_reading_is_refused(bench: Bench) -> None:
    (position, entry) = batch_of(poll(0))[0]
    with pytest.raises(ValueError, match="not a READINGS stream"):
        bench.consumer.process([(position, replace(entry, payload=b"nonsense"))], when(0))


cycles = st.lists(
    st.tuples(
        st.sets(st.sampled_from(["core", "city", "county"]), max_size=2),
        st.sets(st.sampled_from([("core", "up1"), ("city", "up1"), ("core", "up2"), ("county", "down1")]), max_size=3),
    ),
    min_size=2,
    max_size=12,
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cycles, st.data())
def test_a_restart_that_repeats_any_part_changes_nothing(tmp_path: Path, told: list[Any], data: st.DataObject) -> None:
    rounds = [poll(step, mute=mute, down=down) for step, (mute, down) in enumerate(told)]
    results = []
    for crash in (None, data.draw(st.integers(0, len(rounds) - 1))):
        engine = open_state(f"sqlite:///{tmp_path}/{data.draw(st.uuids())}.db")
        metadata.create_all(engine)
        bench = Bench(engine)
        for step, rows in enumerate(rounds):
            if (
                step == crash
            ):  # the batch is judged, its rows and events are out, then the process dies before the commit
                lost = bench.consumer.process(batch_of(rows), when(step))
                bench.perform(Step(rows=lost.rows, events=lost.events))
                bench.restart()
            bench.feed(rows, now=step)
            if step == crash:
                bench.feed(rows, now=step)  # and once more, by the same process
            bench.tick(step + 0.5)
        tables = [bench.rows(table) for table in (link_state, link_transition, quality_finding, device_answer)]
        results.append((bench.rates, {one["event.id"]: one for one in bench.events}, tables))
        engine.dispose()
    assert results[0] == results[1]


def test_silent_reading_of_an_unknown_port_is_kept_as_missing(bench: Bench) -> None:
    bench.feed([silent("core", "xge9", 0)], now=0)
    assert bench.rates["core", "xge9", when(0)]["status"] == "missing"
