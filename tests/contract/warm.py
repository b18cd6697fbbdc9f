"""The CLI without its second of imports: a process that has them forks for every call (``python -m tests.contract.warm``).

A call still is a process of its own with its own environment, standard streams and exit code, and enters the product
where ``python -m yunwang`` does. What is about that entrance, terminals or signals is tested on cold calls.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import traceback
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.running import ROOT, Platform

HEAVY = (
    "sqlalchemy", "alembic.command", "pyarrow.csv", "pyarrow.parquet", "pyarrow.compute", "duckdb", "numpy", "pydantic",
    "typer.main", "cryptography.x509", "asn1crypto.core", "openpyxl", "typst", "xlsxwriter", "sigma.collection",
    "yaml", "yunwang.wiring", "storage.migrate", "storage.embedded", "cloud_metering.books", "collectors.tables",
    "soc.consumer", "soc.views", "soc.detect", "link_health.consumer", "crypto.selftest",
)  # fmt: skip
STREAMS = ("stdin", "stdout", "stderr")


def serve() -> None:
    """Answer requests, one a line, until stdin ends."""
    for name in HEAVY:
        try:
            __import__(name)
        except ImportError:
            continue  # a call that needs it will say so
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            _answer(request)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        sys.stdout.write(f"{code}\n")
        sys.stdout.flush()


def _answer(request: dict[str, Any]) -> None:
    """Be the call; never returns."""
    code = 1
    try:
        for number, name in enumerate(STREAMS):
            flags = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_APPEND
            os.dup2(os.open(Path(request["folder"]) / name, flags), number)
        sys.stdin, sys.stdout, sys.stderr = (os.fdopen(number, "r" if number == 0 else "w") for number in range(3))
        os.environ.clear()
        os.environ.update(request["environment"])
        code = _main(request["arguments"])
    except BaseException:  # noqa: BLE001 - as the interpreter does
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _main(arguments: list[str]) -> int:
    from yunwang.cli import main  # noqa: PLC0415 - in the child, as a call does

    try:
        return main(arguments)
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else int(error.code is not None)


class Server(AbstractContextManager["Server"]):
    """The process that forks; one at a time asks it."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.contract.warm"]
        plain = {name: value for name, value in os.environ.items() if not name.startswith("YW_")} | {"LANG": "C.UTF-8"}
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=plain, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def call(self, arguments: tuple[str, ...], environment: dict[str, str], stdin: str) -> Any:
        """The finished call, as ``subprocess.run`` gives it."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            for stream in STREAMS:
                (folder / stream).write_text(stdin if stream == "stdin" else "", "utf-8")
            request = {"arguments": arguments, "environment": environment, "folder": name}
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            code = int(self.process.stdout.readline())
            out, err = ((folder / stream).read_text("utf-8") for stream in STREAMS[1:])
        return subprocess.CompletedProcess(arguments, code, out, err)

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(10)


@dataclass
class WarmPlatform(Platform):
    """A platform whose calls are forked."""

    server: Server = field(kw_only=True)

    def run(
        self, *arguments: str, stdin: str = "", more: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """One call; output as text, any exit code."""
        done: subprocess.CompletedProcess[str] = self.server.call(arguments, self.environment | (more or {}), stdin)
        return done


if __name__ == "__main__":
    serve()
