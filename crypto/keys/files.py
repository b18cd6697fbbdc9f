"""Files that must not be torn, read by others, or swapped for a link."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Callable
from pathlib import Path

from crypto.errors import UnsafeFile

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
    """The content of a file of this user alone; raises UnsafeFile for links, hard ones too, and wider modes."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise UnsafeFile(
            "{path} cannot be read safely ({error})", _NEXT, where=str(path), path=str(path), error=error.strerror
        ) from None
    try:
        _check(os.fstat(descriptor), path, stat.S_ISREG)  # before a file object: there is none of a folder
    except BaseException:
        os.close(descriptor)
        raise
    with os.fdopen(descriptor, "rb") as file:
        return file.read()


def private_folder(folder: Path) -> None:
    """Make the folder, mode 0700, or check the one that is there; raises UnsafeFile for links and wider modes."""
    if not folder.is_symlink():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=PRIVATE_FOLDER)
    check_private_folder(folder)


def check_private_folder(folder: Path) -> None:
    """Raises UnsafeFile unless the folder is a real one of this user alone."""
    _check(folder.lstat(), folder, stat.S_ISDIR)


def _check(found: os.stat_result, path: Path, is_kind: Callable[[int], bool]) -> None:
    linked = stat.S_ISREG(found.st_mode) and found.st_nlink != 1  # a second name may lie where others read
    ours = is_kind(found.st_mode) and not linked and found.st_uid in {os.geteuid(), 0}
    if not ours or found.st_mode & _OTHERS:
        raise UnsafeFile(
            "{path} is a link, or not of this user alone (mode {mode:04o})",
            _NEXT,
            where=str(path),
            path=str(path),
            mode=found.st_mode & 0o7777,
        )


def destroy(path: Path) -> None:
    """Overwrite with zeros, sync, unlink; FileNotFoundError where there is none.

    Copy-on-write and flash storage may keep the old blocks: what is destroyed beyond doubt is only what the passphrase
    no longer opens, so private keys lie encrypted in the first place.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW)
    with os.fdopen(descriptor, "wb") as file:
        file.write(bytes(os.fstat(file.fileno()).st_size))
        file.flush()
        os.fsync(file.fileno())
    path.unlink()
    sync_folder(path.parent)
