"""The demo province, as a newcomer meets it: one start, then every claim of the README against the truth f(t)."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from inventory.loading import load
from inventory.model import Inventory
from lab.province import FILE
from lab.story import Story, tell
from lab.traffic import Traffic
from records.instants import month_bounds, month_of, now, parse_instant, previous_month
from tests.running import Platform, free_port, wait_until

INTERVAL = 10  # of the demo

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    folder = tmp_path_factory.mktemp("demo")
    one = Platform(folder / "data")
    one.configure()
    one.up("--demo", seconds=240)
    yield one
    assert one.stop() == 0


@pytest.fixture(scope="module")
def province() -> Inventory:
    return load(FILE)


@pytest.fixture(scope="module")
def story(demo: Platform, province: Inventory) -> Story:
    facts = json.loads((demo.data / "demo" / "demo.json").read_text())
    return tell(province, parse_instant(facts["epoch"]))


def links(demo: Platform) -> dict[str, Any]:
    return {row["link"]: row for row in demo.json("link", "ls")}


def test_all_processes_run_and_nothing_is_dropped(demo: Platform) -> None:
    found = demo.json("status")

    assert {row["name"]: row["state"] for row in found["processes"]} == dict.fromkeys(
        ("supervisor", "work", "serve", "collect", "lab"), "running"
    )
    assert found["ready"] is True
    assert found["counters"]["dropped"] == {}


def test_the_cut_link_is_down_and_its_group_degraded(demo: Platform, story: Story) -> None:
    assert story.cut is not None
    name = story.cut.link
    wait_until(lambda: links(demo)[name]["state"] == "down", 150, "the cut shows", step=2)
    row = links(demo)[name]

    assert (row["state"], row["protection"]) == ("down", "degraded")


def test_a_ticket_of_a_link_closes_when_the_link_is_up_and_not_before(demo: Platform, story: Story) -> None:
    assert story.cut is not None
    cut = story.cut.link
    wait_until(lambda: links(demo)[cut]["state"] == "down", 150, "the cut shows", step=2)
    fine = next(name for name, row in links(demo).items() if row["state"] == "up")
    opened = {
        name: demo.json("ticket", "open", "--title", name, "--kind", "link", "--subject", name) for name in (cut, fine)
    }

    assert demo.json("ticket", "recheck", opened[cut]["id"], code=1)["observed"] == f"link {cut}: down"
    closed = demo.json("ticket", "recheck", opened[fine]["id"])
    assert (closed["state"], closed["closing"], closed["passed"]) == ("closed", "recheck", True)
    assert closed["proof"]["evidence"]["as_of"]
    assert all(one["next_at"] for one in demo.json("job", "schedules"))


def test_rates_of_both_directions_agree_with_the_truth(demo: Platform, province: Inventory, story: Story) -> None:
    traffic = Traffic(province, story.cuts)
    wait_until(lambda: sum(row["in_bps"] is not None for row in links(demo).values()) > 260, 60, "rates", step=1)
    compared = 0
    for name, row in links(demo).items():
        if row["in_bps"] is None:
            continue
        for sample in [one for one in demo_samples(demo, name) if one["status"] == "ok"][-1:] if compared < 5 else []:
            assert is_true(traffic, name, sample), sample
            compared += 1
    assert compared >= 5


def is_true(traffic: Traffic, link: str, sample: dict[str, Any]) -> bool:
    """Both directions within 0.5 % of f(t) over the agent's interval.

    A sample tells when the answer was received; on a loaded machine the agent wrote it up to two seconds before.
    """
    received = parse_instant(sample["at"]).timestamp()
    near = [pytest.approx(sample[name], rel=0.005, abs=2000) for name in ("in_bps", "out_bps")]
    ends = (received - tenths / 10 for tenths in range(21))
    return any(list(traffic.mean_bps(link, end - sample["seconds"], end)) == near for end in ends)


def demo_samples(demo: Platform, name: str) -> list[dict[str, Any]]:
    begin = now() - timedelta(minutes=3)
    return demo.json("link", "show", name, "--from", begin.isoformat(), "--to", now().isoformat())


def test_last_month_is_complete_and_its_percentile_is_there(demo: Platform, story: Story) -> None:
    month = previous_month(month_of(story.epoch))
    rows = demo.json("link", "p95", "--month", month)

    assert len(rows) == 268
    assert min(row["completeness"] for row in rows) == 1.0
    assert not any(row["provisional"] for row in rows)


def test_collecting_last_month_again_stores_nothing(demo: Platform, story: Story) -> None:
    start, end = month_bounds(previous_month(month_of(story.epoch)))
    day = start + timedelta(days=3)
    again = demo.json(
        "meter", "collect", "--source", "prov-cloud", "--from", start.isoformat(), "--to", day.isoformat()
    )

    assert end > day
    assert again["received"] > 10_000
    assert (again["stored"], again["conflicts"], again["rejected"]) == (0, 0, [])
    assert again["duplicates"] == again["received"]


def test_last_months_bill_is_issued_and_verifies_elsewhere(demo: Platform, story: Story, tmp_path: Path) -> None:
    month = previous_month(month_of(story.epoch))
    draft = demo.json("bill", "draft", "--month", month)
    refused = demo.run("bill", "issue", "--month", month)
    issued = demo.json("bill", "issue", "--month", month, "--allow-demo")
    paths = [one["path"] for one in issued] if isinstance(issued, list) else issued["paths"]
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(paths[0], elsewhere / "bill")
    shutil.copy(demo.data / "demo" / "ca.pem", elsewhere / "ca.pem")
    stranger = Platform(tmp_path / "none" / "data")
    stranger.data.parent.mkdir()

    assert draft["complete"] is True
    assert draft["findings"] == []
    assert refused.returncode == 5
    assert stranger.json("verify", str(elsewhere / "bill"), "--ca", str(elsewhere / "ca.pem"))["valid"] is True


def test_the_login_storm_is_one_incident_and_the_cross_domain_rule_fires_once(demo: Platform, story: Story) -> None:
    def crossed() -> list[dict[str, Any]]:
        return [
            one
            for one in demo.json("soc", "alerts")
            if one["rule_title"] == "Link fault, login storm and usage burst at one organisation"
        ]

    alerts = wait_until(crossed, 420, "the rule over three domains", step=5)
    incidents = demo.json("soc", "incidents")
    storm = [
        one for one in incidents if story.storm is not None and story.storm.host in json.dumps(one, ensure_ascii=False)
    ]

    assert len(alerts) == 1
    assert len(storm) == 1


def test_a_silent_simulator_makes_every_link_unknown_within_two_polls(demo: Platform) -> None:
    demo.json("lab", "pause", "snmp")
    time.sleep(2 * INTERVAL + 2)
    silent = links(demo)
    demo.json("lab", "resume", "snmp")

    assert {row["state"] for row in silent.values()} == {"unknown"}
    assert {(row["in_bps"], row["out_bps"], row["utilisation"]) for row in silent.values()} == {(None, None, None)}
    wait_until(
        lambda: sum(row["state"] == "up" for row in links(demo).values()) >= 260, 90, "links are up again", step=2
    )


def test_a_second_up_on_the_same_folder_is_refused(demo: Platform) -> None:
    second = demo.run("up", "--demo", "--port", str(free_port()))

    assert second.returncode == 3
    assert second.stderr.startswith("error: already running on this folder")
    assert "next: " in second.stderr
