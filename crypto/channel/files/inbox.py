"""The folder that receives: nothing is overwritten, nothing half is visible, nothing lies outside.

A file grows under ``.incoming`` as ``SM3.SIZE.part`` and takes its name when all of it is there, right and on disk.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from crypto.channel.files.frames import Offer
from crypto.keys.files import sync_folder
from crypto.sm3 import CHUNK_BYTES, Sm3

PARTS = ".incoming"
FOLDER_MODE, FILE_MODE = 0o700, 0o600
RESERVE_BYTES = 1 << 26  # a full disk stops more than the transfer


class Refused(Exception):  # noqa: N818 - the answer to the peer, not a fault
    """Why a file is not taken: a word of ``REASONS``."""


REASONS = ("exists", "space", "busy", "digest", "disk")


@dataclass(slots=True, kw_only=True)
class Incoming:
    """A file on its way; one process at a time holds it.

    Attributes:
        offset: How much of it is here.
    """

    offer: Offer
    folder: Path
    part: Path
    file: FileIO
    digest: Sm3
    offset: int

    def write(self, data: bytes) -> None:
        """Append; raises Refused if the disk does not take it, or there is more than was offered."""
        if self.offset + len(data) > self.offer.size:
            raise Refused("digest")
        left = memoryview(data)
        try:
            while left:
                left = left[self.file.write(left) :]
        except OSError:
            raise Refused("disk") from None
        self.digest.update(data)
        self.offset += len(data)

    def finish(self) -> None:
        """Give it its name, durably; raises Refused if it is not what was offered or the name is taken by now."""
        if self.digest.digest().hex() != self.offer.sm3:
            self.part.unlink()
            raise Refused("digest")
        try:
            os.fsync(self.file.fileno())
            os.link(self.part, self.folder / self.offer.name, follow_symlinks=False)  # fails where the name is taken
            self.part.unlink()
            sync_folder(self.folder)
        except FileExistsError:
            raise Refused("exists") from None
        except FileNotFoundError:  # another process finished the same file between our look and our lock
            raise Refused("busy") from None
        except OSError:
            raise Refused("disk") from None

    def close(self) -> None:
        """Let go of it; what is here is kept for the next try."""
        with contextlib.suppress(OSError):
            self.file.close()


class Inbox:
    """A folder for received files, made if it is not there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._parts = folder / PARTS
        folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        self._parts.mkdir(mode=FOLDER_MODE, exist_ok=True)
        if self._parts.is_symlink():
            raise NotADirectoryError(str(self._parts))

    def begin(self, offer: Offer) -> Incoming | None:
        """The file to go on with, None if it is here already; raises Refused."""
        if self._holds(offer):
            return None
        part = self._parts / f"{offer.sm3}.{offer.size}.part"
        file = self._open(part)
        try:
            digest, offset = _so_far(file, offer.size)
            self._check_space(offer.size - offset)
        except BaseException:
            file.close()
            raise
        return Incoming(offer=offer, folder=self.folder, part=part, file=file, digest=digest, offset=offset)

    def _holds(self, offer: Offer) -> bool:
        """Whether the very file is here; raises Refused if another one has its name."""
        try:
            descriptor = os.open(self.folder / offer.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            return False
        except OSError:
            raise Refused("exists") from None
        with FileIO(descriptor, "rb") as file:
            found = os.fstat(file.fileno())
            same = stat.S_ISREG(found.st_mode) and found.st_size == offer.size
            if not same or _so_far(file, offer.size)[0].digest().hex() != offer.sm3:
                raise Refused("exists")
        return True

    def _open(self, part: Path) -> FileIO:
        try:
            descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, FILE_MODE)
        except OSError:
            raise Refused("disk") from None
        file = FileIO(descriptor, "r+b")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            raise Refused("busy") from None
        return file

    def _check_space(self, missing: int) -> None:
        found = os.statvfs(self.folder)
        if found.f_bavail * found.f_frsize < missing + RESERVE_BYTES:
            raise Refused("space")


def _so_far(file: FileIO, size: int) -> tuple[Sm3, int]:
    """Digest and length of what is there, the position at its end; more than ``size`` is none of it."""
    digest, offset = Sm3(), 0
    while block := file.read(CHUNK_BYTES):
        digest.update(block)
        offset += len(block)
    if offset > size:
        file.seek(0)
        file.truncate()
        return Sm3(), 0
    return digest, offset
