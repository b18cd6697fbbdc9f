"""``yw up``: holds the listening sockets, runs the processes, writes down how they are (DESIGN §6)."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from records.errors import Problem, UserError
from records.instants import format_instant, now
from yunwang import sockets
from yunwang.children import Child, Recipe
from yunwang.place import Place
from yunwang.settings import Settings

MoreRecipes = Callable[[Mapping[str, socket.socket]], Sequence[Recipe]]
END_SECONDS = 8.0
WATCH_SECONDS = 0.1
READY_SECONDS = 120.0


@dataclass(slots=True)
class Supervisor:
    """The parent of all processes of one data folder.

    Attributes:
        place: The folder.
        children: In order of start.
        url: Where the console answers.
        sockets: What the children inherit; open as long as the supervisor lives.
        warnings: What did not stop the start, such as an occupied syslog port.
    """

    place: Place
    children: list[Child]
    url: str
    warnings: list[Problem]
    sockets: dict[str, socket.socket]
    stopping: bool = False
    since: str = field(default_factory=lambda: format_instant(now()))

    def run(self, when_ready: Callable[[str], None]) -> None:
        """Start everything, watch until SIGINT or SIGTERM, end everything within 10 s."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._stop)
        try:
            for child in self.children:
                child.start()
            self._write()
            self._watch(when_ready)
        finally:
            self._end()

    def _stop(self, _number: int, _frame: object) -> None:
        self.stopping = True

    def _watch(self, when_ready: Callable[[str], None]) -> None:
        waiting, asked = True, time.monotonic()
        while not self.stopping:
            changed = [child.watch() for child in self.children]
            if any(changed):
                self._write()
            if waiting and answers(self.url + "readyz"):
                waiting = False
                when_ready(self.url)
            elif waiting and time.monotonic() - asked > READY_SECONDS:
                log = self.place.run / "serve.log"
                raise UserError(
                    "the console did not become ready in {seconds} s",
                    "read the log",
                    where=str(log),
                    seconds=READY_SECONDS,
                )
            time.sleep(WATCH_SECONDS)

    def _end(self) -> None:
        deadline = time.monotonic() + END_SECONDS
        for child in self.children:
            child.ask_to_end()
        for child in self.children:
            child.end(deadline)
        self._write()

    def _write(self) -> None:
        rows = [{"name": "supervisor", "pid": os.getpid(), "state": "running", "since": self.since, "restarts": 0}]
        rows += [child.row() for child in self.children]
        found = {"url": self.url, "processes": rows, "warnings": [one.kept() for one in self.warnings]}
        write_json(self.place.run / "processes.json", found)


def warnings(place: Place) -> list[Problem]:
    """What did not stop the start of the ``up`` that was last here."""
    rows = running(place).get("warnings", [])
    return [Problem.restored(one) for one in rows]


def write_json(path: Path, value: Any) -> None:
    """Replace a small file in one step: a reader sees the old or the new one."""
    waiting = path.with_suffix(f".{os.getpid()}.tmp")
    waiting.write_text(json.dumps(value, ensure_ascii=False), "utf-8")
    waiting.replace(path)


def answers(url: str) -> bool:
    """Whether a GET is answered 200."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - our own http address
            return bool(answer.status == 200)  # noqa: PLR2004 - HTTP OK
    except (OSError, urllib.error.URLError):
        return False


def lock(place: Place) -> TextIO:
    """Held while ``up`` runs; UserError naming the pid if another one holds it."""
    stream = (place.run / "up.lock").open("a+")
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        stream.seek(0)
        holder = stream.read().strip()
        advice = "open {url}, or stop it with `yw down`"
        values = {"pid": holder, "url": running(place).get("url", "its console")}
        raise UserError(
            "already running on this folder (pid {pid})", advice, where=str(place.root), **values
        ) from error
    os.set_inheritable(stream.fileno(), False)
    stream.truncate(0)
    stream.write(str(os.getpid()))
    stream.flush()
    return stream


def holder(place: Place) -> int | None:
    """The pid of the ``up`` that runs on this folder; None if none does."""
    path = place.run / "up.lock"
    if not path.exists():
        return None
    with path.open("a+") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.seek(0)
            text = stream.read().strip()
            return int(text) if text.isdigit() else None
    return None


def running(place: Place) -> dict[str, Any]:
    """What the supervisor wrote down; empty if it never ran here."""
    try:
        found: dict[str, Any] = json.loads((place.run / "processes.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found


def open_sockets(
    settings: Settings, port: int | None, *, anywhere: bool
) -> tuple[dict[str, socket.socket], list[Problem]]:
    """The console's socket, which must open, and the listeners', which may fail with a warning (CONTRACT §8, Links).

    Args:
        settings: Where to listen.
        port: The console's, if the command line names one.
        anywhere: A listener whose port is taken gets another one: the demo's senders are told which.
    """
    host, _ = sockets.split_address(settings.console.listen, "console.listen")
    address = settings.console.listen if port is None else f"{host}:{port}"
    opened = {"console": sockets.listen("tcp", address, "--port" if port is not None else "console.listen")}
    faults: list[Problem] = []
    for name, kind in (("syslog_udp", "udp"), ("syslog_tcp", "tcp")):
        wanted = getattr(settings.collect, name)
        if not wanted:
            continue
        try:
            opened[name] = sockets.listen(kind, wanted, f"collect.{name}")
        except UserError as error:
            faults += error.problems
            if anywhere:
                opened[name] = sockets.listen(kind, f"{sockets.split_address(wanted, name)[0]}:0", f"collect.{name}")
    return opened, faults


def build(place: Place, settings: Settings, port: int | None, config: Path | None, more: MoreRecipes) -> Supervisor:
    """Sockets and children of one folder; nothing runs yet."""
    opened, faults = open_sockets(settings, port, anywhere=place.demo)
    numbers = {name: one.fileno() for name, one in opened.items()}
    for one in opened.values():
        one.set_inheritable(True)
    base = ("--data", str(place.data), *(("--config", str(config)) if config else ()))
    syslog = {name: number for name, number in numbers.items() if name.startswith("syslog")}
    recipes = [
        Recipe(name="work", arguments=("yunwang", "work", *base), demo=place.demo),
        Recipe(
            name="serve",
            arguments=("yunwang", "serve", *base),
            sockets={"console": numbers["console"]},
            demo=place.demo,
        ),
        Recipe(name="collect", arguments=("yunwang", "collect", "run", *base), sockets=syslog, demo=place.demo),
        *more(opened),
    ]
    children = [Child(one, place.run / f"{one.name}.log") for one in recipes]
    url = sockets.url_of(opened["console"], tls=bool(settings.console.tls_certificate))
    return Supervisor(place, children, url, faults, opened)
