"""What all tests share: missing peers told aloud, unmarked tests are ``unit``, platforms ended after their test."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import Phase, settings

from tests.running import Platform, missing_peer

# No test is timed: a deadline fails on a busy machine, not on a fault.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
# For mutation tests: a failure is enough, its smallest example is not wanted.
settings.register_profile("mutation", phases=(Phase.explicit, Phase.reuse, Phase.generate), deadline=None)

RequirePeer = Callable[[str, str, str], str]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test without another mark runs on a bare machine."""
    for item in items:
        if not {"peer", "long", "system"} & {one.name for one in item.iter_markers()}:
            item.add_marker(pytest.mark.unit)


@pytest.fixture(scope="session")
def require_peer() -> RequirePeer:
    """Find a program of a real peer; a miss skips aloud, or fails where every peer is required."""

    def find(name: str, command: str, install: str) -> str:
        path = shutil.which(command, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
        if path is None:
            missing_peer(f"{name} is not here ({command}); install it: {install}")
        return str(path)

    return find


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    """A platform with an empty data folder; stopped at the end."""
    one = Platform(tmp_path / "data")
    one.configure()
    yield one
    one.stop()
