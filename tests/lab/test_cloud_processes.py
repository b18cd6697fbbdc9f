"""Processes of the real cloud end with their owner, however it ends."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lab.openstack.guard import groups_left
from lab.openstack.processes import Processes, free_ports, listening

OWNER = """
import sys, time
from pathlib import Path
from lab.openstack.processes import Processes
folder = Path(sys.argv[1])
processes = Processes(folder)
processes.start("one", "sh", "-c", "sleep 300 & echo $! > inner; echo $$ > outer; wait")
while not (folder / "outer").exists(): time.sleep(0.02)
print("up", flush=True)
time.sleep(300)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "log").mkdir()
    return tmp_path


def gone(pid: int) -> bool:
    """Whether a process has ended; a zombie that init has not fetched yet counts."""
    limit = time.monotonic() + 10
    while time.monotonic() < limit:
        stat = Path(f"/proc/{pid}/stat")
        if not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.05)
    return False


def pids(folder: Path) -> list[int]:
    return [int((folder / name).read_text()) for name in ("outer", "inner")]


def test_what_was_started_ends_when_its_owner_is_killed(folder):
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(folder)], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    assert owner.stdout is not None
    assert owner.stdout.readline() == b"up\n"
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    owner.stdout.close()
    assert all(map(gone, pids(folder)))


def test_stop_ends_whole_groups_and_the_guard(folder):
    processes = Processes(folder)
    processes.start("one", "sh", "-c", "sleep 300 & echo $! > inner; echo $$ > outer; wait")
    processes.wait("the shell", (folder / "outer").exists, seconds=10)
    processes.stop()
    assert all(map(gone, pids(folder)))


def test_a_program_that_ends_early_is_told_with_its_log(folder):
    processes = Processes(folder)
    processes.start("weak", "sh", "-c", "echo no such database; exit 3")
    try:
        with pytest.raises(RuntimeError, match="weak ended:\nno such database"):
            processes.wait("something", lambda: False, seconds=10)
        with pytest.raises(RuntimeError, match="sync failed:\nbroken"):
            processes.run("sync", "sh", "-c", "echo broken; exit 1")
    finally:
        processes.stop()


def test_a_forgotten_group_is_left_alone():
    assert groups_left(["+12\n", "+13\n"]) == [13, 12]
    assert groups_left(["+12\n", "-\n"]) == []


def test_free_ports_are_free_and_different():
    ports = free_ports(5)
    assert len(set(ports)) == 5
    assert not any(map(listening, ports))
