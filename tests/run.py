"""``./yw test [--long] [pytest arguments]``: all this machine can run; ``--long`` adds kills, fuzz, screenshots.

Tests that start the whole platform run by themselves, one after the other: they tell the time.
"""

from __future__ import annotations

import os
import subprocess
import sys

WORKERS = min(4, os.cpu_count() or 1)


def main(arguments: list[str]) -> int:
    """Run pytest; returns its exit code."""
    everything = "--long" in arguments
    rest = [one for one in arguments if one != "--long"]
    if "-m" in rest or any(not one.startswith("-") for one in rest):
        return pytest(rest)
    small = "not system" if everything else "not system and not long"
    code = pytest(["-m", small, "-n", str(WORKERS), "--dist", "loadfile", *rest])
    if everything or os.environ.get("YW_REQUIRE") == "all":
        code = pytest(["-m", "system" if everything else "system and not long", *rest]) or code
    return code


def pytest(arguments: list[str]) -> int:
    """One run in a process of its own."""
    return subprocess.call([sys.executable, "-m", "pytest", *arguments])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
