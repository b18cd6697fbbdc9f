"""Reading a spool, also while other processes append to it. A reader holds no lock and changes nothing."""

from __future__ import annotations

import os
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path

from records.errors import UserError
from records.spool import Entry, Kind, Position
from storage.spool.framing import Decoder, claimed_end, frame_end
from storage.spool.segments import GAP, Segment
from storage.spool.shelf import Shelf
from storage.spool.source import Source

SCAN_BYTES = 16 * 1024 * 1024
_LEAST_WINDOW, _MOST_WINDOW = 64 * 1024, 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """Entries found, and where the next scan begins: behind the last entry that was looked at, wanted or not."""

    entries: list[tuple[Position, Entry]]
    next: int


class SpoolCorruptError(UserError):
    """A closed segment holds bytes that are no entry.

    Attributes:
        position: Partition and ordinal of the damaged entry.
        resume: The next ordinal that can be read.
        raw: The damaged bytes.
    """

    def __init__(self, segment: Path, position: Position, resume: int, raw: bytes) -> None:
        super().__init__(
            "entry {ordinal} of spool segment {segment} is damaged",
            "restore the segment from a backup; reading goes on behind it, the damaged bytes are in quarantine",
            where=str(segment),
            ordinal=position.offset,
            segment=segment.name,
        )
        self.position, self.resume, self.raw = position, resume, raw


class SpoolReader:
    """Reads all partitions of a spool folder. Not for several threads at once: a reader is cheap, give each its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._shelves: dict[str, Shelf] = {}
        self._decoder = Decoder()

    def partitions(self) -> list[str]:
        """Names of the partitions that hold a segment."""
        try:
            names = sorted(
                entry.name for entry in os.scandir(self._folder) if entry.is_dir() and not entry.name.startswith(".")
            )
        except FileNotFoundError:
            return []
        return [name for name in names if self._shelf(name).segments]

    def read(
        self, partition: str, offset: int, limit: int, kinds: Container[Kind] | None = None
    ) -> list[tuple[Position, Entry]]:
        """At most ``limit`` entries of these kinds from ordinal ``offset`` on; fewer only at the end.

        Raises:
            SpoolCorruptError: The first entry to return is damaged.
        """
        found: list[tuple[Position, Entry]] = []
        while len(found) < limit:
            scan = self.scan(partition, offset, limit - len(found), kinds)
            if scan.next == offset:
                break
            found += scan.entries
            offset = scan.next
        return found

    def scan(self, partition: str, offset: int, limit: int, kinds: Container[Kind] | None = None) -> Scan:
        """Like ``read``, but looks at about 16 MiB at most and tells how far it came."""
        shelf = self._shelf(partition)
        found: list[tuple[Position, Entry]] = []
        budget = SCAN_BYTES
        while len(found) < limit and budget > 0:
            segment = shelf.holding(offset)
            if segment is None:
                break
            try:
                some, onward, looked = self._scan_segment(shelf, segment, offset, limit - len(found), kinds)
            except SpoolCorruptError:
                if found:
                    break
                raise
            except FileNotFoundError:  # it became a bundle after it was listed
                shelf.close()
                shelf.refresh()
                continue
            found += some
            budget -= looked
            if onward == offset and shelf.holding(offset) == segment:
                break
            offset = onward
        return Scan(entries=found, next=offset)

    def end(self, partition: str) -> int:
        """Ordinal that the next entry gets: the count of whole entries, but for gaps after a loss of power."""
        shelf = self._shelf(partition)
        shelf.refresh()
        return self._segment_end(shelf, shelf.segments[-1]) if shelf.segments else 0

    def waiting(self, partition: str, offset: int) -> int:
        """How many entries stand at or behind ``offset``."""
        shelf = self._shelf(partition)
        shelf.refresh()
        total = 0
        for segment in shelf.segments:
            after = shelf.after(segment)
            if after is not None and after.base <= offset:
                continue
            joined = after is not None and after.base - segment.base < GAP
            end = after.base if after is not None and joined else self._segment_end(shelf, segment)
            total += max(end - max(segment.base, offset), 0)
        return total

    def _shelf(self, partition: str) -> Shelf:
        shelf = self._shelves.get(partition)
        if shelf is None:
            shelf = self._shelves[partition] = Shelf(self._folder / partition)
        if not shelf.segments:
            shelf.refresh()
        return shelf

    def _scan_segment(
        self, shelf: Shelf, segment: Segment, offset: int, limit: int, kinds: Container[Kind] | None
    ) -> tuple[list[tuple[Position, Entry]], int, int]:
        """Entries, the ordinal to go on with, bytes looked at."""
        try:
            source = shelf.source(segment)
        except UserError as error:  # no header, or a bundle that cannot be unpacked
            after = shelf.after(segment)
            first = max(offset, segment.base)
            place = Position(shelf.folder.name, first)
            raise SpoolCorruptError(segment.path, place, after.base if after else first, b"") from error
        ordinal, at = self._seek(shelf, segment, source, max(offset, segment.base))
        if ordinal < offset:
            return [], self._onward(shelf, segment, source, ordinal, at, offset), 0
        size = min(max(limit * 256, _LEAST_WINDOW), _MOST_WINDOW)
        window = _whole_window(source, at, size)
        found, used, onward = self._decoder.read(
            window, 0, Position(shelf.folder.name, ordinal), limit=limit, kinds=kinds
        )
        if onward == ordinal:
            return [], self._onward(shelf, segment, source, ordinal, at, offset), 0
        shelf.mark(segment, onward, at + used)
        return found, onward, used

    def _seek(self, shelf: Shelf, segment: Segment, source: Source, wanted: int) -> tuple[int, int]:
        """The byte where ``wanted`` begins, or the last ordinal and byte before it that exist."""
        ordinal, at = shelf.nearest(segment, wanted)
        while ordinal < wanted:
            window = _whole_window(source, at, _MOST_WINDOW)
            used = 0
            while ordinal < wanted and (end := frame_end(window, used) or _hop(window, used)):
                used, ordinal = end, ordinal + 1
            if not used:
                break
            at += used
            shelf.mark(segment, ordinal, at)
        return ordinal, at

    def _onward(self, shelf: Shelf, segment: Segment, source: Source, ordinal: int, at: int, offset: int) -> int:
        """Where to go on when no whole frame stands at ``at``: nowhere yet, or the next segment."""
        shelf.refresh()
        after = shelf.after(segment)
        window = _whole_window(source, at, _LEAST_WINDOW)
        if frame_end(window, 0):  # appended since we looked
            return max(ordinal, offset)
        if after is None and not segment.sealed:
            return offset
        if not window:
            return max(after.base, offset) if after is not None else offset
        hop = _hop(window, 0)
        if hop:
            shelf.mark(segment, ordinal + 1, at + hop)
        resume = ordinal + 1 if hop or after is None else after.base
        raise SpoolCorruptError(
            segment.path, Position(shelf.folder.name, ordinal), resume, window[: hop or len(window)]
        )

    def _segment_end(self, shelf: Shelf, segment: Segment) -> int:
        try:
            return self._seek(shelf, segment, shelf.source(segment), 1 << 62)[0]
        except FileNotFoundError:
            shelf.close()
            shelf.refresh()
            return self._segment_end(shelf, shelf.segments[-1])


def _whole_window(source: Source, at: int, size: int) -> bytes:
    """About ``size`` bytes from ``at`` on, more if the first frame needs it."""
    data = source.read(size, at)
    needed = claimed_end(data, 0)
    return source.read(needed, at) if needed > len(data) == size else data


def _hop(window: bytes, at: int) -> int:
    """Where a damaged frame ends, if an undamaged one follows in the window; else 0."""
    claimed = claimed_end(window, at)
    return claimed if claimed > at and frame_end(window, claimed) else 0
