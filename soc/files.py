"""Files of logs: EVTX, JSON lines or an array, text lines -> records, one after the other."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import IO, Any

import orjson

from records.errors import Problem, UsageError, UserError
from soc.parse import FORMATS

EVTX_MAGIC = b"ElfFile\x00"
LONGEST_RECORD = 16 * 1024 * 1024  # bytes; a longer line is cut into pieces of this size
LONGEST_DOCUMENT = 256 * 1024 * 1024  # bytes; a longer array is read line by line
_PACKED: dict[bytes, Any] = {b"\x1f\x8b": gzip.open, b"\xfd7zXZ\x00": lzma.open, b"BZh": bz2.open}
_SPACE = b" \t\r\n\xef\xbb\xbf"


def check_format(form: str) -> str:
    """A format's name; UsageError for an unknown one."""
    if form not in FORMATS:
        raise UsageError(
            "unknown format '{form}'", "use one of {known}", where="--format", form=form, known=", ".join(FORMATS)
        )
    return form


def check_readable(paths: Iterable[Path]) -> None:
    """All files that cannot be read, told at once."""
    bad = [one for one in paths if not one.is_file() or not os.access(one, os.R_OK)]
    if bad:
        raise UserError.of(
            Problem("cannot read {path}", "name a log file that can be read", str(one), {"path": one}) for one in bad
        )


def read_records(path: Path, form: str = "auto") -> Iterator[tuple[str, bytes]]:
    """Format and payload of each record, blank lines left out.

    Raises:
        UserError: The file is missing, a folder, or not readable.
    """
    try:
        with path.open("rb") as file:
            head = file.read(8)
        if form == "evtx" or (form == "auto" and head.startswith(EVTX_MAGIC)):
            yield from _evtx(path)
            return
        with closing(_open(path, head)) as stream:
            yield from _text(stream, form)
    except (OSError, EOFError, lzma.LZMAError) as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, error: Exception) -> UserError:
    """What to tell of a log file that cannot be read."""
    reason = getattr(error, "strerror", None) or str(error)
    return UserError(
        "cannot read {path}: {reason}",
        "name a log file that can be read",
        where=str(path),
        path=path,
        reason=reason,
    )


def _open(path: Path, head: bytes) -> IO[bytes]:
    opener = next((one for magic, one in _PACKED.items() if head.startswith(magic)), None)
    stream: IO[bytes] = opener(path, "rb") if opener else path.open("rb")
    return stream


def _evtx(path: Path) -> Iterator[tuple[str, bytes]]:
    """Records as JSON; a damaged one is kept as what the reader says of it, and counts as unparsed."""
    from evtx import PyEvtxParser  # noqa: PLC0415 - only for this format

    try:
        records = iter(PyEvtxParser(str(path), number_of_threads=1).records_json())
    except RuntimeError as error:
        advice = "export it again from the event viewer"
        raise UserError("{path} is no EVTX file: {reason}", advice, where=str(path), path=path, reason=error) from error
    while True:
        try:
            record = next(records, None)
        except RuntimeError as error:
            yield "json", f"damaged EVTX record: {error}".encode()
            continue
        if record is None:
            return
        yield "json", str(record["data"]).encode()


def _text(stream: IO[bytes], form: str) -> Iterator[tuple[str, bytes]]:
    first = b""
    while not first.strip(_SPACE):
        first = stream.readline(LONGEST_RECORD)
        if not first:
            return
    start = first.lstrip(_SPACE)
    if form in {"auto", "json"} and (start[:1] == b"[" or (start[:1] == b"{" and not _is_json(first))):
        yield from _whole(first + stream.read(LONGEST_DOCUMENT) + stream.readline(LONGEST_RECORD))
    else:
        yield _kind(form), first.rstrip(b"\r\n")
    for line in _lines(stream):
        yield _kind(form), line


def _kind(form: str) -> str:
    return "json" if form == "ndjson" else form


def _lines(stream: IO[bytes]) -> Iterator[bytes]:
    while line := stream.readline(LONGEST_RECORD):
        if not line.isspace():
            yield line.rstrip(b"\r\n")


def _is_json(line: bytes) -> bool:
    try:
        orjson.loads(line.lstrip(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError:
        return False
    return True


def _whole(content: bytes) -> Iterator[tuple[str, bytes]]:
    """One JSON document over several lines: an array of records or a single one; else each line by itself."""
    try:
        found = orjson.loads(content.strip(_SPACE))
    except orjson.JSONDecodeError:
        yield from (("auto", line) for line in content.splitlines() if line.strip(_SPACE))
        return
    for one in found if isinstance(found, list) else [found]:
        yield "json", orjson.dumps(one)
