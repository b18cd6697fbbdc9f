from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def another_process() -> Callable[[str, str], bytes]:
    """Run a script in a fresh interpreter with another order of sets and another zone; what it writes."""

    def run(script: str, seed: str) -> bytes:
        told = os.environ | {"PYTHONHASHSEED": seed, "TZ": "America/New_York"}
        return subprocess.run(
            [sys.executable, "-c", script], cwd=ROOT, env=told, check=True, capture_output=True
        ).stdout

    return run
