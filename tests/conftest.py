"""What all tests share: how a missing peer is told, and how YW_REQUIRE=all turns that into a failure."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable

import pytest

RequirePeer = Callable[[str, str, str], str]


@pytest.fixture(scope="session")
def require_peer() -> RequirePeer:
    """Find a program of a real peer; a miss skips aloud, or fails where every peer is required."""

    def find(name: str, command: str, install: str) -> str:
        path = shutil.which(command, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
        if path is None:
            missing_peer(f"{name} is not here ({command}); install it: {install}")
        return str(path)

    return find


def missing_peer(reason: str) -> None:
    """Skip aloud; fail under YW_REQUIRE=all."""
    if os.environ.get("YW_REQUIRE") == "all":
        pytest.fail(reason)
    pytest.skip(reason)
