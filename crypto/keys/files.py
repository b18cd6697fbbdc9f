"""Files that must not be torn, read by others, or swapped for a link."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from pathlib import Path

from crypto.errors import CryptoError

PRIVATE_FILE, PRIVATE_FOLDER = 0o600, 0o700
_OTHERS = 0o077
_NEXT = "make it a plain file or folder of this user alone: chmod go= {path}"


def write_atomic(path: Path, data: bytes, *, mode: int = PRIVATE_FILE) -> None:
    """Old content or new, never half: written beside, fsynced, renamed, folder fsynced."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_private(path: Path) -> bytes:
    """The content of a file of this user alone; raises CryptoError for links and wider modes, FileNotFoundError."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise CryptoError(
            "{path} cannot be read safely ({error})", _NEXT, where=str(path), path=str(path), error=error.strerror
        ) from None
    with os.fdopen(descriptor, "rb") as file:
        _check(os.fstat(file.fileno()), path, stat.S_ISREG)
        return file.read()


def private_folder(folder: Path) -> None:
    """Make the folder, mode 0700, or check the one that is there; raises CryptoError for links and wider modes."""
    if not folder.is_symlink():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=PRIVATE_FOLDER)
    check_private_folder(folder)


def check_private_folder(folder: Path) -> None:
    """Raises CryptoError unless the folder is a real one of this user alone."""
    _check(folder.lstat(), folder, stat.S_ISDIR)


def _check(found: os.stat_result, path: Path, is_kind: object) -> None:
    right_kind = callable(is_kind) and is_kind(found.st_mode)
    if not right_kind or found.st_mode & _OTHERS or found.st_uid not in {os.geteuid(), 0}:
        raise CryptoError(
            "{path} is a link, or not of this user alone (mode {mode:04o})",
            _NEXT,
            where=str(path),
            path=str(path),
            mode=found.st_mode & 0o7777,
        )
