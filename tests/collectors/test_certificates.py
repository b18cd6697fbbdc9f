"""Certificates told on their way: once a change, whatever the process goes through."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.certificates import Fault, Sighting, Watch, watch_forever
from collectors.certificates.changes import Action, Known, compare
from collectors.certificates.memory import Memory, load, save
from crypto.pki.expiry import Expiry, Level
from records.spool import Entry, Kind
from soc.pack import own_rules
from soc.parse import Raw, parse
from soc.pipeline import Detector

AT = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
DAY = timedelta(days=1)
ENDS = AT + 40 * DAY


def level_at(ends: datetime, at: datetime) -> Level:
    left = ends - at
    steps = ((timedelta(0), Level.EXPIRED), (7 * DAY, Level.CRITICAL), (30 * DAY, Level.WARNING))
    return next((level for limit, level in steps if left < limit), Level.OK)


def good(at: datetime = AT, ends: datetime = ENDS, name: str = "site-signing", level: Level | None = None) -> Sighting:
    row = Expiry(
        name=name,
        subject="CN=a",
        issuer="CN=ca",
        serial="0a",
        fingerprint=f"fp-{ends:%Y%m%d}",
        not_after=ends,
        days_left=(ends - at) // DAY,
        level=level or level_at(ends, at),
    )
    return Sighting(name=name, file=f"keys/{name}.cert.pem", row=row)


def bad(fault: Fault, name: str = "site-signing") -> Sighting:
    return Sighting(name=name, file=f"keys/{name}.cert.pem", fault=fault, why="no certificate in it")


def known_of(one: Sighting) -> dict[str, Known]:
    return compare({}, [one], AT)[0]


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        pytest.param(None, good(), [], id="first seen, in order"),
        pytest.param(None, good(ends=AT + 3 * DAY), [Action.CRITICAL], id="first seen, late"),
        pytest.param(None, good(level=Level.NOT_YET), [Action.NOT_YET_VALID], id="not valid yet"),
        pytest.param(None, bad(Fault.MISSING), [Action.MISSING], id="was never there"),
        pytest.param(good(), good(), [], id="nothing new"),
        pytest.param(good(), good(AT + 11 * DAY), [Action.EXPIRING], id="30 days left"),
        pytest.param(good(AT + 11 * DAY), good(AT + 34 * DAY), [Action.CRITICAL], id="7 days left"),
        pytest.param(good(AT + 34 * DAY), good(AT + 41 * DAY), [Action.EXPIRED], id="over"),
        pytest.param(good(AT + 41 * DAY), good(ends=ENDS + 365 * DAY), [Action.RENEWED], id="renewed after its end"),
        pytest.param(good(), good(ends=ENDS + DAY), [Action.RENEWED], id="renewed in time"),
        pytest.param(good(), good(ends=AT + 3 * DAY), [Action.REPLACED, Action.CRITICAL], id="an older one put back"),
        pytest.param(good(), bad(Fault.UNREADABLE), [Action.UNREADABLE], id="spoilt"),
        pytest.param(good(level=Level.NOT_YET), good(), [Action.VALID], id="its time has come"),
        pytest.param(bad(Fault.MISSING), good(), [Action.VALID], id="there at last"),
        pytest.param(bad(Fault.MISSING), bad(Fault.UNREADABLE), [Action.UNREADABLE], id="another fault"),
    ],
)
def test_what_is_told(before: Sighting | None, now: Sighting, told: list[Action]) -> None:
    _, changes = compare(known_of(before) if before else {}, [now], AT)
    assert [one.action for one in changes] == told


def test_a_fault_does_not_make_the_certificate_forgotten() -> None:
    known, _ = compare(known_of(good()), [bad(Fault.UNREADABLE)], AT)
    same, mended = compare(known, [good()], AT)
    _, renewed = compare(known, [good(ends=ENDS + DAY)], AT)
    assert same == known_of(good())
    assert ([one.action for one in mended], [one.action for one in renewed]) == ([Action.VALID], [Action.RENEWED])


def test_what_is_seen_no_more_is_withdrawn_unless_a_fault_may_hide_it() -> None:
    known = known_of(good())
    hidden, nothing = compare(known, [bad(Fault.UNREADABLE, "keys")], AT)
    gone, told = compare(known, [], AT)
    assert (hidden["site-signing"], [one.action for one in nothing]) == (known["site-signing"], [Action.UNREADABLE])
    assert (gone, [one.action for one in told]) == ({}, [Action.WITHDRAWN])


SIGHTINGS = st.lists(
    st.one_of(
        st.sampled_from(Fault).map(bad),
        st.tuples(st.integers(0, 3), st.sampled_from(Level)).map(
            lambda pair: good(ends=ENDS + pair[0] * DAY, level=pair[1])
        ),
    ),
    max_size=12,
)


@given(SIGHTINGS)
def test_each_look_is_told_once_and_the_memory_is_what_was_seen(looks: list[Sighting]) -> None:
    known: dict[str, Known] = {}
    for one in looks:
        known, _ = compare(known, [one], AT)
        again, changes = compare(known, [one], AT + DAY)
        assert (again, changes) == (known, [])
        assert known[one.name].level == one.level


def test_a_sighting_is_one_or_the_other() -> None:
    with pytest.raises(ValueError, match="either"):
        Sighting(name="a", file="a")


class World:
    """Files, a clock and a spool; ``turn`` is what time brings."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.at = AT
        self.seen: Callable[[datetime], Iterable[Sighting]] = lambda at: [good(at)]
        self.mark = 0
        self.looks = 0
        self.entries: list[Entry] = []
        self.refuses = False
        self.status: dict[str, object] = {}

    def look(self, at: datetime) -> list[Sighting]:
        self.looks += 1
        return list(self.seen(at))

    async def put(self, entries: Iterable[Entry]) -> None:
        if self.refuses:
            raise asyncio.CancelledError
        self.entries += entries

    def run(self, steps: int, turn: Callable[[int], None] = lambda _: None, every: timedelta = timedelta(0)) -> None:
        """A process of its own that lives for some steps."""
        count = itertools.count(1)

        async def sleep(seconds: float) -> None:
            self.at += max(every, timedelta(seconds=seconds))
            turn(step := next(count))
            if step >= steps:
                raise asyncio.CancelledError

        watch = Watch(
            look=self.look, marks=lambda: self.mark, memory=self.folder / "certificates.json", status=self.status
        )
        with pytest.raises(asyncio.CancelledError):
            asyncio.run(watch_forever(watch, self.put, now=lambda: self.at, sleep=sleep))

    @property
    def actions(self) -> list[str]:
        return [json.loads(one.payload)["event.action"] for one in self.entries]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_certificate_of_forty_days_is_told_three_times_on_its_way(world: World) -> None:
    world.run(45 * 24, every=timedelta(hours=1))
    times = [one.received_at - AT for one in world.entries]
    assert world.actions == ["certificate_expiring", "certificate_critical", "certificate_expired"]
    assert [one // DAY for one in times] == [10, 33, 40]


def test_it_looks_once_an_hour_and_at_once_when_a_file_changes(world: World) -> None:
    def turn(step: int) -> None:
        world.mark += step == 100

    world.run(720, turn)  # an hour in steps of five seconds
    assert world.looks == 2


def test_a_clock_that_is_set_back_does_not_stop_it(world: World) -> None:
    def turn(step: int) -> None:
        if step == 3:
            world.at -= 400 * DAY

    world.run(6, turn)
    assert world.looks == 2


def test_a_restart_tells_nothing_twice(world: World) -> None:
    world.seen = lambda at: [good(at, AT + 3 * DAY)]
    for _ in range(4):
        world.run(3)
    assert world.actions == ["certificate_critical"]
    assert world.looks == 4


def test_a_kill_before_the_spool_has_it_loses_nothing(world: World) -> None:
    world.seen = lambda at: [good(at, AT + 3 * DAY)]
    world.refuses = True
    world.run(1)
    world.refuses = False
    world.run(3)
    assert world.actions == ["certificate_critical"]
    assert world.entries[0].received_at == AT  # as it was first seen


def test_a_kill_right_after_the_spool_has_it_repeats_the_very_same_event(world: World) -> None:
    world.seen = lambda at: [good(at, AT + 3 * DAY)]
    for _ in range(3):
        world.run(1)
    world.run(3)
    assert len(world.entries) > 1
    assert len(set(world.entries)) == 1


@pytest.mark.parametrize("text", ["", "{", '{"version": 2}', '{"version": 1, "known": {"a": 1}, "pending": []}', "[]"])
def test_a_damaged_memory_means_that_the_state_is_told_anew(world: World, text: str) -> None:
    world.seen = lambda at: [good(at, AT + 3 * DAY)]
    world.run(3)
    (world.folder / "certificates.json").write_text(text)
    world.run(3)
    assert world.actions == ["certificate_critical"] * 2


def test_a_file_that_is_being_replaced_is_no_fault(world: World) -> None:
    turns = iter([good(), bad(Fault.MISSING), good(ends=ENDS + DAY), good(ends=ENDS + DAY)])
    world.seen = lambda _at: [next(turns)]

    def turn(_step: int) -> None:
        world.mark += 1

    world.run(4, turn)
    assert world.actions == ["certificate_renewed"]


def test_a_fault_that_stays_is_told_at_the_second_look_and_shown_at_once(world: World) -> None:
    world.seen = lambda _at: [bad(Fault.UNREADABLE)]
    world.run(1)
    shown, told = dict(world.status), world.actions
    world.run(20)
    assert (told, world.actions) == ([], ["certificate_unreadable"])
    assert shown["site-signing"] == {
        "level": "unreadable",
        "days_left": None,
        "not_after": None,
        "file": "keys/site-signing.cert.pem",
        "why": "no certificate in it",
    }


def test_the_event_is_what_the_contract_says(world: World) -> None:
    world.seen = lambda at: [good(at, AT + 3 * DAY)]
    world.run(3)
    entry = world.entries[0]
    fields = json.loads(entry.payload)
    identifier = fields.pop("event.id")
    assert (entry.kind, entry.format, entry.source, len(identifier)) == (Kind.EVENT, "ecs", "certificates", 64)
    assert fields == {
        "@timestamp": "2026-11-22T03:00:00Z",
        "event.action": "certificate_critical",
        "event.category": ["configuration"],
        "event.dataset": "yunwang.crypto",
        "event.kind": "event",
        "event.outcome": "failure",
        "event.provider": "certificates",
        "event.type": ["info"],
        "file.path": "keys/site-signing.cert.pem",
        "file.x509.issuer.distinguished_name": "CN=ca",
        "file.x509.not_after": "2026-11-25T03:00:00Z",
        "file.x509.serial_number": "0A",
        "file.x509.subject.distinguished_name": "CN=a",
        "labels.days_left": "3",
        "labels.fingerprint": "fp-20261125",
        "labels.level": "critical",
        "message": "certificate_critical site-signing CN=a until 2026-11-25T03:00:00Z",
        "yw.certificate": "site-signing",
    }


def test_each_action_that_is_no_good_news_meets_one_rule() -> None:
    detector, fired = Detector(own_rules()), {}
    for action in Action:
        document = {"event.id": action.value, "event.dataset": "yunwang.crypto", "event.action": action.value}
        raw = Raw(payload=json.dumps(document).encode(), received_at=AT, format="ecs", peer="")
        event = parse(raw)
        event.id = action.value
        fired[action.value] = [one.head.title for one in detector.judge(event, late=False)]
    assert {name: len(rules) for name, rules in fired.items()} == {
        "certificate_valid": 0,
        "certificate_not_yet_valid": 1,
        "certificate_expiring": 1,
        "certificate_critical": 1,
        "certificate_expired": 1,
        "certificate_renewed": 0,
        "certificate_replaced": 0,
        "certificate_missing": 1,
        "certificate_unreadable": 1,
        "certificate_withdrawn": 0,
    }


def test_the_memory_comes_back_as_it_was(tmp_path: Path) -> None:
    kept = Memory(known={"a": Known(level="ok", fingerprint="f", not_after=ENDS), "b": Known(level="missing")})
    save(kept, tmp_path / "m.json")
    assert load(tmp_path / "m.json") == kept
    assert load(tmp_path / "none.json") == Memory()
