"""A foreign implementation: where it is, which version, and its operations; what it does not offer it has no method for.

Keys go in as ours (``PrivateKey``, ``PublicKey``) and are handed over in the file form that the peer reads; everything
else is bytes. An operation that the peer refuses raises ``RefusedError``.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from crypto.keys import keyfile
from crypto.sm2 import PrivateKey, PublicKey
from tests.running import ROOT

BUILD = ROOT / "tests" / "peers" / "build.sh"
SECONDS = 120


class RefusedError(Exception):
    """The peer says no: invalid, unreadable, not offered."""


class MissingError(Exception):
    """The peer is not on this machine; the text tells how to get it."""


@dataclass(frozen=True, slots=True)
class Chain:
    """Certificates in PEM, one a file, and the leaf's key where it is ours to use."""

    anchor: bytes
    between: tuple[bytes, ...]
    leaf: bytes
    key: bytes = b""


@dataclass(frozen=True, slots=True)
class Ends:
    """What a peer needs for its end of a channel: key, chain without the anchor, anchor, both PEM."""

    key: PrivateKey
    chain: bytes
    anchor: bytes


@contextmanager
def ended(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is killed and reaped at the end, whatever happened."""
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def line_with(process: subprocess.Popen[bytes], word: bytes) -> bytes:
    """The first line of its output that holds the word."""
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if word in line:
            return line
    raise RefusedError(b"".join(said).decode(errors="replace"))


def talk(process: subprocess.Popen[bytes], line: bytes, until: bytes = b"") -> bytes:
    """Say a line; all that is said until the process ends, or the line with ``until``."""
    with ended(process):
        assert process.stdin is not None
        process.stdin.write(line)
        process.stdin.flush()
        if until:
            return line_with(process, until)
        told, _ = process.communicate(timeout=SECONDS)
        if process.returncode:
            raise RefusedError(told.decode(errors="replace"))
        return told


def listens(port: int) -> bool:
    """Whether somebody listens there; looks at the system's table, for a connection would be a handshake begun."""
    wanted = f":{port:04X} 00000000:0000 0A"
    return wanted in Path("/proc/net/tcp").read_text()


class Peer:
    """One foreign implementation.

    Attributes:
        name: As in the ids of tests, and for ``build.sh``.
        title: With version, as the matrix heads its column.
    """

    name: ClassVar[str]
    title: ClassVar[str]

    def __init__(self, work: Path) -> None:
        self.work = work
        self._files = 0

    @classmethod
    def find(cls) -> None:
        """Raises MissingError if it is not here, or not the version of ``title``."""

    def asks_of_us(self) -> dict[str, str]:
        """Environment that our end of a channel needs to meet this peer."""
        return {}

    def file(self, data: bytes = b"", suffix: str = "") -> str:
        """A new file in the peer's folder."""
        self._files += 1
        path = self.work / f"{self._files}{suffix}"
        path.write_bytes(data)
        return str(path)

    def read(self, name: str) -> bytes:
        return Path(name).read_bytes()

    def private(self, key: PrivateKey) -> str:
        """A plain PKCS#8 file."""
        return self.file(keyfile.private_key_pem(key, None), ".key")

    def public(self, key: PublicKey) -> str:
        return self.file(keyfile.public_key_pem(key), ".pub")


class Program(Peer):
    """A peer that is a command."""

    def command(self) -> Sequence[str]:
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        return {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}

    def start(self, *arguments: str, command: Sequence[str] = ()) -> subprocess.Popen[bytes]:
        """A server or client of its own, stdin and stdout ours; the caller ends it."""
        return subprocess.Popen(
            [*(command or self.command()), *arguments],
            cwd=self.work,
            env=self.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def run(self, *arguments: str, errors: bool = False) -> bytes:
        """One call; its standard output, with ``errors`` also what it says on the side, or RefusedError."""
        done = subprocess.run(
            [*self.command(), *arguments],
            cwd=self.work,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=SECONDS,
        )
        if done.returncode:
            raise RefusedError(
                f"{self.name} {' '.join(arguments)}: {(done.stdout + done.stderr).decode(errors='replace')}"
            )
        return done.stdout + (done.stderr if errors else b"")


class Built(Program):
    """A peer that ``build.sh`` builds."""

    @classmethod
    def folder(cls) -> Path:
        where = subprocess.run([BUILD, "--where", cls.name], capture_output=True, text=True, check=True)
        return Path(where.stdout.strip())

    @classmethod
    def find(cls) -> None:
        if not (cls.folder() / "version").exists():
            raise MissingError(f"{cls.title} is not built; build it: tests/peers/build.sh {cls.name}")
