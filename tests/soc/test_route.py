"""Log sources: what a Windows record is, which rule admits which source, and that the router only leaves out the others."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from records.alarms import Level
from soc.sigma.ir import And, Node, Not, Op, Or, Test
from soc.sigma.route import CHANNEL, EVENT_ID, Route, Router, Source, necessary_values, route_of, windows_source
from soc.sigma.rule import Head, LogSource, Rule

SYSMON = "Microsoft-Windows-Sysmon/Operational"
NONE: frozenset[str] = frozenset()


@pytest.mark.parametrize(
    ("channel", "event_id", "source"),
    [
        pytest.param("Security", 4624, Source("windows", NONE, NONE, "security", "4624"), id="security"),
        pytest.param(None, None, Source("windows"), id="neither"),
        pytest.param(
            SYSMON,
            "1",
            Source("windows", frozenset({"process_creation"}), frozenset({"sysmon"}), SYSMON.lower(), "1"),
            id="sysmon",
        ),
        pytest.param(
            SYSMON,
            12,
            Source(
                "windows",
                frozenset({"registry_event", "registry_add", "registry_delete"}),
                frozenset({"sysmon"}),
                SYSMON.lower(),
                "12",
            ),
            id="sysmon, several categories",
        ),
        pytest.param(
            SYSMON, None, Source("windows", NONE, frozenset({"sysmon"}), SYSMON.lower(), None), id="sysmon, no number"
        ),
        pytest.param(
            "Linux-Sysmon/Operational",
            3,
            Source("linux", frozenset({"network_connection"}), frozenset({"sysmon"}), "linux-sysmon/operational", "3"),
            id="sysmon for Linux",
        ),
    ],
)
def test_windows_source(channel: object, event_id: object, source: Source) -> None:
    assert windows_source(channel, event_id) == source


FULL = Source("p", frozenset({"c"}), frozenset({"s"}), "ch", "1")


@pytest.mark.parametrize(
    ("route", "admitted"),
    [
        pytest.param(Route(None, None, None, None, None), True, id="asks nothing"),
        pytest.param(Route("p", "c", "s", frozenset({"ch", "x"}), frozenset({"1", "2"})), True, id="asks all"),
        pytest.param(Route("q", "c", "s", None, None), False, id="product"),
        pytest.param(Route("p", "d", "s", None, None), False, id="category"),
        pytest.param(Route("p", "c", "t", None, None), False, id="service"),
        pytest.param(Route("p", None, None, frozenset({"x"}), None), False, id="channel"),
        pytest.param(Route("p", None, None, None, frozenset({"2"})), False, id="event id"),
        pytest.param(Route(None, None, None, NONE, None), False, id="no channel can do"),
    ],
)
def test_a_route_admits(route: Route, admitted: bool) -> None:
    assert route.admits(FULL) is admitted


def is_in(name: str, *values: str) -> Node:
    return Or(tuple(Test(name, Op.EQUAL, one) for one in values))


SECURITY, FIRST = Test(CHANNEL, Op.EQUAL, "Security"), Test(EVENT_ID, Op.EQUAL, "1")
OTHER = Test("a", Op.EQUAL, "Security")


@pytest.mark.parametrize(
    ("node", "values"),
    [
        pytest.param(SECURITY, {"security"}, id="equal"),
        pytest.param(OTHER, None, id="another field"),
        pytest.param(Test(CHANNEL, Op.CONTAINS, "Sec"), None, id="not equal but contains"),
        pytest.param(is_in(CHANNEL, "A", "B"), {"a", "b"}, id="any of"),
        pytest.param(Or((SECURITY, OTHER)), None, id="or something else"),
        pytest.param(And((SECURITY, OTHER)), {"security"}, id="and something else"),
        pytest.param(And((OTHER, OTHER)), None, id="and of others"),
        pytest.param(And((is_in(CHANNEL, "A", "B"), is_in(CHANNEL, "B", "C"))), {"b"}, id="both"),
        pytest.param(And((is_in(CHANNEL, "A"), is_in(CHANNEL, "C"))), set(), id="never"),
        pytest.param(Not(SECURITY), None, id="not"),
    ],
)
def test_necessary_values(node: Node, values: set[str] | None) -> None:
    assert necessary_values(node, CHANNEL) == values


def rule(declared: LogSource, condition: Node = OTHER, after: LogSource | None = None) -> Rule:
    return Rule(
        head=Head(id="r", title="r", level=Level.LOW),
        logsource=after or declared,
        declared=declared,
        condition=condition,
    )


WINDOWS = LogSource(product="Windows", category="Process_Creation", service="Security")
BOTH = And((SECURITY, FIRST))


@pytest.mark.parametrize(
    ("one", "route"),
    [
        pytest.param(rule(LogSource()), Route(None, None, None, None, None), id="asks nothing"),
        pytest.param(
            rule(LogSource(product="Linux", category="C", service="S"), BOTH),
            Route("linux", "c", "s", None, None),
            id="not Windows: channel and event id are fields like others",
        ),
        pytest.param(
            rule(WINDOWS, BOTH),
            Route("windows", None, None, frozenset({"security"}), frozenset({"1"})),
            id="Windows with a channel",
        ),
        pytest.param(
            rule(WINDOWS, FIRST, LogSource(product="windows", service="sysmon")),
            Route("windows", None, None, None, frozenset({"1"})),
            id="Windows, changed by a pipeline",
        ),
        pytest.param(
            rule(WINDOWS, FIRST),
            Route("windows", "process_creation", "security", None, frozenset({"1"})),
            id="Windows without a channel",
        ),
    ],
)
def test_route_of_a_rule(one: Rule, route: Route) -> None:
    assert route_of(one) == route


NAMES = st.sampled_from([None, "x", "windows"])
SOURCES = st.builds(
    Source,
    NAMES,
    st.frozensets(st.sampled_from(["x", "y"])),
    st.frozensets(st.sampled_from(["x", "y"])),
    st.sampled_from([None, "a", "b"]),
    st.sampled_from([None, "1", "2"]),
)
CONDITIONS = st.sampled_from(
    [OTHER, is_in(CHANNEL, "A"), is_in(CHANNEL, "a", "B"), And((is_in(CHANNEL, "b"), FIRST)), Not(SECURITY), FIRST]
)
RULES = st.builds(rule, st.builds(LogSource, product=NAMES, category=NAMES, service=NAMES), CONDITIONS)


@given(st.lists(RULES, max_size=8), SOURCES)
def test_the_router_admits_what_each_route_admits(rules: list[Rule], source: Source) -> None:
    expected = [index for index, one in enumerate(rules) if route_of(one).admits(source)]
    assert Router(rules).admitted(source) == expected
