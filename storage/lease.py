"""The worker's lease: only one process judges. The kernel gives it back when the process ends, however it ends."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from records.errors import UserError
from storage.unavailable import UnavailableError

NAME = "work.lock"
_PATIENCE_SECONDS = 1.0  # somebody may just be asking who holds it


class WorkLease:
    """Holds the lease of one data folder while the block runs; UserError naming the holder's pid if there is one."""

    def __init__(self, run_folder: Path) -> None:
        self._path = run_folder / NAME
        self._file = -1

    def __enter__(self) -> Self:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            advice = "give this account the right to write there, or choose another data folder with --data DIR"
            raise UnavailableError(
                "cannot take the worker's lease: {reason}", advice, where=str(self._path), reason=error.strerror
            ) from error
        if not self._take():
            pid = _read_pid(self._file)
            os.close(self._file)
            raise UserError(
                "a worker is at work already: process {pid}",
                "end it first, or let it go on",
                where=str(self._path),
                pid=pid,
            )
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, str(os.getpid()).encode(), 0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)

    def _take(self) -> bool:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not _lock(self._file, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True


def held_by(run_folder: Path) -> int | None:
    """Pid of the process that holds the lease; None if nobody does."""
    try:
        file = os.open(run_folder / NAME, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        return None if _lock(file, fcntl.LOCK_SH) else _read_pid(file)
    finally:
        os.close(file)


def _lock(file: int, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read_pid(file: int) -> int:
    """The pid in the file; 0 in the instant before the holder has written it."""
    text = os.pread(file, 32, 0)
    return int(text) if text.isdigit() else 0
