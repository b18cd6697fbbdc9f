"""Where a bundle's bytes lie: a folder or a zip. Nothing is unpacked to disk, no link is followed, no size is believed.

Our own zips are stored uncompressed in one fixed form, marked by their comment, and compared byte by byte with that
form; a zip made by other tools is read for its content only.
"""

from __future__ import annotations

import lzma
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Protocol

from crypto.errors import InvalidEncoding
from crypto.manifest import MANIFEST, SIGNATURE, check_path

CHUNK_BYTES = 1 << 20
MAX_FILES = 100_000
MAX_TOTAL_BYTES = 16 << 30
MARK = b"yunwang bundle 1"
_DOS_EPOCH = 0x21 << 16  # 1980-01-01 00:00:00
_UTF8 = 0x800
_END_BYTES = 22  # of the end record without its comment, APPNOTE 4.3.16
_LIMIT = 0xFFFFFFFF
DAMAGED = (
    zipfile.BadZipFile,
    OSError,
    ValueError,
    LookupError,
    RuntimeError,
    EOFError,
    struct.error,
    zlib.error,
    lzma.LZMAError,
)
"""What ``zipfile`` raises on hostile input: it takes a name to be UTF-8 and not empty, for two."""
_NEXT = "unpack it yourself, look at it, and verify the folder"


class Container(Protocol):
    """Files by their path inside the bundle."""

    def names(self) -> Sequence[str]:
        """Paths of all files, sorted."""
        ...

    def pieces(self, name: str, limit: int) -> Iterator[bytes]:
        """The content in pieces, at most ``limit`` + 1 bytes of it."""
        ...

    def close(self) -> None: ...


class Folder:
    """A bundle in a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def names(self) -> list[str]:
        found = [path.relative_to(self.root).as_posix() for path in self._files(self.root)]
        return sorted(found)

    def _files(self, folder: Path) -> Iterator[Path]:
        for entry in os.scandir(folder):
            if entry.is_dir(follow_symlinks=False):
                yield from self._files(Path(entry.path))
            else:
                yield Path(entry.path)

    def pieces(self, name: str, limit: int) -> Iterator[bytes]:
        """Raises InvalidEncoding for links, devices and pipes."""
        path = self.root / name
        if any(one.is_symlink() for one in (path, *path.parents) if self.root in one.parents):
            raise InvalidEncoding("it is a link", "put the file itself there", where=name)
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise InvalidEncoding("it is no plain file", "put the file itself there", where=name)
            yield from _limited(file, limit)

    def close(self) -> None:
        """Nothing is held open."""


class Zip:
    """A bundle in a zip; a single folder around everything is taken off."""

    def __init__(self, path: Path) -> None:
        try:
            self._zip = zipfile.ZipFile(path)
            _check_end(path, self._zip.comment)
            self._members = _members(self._zip)
            if self._zip.comment:
                _check_own_form(path, self._members)
        except DAMAGED as error:
            raise InvalidEncoding("not a bundle in a zip ({error})", _NEXT, where=str(path), error=error) from None

    def names(self) -> list[str]:
        return sorted(self._members)

    def pieces(self, name: str, limit: int) -> Iterator[bytes]:
        """Raises InvalidEncoding where the packed data are damaged."""
        try:
            with self._zip.open(self._members[name]) as file:
                yield from _limited(file, limit)
        except DAMAGED as error:
            raise InvalidEncoding("cannot be unpacked ({error})", _NEXT, where=name, error=error) from None

    def close(self) -> None:
        self._zip.close()


def open_container(path: Path) -> Container:
    """A folder or a zip; raises InvalidEncoding."""
    return Folder(path) if path.is_dir() else Zip(path)


def _limited(file: object, limit: int) -> Iterator[bytes]:
    left = limit + 1
    while left > 0 and (piece := file.read(min(left, CHUNK_BYTES))):  # type: ignore[attr-defined]  # BinaryIO or ZipExtFile
        left -= len(piece)
        yield piece


def _check_end(path: Path, comment: bytes) -> None:
    """The comment is whole and nothing stands behind it, else ValueError: ``zipfile`` takes either.

    Our own zips would pass for those of another tool, were their mark cut off or its length changed.
    """
    with path.open("rb") as file:
        file.seek(-(_END_BYTES + len(comment)), os.SEEK_END)
        end = file.read(_END_BYTES)
    if end[:4] != b"PK\5\6" or int.from_bytes(end[-2:], "little") != len(comment):
        raise ValueError("the end of the zip was changed")


def _members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Path in the bundle to member; raises ValueError for hostile archives."""
    infos = [info for info in archive.infolist() if not info.is_dir()]
    if len(infos) > MAX_FILES or sum(info.file_size for info in infos) > MAX_TOTAL_BYTES:
        raise ValueError("too many files or bytes")
    names = [info.filename for info in infos]
    if len(set(names)) != len(names):
        raise ValueError("a file name is repeated")
    for info in infos:
        _check_member(info)
    around = _folder_around(names)
    return {info.filename.removeprefix(around): info for info in infos}


def _check_member(info: zipfile.ZipInfo) -> None:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if info.flag_bits & 0x1 or kind not in {0, stat.S_IFREG} or info.orig_filename != info.filename:
        raise ValueError(f"member {info.filename!r} is encrypted, a link, or has a false name")
    if info.filename not in {MANIFEST, SIGNATURE}:
        check_path(info.filename)


def _folder_around(names: Sequence[str]) -> str:
    """``NAME/`` where everything lies in one folder, as ``zip -r`` packs it."""
    if MANIFEST in names or not names:
        return ""
    first = names[0].partition("/")[0] + "/"
    return first if all(name.startswith(first) for name in names) else ""


def _check_own_form(path: Path, members: Mapping[str, zipfile.ZipInfo]) -> None:
    """Every byte around the files is as ``write_zip`` writes it, else ValueError; the files have their digests."""
    order = sorted(members)
    with path.open("rb") as file:
        offset, entries = 0, []
        for name in order:
            info = members[name]
            head, entry = _headers(name, info.CRC, info.file_size, offset)
            if file.read(len(head)) != head or info.header_offset != offset:
                raise ValueError(f"the zip header of {name} was changed")
            entries.append(entry)
            offset = file.seek(info.file_size, os.SEEK_CUR)
        tail = _tail(entries, offset)
        if file.read(len(tail) + 1) != tail:
            raise ValueError("the zip directory was changed")


def write_zip(out: BinaryIO, files: Sequence[tuple[str, Path]]) -> None:
    """Pack files, sorted by name, in the one form; raises ValueError above 4 GiB."""
    entries, offset = [], 0
    for name, path in sorted(files):
        crc, size = _crc(path)
        head, entry = _headers(name, crc, size, offset)
        out.write(head)
        with path.open("rb") as file:
            while piece := file.read(CHUNK_BYTES):
                out.write(piece)
        entries.append(entry)
        offset += len(head) + size
    out.write(_tail(entries, offset))


def _crc(path: Path) -> tuple[int, int]:
    crc = size = 0
    with path.open("rb") as file:
        while piece := file.read(CHUNK_BYTES):
            crc, size = zlib.crc32(piece, crc), size + len(piece)
    return crc, size


def _headers(name: str, crc: int, size: int, offset: int) -> tuple[bytes, bytes]:
    """Local header and directory entry of a stored file (APPNOTE 4.3.7, 4.3.12)."""
    if offset + size > _LIMIT:
        raise ValueError("a zipped bundle has at most 4 GiB; use a folder")
    raw = name.encode()
    shared = struct.pack("<HHHIIIIHH", 20, _UTF8, 0, _DOS_EPOCH, crc, size, size, len(raw), 0)
    entry = (
        b"PK\x01\x02"
        + struct.pack("<H", 3 << 8 | 20)
        + shared
        + struct.pack("<HHHII", 0, 0, 0, (stat.S_IFREG | 0o644) << 16, offset)
    )
    return b"PK\x03\x04" + shared + raw, entry + raw


def _tail(entries: Sequence[bytes], offset: int) -> bytes:
    """Directory and its end record with the mark as comment (APPNOTE 4.3.16)."""
    directory = b"".join(entries)
    end = struct.pack("<HHHHIIH", 0, 0, len(entries), len(entries), len(directory), offset, len(MARK))
    return directory + b"PK\x05\x06" + end + MARK
