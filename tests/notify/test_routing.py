"""From a notice to its deliveries."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notify.routing import Planned, Route, Step, plan
from notify.week import parse_span
from records.alarms import Level
from tests.notify.story import NOON, a_notice

FIFTEEN = timedelta(minutes=15)


def a_route(*channels: str, **changed: object) -> Route:
    return Route(**{"name": "r", "steps": (Step(channels=channels or ("ops",)),)} | changed)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("route", "notice", "taken"),
    [
        pytest.param(a_route(), a_notice(), True, id="high by default"),
        pytest.param(a_route(), a_notice(level=Level.CRITICAL), True, id="critical by default"),
        pytest.param(a_route(), a_notice(level=Level.MEDIUM), False, id="medium not by default"),
        pytest.param(a_route(levels=frozenset({Level.LOW})), a_notice(level=Level.LOW), True, id="level asked for"),
        pytest.param(a_route(organisations=frozenset({"fin"})), a_notice(), True, id="own organisation"),
        pytest.param(a_route(organisations=frozenset({"tax"})), a_notice(), False, id="foreign organisation"),
        pytest.param(a_route(organisations=frozenset({"tax"})), a_notice(organisation=None), False, id="nobody's"),
        pytest.param(a_route(kinds=frozenset({"delivery"})), a_notice(), False, id="another kind"),
        pytest.param(a_route(hours=(parse_span("mon 12:00-13:00"),)), a_notice(), True, id="within its hours"),
        pytest.param(a_route(hours=(parse_span("mon 13:00-14:00"),)), a_notice(), False, id="outside its hours"),
    ],
)
def test_which_route_takes_it(route: Route, notice, taken: bool) -> None:
    assert bool(plan(notice, [route], NOON)) is taken


def test_quiet_hours_defer_and_critical_breaks_through() -> None:
    route = a_route(quiet=(parse_span("11:00-13:30"),))

    (high,) = plan(a_notice(), [route], NOON)
    (critical,) = plan(a_notice(level=Level.CRITICAL), [route], NOON)

    assert (high.due, critical.due) == (NOON + timedelta(minutes=90), NOON)


def test_critical_waits_too_where_nothing_may_break_through() -> None:
    route = a_route(quiet=(parse_span("11:00-13:30"),), breaks=frozenset())
    (critical,) = plan(a_notice(level=Level.CRITICAL), [route], NOON)
    assert critical.due == NOON + timedelta(minutes=90)


def test_escalation_counts_from_when_the_first_step_goes_out() -> None:
    steps = (Step(channels=("ops",)), Step(channels=("sms", "ops"), rosters=("chiefs",), after=FIFTEEN))
    route = a_route(steps=steps, quiet=(parse_span("11:00-13:30"),))
    out = NOON + timedelta(minutes=90)

    assert plan(a_notice(), [route], NOON) == (
        Planned(channel="ops", step=0, due=out),
        Planned(channel="sms", step=1, due=out + FIFTEEN, rosters=("chiefs",)),
        Planned(channel="ops", step=1, due=out + FIFTEEN, rosters=("chiefs",)),
    )


def test_two_routes_to_one_channel_are_one_delivery_to_both_rosters_at_the_earlier_time() -> None:
    early = a_route(steps=(Step(channels=("ops",), rosters=("day", "all")),))
    late = a_route(steps=(Step(channels=("ops",), rosters=("all", "night")),), quiet=(parse_span("11:00-13:30"),))

    for routes in ([early, late], [late, early]):
        (one,) = plan(a_notice(), routes, NOON)
        assert (one.channel, one.due, set(one.rosters)) == ("ops", NOON, {"day", "all", "night"})


routes = st.builds(
    Route,
    name=st.just("r"),
    steps=st.lists(st.lists(st.sampled_from("abc"), min_size=1).map(tuple), min_size=1, max_size=3).map(
        lambda found: tuple(Step(channels=names, after=number * FIFTEEN) for number, names in enumerate(found))
    ),
    organisations=st.sets(st.sampled_from(["fin", "tax"])).map(frozenset),
    levels=st.sets(st.sampled_from([Level.HIGH, Level.CRITICAL])).map(frozenset),
    quiet=st.sampled_from([(), (parse_span("22:00-07:00"),), (parse_span("11:00-13:00"),)]),
)


@given(st.lists(routes, max_size=4), st.sampled_from(["fin", "tax", None]), st.sampled_from(list(Level)[1:]))
def test_each_channel_and_step_once_and_none_that_no_taking_route_names(found, organisation, level) -> None:
    notice = a_notice(organisation=organisation, level=level)
    planned = plan(notice, found, NOON)
    asked = {
        (channel, number)
        for route in found
        if level in route.levels and (not route.organisations or organisation in route.organisations)
        for number, step in enumerate(route.steps)
        for channel in step.channels
    }

    assert len({(one.channel, one.step) for one in planned}) == len(planned)
    assert {(one.channel, one.step) for one in planned} == asked
    assert all(one.due >= NOON for one in planned)
