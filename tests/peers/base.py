"""A foreign implementation: where it is, which version, and its operations; what it does not offer it has no method for.

Keys go in as ours (``PrivateKey``, ``PublicKey``) and are handed over in the file form that the peer reads; everything
else is bytes. An operation that the peer refuses raises ``Refused``.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from crypto.keys import keyfile
from crypto.sm2 import PrivateKey, PublicKey
from tests.running import ROOT

BUILD = ROOT / "tests" / "peers" / "build.sh"
SECONDS = 120


class Refused(Exception):
    """The peer says no: invalid, unreadable, not offered."""


class Missing(Exception):
    """The peer is not on this machine; the text tells how to get it."""


@dataclass(frozen=True, slots=True)
class Chain:
    """Certificates in PEM, one a file, and the leaf's key where it is ours to use."""

    anchor: bytes
    between: tuple[bytes, ...]
    leaf: bytes
    key: bytes = b""


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
        """Raises Missing if it is not here, or not the version of ``title``."""

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

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """A server or client of its own, stdin and stdout ours; the caller ends it."""
        return subprocess.Popen(
            [*self.command(), *arguments],
            cwd=self.work,
            env=self.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def run(self, *arguments: str) -> bytes:
        """One call; its standard output, or Refused."""
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
            raise Refused(f"{self.name} {' '.join(arguments)}: {(done.stdout + done.stderr).decode(errors='replace')}")
        return done.stdout


class Built(Program):
    """A peer that ``build.sh`` builds."""

    @classmethod
    def folder(cls) -> Path:
        where = subprocess.run([BUILD, "--where", cls.name], capture_output=True, text=True, check=True)
        return Path(where.stdout.strip())

    @classmethod
    def find(cls) -> None:
        if not (cls.folder() / "version").exists():
            raise Missing(f"{cls.title} is not built; build it: tests/peers/build.sh {cls.name}")
