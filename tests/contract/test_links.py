"""CONTRACT §8 "Links.": a small province under real SNMP polls, a month of rates behind a percentile."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from inventory.loading import load
from inventory.model import Inventory
from lab.simulator.snmp import SnmpResponder
from lab.story import Cut
from lab.traffic import Traffic
from records.instants import now, parse_instant
from records.schemas import RATES
from storage.embedded import EmbeddedStore
from tests.running import Platform, free_port, wait_until

INVENTORY = """yunwang: 1
regions:
  - {{code: "230000", name: 黑龙江省, level: province}}
  - {{code: "230100", name: 哈尔滨市, level: prefecture, parent: "230000"}}
organisations: [{{id: fin, name: 省财政厅, region: "230000"}}]
devices:
  - {{id: core, name: 省核心, region: "230000", role: core, vendor: huawei, platform: huawei_vrp, address: 127.9.8.1,
     snmp: {{version: "2c", community: "secret:file:{secret}", port: {port}}}}}
  - {{id: city, name: 市汇聚, region: "230100", role: aggregation, vendor: h3c, platform: hp_comware, address: 127.9.8.2,
     snmp: {{version: "2c", community: "secret:file:{secret}", port: {port}}}}}
  - {{id: mute, name: 无应答, region: "230100", role: access, vendor: h3c, platform: hp_comware, address: 127.9.8.3}}
groups: [{{id: core-city, name: 省到市, mode: load_balance}}]
links:
  - {{id: cut, group: core-city, tier: province-prefecture, contract_bps: 10000000000,
     a: {{device: core, interface: xge0/0/1}}, b: {{device: city, interface: xge0/0/1}}}}
  - {{id: sound, group: core-city, tier: province-prefecture, contract_bps: 10000000000,
     a: {{device: core, interface: xge0/0/2}}, b: {{device: city, interface: xge0/0/2}}}}
  - {{id: dark, tier: metro, contract_bps: 1000000000, a: {{device: mute, interface: ge0/0/1}}}}
"""
KEYS = {
    "link", "group", "state", "protection", "in_bps", "out_bps", "contract_bps", "utilisation", "as_of", "completeness",
}  # fmt: skip
STATUSES = {"ok", "first", "reset", "interpolated", "missing", "implausible", "unknown"}
MONTH, MONTH_START, BINS = "2025-07", datetime(2025, 6, 30, 16, tzinfo=UTC), 31 * 288


class Agents(threading.Thread):
    """The simulator's SNMP responder in an event loop of its own."""

    def __init__(self, inventory: Inventory, port: int) -> None:
        super().__init__(daemon=True)
        epoch = now()
        traffic = Traffic(inventory, [Cut(link="cut", start=epoch - timedelta(days=1))])
        self.responder = SnmpResponder(inventory, traffic, epoch=epoch.timestamp())
        self.port, self.loop, self.listening = port, asyncio.new_event_loop(), threading.Event()

    def run(self) -> None:
        async def serve() -> None:
            self.responder.start([self.port])
            self.listening.set()

        self.loop.run_until_complete(serve())
        self.loop.run_forever()

    def call(self, action: str) -> None:
        """``pause`` or ``resume``, in the loop."""

        async def act() -> None:
            getattr(self.responder, action)()

        asyncio.run_coroutine_threadsafe(act(), self.loop).result(10)

    def end(self) -> None:
        self.call("pause")
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.join(10)


def rates(interface: str, first: int, step: int, count: int) -> pa.Table:
    """``count`` bins of July from the first on: in grows by ``step`` from ``first``, out is 500 bit/s."""
    numbers = np.arange(count)
    ends = [MONTH_START + timedelta(seconds=300 * (int(number) + 1)) for number in numbers]
    columns: dict[str, Any] = dict.fromkeys(RATES.schema.names, [None] * count) | {
        "device": ["core"] * count, "interface": [interface] * count, "at": ends, "seconds": [300.0] * count,
        "in_bps": first + step * numbers, "out_bps": [500] * count, "oper_status": [1] * count,
        "status": ["ok"] * count,
    }  # fmt: skip
    return pa.table(columns, schema=RATES.schema)


@pytest.fixture(scope="module")
def province(bare: Platform, folder: Path) -> Iterator[tuple[Platform, Agents]]:
    """Inventory, a month of rates, agents, and everything up; polled every second."""
    port = free_port(socket.SOCK_DGRAM)
    (folder / "community").write_text("public\n")
    file = folder / "province.yaml"
    file.write_text(INVENTORY.format(secret=folder / "community", port=port), "utf-8")
    bare.configure("snmp_interval_seconds = 2\nsnmp_timeout_seconds = 0.5\n")
    bare.json("inventory", "import", str(file))
    store = EmbeddedStore(bare.data / "records", writer=True)
    store.append(RATES, rates("xge0/0/1", 1000, 1000, BINS))
    store.append(RATES, rates("xge0/0/2", 7, 0, BINS // 2))
    store.close()
    agents = Agents(load(file), port)
    agents.start()
    assert agents.listening.wait(10)
    bare.up("--no-demo", seconds=120)
    yield bare, agents
    bare.stop()
    agents.end()


def links(platform: Platform, *more: str) -> dict[str, dict[str, Any]]:
    return {row["link"]: row for row in platform.json("link", "ls", *more)}


def known(platform: Platform) -> dict[str, dict[str, Any]]:
    """The rows as soon as the sound link has a rate."""

    def look() -> dict[str, dict[str, Any]] | None:
        rows = links(platform)
        return rows if rows["sound"]["in_bps"] is not None and rows["cut"]["state"] == "down" else None

    found: dict[str, dict[str, Any]] = wait_until(look, 120, "a rate of the link that is up, the other one down", 1)
    return found


def all_unknown(platform: Platform) -> dict[str, dict[str, Any]] | None:
    rows = links(platform)
    return rows if {row["state"] for row in rows.values()} == {"unknown"} else None


DARK = {
    "link": "dark", "group": None, "state": "unknown", "protection": "unknown", "in_bps": None, "out_bps": None,
    "contract_bps": 10**9, "utilisation": None, "as_of": None, "completeness": 0.0,
}  # fmt: skip


def test_rows_of_a_cut_a_sound_and_a_dark_link(province: tuple[Platform, Agents]) -> None:
    rows = known(province[0])
    sound = rows["sound"]

    assert all(set(row) >= KEYS for row in rows.values())
    assert {name: row["state"] for name, row in rows.items()} == {"cut": "down", "sound": "up", "dark": "unknown"}
    assert (rows["cut"]["protection"], sound["protection"]) == ("degraded", "degraded")
    assert (type(sound["in_bps"]), type(sound["out_bps"])) == (int, int)
    assert sound["utilisation"] == round(max(sound["in_bps"], sound["out_bps"]) / sound["contract_bps"], 6)
    assert (sound["as_of"][-1], abs((now() - parse_instant(sound["as_of"])).total_seconds()) < 60) == ("Z", True)
    assert 0 < sound["completeness"] <= 1
    assert {key: rows["dark"][key] for key in KEYS} == DARK


def test_filters_by_state_and_region(province: tuple[Platform, Agents]) -> None:
    platform = province[0]
    known(platform)

    assert set(links(platform, "--state", "down")) == {"cut"}
    assert set(links(platform, "--region", "230000")) == {"cut", "sound", "dark"}
    assert platform.run("link", "ls", "--state", "broken").returncode == 2
    assert platform.run("link", "ls", "--region", "999999").returncode == 3


def test_samples_behind_a_link(province: tuple[Platform, Agents]) -> None:
    platform = province[0]
    known(platform)
    start = (now() - timedelta(minutes=10)).isoformat()
    rows = platform.json("link", "show", "sound", "--from", start, "--to", (now() + timedelta(minutes=1)).isoformat())

    assert all(set(row) >= {"at", "in_bps", "out_bps", "status"} for row in rows)
    assert {row["status"] for row in rows} <= STATUSES
    assert "ok" in {row["status"] for row in rows}
    measured = {"ok", "interpolated"}  # a poll that was missed in between leaves its mark, not a hole
    assert all((row["in_bps"] is not None) == (row["status"] in measured) for row in rows)
    assert [row["at"] for row in rows] == sorted(row["at"] for row in rows)
    assert platform.run("link", "show", "nowhere").returncode == 3


def test_one_poll_of_one_device(province: tuple[Platform, Agents]) -> None:
    platform = province[0]
    found = platform.json("collect", "once", "--device", "core")

    assert {one["interface"]: one["status"] for one in found["readings"]} == {"xge0/0/1": "ok", "xge0/0/2": "ok"}
    assert {one["interface"]: one["oper_status"] for one in found["readings"]} == {"xge0/0/1": 2, "xge0/0/2": 1}
    assert platform.run("collect", "once", "--device", "mute").returncode == 3
    assert platform.run("collect", "once", "--device", "nowhere").returncode == 3


def test_silence_makes_links_unknown_and_their_figures_null(province: tuple[Platform, Agents]) -> None:
    platform, agents = province
    known(platform)
    agents.call("pause")
    try:
        rows = wait_until(lambda: all_unknown(platform), 60, "every link is unknown")
        refused = platform.run("collect", "once", "--device", "core")
    finally:
        agents.call("resume")

    figures = {(row["in_bps"], row["out_bps"], row["utilisation"], row["protection"]) for row in rows.values()}
    assert figures == {(None, None, None, "unknown")}
    assert rows["sound"]["as_of"] is not None
    assert (refused.returncode, refused.stdout) == (4, "")
    assert "where: core\n" in refused.stderr


def figures(billed: int, p95_in: int, p95_out: int, samples: int, **more: Any) -> dict[str, Any]:
    return {
        "p95_in_bps": p95_in, "p95_out_bps": p95_out, "billed_bps": billed, "samples": samples, "interpolated": 0,
        "missing": BINS - samples, "completeness": round(samples / BINS, 6), "provisional": samples < BINS,
    } | more  # fmt: skip


NONE = {
    "p95_in_bps": None, "p95_out_bps": None, "billed_bps": None, "samples": 0, "interpolated": 0, "missing": BINS,
    "completeness": 0.0, "provisional": True,
}  # fmt: skip
# nearest rank: ceil(0.95 × 8928) = ceil(8481.6) = 8482
P95 = 8_482_000


def test_percentile_of_every_link_by_nearest_rank(province: tuple[Platform, Agents]) -> None:
    platform = province[0]

    assert platform.json("link", "p95", "--month", MONTH) == [
        {"link": "cut"} | figures(P95, P95, 500, BINS),
        {"link": "sound"} | figures(500, 7, 500, BINS // 2),
        {"link": "dark"} | NONE,
    ]
    assert platform.json("link", "p95", "--month", MONTH, "--link", "dark") == [{"link": "dark"} | NONE]


def test_percentile_of_a_group_is_one_row(province: tuple[Platform, Agents]) -> None:
    (row,) = province[0].json("link", "p95", "--month", MONTH, "--group", "core-city")

    # only bins of all members add up; the first half of the month: ceil(0.95 × 4464) = 4241
    assert row == {"link": None, "group": "core-city"} | figures(4_241_007, 4_241_007, 1000, BINS // 2)


def test_the_running_month_is_provisional_and_a_coming_one_is_refused(province: tuple[Platform, Agents]) -> None:
    platform = province[0]
    month = (now() + timedelta(hours=8)).strftime("%Y-%m")

    assert {row["provisional"] for row in platform.json("link", "p95", "--month", month)} == {True}
    assert platform.run("link", "p95", "--month", "2099-01").returncode == 3
    assert platform.run("link", "p95", "--month", MONTH, "--link", "cut", "--group", "core-city").returncode == 2
    assert platform.run("link", "p95", "--month", MONTH, "--link", "nowhere").returncode == 3
    assert platform.run("link", "p95", "--month", "2025-7").returncode == 2


def test_report_of_availability(province: tuple[Platform, Agents]) -> None:
    platform = province[0]
    known(platform)
    month = (now() + timedelta(hours=8)).strftime("%Y-%m")
    rows = {row["link"]: row for row in platform.json("link", "report", "--month", month)}
    names = ("availability", "down_seconds", "excluded_seconds", "outages")

    assert [rows["sound"][name] for name in names] == [1.0, 0, 0, 0]
    assert rows["cut"]["down_seconds"] > 0
    assert rows["cut"]["availability"] == 0.0
    assert rows["cut"]["outages"] >= 1  # a second one follows where the agents fell silent before
    assert [rows["dark"][name] for name in names] == [None, 0, 0, 0]
