"""Lists of passwords that others lost (泄露口令库): looked up, never read whole.

Two kinds of file are known by their first line: passwords, one a line, and SHA-1 digests in hex in their order, each
with a count behind a colon, as "Have I Been Pwned" gives them out.
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from records.errors import UserError

MOST_WORDS = 64 << 20  # bytes of a list of words, which is held in memory
_LINE = 200  # bytes of one digest's line, at the very most
_DIGEST = re.compile(rb"[0-9A-Fa-f]{40}(:\d+)?\s*")


def is_breached(password: str, path: Path) -> bool:
    """Whether the list holds the password; case counts only in a list of digests.

    Raises:
        UserError: The list cannot be read, or is a list of words that is too long.
    """
    try:
        with path.open("rb") as file:
            if _DIGEST.fullmatch(file.readline(_LINE)):
                return _holds(file, hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper().encode())
        return password.casefold() in _words(path, path.stat().st_mtime_ns)
    except OSError as error:
        raise UserError(
            "cannot read the list of breached passwords: {reason}",
            "mend [access] breached_passwords, or leave it empty",
            where=str(path),
            reason=error.strerror or error,
        ) from error


@lru_cache(2)
def _words(path: Path, _changed: int) -> frozenset[str]:
    if path.stat().st_size > MOST_WORDS:
        raise UserError(
            "the list of breached passwords is longer than {limit} MiB",
            "use the list of SHA-1 digests in their order: it is not read whole",
            where=str(path),
            limit=MOST_WORDS >> 20,
        )
    return frozenset(line.strip().casefold() for line in path.read_text("utf-8", "replace").splitlines())


def _holds(file: BinaryIO, digest: bytes) -> bool:
    """Find a line of a sorted file by halving: some 40 reads in 40 GB."""
    low, high = 0, file.seek(0, 2)
    while low < high:
        middle = (low + high) // 2
        start = _line_start(file, middle)
        file.seek(start)
        line = file.readline(_LINE)
        found = line[:40].upper()
        if found == digest:
            return True
        if found < digest:
            low = start + len(line)
        else:
            high = start
    return False


def _line_start(file: BinaryIO, place: int) -> int:
    """Where the line begins that a byte stands in."""
    begin = max(0, place - _LINE)
    file.seek(begin)
    before = file.read(place - begin)
    return begin + before.rfind(b"\n") + 1
