"""The writer of one partition. Only one process at a time; every other one is refused."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from records.errors import UserError
from records.instants import now
from records.spool import Entry
from storage.spool.chain import ZERO_HEAD
from storage.spool.framing import HEADER_BYTES, Encoder, Header
from storage.spool.segments import (
    CLEAN,
    GAP,
    Repair,
    Tail,
    boot_id,
    cut_tail,
    find_tail,
    list_segments,
    read_header,
    segment_name,
    sync_folder,
    write_clean,
)
from storage.unavailable import UnavailableError

MIB = 1024 * 1024
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class SpoolFullError(UnavailableError):
    """The disk has no room; nothing of the batch was kept. The same call works again once there is room."""


class SpoolWriter:
    """Appends entries to ``FOLDER/PARTITION/``.

    What ``append`` returned survives kill -9 of the process at once, and a loss of power after at most ``fsync_seconds``
    (0: before ``append`` returns). Space is allocated ahead, so a full disk refuses a batch whole. Safe for several threads.

    Args:
        folder: The spool.
        partition: Name of the partition's folder, one a writing process.
        fsync_seconds: How long written data may wait for fsync.
        segment_bytes: A segment that would grow beyond this is closed.
        segment_seconds: So is one that is older.
        reserve_bytes: Space left on the file system for the databases, so that what waits can still be worked off.
        clock: Wall clock, aware UTC.

    Attributes:
        repaired: What had to be cut from the last segment on opening, if anything.
    """

    def __init__(
        self,
        folder: Path,
        partition: str,
        *,
        fsync_seconds: float = 1.0,
        segment_bytes: int = 64 * MIB,
        segment_seconds: float = 86_400,
        reserve_bytes: int = 64 * MIB,
        clock: Callable[[], datetime] = now,
    ) -> None:
        if not partition or "/" in partition or partition.startswith("."):
            raise ValueError(f"not a partition name: {partition!r}")
        self.partition = partition
        self.repaired: Repair | None = None
        self._folder = folder / partition
        self._fsync_seconds, self._clock = fsync_seconds, clock
        self._segment_bytes, self._segment_seconds, self._reserve = segment_bytes, segment_seconds, reserve_bytes
        self._encoder = Encoder()
        self._append_lock, self._sync_lock = threading.Lock(), threading.Lock()
        self._dirty, self._closed = False, threading.Event()
        self._failure: OSError | None = None
        try:
            self._lock = _lock(self._folder)
        except OSError as error:
            raise _unwritable(self._folder, error) from error
        try:
            self._open_last()
        except OSError as error:
            os.close(self._lock)
            raise _unwritable(self._folder, error) from error
        except BaseException:
            os.close(self._lock)
            raise
        self._keeper = threading.Thread(target=self._keep_synced, name=f"spool-sync-{partition}", daemon=True)
        if fsync_seconds > 0:
            self._keeper.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @property
    def end(self) -> int:
        """Ordinal that the next entry gets."""
        return self._end

    def append(self, entries: Sequence[Entry]) -> range:
        """Keep all entries, in order, or none; returns their ordinals.

        Raises:
            SpoolFullError: No room.
            UnavailableError: The device failed; now, or at the last fsync.
        """
        with self._append_lock:
            if self._closed.is_set():
                raise ValueError("the spool writer is closed")
            self._tell_failure()
            if not entries:
                return range(self._end, self._end)
            data, head = self._encoder.encode(entries, self._head)
            try:
                self._write(data)
            except OSError as error:
                raise self._refusal(error) from error
            first, self._end, self._head = self._end, self._end + len(entries), head
            self._dirty = True
        if self._fsync_seconds <= 0:
            self.sync()
        return range(first, first + len(entries))

    def sync(self) -> None:
        """Return when everything appended so far survives a loss of power."""
        with self._sync_lock:
            if self._dirty:
                self._dirty = False
                os.fdatasync(self._file)

    def roll(self) -> None:
        """Close the live segment now and begin a new one, if it holds any entry: what is closed can be sealed."""
        with self._append_lock:
            if self._size > HEADER_BYTES:
                self._roll(self._end)

    def close(self) -> None:
        """Sync, give back space that was allocated ahead, mark the clean end, let the next writer in."""
        with self._append_lock:
            if self._closed.is_set():
                return
            self._closed.set()
        if self._keeper.ident is not None:
            self._keeper.join()
        try:
            with self._sync_lock:
                os.ftruncate(self._file, self._size)
                os.fsync(self._file)
                os.close(self._file)
            tail = Tail(end=self._end, head=self._head, size=self._size, clean=True)
            if self._failure is None:
                write_clean(self._folder, self._base, tail)
        except OSError as error:
            raise _unwritable(self._folder, error) from error
        finally:
            os.close(self._lock)

    def _open_last(self) -> None:
        for left in self._folder.glob("*.tmp"):
            left.unlink()
        segments = list_segments(self._folder)
        if not segments or segments[-1].sealed:
            tail = sealed_tail(segments[-1].path) if segments else Tail(end=0, head=ZERO_HEAD, size=0, clean=True)
            self._end, self._head = tail.end, tail.head
            self._begin(tail.end)
            return
        path = segments[-1].path
        header = read_header(path)
        tail = find_tail(path, header, boot_id())
        self._end, self._head = tail.end, tail.head
        (self._folder / CLEAN).unlink(missing_ok=True)
        self.repaired = cut_tail(path, tail)
        sync_folder(self._folder)
        if tail.clean:
            self._continue(path, header, tail.size)
        else:  # readers may have seen ordinals that are gone: they are never given again
            self._end += GAP
            self._begin(self._end)

    def _continue(self, path: Path, header: Header, size: int) -> None:
        self._file = os.open(path, os.O_RDWR)
        self._base, self._size, self._allocated = header.base, size, size
        self._until = header.created / 1e6 + self._segment_seconds

    def _begin(self, base: int) -> None:
        created = self._clock()
        header = Header(base=base, created=int(created.timestamp() * 1e6), boot=boot_id(), head=self._head)
        path = self._folder / segment_name(base)
        waiting = path.with_suffix(".tmp")
        with waiting.open("wb") as file:
            file.write(header.encode())
            file.flush()
            os.fsync(file.fileno())
        waiting.rename(path)
        sync_folder(self._folder)
        self._continue(path, header, HEADER_BYTES)

    def _roll(self, base: int) -> None:
        with self._sync_lock:
            os.ftruncate(self._file, self._size)
            self._allocated = self._size
            os.fsync(self._file)
            old = self._file
            self._begin(base)
            os.close(old)
            self._dirty = False

    def _write(self, data: bytes) -> None:
        full = self._size + len(data) > self._segment_bytes or self._clock().timestamp() >= self._until
        if full and self._size > HEADER_BYTES:
            self._roll(self._end)
        if self._size + len(data) > self._allocated:
            self._allocate(len(data))
        try:
            written = os.pwrite(self._file, data, self._size)
            if written < len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            os.ftruncate(self._file, self._size)  # what was written of it must not stay behind the next, shorter batch
            self._allocated = self._size
            raise
        self._size += len(data)

    def _allocate(self, needed: int) -> None:
        """Take space ahead in steps of 1 MiB: a batch then fits wholly or is refused before a byte of it is visible."""
        wanted = max(needed - (self._allocated - self._size), MIB)
        state = os.fstatvfs(self._file)
        if state.f_bavail * state.f_frsize < wanted + self._reserve:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        try:
            os.posix_fallocate(self._file, self._allocated, wanted)
        except OSError:
            os.ftruncate(self._file, self._allocated)
            raise
        self._allocated += wanted

    def _keep_synced(self) -> None:
        while not self._closed.wait(self._fsync_seconds):
            try:
                self.sync()
            except OSError as error:
                self._failure = error  # told to the next append: the kernel may have dropped the pages

    def _tell_failure(self) -> None:
        if self._failure is not None:
            raise UnavailableError(
                "the disk did not keep what was written to the spool: {reason}",
                "look at the device and its log (dmesg), then start the process again",
                where=str(self._folder),
                reason=self._failure.strerror,
            )

    def _refusal(self, error: OSError) -> UserError:
        if error.errno in _FULL:
            return SpoolFullError(
                "no room for the spool: {reason}",
                "free space on this file system ({reserve} MiB are kept in reserve); collecting goes on by itself",
                where=str(self._folder),
                reason=error.strerror,
                reserve=self._reserve // MIB,
            )
        return _unwritable(self._folder, error)


def sealed_tail(bundle: Path) -> Tail:
    """Where a partition whose last segment is sealed goes on."""
    from storage.sealing import read_chain  # noqa: PLC0415 - sealing needs the crypto package, plain appending does not

    chain = read_chain(bundle)
    return Tail(end=chain.end, head=bytes.fromhex(chain.head), size=0, clean=True)


def _lock(folder: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        with contextlib.suppress(OSError, ValueError):
            holder = int(os.pread(descriptor, 32, 0))
        os.close(descriptor)
        raise UserError(
            "partition {partition} of the spool is being written by process {pid}",
            "end that process first, or give this one a partition of its own",
            where=str(folder),
            partition=folder.name,
            pid=locals().get("holder", "?"),
        ) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    return descriptor


def _unwritable(folder: Path, error: OSError) -> UnavailableError:
    return UnavailableError(
        "cannot write the spool: {reason}",
        "give this account the right to write there, or choose another data folder with --data DIR",
        where=str(folder),
        reason=error.strerror or str(error),
    )
