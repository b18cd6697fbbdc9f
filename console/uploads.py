"""A file to verify by upload (上传验证): bounded in bytes, packed and not, in time and in number; nothing is kept."""

from __future__ import annotations

import asyncio
import shutil
import struct
import tempfile
import threading
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from fastapi import HTTPException

from crypto.bundle import SIGNATURE_SUFFIX
from crypto.verification import Verification
from records.errors import UserError

UPLOAD_BYTES = 64 << 20
UNPACKED_BYTES = 256 << 20
DIRECTORY_BYTES = 2 << 20  # of a zip: about twenty thousand files
VERIFY_SECONDS = 30.0
AT_ONCE = 2
NAME_BYTES = 180
_END, _END_BYTES, _LONGEST_COMMENT = b"PK\x05\x06", 22, 0xFFFF
_END_64 = b"PK\x06\x07"
_ZIP = b"PK"


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """One file as it came: its name is the sender's word."""

    name: str
    stream: BinaryIO

    @property
    def safe_name(self) -> str:
        """The last part of the name, printable and short; never a path."""
        last = self.name.replace("\\", "/").rpartition("/")[2]
        kept = "".join(letter if letter.isprintable() else "_" for letter in last).lstrip(".").strip()
        return kept.encode()[-NAME_BYTES:].decode(errors="ignore") or "file"

    @property
    def is_signature(self) -> bool:
        return self.name.lower().endswith(SIGNATURE_SUFFIX)


class Desk:
    """Verifies uploads in threads, some at a time; a place is free again when its thread ends, not when it is given up.

    Args:
        verify: The verdict on an artefact on disk.
        seconds: After which the sender is told to use the command line.
    """

    def __init__(self, verify: Callable[[Path], Verification], *, seconds: float = VERIFY_SECONDS) -> None:
        self._verify = verify
        self._seconds = seconds
        self._places = threading.BoundedSemaphore(AT_ONCE)

    async def verify(self, upload: Upload | None, signature: Upload | None) -> Verification:
        """The verdict.

        Raises:
            UserError: It is nothing that can be verified here, or would unpack to too much.
            HTTPException: 503 when all places are taken, or when it takes too long.
        """
        if upload is None:
            raise UserError("no file was chosen", "choose a bundle in a zip, or a file with its .p7s", where="file")
        if not self._places.acquire(blocking=False):
            raise HTTPException(503, "others are being verified: try again in a moment")
        working = asyncio.ensure_future(asyncio.to_thread(self._work, upload, signature))
        working.add_done_callback(_retrieve)
        try:
            return await asyncio.wait_for(asyncio.shield(working), self._seconds)
        except TimeoutError:
            raise HTTPException(503, "verifying took too long: use `yw verify` on the command line") from None

    def _work(self, upload: Upload, signature: Upload | None) -> Verification:
        try:
            with tempfile.TemporaryDirectory(prefix="yunwang-verify-") as folder:
                return self._verify(_put(Path(folder), upload, signature))
        finally:
            self._places.release()


def _retrieve(working: asyncio.Future[Verification]) -> None:
    """What a thread raises after it was given up is of no use to anybody."""
    if not working.cancelled():
        working.exception()


def _put(folder: Path, upload: Upload, signature: Upload | None) -> Path:
    """Write the files side by side; raises UserError for what is no artefact."""
    if signature is not None and upload.is_signature and not signature.is_signature:
        upload, signature = signature, upload
    path = folder / upload.safe_name
    _copy(upload, path)
    if signature is not None:
        _copy(signature, path.with_name(path.name + SIGNATURE_SUFFIX))
        return path
    if upload.is_signature:
        raise UserError("a signature alone proves nothing", "choose the file that it signs as well", where="file")
    with path.open("rb") as file:
        if file.read(len(_ZIP)) != _ZIP:
            raise UserError(
                "this file is no bundle in a zip, and came without its signature",
                "choose its .p7s file as well",
                where="signature",
            )
        check_zip(file)
    return path


def _copy(upload: Upload, path: Path) -> None:
    with path.open("xb") as out:
        shutil.copyfileobj(upload.stream, out)
    if not path.stat().st_size:
        raise UserError("the file is empty", "choose another one", where="file")


def check_zip(file: BinaryIO) -> None:
    """Return quietly if a zip is small enough to look into, packed and unpacked; a damaged one is the verifier's.

    The directory is measured before it is read: a million entries of nothing are a bomb as well.
    """
    if _directory_bytes(file) > DIRECTORY_BYTES:
        raise _too_much()
    try:
        with zipfile.ZipFile(file) as archive:
            total = sum(info.file_size for info in archive.infolist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError, struct.error, OverflowError, OSError):
        return
    if total > UNPACKED_BYTES:
        raise _too_much()


def _directory_bytes(file: BinaryIO) -> int:
    """What the end record says of the directory's size (APPNOTE 4.3.16); a zip64 is for more than may come here."""
    size = file.seek(0, 2)
    file.seek(max(0, size - _END_BYTES - _LONGEST_COMMENT - _END_BYTES))
    tail = file.read()
    if _END_64 in tail:
        return DIRECTORY_BYTES + 1
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < _END_BYTES:
        return 0
    return int.from_bytes(tail[at + 12 : at + 16], "little")


def _too_much() -> UserError:
    return UserError(
        "it unpacks to more than {limit} MiB or to too many files",
        "use `yw verify` on the command line",
        where="file",
        limit=UNPACKED_BYTES >> 20,
    )
