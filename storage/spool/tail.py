"""What a writer does when it opens a partition: take the lock, find the end, cut what a crash left half-written."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path

from crypto.chain import GENESIS, link
from records.errors import UserError
from storage.spool.framing import FRAME_BYTES, HEADER_BYTES, Header, claimed_end, frame_end
from storage.spool.segments import Repair, Tail, write_whole

CLEAN = "clean.json"
LOCK = "lock"


def lock_partition(folder: Path) -> int:
    """The partition's lock, held until ``unlock`` or the process ends; UserError naming the process that has it."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(descriptor, 32, 0).decode("ascii", "replace")
        os.close(descriptor)
        raise UserError(
            "partition {partition} of the spool is being written by process {pid}",
            "end that process first, or give this one a partition of its own",
            where=str(folder),
            partition=folder.name,
            pid=holder,
        ) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    return descriptor


def unlock(descriptor: int) -> None:
    """Let the next writer in."""
    os.close(descriptor)


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
    written = at + len(data[at:].rstrip(b"\0"))
    return written <= max(claimed_end(data, at), at + FRAME_BYTES)


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
    write_whole(kept, rest)
    return Repair(segment=path, position=position, cut=len(rest), kept=kept)


def write_clean(folder: Path, base: int, tail: Tail) -> None:
    """Mark that the partition was closed in order; call it after everything else is on disk."""
    mark = {"base": base, "size": tail.size, "end": tail.end, "head": tail.head.hex()}
    write_whole(folder / CLEAN, json.dumps(mark).encode())


def _read_clean(folder: Path) -> tuple[int, Tail] | None:
    try:
        mark = json.loads((folder / CLEAN).read_text())
        head = bytes.fromhex(mark["head"])
        tail = Tail(end=int(mark["end"]), head=head, size=int(mark["size"]), clean=True)
        return (int(mark["base"]), tail) if len(head) == len(GENESIS) else None
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None  # without a mark the frames are walked


def boot_id() -> bytes:
    """16 bytes that change with every start of the kernel; zeros where the system does not tell."""
    try:
        return bytes.fromhex(Path("/proc/sys/kernel/random/boot_id").read_text().strip().replace("-", ""))
    except (OSError, ValueError):
        return bytes(16)
