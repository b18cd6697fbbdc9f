"""The live segment's file: space allocated ahead, a batch written whole or not at all, cut to size at the end."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

MIB = 1024 * 1024


class LiveFile:
    """One open segment file; ``size`` is the byte behind its last whole frame, what follows is zeros."""

    def __init__(self, path: Path, size: int, *, reserve_bytes: int) -> None:
        self.size = size
        self._allocated = size
        self._reserve = reserve_bytes
        self._file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        self._dirty = False
        self._syncing = threading.Lock()

    def write(self, data: bytes) -> None:
        """Add frames; OSError if there is no room, and then not a byte of them stays."""
        if self.size + len(data) > self._allocated:
            self._allocate(len(data))
        try:
            if os.pwrite(self._file, data, self.size) < len(data):
                raise _no_space()
        except OSError:
            os.ftruncate(self._file, self.size)  # a part of it must not stay behind the next, shorter batch
            self._allocated = self.size
            raise
        self.size += len(data)
        self._dirty = True

    def _allocate(self, needed: int) -> None:
        """Take space ahead in steps of 1 MiB: a batch is refused before a reader can have seen a part of it."""
        wanted = max(self.size + needed - self._allocated, MIB)
        free = os.fstatvfs(self._file)
        if free.f_bavail * free.f_frsize < wanted + self._reserve:
            raise _no_space()
        os.posix_fallocate(self._file, self._allocated, wanted)
        self._allocated += wanted

    def sync(self) -> None:
        """Return when everything written so far survives a loss of power; any thread may call it."""
        with self._syncing:
            if self._dirty and self._file >= 0:
                self._dirty = False
                os.fdatasync(self._file)

    def trim(self) -> None:
        """Give back what was allocated ahead and sync."""
        os.ftruncate(self._file, self.size)
        self._allocated = self.size
        os.fsync(self._file)

    def close(self) -> None:
        """Close the file."""
        with self._syncing:
            os.close(self._file)
            self._file = -1


def _no_space() -> OSError:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
