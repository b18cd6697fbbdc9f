"""The fault matrix at the poller: whatever a device does, every wanted interface leaves one honest row."""

import asyncio
import time
from dataclasses import replace
from datetime import timedelta

import pytest

from collectors.snmp.gufo import gufo_agent
from collectors.snmp.port import Reason, SnmpFailure
from lab.simulator.faults import Faults
from lab.story import Cut
from tests.collectors.polling import EPOCH, QUICK, Bench, play
from tests.provinces import many_devices

AT = EPOCH.timestamp()
NORTH = ("ge0/0/1", "ge0/0/2", "ge0/0/9")


def statuses(rows) -> list[str]:
    return [rows[name]["status"] for name in sorted(rows)]


def counted(one: Bench, interface: str, seconds: float) -> tuple[int, int]:
    """What the agent ``north`` must say."""
    agent = next(agent for agent in one.responder._agents.values() if agent.device.id == "north")
    return agent._counted(interface, AT + seconds)


def two_polls(faults: Faults | None, seconds: tuple[float, ...] = (10.0, 20.0), **more):
    async def story(one: Bench):
        poller = one.poller()
        found = [await one.poll(poller, at) for at in seconds]
        return found, [{name: counted(one, name, at) for name in NORTH} for at in seconds], one.responder.served

    return play(story, {"north": faults} if faults else None, **more)


def octets(rows) -> dict[str, tuple[int, int]]:
    return {name: (row["in_octets"], row["out_octets"]) for name, row in rows.items()}


def test_a_sound_device_gives_exactly_the_truth() -> None:
    (first, second), truth, _ = two_polls(None)
    assert [octets(first), octets(second)] == truth
    row = second["ge0/0/1"]
    assert (row["status"], row["counter_bits"], row["speed_bps"], row["oper_status"]) == ("ok", 64, 10**9, 1)
    assert second["ge0/0/9"]["speed_bps"] == 10**8
    assert row["uptime_ticks"] - first["ge0/0/1"]["uptime_ticks"] == 1_000
    assert row["at"] == EPOCH + timedelta(seconds=20)
    assert row["elapsed_ns"] > first["ge0/0/1"]["elapsed_ns"]


@pytest.mark.parametrize("most", [48, 40, 20, 13, 9, 5, 4])
def test_too_big_makes_the_requests_smaller_until_all_is_there(most: int) -> None:
    (first, second), truth, _ = two_polls(Faults(most_values=most))
    assert [octets(first), octets(second)] == truth
    assert statuses(second) == ["ok"] * 3
    assert None not in [second["ge0/0/1"][name] for name in ("in_errors", "out_discards", "speed_bps", "if_index")]


def test_a_device_that_refuses_every_size_leaves_error_rows() -> None:
    async def story(one: Bench):
        return await one.poll(one.poller(), 10)

    rows = play(story, {"north": Faults(most_values=1)})
    assert statuses(rows) == ["error"] * 3


def test_too_big_does_not_hide_the_wide_counters() -> None:
    async def story(one: Bench):
        return await one.poll(one.poller("d0000"), 10)

    rows = play(story, {"d0000": Faults(most_values=9)}, make=lambda port: many_devices(1, 30, port))
    assert {(row["status"], row["counter_bits"]) for row in rows.values()} == {("ok", 64)}


def test_a_missing_interface_is_gone_and_the_others_are_read() -> None:
    (_, second), truth, _ = two_polls(Faults(missing=frozenset({"ge0/0/2"})))
    assert statuses(second) == ["ok", "gone", "ok"]
    assert second["ge0/0/2"]["in_octets"] is None
    assert octets(second)["ge0/0/1"] == truth[1]["ge0/0/1"]


def test_a_missing_counter_is_null_never_zero() -> None:
    (_, second), _, _ = two_polls(Faults(missing=frozenset({"ifHCInOctets", "ifInOctets", "ifInErrors"})))
    row = second["ge0/0/1"]
    assert (row["status"], row["in_octets"], row["in_errors"], row["oper_status"]) == ("ok", None, None, 1)
    assert row["out_octets"] is not None


def test_an_agent_without_wide_counters_is_read_in_32_bits() -> None:
    (_, second), truth, _ = two_polls(Faults(only_32_bit=True))
    assert octets(second) == {name: tuple(one % 2**32 for one in pair) for name, pair in truth[1].items()}
    assert {row["counter_bits"] for row in second.values()} == {32}


def test_an_agent_without_ifname_is_known_by_ifdescr() -> None:
    (_, second), truth, _ = two_polls(Faults(missing=frozenset({"ifName"})))
    assert octets(second) == truth[1]


def test_renumbering_is_seen_in_the_same_poll_and_no_value_goes_astray() -> None:
    (first, second), truth, _ = two_polls(Faults(renumber_at=AT + 15))
    assert [octets(first), octets(second)] == truth
    assert all(first[name]["if_index"] != second[name]["if_index"] for name in NORTH)


def test_a_reboot_shows_in_uptime_and_counters() -> None:
    (first, second), truth, _ = two_polls(Faults(reboot_at=AT + 15, renumber_at=AT + 15))
    assert [octets(first), octets(second)] == truth
    assert second["ge0/0/1"]["uptime_ticks"] == 500
    assert second["ge0/0/1"]["in_octets"] < first["ge0/0/1"]["in_octets"]


def test_uptime_wraps_after_497_days() -> None:
    booted = AT + 15 - 2**32 / 100
    (first, second), _, _ = two_polls(Faults(booted_at=booted))
    assert first["ge0/0/1"]["uptime_ticks"] == 2**32 - 500
    assert second["ge0/0/1"]["uptime_ticks"] == 500


def test_a_discontinuity_is_told() -> None:
    (first, second), truth, _ = two_polls(Faults(discontinuity_at=AT + 15))
    assert first["ge0/0/1"]["discontinuity_ticks"] == 0
    assert second["ge0/0/1"]["discontinuity_ticks"] == second["ge0/0/1"]["uptime_ticks"] - 500
    assert octets(second) == truth[1]


def test_an_agent_that_caches_is_taken_at_its_word() -> None:
    (first, second), truth, _ = two_polls(Faults(cache_seconds=15), seconds=(31.0, 40.0))
    assert octets(first) == octets(second) == truth[0]


@pytest.mark.parametrize(
    ("faults", "speed"),
    [
        (Faults(high_speed=0, low_speed=2**32 - 1), None),
        (Faults(high_speed=0, low_speed=0), None),
        (Faults(high_speed=0, low_speed=64_000), 64_000),
        (Faults(missing=frozenset({"ifHighSpeed"}), low_speed=10_000_000), 10_000_000),
        (Faults(high_speed=25_000, low_speed=2**32 - 1), 25 * 10**9),
    ],
)
def test_the_speed_of_a_port(faults: Faults, speed: int | None) -> None:
    (_, second), _, _ = two_polls(faults)
    assert second["ge0/0/1"]["speed_bps"] == speed


def test_duplicated_answers_change_nothing() -> None:
    (first, second), truth, served = two_polls(Faults(duplicate=True))
    assert [octets(first), octets(second)] == truth
    assert served.requests == 3 + 2  # hello, walk, widths, two polls: nothing was asked twice


def test_late_answers_are_not_taken_for_later_ones() -> None:
    async def story(one: Bench):
        poller = one.poller()
        await one.poll(poller, 10)
        one.responder.set_faults("north", Faults(delay_seconds=0.4))
        slow = await one.poll(poller, 20)
        one.responder.set_faults("north", Faults())
        await asyncio.sleep(0.5)
        again = await one.poll(poller, 30)
        return statuses(slow), octets(again), {name: counted(one, name, 30) for name in NORTH}

    slow, again, truth = play(story)
    assert slow == ["timeout"] * 3
    assert again == truth


def test_some_loss_is_healed_by_retries() -> None:
    async def story(one: Bench):
        poller = one.poller()
        found = []
        for number in range(20):
            one.time.seconds = 10.0 * number
            found.append(await poller.poll())
        return found

    polls = play(story, {"north": Faults(loss=0.2)})
    assert sum(poll.retries for poll in polls) > 2
    assert sum(poll.failure is None for poll in polls) >= 18


def test_a_cut_datagram_is_a_counted_error_and_the_poller_lives() -> None:
    async def story(one: Bench):
        poller = one.poller()
        await one.poll(poller, 10)
        one.responder.set_faults("north", Faults(cut_datagram=True))
        one.time.seconds = 20
        broken = await poller.poll()
        one.responder.set_faults("north", Faults())
        return broken, statuses(await one.poll(poller, 30))

    broken, after = play(story)
    assert broken.failure.reason is Reason.MALFORMED
    assert [row[5] for row in broken.rows] == ["error"] * 3
    assert after == ["ok"] * 3


def test_a_wrong_community_looks_like_silence() -> None:
    async def story(one: Bench):
        one.community = "guess"
        found = await one.poller().poll()
        return found.failure.reason, [row[5] for row in found.rows]

    assert play(story) == (Reason.TIMEOUT, ["timeout"] * 3)


def test_a_closed_port_is_refused_at_once() -> None:
    async def story(one: Bench):
        one.responder.pause()
        begun = time.monotonic()
        found = await one.poller().poll()
        return found.failure.reason, time.monotonic() - begun

    reason, seconds = play(story)
    assert reason is Reason.REFUSED
    assert seconds < 1


def test_a_dead_device_costs_one_try_a_poll_and_is_read_again_when_it_answers() -> None:
    async def story(one: Bench):
        poller = one.poller()
        await one.poll(poller, 10)
        one.responder.set_faults("north", Faults(silent=(0, float("inf"))))
        retries, seconds = [], []
        for at in range(20, 60, 10):
            one.time.seconds = at
            found = await poller.poll()
            retries.append(found.retries)
            seconds.append(found.seconds)
        one.responder.set_faults("north", Faults())
        back = await one.poll(poller, 70)
        return retries, seconds[-1], octets(back), {name: counted(one, name, 70) for name in NORTH}

    retries, last, back, truth = play(story)
    assert retries == [2, 2, 0, 0]
    assert last < 2 * QUICK.timeout
    assert back == truth


def test_all_tries_of_a_device_fit_into_its_interval() -> None:
    async def story(one: Bench):
        one.timing = replace(QUICK, interval=0.5, timeout=5.0)
        begun = time.monotonic()
        await one.poller().poll()
        return time.monotonic() - begun

    assert play(story, {"north": Faults(silent=(0, float("inf")))}) < 0.5


def test_a_walk_that_hangs_ends_with_the_interval_too() -> None:
    class Hanging:
        async def get(self, oids, _within):
            return dict.fromkeys(oids, 1)

        async def walk(self, _column, within):
            await asyncio.sleep(within)
            raise SnmpFailure(Reason.TIMEOUT)

    async def story(one: Bench):
        one.timing = replace(QUICK, interval=0.5, first=10.0)
        poller = one.poller()
        poller._agent = Hanging()
        return await poller.poll()

    found = play(story)
    assert found.seconds < 0.5
    assert [row[5] for row in found.rows] == ["timeout"] * 3


def test_a_cut_shows_as_down_at_both_ends() -> None:
    async def story(one: Bench):
        return await one.poll(one.poller("north"), 70), await one.poll(one.poller("city1"), 70)

    north, city = play(story, cuts=[Cut(link="north-1", start=EPOCH + timedelta(seconds=60))])
    assert (north["ge0/0/1"]["oper_status"], north["ge0/0/2"]["oper_status"]) == (2, 1)
    assert (city["ge1/0/1"]["oper_status"], city["ge1/0/2"]["oper_status"]) == (2, 1)
    assert north["ge0/0/1"]["admin_status"] == 1


def test_a_secret_that_is_not_there_is_told() -> None:
    async def story(one: Bench):
        poller = one.poller()

        def resolve(reference):
            raise KeyError(reference)

        poller._agent = gufo_agent(one.inventory.device["north"], resolve)
        return await poller.poll()

    found = play(story)
    assert found.failure.reason is Reason.SECRET
    assert [row[5] for row in found.rows] == ["error"] * 3


@pytest.mark.system  # tells the time: by itself
def test_five_percent_dead_do_not_delay_the_others() -> None:
    count = 60
    dead = {f"d{number:04d}": Faults(silent=(0, float("inf"))) for number in range(0, count, 20)}

    async def story(one: Bench):
        pollers = [one.poller(device.id) for device in one.inventory.devices]
        await asyncio.gather(*(poller.poll() for poller in pollers))
        return await asyncio.gather(*(poller.poll() for poller in pollers))

    polls = play(story, dead, make=lambda port: many_devices(count, 2, port))
    alive = [poll for poll in polls if poll.device not in dead]
    assert all(poll.failure is None for poll in alive)
    assert max(poll.seconds for poll in alive) < min(poll.seconds for poll in polls if poll.device in dead)
