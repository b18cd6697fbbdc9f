"""A platform of one's own, driven as a user would: through the real CLI, on free ports, ended by pid."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]


def missing_peer(reason: str) -> None:
    """Skip aloud; fail under YW_REQUIRE=all."""
    if os.environ.get("YW_REQUIRE") == "all":
        pytest.fail(reason)
    pytest.skip(reason)


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    """A port of loopback that nobody listens on now."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(true: Callable[[], Any], seconds: float, what: str, step: float = 0.1) -> Any:
    """Poll until the answer is truthy and return it; fail with ``what`` after ``seconds``."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = true()
        if found:
            return found
        time.sleep(step)
    pytest.fail(f"not within {seconds} s: {what}")


@dataclass
class Platform:
    """One data folder, driven through ``python -m yunwang`` as a user would."""

    data: Path
    syslog: int = field(default_factory=free_port)
    console: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        hidden = {name for name in os.environ if name.startswith("YW_") and name != "YW_REQUIRE"}
        kept = {name: value for name, value in os.environ.items() if name not in hidden}
        home = self.data.parent / "home"
        home.mkdir(exist_ok=True)
        secret = self.data.parent / "passphrase"
        if not secret.exists():
            secret.write_text("correct horse battery staple")
            secret.chmod(0o600)
        return kept | {
            "HOME": str(home),
            "YW_DATA": str(self.data),
            "LANG": "C.UTF-8",
            "YW_PASSPHRASE_FILE": str(secret),
        }

    def configure(self, text: str = "") -> None:
        """Write ``yunwang.toml`` with ports of our own."""
        self.data.mkdir(parents=True, exist_ok=True)
        listeners = f'[collect]\nsyslog_udp = "127.0.0.1:{self.syslog}"\nsyslog_tcp = "127.0.0.1:{self.syslog}"\n'
        (self.data / "yunwang.toml").write_text(listeners + text)

    def run(
        self, *arguments: str, stdin: str = "", more: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """One call; output as text, any exit code."""
        return subprocess.run(
            [sys.executable, "-m", "yunwang", *arguments],
            cwd=ROOT,
            env=self.environment | (more or {}),
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def json(self, *arguments: str, code: int = 0, stdin: str = "") -> Any:
        """One call's JSON; the exit code must be the expected one."""
        done = self.run(*arguments, "-o", "json", stdin=stdin)
        assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return json.loads(done.stdout)

    def up(self, *arguments: str, seconds: float = 60.0) -> str:
        """Start ``yw up`` and wait for its console; returns the URL."""
        log = self.data.parent / "up.log"
        with log.open("wb") as stream:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "yunwang", "up", "--port", str(self.console), *arguments],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

        def url() -> str | None:
            if self.process is not None and self.process.poll() is not None:
                pytest.fail(f"yw up ended with {self.process.returncode}:\n{log.read_text()}")
            lines = log.read_text().splitlines()
            return next((line.removeprefix("console: ") for line in lines if line.startswith("console: ")), None)

        return str(wait_until(url, seconds, f"console: URL; {log.read_text()}"))

    def pid(self, name: str) -> int | None:
        """The process id of one process, as ``yw status`` tells it."""
        rows = self.json("status")["processes"]
        return next((row["pid"] for row in rows if row["name"] == name), None)

    def stop(self) -> int:
        """SIGTERM, wait, return the exit code; whatever is left is killed."""
        if self.process is None:
            return 0
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            raise
        finally:
            self.process = None
