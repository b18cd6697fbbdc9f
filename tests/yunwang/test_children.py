"""Restarts: soon after an accident, ever later for a program that ends as soon as it begins."""

from __future__ import annotations

from pathlib import Path

import pytest

from yunwang import children
from yunwang.children import FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, SETTLED_SECONDS, Child, Recipe


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds


class Process:
    returncode = 1
    pid = 1

    def poll(self) -> int:
        return self.returncode


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(children.time, "monotonic", found.monotonic)
    monkeypatch.setattr(children.subprocess, "Popen", lambda *_arguments, **_more: Process())
    return found


def pauses(child: Child, clock: Clock, life_seconds: float, times: int) -> list[float]:
    """How long the child waits after each of its ends, when each life lasts so long."""
    found = []
    child.start()
    for _ in range(times):
        clock.seconds += life_seconds
        assert child.watch()
        found.append(round(child.due - clock.seconds, 3))
        clock.seconds = child.due
        assert child.watch()
    return found


def test_one_that_had_begun_its_work_comes_back_at_once_however_often(tmp_path: Path, clock: Clock) -> None:
    child = Child(Recipe(name="work", arguments=()), tmp_path / "log")

    assert pauses(child, clock, SETTLED_SECONDS + 0.1, 30) == [FIRST_PAUSE_SECONDS] * 30


def test_one_that_ends_as_it_begins_waits_longer_each_time(tmp_path: Path, clock: Clock) -> None:
    child = Child(Recipe(name="work", arguments=()), tmp_path / "log")

    found = pauses(child, clock, 0.5, 8)

    assert found == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, LONGEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS]
    assert pauses(child, clock, SETTLED_SECONDS + 0.1, 1) == [FIRST_PAUSE_SECONDS]
    assert child.row()["restarts"] == 9
