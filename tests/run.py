"""``./yw test [--long] [pytest arguments]``: all this machine can run; ``--long`` adds kills, fuzz, screenshots."""

from __future__ import annotations

import os
import subprocess
import sys


def main(arguments: list[str]) -> int:
    """Run pytest in its own process group of options; returns its exit code."""
    everything = "--long" in arguments
    rest = [one for one in arguments if one != "--long"]
    required = os.environ.get("YW_REQUIRE") == "all"
    chosen = "not long" if required else "not long and not system"
    marks = [] if everything or "-m" in rest else ["-m", chosen]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.call([sys.executable, "-m", "pytest", *marks, *rest], env=environment)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
