"""From a fresh clone to a filled overview, a later start, and `yw link ls`: seconds, and their share of the bar.

python bench/start.py
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
FIRST_BAR, LATER_BAR, LIST_BAR = 180.0, 10.0, 1.0


def up(folder: Path, environment: dict[str, str]) -> tuple[subprocess.Popen[str], float]:
    """Start ``./yw up`` and return it with the seconds until its console answered."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    began = time.monotonic()
    process = subprocess.Popen(
        [folder / "yw", "up", "--port", port], cwd=folder, env=environment, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("console: "):
            return process, time.monotonic() - began
    sys.exit(f"./yw up ended with {process.wait()}")


def links_up(folder: Path, environment: dict[str, str]) -> float:
    """Seconds of one `yw link ls`; its rows must be there."""
    began = time.monotonic()
    done = subprocess.run(
        [folder / "yw", "link", "ls", "-o", "csv"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(done.stdout.splitlines()) == 269
    return time.monotonic() - began


def main() -> None:
    base = Path(tempfile.mkdtemp(prefix="yw-start-"))
    clone = base / "clone"
    subprocess.run(["git", "clone", "-q", ROOT, clone], check=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("YW_", "PYTHON"))} | {
        "HOME": str(base)
    }
    try:
        process, first = up(clone, environment)
        listing = statistics.median([links_up(clone, environment) for _ in range(6)][1:])
        process.send_signal(signal.SIGTERM)
        process.wait(15)
        process, later = up(clone, environment)
        process.send_signal(signal.SIGTERM)
        process.wait(15)
    finally:
        shutil.rmtree(base, ignore_errors=True)
    for what, seconds, bar in (
        ("fresh clone to overview", first, FIRST_BAR),
        ("later start", later, LATER_BAR),
        ("yw link ls", listing, LIST_BAR),
    ):
        print(f"{what}: {seconds:.2f} s, {seconds / bar:.2f} of the bar of {bar:g} s")


if __name__ == "__main__":
    main()
