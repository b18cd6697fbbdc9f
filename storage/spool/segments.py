"""Segments as files: names, listing, and what a writer does to the last one when it opens the partition again."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from records.errors import UserError
from storage.spool.chain import ZERO_HEAD, link
from storage.spool.framing import FRAME_BYTES, HEADER_BYTES, Header, claimed_end, decode_header, frame_end

SEGMENT = ".seg"
BUNDLE = ".bundle"
CLEAN = "clean.json"
GAP = 2**24  # more ordinals than one segment can hold


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
    return f"{base:020d}{SEGMENT}"


def list_segments(folder: Path) -> list[Segment]:
    """All segments by base ordinal; the file wins where its bundle stands beside it. Other names are not ours."""
    found: dict[int, Segment] = {}
    for name in sorted(os.listdir(folder)):
        stem, dot, suffix = name.partition(".")
        if len(stem) == 20 and stem.isdecimal() and dot + suffix in {SEGMENT, BUNDLE}:
            found[int(stem)] = Segment(int(stem), folder / name)  # .bundle sorts before .seg
    return [found[base] for base in sorted(found)]


def damaged_header(path: Path) -> UserError:
    """The error for a segment that does not begin as one."""
    return UserError(
        "segment {segment} does not begin with a header of this version",
        "move the file aside and restore it from a backup; entries in the other segments are not touched",
        where=str(path),
        segment=path.name,
    )


def read_header(path: Path) -> Header:
    """The header of a segment file; UserError if it is damaged or of another version."""
    with path.open("rb") as file:
        header = decode_header(file.read(HEADER_BYTES))
    if header is None or header.base != int(path.name.partition(".")[0]):
        raise damaged_header(path)
    return header


def find_tail(path: Path, header: Header, boot: bytes) -> Tail:
    """Where the last segment ends: from the mark of a clean close, else by walking its frames."""
    size = path.stat().st_size
    mark = _read_clean(path.parent)
    if mark is not None and (mark[0], mark[1].size) == (header.base, size):
        return mark[1]
    data = path.read_bytes()
    end, head, at = header.base, header.head, HEADER_BYTES
    for start, stop in frames(data):
        head, end, at = link(head, data[start + FRAME_BYTES : stop]), end + 1, stop
    return Tail(end=end, head=head, size=at, clean=header.boot == boot and _is_torn(data, at))


def frames(data: bytes, at: int = HEADER_BYTES) -> Iterator[tuple[int, int]]:
    """Start and end of every whole frame from ``at`` on, up to the first that is not whole."""
    while end := frame_end(data, at):
        yield at, end
        at = end


def _is_torn(data: bytes, at: int) -> bool:
    """Whether what follows ``at`` is nothing but one frame that was being written, then zeros."""
    claimed = claimed_end(data, at)
    written = at + len(data[at:].rstrip(b"\0"))
    return written <= max(claimed, at + FRAME_BYTES)


def cut_tail(path: Path, tail: Tail) -> Repair | None:
    """Cut the segment behind its last whole frame; bytes other than zeros are kept beside it first."""
    with path.open("r+b") as file:
        file.seek(tail.size)
        rest = file.read().rstrip(b"\0")
        repair = _keep(path, tail.size, rest) if rest else None
        file.truncate(tail.size)
        os.fsync(file.fileno())
    return repair


def _keep(path: Path, position: int, rest: bytes) -> Repair:
    kept = path.with_name(f"{path.stem}.{position}.cut")
    with kept.open("wb") as file:
        file.write(rest)
        file.flush()
        os.fsync(file.fileno())
    return Repair(segment=path, position=position, cut=len(rest), kept=kept)


def write_clean(folder: Path, base: int, tail: Tail) -> None:
    """Mark that the partition was closed in order; call it after everything else is on disk."""
    text = json.dumps({"base": base, "size": tail.size, "end": tail.end, "head": tail.head.hex()})
    waiting = folder / (CLEAN + ".tmp")
    with waiting.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    waiting.rename(folder / CLEAN)
    sync_folder(folder)


def _read_clean(folder: Path) -> tuple[int, Tail] | None:
    try:
        mark = json.loads((folder / CLEAN).read_text())
        head = bytes.fromhex(mark["head"])
        return int(mark["base"]), Tail(end=int(mark["end"]), head=head, size=int(mark["size"]), clean=len(head) == len(ZERO_HEAD))
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None  # without a mark the frames are walked


def sync_folder(folder: Path) -> None:
    """Make renames and removals in a folder survive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def boot_id() -> bytes:
    """16 bytes that change with every start of the kernel; zeros where the system does not tell."""
    try:
        return bytes.fromhex(Path("/proc/sys/kernel/random/boot_id").read_text().strip().replace("-", ""))
    except (OSError, ValueError):
        return bytes(16)
