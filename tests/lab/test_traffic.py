"""Counters as functions of time: exact, equal at both ends, moved by a cut."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inventory.model import Tier
from lab.flow import DAY, ORIGIN, SECOND, SHORT, Flow, mix, mix_many
from lab.shape import FULL, week
from lab.story import Cut
from lab.traffic import Traffic
from tests.provinces import small_province

EPOCH = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
CUT = Cut(link="north-1", start=EPOCH + timedelta(seconds=60))
MENDED = Cut(link="south-1", start=EPOCH - timedelta(hours=30), end=EPOCH - timedelta(hours=29))
INVENTORY = small_province()
TRAFFIC = Traffic(INVENTORY, (CUT, MENDED))
CALM = Traffic(INVENTORY)
LINKS = [link.id for link in INVENTORY.links]

moments = st.floats(min_value=ORIGIN, max_value=ORIGIN + 4 * 365 * 86_400, allow_nan=False)
flows = st.builds(
    Flow,
    st.integers(0, 2**56 - 1),
    st.sampled_from(list(Tier)),
    st.integers(1, 10**6),
)


@settings(max_examples=40, deadline=None)
@given(flows, st.integers(0, 1_400 * DAY))
def test_the_sum_is_the_integral_of_the_rate(flow: Flow, at: int) -> None:
    edges = np.arange(at // SHORT * SHORT, at // SHORT * SHORT + 41 * SHORT, SHORT)
    steps = [flow.rate(int(edge)) * SHORT // SECOND for edge in edges[:-1]]
    assert [flow.octets(int(edge)) - flow.octets(int(edges[0])) for edge in edges[1:]] == np.cumsum(steps).tolist()


def test_the_sum_from_the_origin_is_what_a_slow_count_gives() -> None:
    flow = Flow(12_345, Tier.PREFECTURE_COUNTY, 4_000)
    slow = sum(flow.rate(slot * SHORT) * SHORT // SECOND for slot in range(9 * DAY // SHORT))
    assert flow.octets(9 * DAY) == slow


@given(flows, st.lists(st.integers(0, 1_400 * DAY), min_size=2, max_size=30))
@settings(max_examples=40, deadline=None)
def test_many_instants_at_once_give_the_same_and_never_fall(flow: Flow, times: list[int]) -> None:
    ordered = np.array(sorted(times), dtype=np.int64)
    found = flow.octets_many(ordered)
    assert found.tolist() == [flow.octets(int(at)) for at in ordered]
    assert (np.diff(found) >= 0).all()


@settings(deadline=None)
@given(st.lists(st.integers(0, 2**63 - 1), min_size=1))
def test_mix_is_the_same_for_one_and_many(numbers: list[int]) -> None:
    assert mix_many(np.array(numbers, dtype=np.uint64)).tolist() == [mix(number) for number in numbers]


@given(moments, st.sampled_from(INVENTORY.links))
@settings(deadline=None)
def test_what_one_end_sends_the_other_receives(at: float, link) -> None:
    received_a, sent_a = TRAFFIC.counters(link.a.device, link.a.interface, at)
    assert TRAFFIC.counters(link.b.device, link.b.interface, at) == (sent_a, received_a)


@given(moments)
@settings(deadline=None)
def test_a_cut_moves_traffic_and_loses_none(at: float) -> None:
    for group in ("north", "south"):
        with_cut = sum(TRAFFIC.octets(f"{group}-{n}", "out", at) for n in (1, 2))
        without = sum(CALM.octets(f"{group}-{n}", "out", at) for n in (1, 2))
        assert with_cut == without


def test_the_cut_link_stands_still_and_its_partner_carries_both() -> None:
    after = EPOCH.timestamp() + 60
    assert TRAFFIC.mean_bps("north-1", after, after + 600) == (0, 0)
    both = [CALM.mean_bps(f"north-{n}", after, after + 600) for n in (1, 2)]
    assert TRAFFIC.mean_bps("north-2", after, after + 600) == pytest.approx(tuple(map(sum, zip(*both, strict=True))))
    assert TRAFFIC.mean_bps("north-1", after - 600, after) == CALM.mean_bps("north-1", after - 600, after)


def test_oper_status_follows_the_cut() -> None:
    after = EPOCH.timestamp() + 60
    times = np.array([after - 1, after, after + 10**6])
    assert TRAFFIC.oper_status_many("north", "ge0/0/1", times).tolist() == [1, 2, 2]
    assert [TRAFFIC.oper_status("city1", "ge1/0/1", float(at)) for at in times] == [1, 2, 2]
    assert TRAFFIC.is_up("south-1", after)
    assert TRAFFIC.changed_at("south-1", after) == EPOCH.timestamp() - 29 * 3600


@pytest.mark.parametrize("name", LINKS)
def test_a_link_is_busy_but_never_full(name: str) -> None:
    times = np.arange(EPOCH.timestamp(), EPOCH.timestamp() + 7 * 86_400, 300.0)
    contract = INVENTORY.link[name].contract_bps
    for direction in ("in", "out"):
        rates = np.diff(TRAFFIC.octets(name, direction, times)) * 8 / 300
        assert rates.max() < contract


def test_an_office_week() -> None:
    days = week(Tier.PREFECTURE_COUNTY)
    assert 0.99 * FULL < max(map(max, days)) <= FULL
    assert min(map(min, days)) > 0
    assert sum(days[6]) < sum(days[0]) * 0.7


def test_a_standby_link_only_says_hello() -> None:
    start = EPOCH.timestamp() - 86_400 * 3
    assert max(CALM.mean_bps("south-2", start, start + 86_400)) < 120_000


def test_overlapping_outages_of_a_group_are_refused() -> None:
    with pytest.raises(ValueError, match="overlap"):
        Traffic(INVENTORY, (CUT, Cut(link="north-2", start=EPOCH)))
    with pytest.raises(ValueError, match="unknown link"):
        Traffic(INVENTORY, (Cut(link="nowhere", start=EPOCH),))
