"""Where a segment's bytes come from: the file as it grows, or the sealed bundle, unpacked in memory."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol, Self


class Source(Protocol):
    """Bytes of one segment, its header included."""

    def read(self, size: int, at: int) -> bytes:
        """At most ``size`` bytes from ``at`` on; fewer only at the end."""
        ...

    def close(self) -> None: ...


class FileSource:
    """A segment file, live or closed."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def read(self, size: int, at: int) -> bytes:
        return os.pread(self._file, size, at)

    def close(self) -> None:
        os.close(self._file)


class MemorySource:
    """A sealed segment."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    @classmethod
    def of_bundle(cls, bundle: Path) -> Self:
        """Unpack a bundle; its signature is not checked here, ``yw verify`` does that."""
        from storage.sealing import unpack  # noqa: PLC0415 - zstd and crypto only where something is sealed

        return cls(unpack(bundle))

    def read(self, size: int, at: int) -> bytes:
        return self._data[at : at + size]

    def close(self) -> None:
        self._data = b""
