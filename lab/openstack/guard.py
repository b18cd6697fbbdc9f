"""Ends process groups when the program that started them is gone, however it went; reads ids until its input ends.

A line ``+ID`` adds a group, ``-`` forgets all. End of input without a ``-`` means that nobody is left to stop them.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterable


def groups_left(lines: Iterable[str]) -> list[int]:
    """The groups that were added and not forgotten, the youngest first."""
    left: list[int] = []
    for line in lines:
        if line.startswith("+"):
            left.insert(0, int(line[1:]))
        else:
            left.clear()
    return left


def main() -> None:
    """Wait, then end what is left; SIGKILL, for the data are thrown away anyhow."""
    for group in groups_left(sys.stdin):
        try:
            os.killpg(group, signal.SIGKILL)
        except ProcessLookupError:
            continue


if __name__ == "__main__":
    main()
