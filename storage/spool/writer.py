"""The writer of one partition. Only one process at a time; every other one is refused."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from crypto.chain import GENESIS
from records.instants import now
from records.spool import Entry
from storage.spool.framing import HEADER_BYTES, Encoder, Header
from storage.spool.live import MIB, LiveFile
from storage.spool.segments import (
    GAP,
    Repair,
    Tail,
    list_segments,
    read_header,
    segment_name,
    sync_folder,
    write_whole,
)
from storage.spool.tail import CLEAN, boot_id, cut_tail, find_tail, lock_partition, unlock, write_clean
from storage.unavailable import UnavailableError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class SpoolFullError(UnavailableError):
    """The disk has no room; nothing of the batch was kept. The same call works again once there is room."""


class SpoolWriter:
    """Appends entries to ``FOLDER/PARTITION/``.

    What ``append`` returned survives kill -9 of the process at once, and a loss of power after at most
    ``fsync_seconds`` (0: before ``append`` returns). Space is allocated ahead, so a full disk refuses a batch whole.
    Safe for several threads.

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
        self._end, self._head = 0, GENESIS
        self._appending = threading.Lock()
        self._closed = threading.Event()
        self._failure: OSError | None = None
        try:
            self._lock = lock_partition(self._folder)
        except OSError as error:
            raise self._unwritable(error) from error
        try:
            self._open()
        except BaseException as error:
            unlock(self._lock)
            if isinstance(error, OSError):
                raise self._refusal(error) from error
            raise
        self._keeper = threading.Thread(target=self._keep_synced, name=f"spool-sync-{partition}", daemon=True)
        if fsync_seconds > 0:
            self._keeper.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
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
            ValueError: An entry has a naive instant, or a name or payload longer than the format holds.
        """
        with self._appending:
            if self._closed.is_set():
                raise ValueError("the spool writer is closed")
            self._tell_failure()
            first = self._end
            if entries:
                data, head = self._encoder.encode(entries, self._head)
                self._write(data)
                self._end, self._head = first + len(entries), head
        if self._fsync_seconds <= 0:
            self.sync()
        return range(first, first + len(entries))

    def sync(self) -> None:
        """Return when everything appended so far survives a loss of power."""
        try:
            self._live.sync()
        except OSError as error:
            self._failure = error
            self._tell_failure()

    def roll(self) -> None:
        """Close the live segment now and begin a new one, if it holds any entry: what is closed can be sealed."""
        with self._appending:
            if self._live.size > HEADER_BYTES:
                try:
                    self._roll()
                except OSError as error:
                    raise self._refusal(error) from error

    def close(self) -> None:
        """Sync, give back space that was allocated ahead, mark the clean end, let the next writer in."""
        with self._appending:
            if self._closed.is_set():
                return
            self._closed.set()
        if self._keeper.ident is not None:
            self._keeper.join()
        try:
            self._live.trim()
            self._live.close()
            if self._failure is None:
                tail = Tail(end=self._end, head=self._head, size=self._live.size, clean=True)
                write_clean(self._folder, self._base, tail)
        except OSError as error:
            raise self._refusal(error) from error
        finally:
            unlock(self._lock)

    def _open(self) -> None:
        for left in self._folder.glob("*.tmp"):
            left.unlink()
        segments = list_segments(self._folder)
        if not segments or segments[-1].sealed:
            tail = sealed_tail(segments[-1].path) if segments else Tail(end=0, head=GENESIS, size=0, clean=True)
            self._end, self._head = tail.end, tail.head
            self._live, self._base = self._begin()
            return
        path = segments[-1].path
        header = read_header(path)
        tail = find_tail(path, header, boot_id())
        (self._folder / CLEAN).unlink(missing_ok=True)
        self.repaired = cut_tail(path, tail)
        sync_folder(self._folder)
        self._end, self._head = tail.end, tail.head
        if tail.clean:
            self._live, self._base = self._continue(path, header, tail.size), header.base
        else:
            self._end += GAP  # readers may have seen ordinals that are gone: they are never given again
            self._live, self._base = self._begin()

    def _continue(self, path: Path, header: Header, size: int) -> LiveFile:
        self._until = header.created / 1e6 + self._segment_seconds
        return LiveFile(path, size, reserve_bytes=self._reserve)

    def _begin(self) -> tuple[LiveFile, int]:
        created = int(self._clock().timestamp() * 1e6)
        header = Header(base=self._end, created=created, boot=boot_id(), head=self._head)
        path = self._folder / segment_name(header.base)
        write_whole(path, header.encode())
        return self._continue(path, header, HEADER_BYTES), header.base

    def _roll(self) -> None:
        self._live.trim()
        old = self._live
        self._live, self._base = self._begin()
        old.close()

    def _write(self, data: bytes) -> None:
        full = self._live.size + len(data) > self._segment_bytes or self._clock().timestamp() >= self._until
        try:
            if full and self._live.size > HEADER_BYTES:
                self._roll()
            self._live.write(data)
        except OSError as error:
            raise self._refusal(error) from error

    def _keep_synced(self) -> None:
        while not self._closed.wait(self._fsync_seconds):
            try:
                self._live.sync()
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

    def _refusal(self, error: OSError) -> UnavailableError:
        if error.errno not in _FULL:
            return self._unwritable(error)
        return SpoolFullError(
            "no room for the spool: {reason}",
            "free space on this file system ({reserve} MiB are kept in reserve); collecting goes on by itself",
            where=str(self._folder),
            reason=error.strerror,
            reserve=self._reserve // MIB,
        )

    def _unwritable(self, error: OSError) -> UnavailableError:
        return UnavailableError(
            "cannot write the spool: {reason}",
            "give this account the right to write there, or choose another data folder with --data DIR",
            where=str(self._folder),
            reason=error.strerror or str(error),
        )


def sealed_tail(bundle: Path) -> Tail:
    """Where a partition whose last segment is sealed goes on."""
    from storage.sealing import read_chain  # noqa: PLC0415 - sealing needs zstd and bundles, plain appending does not

    chain = read_chain(bundle)
    return Tail(end=chain.end, head=chain.head, size=0, clean=True)
