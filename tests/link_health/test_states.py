"""States of links and groups, flapping, availability, maintenance: tables."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from province import PROVINCE, link

from inventory.model import Maintenance
from link_health.maintenance import merged, occurrences, parse_rule, spans_of
from link_health.roots import device_roots, link_root, topology
from link_health.sla import Stay, compute_sla, stays
from link_health.states import (
    DECISION,
    EndView,
    LinkState,
    Protection,
    is_flapping,
    protection,
    said,
    utilisation,
    view_link,
)
from link_health.watch import says_of
from records.errors import UserError
from records.instants import microseconds

T = 60_000_000
UP, DOWN, DEGRADED, UNKNOWN = LinkState.UP, LinkState.DOWN, LinkState.DEGRADED, LinkState.UNKNOWN


def end(age: int | None, oper: int = 1, rates: tuple[int, int] | None = (5, 7)) -> EndView:
    if age is None:
        return EndView()
    at = 1000 * T - age
    return EndView(
        answered_us=at, oper=oper, figure_us=at, in_bps=rates[0] if rates else None, out_bps=rates[1] if rates else None
    )


SILENT = end(2 * T + 1_000_001)


@pytest.mark.parametrize(
    ("a", "b", "finding", "state", "figures"),
    [
        pytest.param(end(0), end(0), False, UP, (5, 7), id="both up"),
        pytest.param(end(0), end(0, 2), False, DOWN, (5, 7), id="one says down"),
        pytest.param(end(0, 2), end(0), False, DOWN, (5, 7), id="the other says down"),
        pytest.param(end(0, 7), SILENT, False, DOWN, (5, 7), id="lower layer down"),
        pytest.param(end(0), SILENT, False, UP, (5, 7), id="far end silent"),
        pytest.param(SILENT, end(0), False, UP, (7, 5), id="b stands in, mirrored"),
        pytest.param(end(2 * T + 1_000_000), SILENT, False, UP, (5, 7), id="two intervals and one second are patience"),
        pytest.param(SILENT, SILENT, False, UNKNOWN, (None, None), id="nobody answers"),
        pytest.param(SILENT, SILENT, True, UNKNOWN, (None, None), id="unknown stays unknown with a finding"),
        pytest.param(end(None), end(None), False, UNKNOWN, (None, None), id="never polled"),
        pytest.param(end(0), end(0), True, DEGRADED, (5, 7), id="up with a finding"),
        pytest.param(end(0, 2), end(0), True, DOWN, (5, 7), id="down with a finding"),
        pytest.param(end(0, 3), end(0), False, DOWN, (5, 7), id="a port in testing carries nothing"),
        pytest.param(end(0, 5), end(None), False, UNKNOWN, (None, None), id="dormant is neither"),
        pytest.param(end(0, 1, None), end(0), False, UP, (None, None), id="after a reset no figure, and none of b"),
        pytest.param(
            end(-3600_000_000), end(None), False, UNKNOWN, (None, None), id="an answer from a wrong future is none"
        ),
    ],
)
def test_link(a: EndView, b: EndView, finding: bool, state: LinkState, figures: tuple[int | None, int | None]) -> None:
    view = view_link(a, b, now_us=1000 * T, interval_us=T, finding=finding)
    assert (view.state, (view.in_bps, view.out_bps)) == (state, figures)


def test_as_of_is_the_reading_with_the_figures_or_the_answer_that_alone_makes_the_state() -> None:
    older, newer = end(30_000_000), end(1_000_000)
    assert view_link(older, newer, now_us=1000 * T, interval_us=T, finding=False).as_of_us == older.figure_us
    fallen = replace(newer, oper=2)
    assert view_link(older, fallen, now_us=1000 * T, interval_us=T, finding=False).as_of_us == newer.answered_us
    assert view_link(SILENT, newer, now_us=1000 * T, interval_us=T, finding=False).as_of_us == newer.figure_us
    assert view_link(SILENT, SILENT, now_us=1000 * T, interval_us=T, finding=False).as_of_us == SILENT.answered_us


def test_the_vectorised_reading_of_if_oper_status_is_the_same() -> None:
    opers = list(range(-1, 12))
    told = [said(EndView(answered_us=0, oper=oper), 0, T) for oper in opers]
    assert says_of(np.array(opers)).tolist() == told
    assert [len(row) for row in DECISION] == [3, 3, 3]


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ([UP, UP], Protection.NORMAL),
        ([UP, DEGRADED], Protection.NORMAL),
        ([UP, DOWN], Protection.DEGRADED),
        ([UP, DOWN, UNKNOWN], Protection.DEGRADED),
        ([DOWN, DOWN], Protection.LOST),
        ([UP, UNKNOWN], Protection.UNKNOWN),
        ([DOWN, UNKNOWN], Protection.UNKNOWN),
        ([UNKNOWN], Protection.UNKNOWN),
        ([UP], Protection.NORMAL),
        ([DOWN], Protection.LOST),
        ([], Protection.UNKNOWN),
    ],
)
def test_protection(members: list[LinkState], expected: Protection) -> None:
    assert protection(members) is expected


@pytest.mark.parametrize(
    ("rates", "expected"), [((5, 20), 0.2), ((250, 1), 2.5), ((None, 50), 0.5), ((None, None), None), ((0, 0), 0.0)]
)
def test_utilisation_is_not_clamped(rates: tuple[int | None, int | None], expected: float | None) -> None:
    assert utilisation(*rates, 100) == expected


def test_flapping_is_four_changes_within_ten_minutes() -> None:
    minute = 60_000_000
    assert is_flapping([0, minute, 2 * minute, 3 * minute], 9 * minute)
    assert not is_flapping([0, minute, 2 * minute, 3 * minute], 10 * minute)
    assert not is_flapping([0, minute, 2 * minute], 3 * minute)


def test_stays_cover_the_period_without_gaps() -> None:
    turns = [(-50, "up"), (20, "down"), (40, "up")]
    assert stays(turns, 0, 100, 90) == [
        Stay(start_us=0, end_us=20, state=UP),
        Stay(start_us=20, end_us=40, state=DOWN),
        Stay(start_us=40, end_us=90, state=UP),
        Stay(start_us=90, end_us=100, state=UNKNOWN),
    ]
    assert stays([], 0, 100, 100) == [Stay(start_us=0, end_us=100, state=UNKNOWN)]
    assert stays([(30, "up")], 0, 100, 100)[0] == Stay(start_us=0, end_us=30, state=UNKNOWN)


def second(first: int, last: int, state: LinkState) -> Stay:
    return Stay(start_us=first * 10**6, end_us=last * 10**6, state=state)


def test_availability_leaves_out_maintenance_and_the_unknown() -> None:
    history = [second(0, 700, UP), second(700, 800, DOWN), second(800, 900, UNKNOWN), second(900, 1000, DEGRADED)]
    told = compute_sla(history, [(750 * 10**6, 790 * 10**6)])
    assert (told.availability, told.down_seconds, told.excluded_seconds, told.unknown_seconds) == (
        round(800 / 860, 6),
        60,
        40,
        100,
    )
    assert [(one.start_us // 10**6, one.end_us // 10**6) for one in told.outages] == [(700, 750), (790, 800)]
    assert compute_sla([second(0, 10, UNKNOWN)], []).availability is None


START = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday, 08:00 in Shanghai


def window(rule: str | None, **changes: object) -> Maintenance:
    plain = Maintenance(
        id="m", scope={"links": ("up1",)}, start=START, end=START + timedelta(hours=2), rrule=rule, agreed=True
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rule", "days"),
    [
        (None, [0]),
        ("FREQ=DAILY;COUNT=3", [0, 1, 2]),
        ("FREQ=DAILY;INTERVAL=4;UNTIL=20260311", [0, 4, 8]),
        ("RRULE:FREQ=WEEKLY;BYDAY=MO,WE;COUNT=4", [0, 2, 7, 9]),
        ("FREQ=WEEKLY;INTERVAL=2;UNTIL=20260331T000000Z", [0, 14, 28]),
        ("FREQ=MONTHLY", [0]),
        ("FREQ=MONTHLY;BYMONTHDAY=20", [18]),
    ],
)
def test_recurrence(rule: str | None, days: list[int]) -> None:
    found = [start for start, _ in occurrences(window(rule), START, START + timedelta(days=30))]
    assert found == [microseconds(START + timedelta(days=day)) for day in days]


@pytest.mark.parametrize(
    "rule", ["FREQ=YEARLY", "FREQ=DAILY;BYSETPOS=1", "FREQ=DAILY;COUNT=x", "FREQ=WEEKLY;BYDAY=1MO", "nonsense"]
)
def test_a_rule_that_is_not_understood_says_so(rule: str) -> None:
    with pytest.raises(UserError, match="not understood"):
        parse_rule(rule, "m")


@pytest.mark.parametrize(
    ("scope", "concerned"),
    [
        ({"links": ("up1",)}, ["up1"]),
        ({"groups": ("core-city",)}, ["up1", "up2"]),
        ({"devices": ("county",)}, ["down1"]),
        ({"regions": ("230100",)}, ["up1", "up2", "down1"]),
        ({}, []),
    ],
)
def test_scope_of_maintenance(scope: dict[str, tuple[str, ...]], concerned: list[str]) -> None:
    inventory = replace(PROVINCE, maintenance=(window(None, scope=scope), window(None, agreed=False)))
    found = [one.id for one in inventory.links if spans_of(one, inventory, START, START + timedelta(days=1))]
    assert found == concerned


def test_windows_are_merged() -> None:
    assert merged([(5, 9), (1, 3), (3, 4), (8, 12)]) == [(1, 4), (5, 12)]


GRAPH = topology(PROVINCE)


@pytest.mark.parametrize(
    ("silent", "down", "devices", "links"),
    [
        pytest.param(
            {"city"},
            set(),
            {},
            {"up1": "city", "up2": "city", "down1": "city"},
            id="a living path leads to it: it failed",
        ),
        pytest.param({"city", "county"}, set(), {"county": "city"}, {"down1": "city"}, id="behind a dead parent"),
        pytest.param({"county"}, {"down1"}, {"county": "down1"}, {"down1": None}, id="behind its cut uplink"),
        pytest.param(
            {"city", "county"},
            {"up1", "up2"},
            {"county": "city"},
            {"up1": "city", "down1": "city"},
            id="all links to it fell",
        ),
        pytest.param(
            {"core", "city", "county"},
            set(),
            {"city": "core", "county": "core"},
            {"down1": "core"},
            id="the root itself",
        ),
        pytest.param(set(), {"up1"}, {}, {"up1": None}, id="a cut with living ends has no root"),
    ],
)
def test_roots(silent: set[str], down: set[str], devices: dict[str, str], links: dict[str, str | None]) -> None:
    causes = device_roots(GRAPH, silent=silent, down=down)
    assert causes == devices
    assert {name: link_root(GRAPH, name, silent=silent, down=down, causes=causes) for name in links} == links


def test_a_ring_is_followed_the_living_way_round() -> None:
    ring = replace(PROVINCE, links=(*PROVINCE.links, link("ring", "core", "county")))
    graph = topology(ring)
    assert device_roots(graph, silent={"county"}, down={"ring"}) == {}
    assert device_roots(graph, silent={"county", "city"}, down=set()) == {}
