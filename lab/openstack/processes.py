"""Processes that one owner starts and ends: each in its own group, so that workers end with their parent."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path


class Processes:
    """Started programs, logs in ``folder/log``; ``stop`` ends them, last first, and ``guard`` if we are killed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        guard = (sys.executable, str(Path(__file__).with_name("guard.py")))
        self._guard = subprocess.Popen(guard, stdin=subprocess.PIPE, text=True, bufsize=1, start_new_session=True)
        self._running: list[tuple[str, subprocess.Popen[bytes]]] = []

    def start(self, name: str, *command: str, env: Mapping[str, str] | None = None, user: str | None = None) -> None:
        """Start a program in the background."""
        with (self._folder / "log" / f"{name}.out").open("ab") as log:
            process = _popen(command, self._folder, log.fileno(), env, user)
        self._running.append((name, process))
        self._watch(f"+{process.pid}")

    def run(self, name: str, *command: str, env: Mapping[str, str] | None = None, user: str | None = None) -> None:
        """Run a program to its end; raises RuntimeError with the tail of its log if it fails or takes 5 minutes."""
        path = self._folder / "log" / f"{name}.out"
        with path.open("ab") as log:
            process = _popen(command, self._folder, log.fileno(), env, user)
        if process.wait(timeout=300):
            raise RuntimeError(f"{name} failed:\n{_tail(path)}")

    def wait(self, what: str, ready: Callable[[], bool], seconds: float = 300) -> None:
        """Wait until ``ready``; raises RuntimeError if a started program ends before, or time runs out."""
        limit = time.monotonic() + seconds
        while not ready():
            for name, process in self._running:
                if process.poll() is not None:
                    raise RuntimeError(f"{name} ended:\n{_tail(self._folder / 'log' / f'{name}.out')}")
            if time.monotonic() > limit:
                raise RuntimeError(f"waited {seconds:g} s for {what}")
            time.sleep(0.25)

    def stop(self) -> None:
        """End all groups: SIGTERM, after 10 s SIGKILL."""
        for _, process in reversed(self._running):
            _signal(process, signal.SIGTERM)
        limit = time.monotonic() + 10
        for _, process in reversed(self._running):
            try:
                process.wait(timeout=max(0.1, limit - time.monotonic()))
            except subprocess.TimeoutExpired:
                _signal(process, signal.SIGKILL)
                process.wait()
            _signal(process, signal.SIGKILL)  # workers that outlived their parent
        self._running.clear()
        self._watch("-")
        self._guard.communicate()

    def _watch(self, line: str) -> None:
        if self._guard.stdin is not None:
            self._guard.stdin.write(line + "\n")


def _popen(
    command: tuple[str, ...], folder: Path, log: int, env: Mapping[str, str] | None, user: str | None
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=os.environ | dict(env or {}),
        start_new_session=True, user=user, group=user, extra_groups=[] if user else None,
    )  # fmt: skip


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return


def _tail(path: Path) -> str:
    return "\n".join(path.read_text(errors="replace").splitlines()[-15:])


def listening(port: int) -> bool:
    """Whether something accepts connections on a loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_ports(count: int) -> list[int]:
    """Different loopback ports that are free now."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports
