"""Correlations against an oracle that looks at all windows of all events at the end."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from records.alarms import Level
from soc.correlate import SECOND, Correlator, Hit
from soc.sigma.rule import Correlation, Head

SPAN = 10


def rule(kind: str, rules: tuple[str, ...] = ("a",), count: int = 3, **more: Any) -> Correlation:
    head = Head(id="inner", title="inner", level=Level.HIGH)
    return Correlation(
        head=head, type=kind, rules=rules, timespan_seconds=SPAN, group_by=("host",), count=count, **more
    )


def hit(number: int, at: int, name: str = "a", host: Any = "h", value: str = "v") -> Hit:
    return Hit(
        rule=name,
        id=f"e{number:03}",
        at=at * SECOND,
        names={"host": host, "value": value},
        entities={"host": str(host)},
    )


def told(correlator: Correlator, hits: list[Hit]) -> set[str]:
    return {mark.event for one in hits for firing in correlator.feed(one) for mark in firing.marks}


def oracle(kind: Correlation, hits: list[Hit]) -> set[str]:
    """Every event that lies in some window, begun at an event, that meets the condition."""
    found: set[str] = set()
    distinct = {(one.id, one.rule): one for one in hits}.values()
    for first in distinct:
        window = [one for one in distinct if first.at <= one.at <= first.at + SPAN * SECOND]
        if satisfied(kind, window):
            found |= {one.id for one in window}
    return found


def satisfied(kind: Correlation, window: list[Hit]) -> bool:
    if kind.type == "event_count":
        return len({one.id for one in window}) >= kind.count
    if kind.type == "value_count":
        return len({one.names["value"] for one in window}) >= kind.count
    if kind.type == "temporal":
        return {one.rule for one in window} == set(kind.rules)
    times = {name: [one.at for one in window if one.rule == name] for name in kind.rules}
    chains: list[list[int]] = [[]]
    for name in kind.rules:
        chains = [[*chain, at] for chain in chains for at in times[name]]
    return any(all(before <= after for before, after in pairwise(chain)) for chain in chains)


KINDS = [
    rule("event_count"),
    rule("value_count", value_field="value", count=2),
    rule("temporal", ("a", "b")),
    rule("temporal_ordered", ("a", "b", "c")),
]
HITS = st.lists(
    st.tuples(st.integers(100, 140), st.sampled_from("abc"), st.sampled_from("vw")), min_size=1, max_size=14
).map(lambda rows: [hit(number, at, name, value=value) for number, (at, name, value) in enumerate(rows)])


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.type)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_order_and_any_repetition_tell_the_same_events(kind: Correlation, data: st.DataObject) -> None:
    hits = [one for one in data.draw(HITS) if one.rule in kind.rules]
    expected = oracle(kind, hits)
    repeated = data.draw(st.permutations(hits + hits[::2])) if hits else []
    assert told(Correlator([kind]), hits) == told(Correlator([kind]), sorted(hits, key=lambda one: one.at)) == expected
    assert told(Correlator([kind]), repeated) == expected


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.type)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_snapshot_goes_on_where_it_was(kind: Correlation, data: st.DataObject) -> None:
    hits = data.draw(HITS)
    cut = data.draw(st.integers(0, len(hits)))
    first, second = Correlator([kind]), Correlator([kind])
    before = told(first, hits[:cut])
    second.restore(first.snapshot())
    assert before | told(second, hits[cut:]) == told(Correlator([kind]), hits)
    assert second.snapshot() == second.snapshot()


def test_a_repetition_fires_nothing() -> None:
    correlator = Correlator([rule("event_count")])
    hits = [hit(number, 100 + number) for number in range(5)]
    assert told(correlator, hits) == {one.id for one in hits}
    assert told(correlator, hits) == set()


def test_groups_do_not_mix_and_an_absent_field_makes_no_group() -> None:
    correlator = Correlator([rule("event_count", count=2)])
    assert (
        told(correlator, [hit(1, 100, host="x"), hit(2, 100, host="y"), hit(3, 100, host=None), hit(4, 100, host=None)])
        == set()
    )


def test_several_values_are_several_groups() -> None:
    correlator = Correlator([rule("event_count", count=2)])
    assert told(correlator, [hit(1, 100, host=["x", "y"]), hit(2, 100, host="y")]) == {"e001", "e002"}


def test_alias_names_the_field_of_each_rule() -> None:
    kind = rule("temporal", ("a", "b"), aliases={("host", "a"): "value"})
    assert told(Correlator([kind]), [hit(1, 100, "a", host="other", value="h"), hit(2, 101, "b")]) == {"e001", "e002"}


def test_a_correlation_feeds_another() -> None:
    inner = rule("event_count", count=2)
    head = Head(id="outer", title="outer", level=Level.CRITICAL)
    outer = Correlation(head=head, type="temporal", rules=("inner", "b"), timespan_seconds=SPAN, group_by=("host",))
    correlator = Correlator([inner, outer])
    fired = [
        firing.rule.head.id for one in [hit(1, 100, "b"), hit(2, 101), hit(3, 102)] for firing in correlator.feed(one)
    ]
    assert fired == ["inner", "outer"]


def test_late_is_behind_the_streams_own_watermark() -> None:
    correlator = Correlator([])
    assert not correlator.advance("live", 1000 * SECOND, 0)
    assert not correlator.advance("live", 700 * SECOND, 0)
    assert correlator.advance("live", 699 * SECOND, 0)
    assert not correlator.advance("old file", 5 * SECOND, 0)
    assert correlator.counts.late == 1


def test_what_no_stream_can_reach_is_forgotten() -> None:
    correlator = Correlator([rule("event_count")])
    told(correlator, [hit(1, 100), hit(2, 1000)])
    correlator.advance("s", 1000 * SECOND, 0)
    correlator.forget(0)
    assert b"e001" not in correlator.snapshot()
    assert b"e002" in correlator.snapshot()


def test_groups_are_bounded_and_the_loss_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("soc.correlate.MOST_GROUPS", 3)
    monkeypatch.setattr("soc.windows.MOST_EVENTS", 2)
    correlator = Correlator([rule("event_count", count=99)])
    told(
        correlator,
        [hit(number, 100, host=str(number)) for number in range(5)]
        + [hit(90 + number, 100, host="4") for number in range(3)],
    )
    correlator.forget(0)
    assert correlator.counts.evicted == 4


def test_domain_events_may_come_an_hour_later() -> None:
    kind = rule("temporal", ("a", "b"))
    correlator = Correlator([kind], frozenset({"b"}))
    correlator.advance("live", 5000 * SECOND, 0)
    assert not correlator.advance("work/metering", 1000 * SECOND, 0, lateness_seconds=7200, domain=True)
    told(correlator, [hit(1, 1000)])
    correlator.forget(0)
    assert told(correlator, [hit(2, 1001, "b")]) == {"e001", "e002"}
