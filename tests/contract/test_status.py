"""CONTRACT §8: ``up``, ``down``, ``status``, ``doctor``; the three processes and how they end."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from records.instants import parse_instant
from tests.running import Platform, free_port, wait_until

COUNTERS = {"received", "parsed", "unparsed", "stored", "dropped", "late", "alerts"}


@pytest.fixture(scope="module")
def running(site: Platform) -> Iterator[tuple[Platform, str]]:
    """The site, up; what it printed as console's URL."""
    url = site.up(seconds=120)
    yield site, url
    site.stop()


def statuses(platform: Platform) -> dict[str, Any]:
    found: dict[str, Any] = platform.json("status")
    assert set(found) >= {"ready", "processes", "counters", "lag_seconds", "store", "disk_free_bytes"}
    return found


def answer(url: str) -> int:
    with urllib.request.urlopen(url, timeout=10) as got:  # noqa: S310 - our own http address
        return int(got.status)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_the_console_is_ready_once_its_url_is_printed(running: tuple[Platform, str]) -> None:
    platform, url = running

    assert url == f"http://127.0.0.1:{platform.console}/"
    assert (answer(url + "readyz"), answer(url + "livez")) == (200, 200)


def test_status_of_a_running_platform(running: tuple[Platform, str]) -> None:
    found = statuses(running[0])
    processes = {one["name"]: one for one in found["processes"]}

    assert (found["ready"], set(processes)) == (True, {"supervisor", "collect", "work", "serve"})
    assert all(set(one) >= {"name", "pid", "state", "since"} for one in found["processes"])
    assert {one["state"] for one in found["processes"]} == {"running"}
    assert all(alive(one["pid"]) and parse_instant(one["since"]) for one in found["processes"])
    assert set(found["counters"]) >= COUNTERS
    assert found["counters"]["dropped"] == {}
    assert found["store"]["kind"] == "embedded"
    assert found["disk_free_bytes"] > 0


def test_lines_that_are_received_are_counted_and_stored(running: tuple[Platform, str]) -> None:
    platform = running[0]
    before = statuses(platform)["counters"]
    with socket.create_connection(("127.0.0.1", platform.syslog), timeout=10) as connection:
        connection.sendall(b"".join(b"<13>1 2026-07-01T00:00:00Z web1 app - - - n=%d\n" % n for n in range(25)))

    def judged() -> dict[str, Any] | None:
        found = statuses(platform)
        enough = found["counters"]["received"] >= before["received"] + 25
        return found if enough and found["lag_seconds"] == 0 else None

    after = wait_until(judged, 60, "25 lines are judged", 0.5)["counters"]
    assert {name: after[name] - before[name] for name in ("received", "parsed", "unparsed", "stored")} == {
        "received": 25, "parsed": 25, "unparsed": 0, "stored": 25,
    }  # fmt: skip


def test_doctor_lists_checks_and_fails_on_a_fault(running: tuple[Platform, str]) -> None:
    platform = running[0]
    rows = platform.json("doctor")
    key = next(one for one in (platform.data / "keys").iterdir() if one.is_file())
    key.chmod(0o644)
    faults = [one for one in platform.json("doctor", code=1) if one["state"] == "fail"]
    key.chmod(0o600)

    assert {frozenset(one) for one in rows} == {frozenset({"check", "state", "what", "next"})}
    assert {one["state"] for one in rows} <= {"ok", "warn"}
    assert {"crypto", "processes", "disk"} <= {one["check"] for one in rows}
    assert [str(key) in one["what"] and bool(one["next"]) for one in faults] == [True]


def test_a_second_up_on_the_folder_is_refused(running: tuple[Platform, str]) -> None:
    platform, url = running
    found = platform.run("up", "--port", str(free_port()))

    assert (found.returncode, found.stdout) == (3, "")
    assert found.stderr.splitlines()[0].startswith("error: already running on this folder (pid ")
    assert found.stderr.splitlines()[2] == f"next: open {url}, or stop it with `yw down`"


def test_an_occupied_console_port_is_an_error_and_an_occupied_syslog_port_a_warning(
    running: tuple[Platform, str], fresh: Platform
) -> None:
    other = fresh
    other.syslog, other.console = running[0].syslog, running[0].console
    other.configure()
    refused = other.run("up", "--port", str(other.console))
    other.console = free_port()
    other.up(seconds=120)
    try:
        warned = [one for one in other.json("doctor") if one["state"] == "warn"]
        told = statuses(other)
    finally:
        assert other.process is not None
        other.process.send_signal(signal.SIGINT)
        assert other.process.wait(15) == 0

    assert (refused.returncode, refused.stdout) == (3, "")
    assert "where: --port" in refused.stderr
    assert told["ready"] is True
    assert str(other.syslog) in json.dumps(told["warnings"])
    assert any(one["check"] == "listeners" and one["next"] for one in warned)


@pytest.fixture
def fresh(tmp_path: Path, copy_site: Callable[[Path], None]) -> Iterator[Platform]:
    """A site of the test's own."""
    copy_site(tmp_path)
    one = Platform(tmp_path / "data")
    one.configure()
    yield one
    one.stop()


def test_sigterm_ends_everything_within_ten_seconds(fresh: Platform) -> None:
    one = fresh
    one.up(seconds=120)
    assert one.process is not None
    pids = [row["pid"] for row in statuses(one)["processes"]]
    began = time.monotonic()
    one.process.send_signal(signal.SIGTERM)

    assert one.process.wait(10) == 0
    assert time.monotonic() - began < 10
    assert not any(alive(pid) for pid in pids)
    after = statuses(one)
    assert (after["ready"], {row["state"] for row in after["processes"]}) == (False, {"stopped"})
    assert one.json("down") == {"stopped": []}


def test_detach_goes_to_the_background_and_down_ends_it(fresh: Platform) -> None:
    one = fresh
    out = one.run("up", "--detach", "--port", str(one.console))
    pids = [row["pid"] for row in statuses(one)["processes"]]
    try:
        assert (out.returncode, out.stdout) == (0, f"console: http://127.0.0.1:{one.console}/\n")
        assert answer(f"http://127.0.0.1:{one.console}/readyz") == 200
    finally:
        stopped = one.json("down")["stopped"]

    assert stopped == pids[:1]
    assert not any(alive(pid) for pid in pids)


def test_an_empty_folder_is_no_site(tmp_path: Path) -> None:
    one = Platform(tmp_path / "data")
    one.configure()
    found = one.run("up", "--no-demo", "--port", str(one.console))

    assert (found.returncode, found.stdout) == (3, "")
    assert "next: run `yw inventory import PATH` first" in found.stderr


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        (tmp_path / "file").write_text("")
        folder = tmp_path / "file" / "data"
    else:
        tmp_path.chmod(0o500)
        folder = tmp_path / "data"
    one = Platform(tmp_path / "config")
    one.configure()
    found = one.run("inventory", "import", "--data", str(folder), "tests/inventory/contract.yaml")

    assert (found.returncode, found.stdout) == (3, "")
    assert found.stderr.splitlines()[0].startswith("error: cannot write the data folder")
