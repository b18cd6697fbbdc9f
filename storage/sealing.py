"""Closed spool segments become signed bundles (``log-segment``): the log archive, kept at least 180 days (CONTRACT §7).

A bundle holds ``segment.zst``, the segment file as it was, and ``chain.json``, where the SM3 chain stands before and
after it. Each bundle names the one before it, so neither an entry nor a whole segment can be taken out unseen.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import zstandard

from crypto.bundle import BundleProblem, BundleReader, manifest_digest, write_bundle
from crypto.canonical import canonical_json, parse_canonical
from crypto.chain import link
from crypto.identity import SiteIdentity
from records.errors import RefusedError, UserError
from records.instants import format_instant
from storage.spool.framing import FRAME_BYTES, HEADER_BYTES, decode_header, received_of
from storage.spool.segments import BUNDLE, Segment, list_segments, sync_folder
from storage.spool.tail import CLEAN, frames, lock_partition, unlock

KIND = "log-segment"
RETENTION_DAYS = 180
_PACKED, _CHAIN = "segment.zst", "chain.json"
_MAX_SEGMENT = 2**31
_LEVEL = 6
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """Where the chain stands around one segment.

    Attributes:
        base: Ordinal of the first entry.
        end: Ordinal behind the last entry.
        before: The chain's head before the first entry.
        head: After the last one.
        latest: The latest instant of receipt, µs since 1970.
    """

    base: int
    end: int
    before: bytes
    head: bytes
    latest: int


def compute_chain(data: bytes, where: str) -> Chain:
    """Walk a whole segment; UserError naming the first ordinal that does not hold."""
    header = decode_header(data)
    if header is None:
        raise _damaged(where, "header")
    end, head, at, latest = header.base, header.head, HEADER_BYTES, 0
    for start, stop in frames(data):
        head, end, at = link(head, data[start + FRAME_BYTES : stop]), end + 1, stop
        latest = max(latest, received_of(data, start))
    if at != len(data):
        raise _damaged(where, str(end))
    return Chain(base=header.base, end=end, before=header.head, head=head, latest=latest)


def _damaged(where: str, entry: str) -> UserError:
    return UserError("the segment is damaged at entry {entry}", "restore it from a backup", where=where, entry=entry)


def seal_closed(folder: Path, identity: SiteIdentity, now: datetime, *, producer: str = "yunwang") -> list[Path]:
    """Seal every closed segment of every partition; the new bundles. A damaged segment is logged and left as it is.

    A partition that nobody writes any more, and that was closed in order, is sealed to its end.
    """
    sealed: list[Path] = []
    for partition in sorted(path for path in folder.glob("[!.]*") if path.is_dir()):
        with _closed_segments(partition) as segments:
            for segment in segments:
                try:
                    sealed += _seal(segment, identity, now, producer)
                except UserError as error:
                    _log.warning("not sealed: %s (%s)", error, segment.path)
    return sealed


@contextlib.contextmanager
def _closed_segments(partition: Path) -> Iterator[list[Segment]]:
    """Segment files that nobody will write again, while nobody else can begin to."""
    try:
        lock = lock_partition(partition)
    except UserError:
        yield [segment for segment in list_segments(partition)[:-1] if not segment.sealed]
        return
    try:
        segments = list_segments(partition)
        whole = segments if (partition / CLEAN).exists() else segments[:-1]
        yield [segment for segment in whole if not segment.sealed]
    finally:
        unlock(lock)


def _seal(segment: Segment, identity: SiteIdentity, now: datetime, producer: str) -> list[Path]:
    bundle = segment.path.with_suffix(BUNDLE)
    data = segment.path.read_bytes()
    chain = compute_chain(data, str(segment.path))
    if chain.end == chain.base:
        return []
    made = not bundle.exists()
    if made:
        files = {_PACKED: zstandard.ZstdCompressor(level=_LEVEL).compress(data), _CHAIN: _encode(chain, segment)}
        write_bundle(bundle, KIND, files, identity, created=now, producer=producer, previous=_previous(segment))
    if unpack(bundle) != data:  # a crash may have left both; the file goes only when the bundle holds the same
        raise _damaged(str(bundle), _PACKED)
    segment.path.unlink()
    sync_folder(segment.path.parent)
    return [bundle] if made else []


def _previous(segment: Segment) -> str | None:
    """The manifest digest of the bundle just before."""
    bundles = sorted(path for path in segment.path.parent.glob(f"*{BUNDLE}") if path.name < segment.path.name)
    return manifest_digest(bundles[-1]) if bundles else None


def _encode(chain: Chain, segment: Segment) -> bytes:
    return canonical_json(
        {
            "partition": segment.path.parent.name,
            "base": chain.base,
            "end": chain.end,
            "before": chain.before.hex(),
            "head": chain.head.hex(),
            "latest": format_instant(datetime.fromtimestamp(chain.latest / 1e6, UTC)),
            "latest_us": chain.latest,
        }
    )


def _decode(data: bytes) -> Chain:
    """UserError or ValueError for what ``_encode`` did not write."""
    found = parse_canonical(data)
    try:
        before, head = bytes.fromhex(found["before"]), bytes.fromhex(found["head"])
        base, end, latest = (int(found[name]) for name in ("base", "end", "latest_us"))
        return Chain(base=base, end=end, before=before, head=head, latest=latest)
    except (KeyError, TypeError) as error:
        raise ValueError(f"chain.json lacks {error}") from error


def read_chain(bundle: Path) -> Chain:
    """Where the chain stands around a sealed segment, as its bundle says."""
    return _decode((bundle / _CHAIN).read_bytes())


def unpack(bundle: Path) -> bytes:
    """The segment file that was sealed; its signature is not checked here. UserError if it cannot be unpacked."""
    return _unpacked((bundle / _PACKED).read_bytes(), str(bundle))


def _unpacked(packed: bytes, where: str) -> bytes:
    try:
        size = zstandard.frame_content_size(packed)
        if not 0 <= size <= _MAX_SEGMENT:
            raise _damaged(where, _PACKED)
        return zstandard.ZstdDecompressor().decompress(packed)
    except zstandard.ZstdError as error:
        raise _damaged(where, _PACKED) from error


def verify_segment(reader: BundleReader) -> list[BundleProblem]:
    """The rule of kind ``log-segment``: recompute the chain from the entries."""
    said = _decode(reader.read(_CHAIN))
    try:
        found = compute_chain(_unpacked(reader.read(_PACKED), _PACKED), _PACKED)
    except UserError as error:
        return [BundleProblem(path=_PACKED, what=error.problems[0].what, values=error.problems[0].values)]
    if found != said:
        return [BundleProblem(path=_CHAIN, what="the chain of the entries ends elsewhere")]
    return []


def remove_sealed(folder: Path, before: datetime, now: datetime, *, retention_days: int = RETENTION_DAYS) -> list[Path]:
    """Delete bundles all of whose entries were received before ``before``; returns what was deleted.

    The last segment of a partition stays: it says where the chain goes on.

    Raises:
        RefusedError: ``before`` is within the retention; less than 180 days is never enough.
    """
    days = max(retention_days, RETENTION_DAYS)
    if before > now - timedelta(days=days):
        raise RefusedError(
            "logs are kept {days} days, entries up to {before} are younger",
            "choose an instant before {oldest}",
            where="retention",
            days=days,
            before=format_instant(before),
            oldest=format_instant(now - timedelta(days=days)),
        )
    edge = before.timestamp() * 1e6
    old: list[Path] = []
    for partition in sorted(path for path in folder.glob("[!.]*") if path.is_dir()):
        for segment in list_segments(partition)[:-1]:
            if not segment.sealed or read_chain(segment.path).latest >= edge:
                break  # only from the oldest on: what stays is one unbroken chain
            old.append(segment.path)
            shutil.rmtree(segment.path)
        sync_folder(partition)
    return old
