"""Files that the user named: read, written, and named again in the error when their content is of no use."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO

from crypto.keys.files import write_atomic
from records.errors import UserError
from records.secret import Secret
from yunwang.language import translate
from yunwang.secrets import secret_of_file

PUBLIC = 0o644


def read_file(path: Path) -> bytes:
    """The bytes of a file; UserError if there is none."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, error: OSError) -> UserError:
    """Why a file cannot be read."""
    reason = error.strerror or error
    return UserError(
        "cannot read {path}: {reason}", "check the name and its permissions", where=str(path), path=path, reason=reason
    )


def write_file(path: Path, data: bytes, mode: int = PUBLIC) -> None:
    """Write a file in one step; UserError if that cannot be."""
    try:
        write_atomic(path, data, mode=mode)
    except OSError as error:
        raise unwritable(path, error) from error


@contextmanager
def replacing(path: Path, mode: int = PUBLIC) -> Iterator[BinaryIO]:
    """A file to write in pieces; it takes the place of ``path`` at the end, after an error nothing of it is left."""
    temporary = path.with_name(f".{path.name}.{token_hex(8)}.tmp")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def unwritable(path: Path, error: OSError) -> UserError:
    """Why a file cannot be written."""
    reason = error.strerror or error
    return UserError("cannot write {path}: {reason}", "choose another place", where=str(path), path=path, reason=reason)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Within, an error about bytes says which file they came from."""
    try:
        yield
    except UserError as error:
        error.problems = tuple(one if one.where else replace(one, where=str(path)) for one in error.problems)
        raise


def read_passphrase(file: Path | None) -> Secret | None:
    """The passphrase from the file named, ``YW_PASSPHRASE_FILE`` or a prompt; None where nobody can be asked."""
    named = file or (Path(os.environ["YW_PASSPHRASE_FILE"]) if os.environ.get("YW_PASSPHRASE_FILE") else None)
    if named is not None:
        return secret_of_file(named)
    return Secret(getpass.getpass(translate("passphrase: "))) if sys.stdin.isatty() else None
