"""Figures and summaries: units beside the number, a dash for what is unknown, never 0."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console import figures, schematic, traffic
from console.assets import STATIC
from console.overview import CROWDED, busiest_links, shares, summarise_links, worst_links
from console.timeline import runs
from inventory.model import Inventory, Region, RegionLevel


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "—"),
        (0, "0 bit/s"),
        (999, "999 bit/s"),
        (1000, "1.00 kbit/s"),
        (52_700_000, "52.7 Mbit/s"),
        (952_000_000, "952 Mbit/s"),
        (10_000_000_000, "10.0 Gbit/s"),
        (1_250_000_000_000, "1.25 Tbit/s"),
    ],
)
def test_bps(value: int | None, shown: str) -> None:
    assert figures.bps(value) == shown


@pytest.mark.parametrize(
    ("language", "value", "exact", "short"),
    [
        ("zh", None, "—", "—"),
        ("zh", "9999.99", "9,999.99 元", "9,999.99 元"),
        ("zh", Decimal("462444.05"), "462,444.05 元", "46.24 万元"),
        ("en", Decimal("462444.05"), "CNY 462,444.05", "CNY 462.4 k"),
        ("zh", Decimal(-30000), "-30,000.00 元", "-3.00 万元"),
    ],
)
def test_money(language: Any, value: Any, exact: str, short: str) -> None:
    money = figures.Money(language)
    assert (money.yuan(value), money.short(value)) == (exact, short)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "—"),
        (0, "0"),
        (1234567, "1,234,567"),
        (Decimal("61.500000"), "61.5"),
        (Decimal(100), "100"),
        ("720", "720"),
    ],
    ids=["unknown", "zero", "thousands", "idle zeros", "no point", "text"],
)
def test_number(value: Any, shown: str) -> None:
    assert figures.number(value) == shown


def test_instants_are_shown_in_the_sites_zone() -> None:
    at = datetime(2026, 12, 31, 16, 0, tzinfo=UTC)
    assert figures.instant(at) == figures.instant("2026-12-31T16:00:00Z") == "2027-01-01 00:00:00"
    assert figures.moment(at, at) == "01-01 00:00:00"
    assert figures.moment(at - timedelta(seconds=1), at) == "2026-12-31 23:59:59"
    assert figures.moment(None, at) == "—"
    assert figures.day(date(2026, 1, 2)) == "2026-01-02"


def link(
    name: str, state: str = "up", protection: str = "normal", utilisation: float | None = 0.5, **more: Any
) -> dict[str, Any]:
    row = {"link": name, "group": "g", "region": "哈尔滨市", "as_of": datetime(2026, 1, 1, tzinfo=UTC)}
    return {**row, "state": state, "protection": protection, "utilisation": utilisation, **more}


def test_worst_first() -> None:
    rows = [
        link("ok-busy", utilisation=0.9),
        link("ok"),
        link("silent", "unknown", "unknown", None),
        link("alone", "up", "degraded"),
        link("cut", "down", "degraded", 0.0),
        link("odd", "degraded"),
    ]
    assert [row["link"] for row in worst_links(rows, 5)] == ["cut", "odd", "silent", "alone", "ok-busy"]


def test_groups_are_counted_once() -> None:
    found = summarise_links(
        [link("a"), link("b", "down", group="g"), link("c", group=None), link("d", group="h", protection="lost")]
    )
    assert dict(found.protection) == {"normal": 1, "lost": 1}
    assert dict(found.states) == {"up": 3, "down": 1}


def test_nothing_measured_is_unknown_not_zero() -> None:
    found = summarise_links([link("a", "unknown", "unknown", None, as_of=None)])
    assert (found.busiest, found.as_of) == (None, None)


@pytest.mark.parametrize(
    ("rows", "state"),
    [
        pytest.param([link("a"), link("b")], "up", id="all up"),
        pytest.param([link("a"), link("b", "down", "degraded")], "degraded", id="the second link carries"),
        pytest.param([link("a", "down", "lost"), link("b", "down", "lost")], "down", id="both cut"),
        pytest.param([link("a"), link("b", "unknown", "unknown", None)], "unknown", id="one silent"),
        pytest.param([], "unknown", id="none"),
    ],
)
def test_tile_state(rows: list[dict[str, Any]], state: str) -> None:
    inventory = Inventory(regions=(Region(code="230100", name="哈尔滨市", level=RegionLevel.PREFECTURE),))
    assert schematic.tiles(inventory, rows)[0].state == state


def test_every_prefecture_has_a_tile_of_its_own(inventory: Inventory) -> None:
    tiles = schematic.tiles(inventory, [])
    assert len({(one.row, one.column) for one in tiles}) == len(tiles) == 13
    styles = (STATIC / "console.css").read_text("utf-8")
    assert all(f".r{one.row} " in styles and f".c{one.column} " in styles for one in tiles)


def test_regions_without_a_known_place_stand_below() -> None:
    regions = tuple(
        Region(code=f"99{number:04}", name=f"x{number}", level=RegionLevel.PREFECTURE) for number in range(8)
    )
    places = [(one.row, one.column) for one in schematic.tiles(Inventory(regions=regions), [])]
    assert places == [(5, 1), (5, 2), (5, 3), (5, 4), (5, 5), (5, 6), (6, 1), (6, 2)]


def test_shares_measure_against_the_largest() -> None:
    rows = [
        {"organisation": name, "organisation_name": name, "amount": Decimal(amount)}
        for name, amount in (("a", 25), ("b", 100), ("c", -5))
    ]
    assert [(one.id, one.part) for one in shares(rows, 3)] == [("b", 100), ("a", 25), ("c", 0)]


def sample(index: int, rate: int | None) -> dict[str, Any]:
    at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=index)
    return {"at": at, "in_bps": rate, "out_bps": rate, "status": "ok" if rate is not None else "missing"}


@given(rates=st.lists(st.none() | st.integers(0, 10**12), max_size=200), most=st.integers(1, 50))
def test_thinning_keeps_ends_gaps_and_bounds(rates: list[int | None], most: int) -> None:
    rows = [sample(index, rate) for index, rate in enumerate(rates)]
    points = traffic.thinned(rows, most)
    assert len(points) <= most
    assert [one["at"] for one in points[-1:]] == [one["at"] for one in rows[-1:]]
    known = [rate for rate in rates if rate is not None]
    assert all(min(known) <= one["in_bps"] <= max(known) for one in points if one["in_bps"] is not None)
    if len(rows) <= most:
        assert [one["in_bps"] for one in points] == rates


def test_a_gap_is_null_and_says_why() -> None:
    points = traffic.thinned([sample(0, 10), sample(1, None), sample(2, None), sample(3, None)], 2)
    assert [(one["in_bps"], one["status"]) for one in points] == [(10, "ok"), (None, "missing")]
    assert traffic.completeness([sample(0, 1), sample(1, None)]) == 0.5
    assert traffic.completeness([]) is None


def test_vendored_files_are_the_ones_that_were_reviewed() -> None:
    folder = STATIC / "vendor"
    for line in (folder / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split()
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest


def test_a_link_without_trouble_is_not_among_the_worst() -> None:
    rows = [link("ok"), link("crowded", utilisation=CROWDED), link("calm", utilisation=CROWDED - 0.01)]
    assert [row["link"] for row in worst_links(rows, 5)] == ["crowded"]


def test_busiest_first_and_the_unmeasured_left_out() -> None:
    rows = [link("b", utilisation=0.2), link("silent", "unknown", "unknown", None), link("a", utilisation=0.2)]
    assert [row["link"] for row in busiest_links(rows, 5)] == ["a", "b"]
    assert [row["link"] for row in busiest_links(rows, 1)] == ["a"]


def test_no_line_is_drawn_across_silence() -> None:
    minutes = [0, 1, 2, 3, 30, 31, 32]
    points = traffic.with_gaps(traffic.thinned([sample(minute, 10) for minute in minutes]))
    assert [one["in_bps"] for one in points] == [10, 10, 10, 10, None, 10, 10, 10]
    assert [kind for kind, _, _ in traffic.spans(points)] == ["missing"]


def test_a_finer_poll_after_a_coarser_one_is_no_gap() -> None:
    points = traffic.thinned([sample(minute, 10) for minute in (0, 5, 10, 15, 20, 21, 22, 23, 24, 25)])
    assert traffic.with_gaps(points) == points


@given(minutes=st.lists(st.integers(0, 500), unique=True, max_size=40))
def test_gaps_only_add_unknown_points(minutes: list[int]) -> None:
    points = traffic.thinned([sample(minute, 10) for minute in sorted(minutes)])
    found = traffic.with_gaps(points)
    assert [one for one in found if one["in_bps"] is not None] == points
    assert [one["at"] for one in found] == sorted(one["at"] for one in found)


def test_shading_reaches_to_the_neighbours() -> None:
    rows = [sample(0, 10), sample(1, None), sample(2, 0) | {"oper_status": 2}, sample(3, 0) | {"oper_status": 2}]
    points = traffic.thinned([*rows, sample(4, 9)])
    minutes = [
        (kind, *(round((one - points[0]["at"]).total_seconds() / 60) for one in span))
        for kind, *span in traffic.spans(points)
    ]
    assert minutes == [("missing", 0, 2), ("down", 1, 4)]


def test_like_events_are_one_run() -> None:
    login = {"event.dataset": "system.auth", "event.action": "ssh_login", "host.name": "h"}
    events = [{"event.action": "link_down"}, *({**login, "n": n} for n in range(3)), {**login, "host.name": "i"}]
    assert [(one.first.get("n"), len(one.others)) for one in runs(events)] == [(None, 0), (0, 2), (None, 0)]
    assert runs([]) == []


@pytest.mark.parametrize(
    ("value", "shown"), [(None, "—"), ("1.5", "1.50"), ("24.67", "24.67"), ("0.00012", "0.00012"), (3, "3.00")]
)
def test_price(value: Any, shown: str) -> None:
    assert figures.price(value) == shown


def test_unit() -> None:
    assert [figures.unit(one, "月") for one in ("GB*month", "vcpu*h", "piece")] == ["GB·月", "vCPU·h", "piece"]
