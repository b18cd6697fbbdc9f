"""Segments as files: their names, their order, what a writer and a reader must agree on."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from records.errors import UserError
from storage.spool.framing import HEADER_BYTES, Header, decode_header

SEGMENT = ".seg"
BUNDLE = ".bundle"
GAP = 2**24  # more ordinals than one segment can hold
_DIGITS = 20


@dataclass(frozen=True, slots=True, order=True)
class Segment:
    """A closed or live segment file, or the signed bundle that it became."""

    base: int
    path: Path

    @property
    def sealed(self) -> bool:
        return self.path.suffix == BUNDLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Tail:
    """Where a partition goes on.

    Attributes:
        end: Ordinal of the next entry.
        head: The chain's head after the last entry.
        size: Bytes of the segment that are whole frames, its header included.
        clean: Nothing may be missing behind ``size``: no ordinal behind it was ever seen by a reader.
    """

    end: int
    head: bytes
    size: int
    clean: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """What was cut from a segment, and where the cut bytes are kept."""

    segment: Path
    position: int
    cut: int
    kept: Path


def segment_name(base: int) -> str:
    """File name of a segment: its base ordinal in 20 digits, so that names sort as numbers."""
    return f"{base:0{_DIGITS}d}{SEGMENT}"


def list_segments(folder: Path) -> list[Segment]:
    """All segments by base ordinal; the file wins where its bundle stands beside it. Other names are not ours."""
    found: dict[int, Segment] = {}
    for name in sorted(os.listdir(folder)):  # noqa: PTH208 - names suffice; .bundle sorts before .seg
        stem, dot, suffix = name.partition(".")
        if len(stem) == _DIGITS and stem.isdecimal() and stem.isascii() and dot + suffix in {SEGMENT, BUNDLE}:
            found[int(stem)] = Segment(int(stem), folder / name)
    return [found[base] for base in sorted(found)]


def read_header(path: Path) -> Header:
    """The header of a segment file; UserError if it is damaged or of another version."""
    with path.open("rb") as file:
        header = decode_header(file.read(HEADER_BYTES))
    if header is None or header.base != int(path.name.partition(".")[0]):
        raise UserError(
            "segment {segment} does not begin with a header of this version",
            "move the file aside and restore it from a backup; entries in the other segments are not touched",
            where=str(path),
            segment=path.name,
        )
    return header


def write_whole(path: Path, data: bytes) -> None:
    """Write, fsync, rename, fsync the folder: under its name the file is whole or not there."""
    waiting = path.with_name(path.name + ".tmp")
    with waiting.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    waiting.rename(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames and removals in a folder survive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
