"""The whole engine on a real state database: nothing is lost, nothing is sent twice, and the log says why."""

from __future__ import annotations

import tempfile
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from notify import claims, log, outbox
from notify.claims import KIND
from notify.dispatch import Dispatcher, Plan
from notify.notice import Delivered, Failed, Notice, Person, Retry, Why
from notify.pace import Policy
from notify.rosters import Duty, Roster
from notify.routing import Route, Step
from notify.states import ENDED, State
from notify.tables import notice, notice_attempt, notice_delivery
from notify.week import parse_span
from records.alarms import Level
from storage.state import metadata, open_state, reading, writing
from tests.notify.story import MEMORY, NOON, Kept, a_notice

FAST = Policy(wait_seconds=0, window_seconds=60, dedupe_seconds=300, tries=3, backoff_seconds=10, longest_seconds=100)
BUSY = Retry(why=Why("busy"), reached=False)
LOST = Retry(why=Why("no answer"))
ROUTE = Route(name="all", steps=(Step(channels=("ops",)),))


class Clock:
    def __init__(self) -> None:
        self.at = NOON

    def __call__(self) -> datetime:
        return self.at

    def ahead(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


class Engine:
    """A dispatcher without threads: each step by hand, time by hand."""

    def __init__(self, state: sa.Engine, *routes: Route, policy: Policy = FAST, **channels: Kept) -> None:
        self.state, self.clock, self.channels = state, Clock(), channels or {"ops": Kept()}
        self.taken: set[str] = set()
        self.rosters: dict[str, Roster] = {}
        plan = Plan(
            routes=routes or (ROUTE,),
            rosters=self.rosters,
            policy=policy,
            acknowledged=lambda _, asked: self.taken & asked,
        )
        self.dispatcher = Dispatcher(state, self.channels, plan, self.clock)

    def put(self, *notices: Notice) -> None:
        with writing(self.state) as connection:
            outbox.put(connection, notices, self.clock())

    def go(self, seconds: float = 0, step: float = 5) -> None:
        """Route and send until nothing is due; then on, in steps."""
        left = seconds
        while True:
            self.dispatcher.route_pending()
            for name in self.channels:
                while self.dispatcher.send_next(name):
                    pass
            if left <= 0:
                return
            self.clock.ahead(min(step, left))
            left -= step

    def settle(self) -> None:
        """Until nothing is queued, the clock jumping to what comes next."""
        for _ in range(1000):
            self.go()
            waiting = [one.next_at for one in self.log() if one.next_at is not None]
            if not waiting:
                return
            self.clock.at = max(min(waiting), self.clock.at + timedelta(seconds=1))
        pytest.fail("it never ends")

    def log(self) -> list[log.Delivery]:
        with reading(self.state) as connection:
            return log.ls(connection, limit=10_000)

    def states(self) -> dict[str, str]:
        return {f"{one.notice}>{one.channel or '-'}/{one.step}": one.state.value for one in self.log()}


def test_delivered_once_with_a_line_in_the_log(state: sa.Engine) -> None:
    engine = Engine(state)
    engine.put(a_notice())
    engine.go()
    engine.put(a_notice())
    engine.go(600)

    (line,) = engine.log()
    assert (line.channel, line.alert, line.state, line.tries, line.why) == ("ops", "a1", State.DELIVERED, 1, None)
    assert [one.notices for one in engine.channels["ops"].got] == [(a_notice(),)]


def test_no_route_is_suppressed_with_the_reason(state: sa.Engine) -> None:
    engine = Engine(state)
    engine.put(a_notice(level=Level.LOW))
    engine.go(60)

    (line,) = engine.log()
    assert (line.channel, line.state, line.why) == (None, State.SUPPRESSED, Why("no route takes it"))
    assert engine.channels["ops"].got == []


def test_the_same_key_again_is_suppressed_for_a_while(state: sa.Engine) -> None:
    engine = Engine(state)
    for number, seconds in ((1, 200), (2, 200), (3, 0)):
        engine.put(a_notice(number, key="same", alike=str(number)))
        engine.go(seconds)

    assert engine.states() == {"n1>ops/0": "delivered", "n2>-/0": "suppressed", "n3>ops/0": "delivered"}
    assert {one.notice: one.why for one in engine.log()}["n2"] == Why("the same as notice {notice}", {"notice": "n1"})


def test_alike_go_as_one_message_then_one_a_window(state: sa.Engine) -> None:
    engine = Engine(state, policy=Policy(wait_seconds=5, window_seconds=60))
    engine.put(*(a_notice(number) for number in range(20)))
    engine.go(10)
    engine.put(*(a_notice(number) for number in range(20, 30)))
    engine.go(120)
    engine.put(a_notice(99, alike="another"))
    engine.go(10)

    assert [len(one.notices) for one in engine.channels["ops"].got] == [20, 10, 1]
    assert set(engine.states().values()) == {"delivered"}


def test_a_critical_one_does_not_wait_behind_others(state: sa.Engine) -> None:
    engine = Engine(state)
    engine.put(a_notice(1))
    engine.go(1)
    engine.put(a_notice(2, level=Level.CRITICAL), a_notice(3))
    engine.go(1)
    assert [[one.id for one in message.notices] for message in engine.channels["ops"].got] == [["n1"], ["n2"]]


def test_retried_with_the_same_message_then_given_up(state: sa.Engine) -> None:
    engine = Engine(state, ops=Kept(answers=[BUSY, LOST, LOST]))
    engine.put(a_notice(1), a_notice(2))
    engine.go(9 * 60)

    got = engine.channels["ops"].got
    assert [(one.id, one.repeated, len(one.notices)) for one in got] == [
        (got[0].id, False, 2), (got[0].id, False, 2), (got[0].id, True, 2)
    ]  # fmt: skip
    assert {(one.state, one.tries, one.why.template) for one in engine.log()} == {(State.FAILED, 3, "no answer")}


def test_refused_is_not_tried_again(state: sa.Engine) -> None:
    engine = Engine(state, ops=Kept(answers=[Failed(why=Why("it refuses"))]))
    engine.put(a_notice())
    engine.go(600)
    assert [(one.state, one.tries) for one in engine.log()] == [(State.FAILED, 1)]


def test_the_limit_counts_every_try_also_of_the_process_before(state: sa.Engine) -> None:
    engine = Engine(state, ops=Kept(per_minute=3))
    engine.put(*(a_notice(number, alike=str(number)) for number in range(7)))
    engine.go(0)
    assert len(engine.channels["ops"].got) == 3

    again = Engine(state, ops=Kept(per_minute=3))
    again.clock.ahead(30)
    again.go(0)
    assert again.channels["ops"].got == []
    again.go(150)
    assert [len(engine.channels["ops"].got), len(again.channels["ops"].got)] == [3, 4]


def test_a_test_counts_for_the_limit_and_stands_in_the_log(state: sa.Engine) -> None:
    engine = Engine(state, ops=Kept(per_minute=1))
    with writing(state) as connection:
        test = a_notice(9, kind="test", level=Level.LOW, alert=None)
        kept = log.keep_test(connection, test, "ops", Retry(why=Why("no answer")), engine.clock())
    engine.put(a_notice(1))
    engine.go(30)
    assert engine.channels["ops"].got == []
    engine.go(60)
    assert (kept.state, kept.why, len(engine.channels["ops"].got)) == (State.FAILED, Why("no answer"), 1)


def test_escalated_while_nobody_acknowledges(state: sa.Engine) -> None:
    steps = (Step(channels=("ops",)), Step(channels=("sms",), rosters=("chiefs",), after=timedelta(minutes=15)))
    engine = Engine(state, Route(name="r", steps=steps), ops=Kept(), sms=Kept())
    engine.rosters["chiefs"] = Roster(duties=(Duty(person=Person(name="王"), span=parse_span("mon 12:15-12:30")),))
    engine.put(a_notice(1), a_notice(2, alike="other"))
    engine.go(600)
    engine.taken = {"a2"}
    engine.go(600)

    (escalated,) = engine.channels["sms"].got
    assert ([one.id for one in escalated.notices], escalated.step, escalated.to) == (["n1"], 1, (Person(name="王"),))
    assert engine.states() == {
        "n1>ops/0": "delivered", "n1>sms/1": "delivered", "n2>ops/0": "delivered", "n2>sms/1": "suppressed"
    }  # fmt: skip


def test_quiet_hours_defer_to_one_message_in_the_morning(state: sa.Engine) -> None:
    route = Route(name="r", steps=(Step(channels=("ops",)),), quiet=(parse_span("11:00-13:00"),))
    engine = Engine(state, route)
    for number in range(3):
        engine.put(a_notice(number))
        engine.go(600, step=60)
    assert engine.channels["ops"].got == []
    engine.go(3600, step=60)
    assert [len(one.notices) for one in engine.channels["ops"].got] == [3]


@pytest.mark.parametrize(("dedupes", "ends"), [(True, State.DELIVERED), (False, State.UNKNOWN)])
def test_a_claim_of_a_dead_process(state: sa.Engine, dedupes: bool, ends: State) -> None:
    engine = Engine(state, ops=Kept(dedupes=dedupes))
    engine.put(a_notice())
    engine.dispatcher.route_pending()
    with writing(state) as connection:
        claims.claim(connection, "ops", None, {}, FAST, engine.clock())

    engine.go(3600, step=60)
    assert engine.channels["ops"].got == []  # leased: nobody else touches it
    engine.dispatcher.recover()
    engine.go(300)

    found = {one.notice: one for one in engine.log()}
    assert found["n1"].state == ends
    sent = [(one.notices[0].kind, one.repeated) for one in engine.channels["ops"].got]
    assert sent == ([("alert", True)] if dedupes else [(KIND, False)])  # told, not repeated


def test_a_lost_word_about_a_lost_message_is_not_told_of_again(state: sa.Engine) -> None:
    engine = Engine(state)
    engine.put(a_notice())
    for _ in range(4):
        engine.dispatcher.route_pending()
        with writing(state) as connection:
            claims.claim(connection, "ops", None, {}, FAST, engine.clock())
        engine.dispatcher.recover()
        engine.clock.ahead(600)
    engine.go(600)
    assert Counter(one.state for one in engine.log()) == {State.UNKNOWN: 2}


def test_a_defect_of_a_channel_loses_nothing(state: sa.Engine, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Kept):
        def send(self, message):
            if not self.got:
                self.got.append(message)
                raise KeyError("defect")
            return super().send(message)

    engine = Engine(state, ops=Broken())
    engine.put(a_notice())
    engine.go(60)
    assert ([one.state for one in engine.log()], len(engine.channels["ops"].got)) == ([State.DELIVERED], 2)
    assert "KeyError" in caplog.text


def test_a_clock_set_back_silences_nothing_for_ever(state: sa.Engine) -> None:
    engine = Engine(state)
    engine.put(a_notice(1, key="same"))
    engine.go()
    engine.clock.ahead(-86_400)
    engine.put(a_notice(2, key="same", alike="other"))
    engine.go(200)
    assert engine.states() == {"n1>ops/0": "delivered", "n2>ops/0": "delivered"}


def test_pages_of_the_log_lose_and_repeat_no_line(state: sa.Engine) -> None:
    engine = Engine(state)
    for number in range(25):
        engine.put(a_notice(number, organisation=("fin", "tax")[number % 2]))
        if number % 4 == 0:
            engine.go(1)
    engine.go(300)
    seen, after = [], None
    with reading(state) as connection:
        while page := log.ls(connection, after=after, limit=4):
            seen += page
            after = (page[-1].at, page[-1].id)
        own = log.ls(connection, organisations=["tax"])
        none = log.ls(connection, organisations=[])
        counted = log.counts(connection)

    assert [one.id for one in seen] == [one.id for one in engine.log()]
    assert ({one.organisation for one in own}, len(own), none) == ({"tax"}, 12, [])
    assert counted == {State.DELIVERED: 25}


receipts = st.sampled_from([Delivered(), BUSY, LOST, Failed(why=Why("no"))])
stories = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 5), st.integers(0, 2), st.sampled_from(list(Level)[1:])),
        st.tuples(st.just("wait"), st.integers(1, 400)),
        st.tuples(st.just("crash"), st.sampled_from(["ops", "sms"])),
        st.tuples(st.just("take"), st.integers(0, 5)),
    ),
    max_size=25,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(stories, st.lists(receipts, max_size=10), st.lists(receipts, max_size=10), st.booleans())
def test_every_notice_ends_and_none_is_sent_twice(story, ops, sms, dedupes) -> None:
    """Any story of notices, answers, waits, crashes and acknowledgements."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        state = open_state(f"sqlite:///{Path(folder) / 's.db'}")
        metadata.create_all(state, tables=[notice, notice_delivery, notice_attempt])
        steps = (Step(channels=("ops",)), Step(channels=("sms",), after=timedelta(minutes=5)))
        channels = {"ops": Kept(answers=list(ops), dedupes=dedupes, per_minute=4), "sms": Kept(answers=list(sms))}
        engine = Engine(state, Route(name="r", steps=steps, quiet=(parse_span("12:05-12:10"),)), **channels)
        put = _tell(engine, story)
        engine.dispatcher.recover()
        engine.settle()

        lines = engine.log()
        assert {one.notice for one in lines if not one.notice.startswith(KIND)} == put
        assert {one.state for one in lines} <= ENDED
        assert all(one.why is not None for one in lines if one.state in ENDED - {State.DELIVERED})
        with reading(state) as connection:
            tried = {row.message: row.n for row in connection.execute(sa.select(notice_attempt.c.message, sa.func.count().label("n")).group_by(notice_attempt.c.message))}  # fmt: skip
        for name, channel in channels.items():
            held = [one.id for message in {each.id: each for each in channel.got}.values() for one in message.notices]
            assert len(held) == len(set(held))  # a notice is in one message of a channel
            again = Counter(message.id for message in channel.got)
            assert all(count <= tried[message] <= FAST.tries + 25 for message, count in again.items())
            assert channel.dedupes or not (_sent_after_crash(engine, name))
        state.dispose()


def _tell(engine: Engine, story) -> set[str]:
    put: set[str] = set()
    for what, *rest in story:
        if what == "put":
            number, key, level = rest
            engine.put(a_notice(number, key=f"k{key}", level=level, alike=f"g{key}"))
            put.add(f"n{number}")
            engine.dispatcher.route_pending()
        elif what == "wait":
            engine.clock.ahead(rest[0])
            engine.go()
        elif what == "take":
            engine.taken.add(f"a{rest[0]}")
        else:
            with writing(engine.state) as connection:
                claims.claim(connection, rest[0], None, {}, FAST, engine.clock())
            engine.dispatcher.recover()
    return put


def _sent_after_crash(engine: Engine, channel: str) -> set[str]:
    """Messages that ended as unknown, and yet went out after that."""
    unknown = {one.message for one in engine.log() if one.channel == channel and one.state is State.UNKNOWN}
    with reading(engine.state) as connection:
        rows = connection.execute(sa.select(notice_attempt).where(notice_attempt.c.message.in_(unknown))).all()
    last = {row.message: row for row in sorted(rows, key=lambda row: row.number)}
    return {message for message, row in last.items() if row.outcome != "unknown"}
