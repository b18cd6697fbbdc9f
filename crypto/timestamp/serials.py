"""Serial numbers that are never given twice: not after a kill, not by two processes, not after an old backup.

A block is reserved on disk before its first number is used; what a killed process did not use is lost, never repeated.
A block never starts below the clock in microseconds, so a file restored from a backup gives no old number either.
"""

from __future__ import annotations

import fcntl
import json
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from crypto.errors import CryptoError
from crypto.keys.files import private_folder, write_atomic
from records.instants import microseconds, now


class Serials:
    """Numbers in order, for the threads of this process; others may share the file."""

    def __init__(self, file: Path, *, block: int = 1000, clock: Callable[[], datetime] = now) -> None:
        self._file = file
        self._block = block
        self._clock = clock
        self._lock = threading.Lock()
        self._next = self._end = 0

    def take(self) -> int:
        """The next number; raises CryptoError if the file is damaged."""
        with self._lock:
            if self._next == self._end:
                self._next = self._reserve()
                self._end = self._next + self._block
            self._next += 1
            return self._next - 1

    def _reserve(self) -> int:
        """The first number of a block that is durably ours."""
        private_folder(self._file.parent)
        with self._file.with_suffix(".lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            first = max(self._stored(), microseconds(self._clock()))
            write_atomic(self._file, json.dumps({"next": first + self._block}).encode())
        return first

    def _stored(self) -> int:
        text = b'{"next": 1}'
        with suppress(FileNotFoundError):
            text = self._file.read_bytes()
        try:
            found = json.loads(text)["next"]
        except (ValueError, TypeError, LookupError):
            found = None
        if not isinstance(found, int) or found < 1:
            raise CryptoError(
                "the file of serial numbers is damaged",
                "move it away: the clock keeps new numbers above the old ones",
                where=str(self._file),
            )
        return found
