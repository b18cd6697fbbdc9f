"""What a reader remembers of one partition: its segments, the open one, and byte positions that were met on the way."""

from __future__ import annotations

import bisect
from pathlib import Path

from storage.spool.framing import HEADER_BYTES
from storage.spool.segments import Segment, list_segments, read_header
from storage.spool.source import FileSource, MemorySource, Source

_MOST_MARKS = 4096


class Shelf:
    """The segments of one partition and byte positions that were met on the way."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.segments: list[Segment] = []
        self._marks: dict[int, list[tuple[int, int]]] = {}
        self._open: tuple[Segment, Source] | None = None

    def refresh(self) -> None:
        """List the segments again."""
        try:
            self.segments = list_segments(self.folder)
        except FileNotFoundError:
            self.segments = []

    def holding(self, ordinal: int) -> Segment | None:
        """The segment in which ``ordinal`` stands or will stand; the oldest one for what retention has removed."""
        at = bisect.bisect_right(self.segments, ordinal, key=lambda segment: segment.base)
        return self.segments[max(at - 1, 0)] if self.segments else None

    def after(self, segment: Segment) -> Segment | None:
        """The segment that follows."""
        at = bisect.bisect_right(self.segments, segment.base, key=lambda other: other.base)
        return self.segments[at] if at < len(self.segments) else None

    def source(self, segment: Segment) -> Source:
        """The segment's bytes; the last one stays open."""
        if self._open is None or self._open[0] != segment:
            self.close()
            if not segment.sealed:
                read_header(segment.path)
            self._open = (segment, MemorySource.of_bundle(segment.path) if segment.sealed else FileSource(segment.path))
        return self._open[1]

    def close(self) -> None:
        if self._open is not None:
            self._open[1].close()
            self._open = None

    def mark(self, segment: Segment, ordinal: int, at: int) -> None:
        """Remember that ``ordinal`` begins at byte ``at``."""
        marks = self._marks.setdefault(segment.base, [(segment.base, HEADER_BYTES)])
        place = bisect.bisect_left(marks, (ordinal, at))
        if place == len(marks) or marks[place][0] != ordinal:
            marks.insert(place, (ordinal, at))
            if len(marks) > _MOST_MARKS:
                del marks[1::2]

    def nearest(self, segment: Segment, ordinal: int) -> tuple[int, int]:
        """The remembered ordinal and byte at or before ``ordinal``."""
        marks = self._marks.get(segment.base, [(segment.base, HEADER_BYTES)])
        return marks[max(bisect.bisect_right(marks, (ordinal, 1 << 62)) - 1, 0)]
