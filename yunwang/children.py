"""Child processes: started, watched, restarted with back-off, ended together (DESIGN §6)."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from records.instants import format_instant, now

SUPERVISOR = "YW_SUPERVISOR_PID"
DEMO = "YW_DEMO"
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 10.0
SETTLED_SECONDS = 3.0  # it had begun its work: an accident, not a fault that comes back at once
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How one child is started.

    Attributes:
        name: As `yw status` shows it.
        arguments: After ``python -m``.
        sockets: Name to file number, inherited.
        demo: The demo inside the data folder is meant.
        once: A task that ends by itself; exit 0 is not restarted.
    """

    name: str
    arguments: tuple[str, ...]
    sockets: Mapping[str, int] = field(default_factory=dict)
    demo: bool = False
    once: bool = False


@dataclass(slots=True)
class Child:
    """One child at work; ``state`` is starting, running, waiting, stopped, done or failed."""

    recipe: Recipe
    log: Path
    process: subprocess.Popen[bytes] | None = None
    state: str = "stopped"
    since: datetime = field(default_factory=now)
    restarts: int = 0
    pause_seconds: float = FIRST_PAUSE_SECONDS
    due: float = 0.0
    started: float = 0.0

    def start(self) -> None:
        """Run the program; its output goes to the log file."""
        environment = {
            **os.environ,
            SUPERVISOR: str(os.getpid()),
            DEMO: "1" if self.recipe.demo else "0",
            **{f"YW_FD_{name.upper()}": str(number) for name, number in self.recipe.sockets.items()},
        }
        with self.log.open("ab") as stream:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *self.recipe.arguments],
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                pass_fds=tuple(self.recipe.sockets.values()),
                env=environment,
                process_group=0,  # Ctrl-C reaches the supervisor alone, which ends its children in order
            )
        self.started = time.monotonic()
        self._enter("running")

    def _enter(self, state: str) -> None:
        self.state, self.since = state, now()

    def watch(self) -> bool:
        """Notice an end, restart when it is time; True if something changed."""
        if self.state == "running" and self.process is not None and self.process.poll() is not None:
            self._ended(self.process.returncode)
            return True
        if self.state == "waiting" and time.monotonic() >= self.due:
            self.restarts += 1
            self.start()
            return True
        return False

    def _ended(self, code: int) -> None:
        if self.recipe.once and code == 0:
            self._enter("done")
            return
        if time.monotonic() - self.started > SETTLED_SECONDS:
            self.pause_seconds = FIRST_PAUSE_SECONDS
        self.due = time.monotonic() + self.pause_seconds
        self.pause_seconds = min(self.pause_seconds * 2, LONGEST_PAUSE_SECONDS)
        self._enter("waiting")

    def ask_to_end(self) -> None:
        """SIGTERM, if it runs."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    def end(self, deadline: float) -> None:
        """Wait until the monotonic ``deadline``, then kill."""
        if self.process is None:
            return
        try:
            self.process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._enter("stopped")

    def row(self) -> dict[str, Any]:
        """One line of `yw status`."""
        pid = self.process.pid if self.process is not None and self.state == "running" else None
        since = format_instant(self.since)
        return {"name": self.recipe.name, "pid": pid, "state": self.state, "since": since, "restarts": self.restarts}


def die_with_supervisor() -> None:
    """Called by a child first of all: end when the supervisor ends, however that happens (Linux, prctl(2))."""
    supervisor = os.environ.get(SUPERVISOR)
    if not supervisor or not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(supervisor):  # it ended before the call
        os.kill(os.getpid(), signal.SIGTERM)
