"""The manifest of a bundle (CONTRACT §7): what it is, which files belong to it, their sizes and digests."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any

from crypto.canonical import canonical_json, parse_canonical
from crypto.errors import CryptoError, InvalidEncoding
from records.instants import format_instant, parse_instant

MANIFEST, SIGNATURE = "manifest.json", "manifest.json.p7s"
MAX_MANIFEST_BYTES = 64 << 20
MAX_PATH_BYTES = 1024
_DIGEST = re.compile(r"[0-9a-f]{64}")
_KIND = re.compile(r"[a-z][a-z0-9-]{0,63}")
_NEXT = "ask the sender for the bundle again"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEntry:
    """One file: path inside the bundle with '/', size in bytes, SM3 in lower-case hex."""

    path: str
    size: int
    sm3: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """``previous`` is the SM3 of the manifest of the bundle before, in hex."""

    kind: str
    created: datetime
    producer: str
    files: tuple[FileEntry, ...]
    previous: str | None

    def encode(self) -> bytes:
        """Canonical JSON."""
        files = [{"path": one.path, "size": one.size, "sm3": one.sm3} for one in self.files]
        body = {"kind": self.kind, "created": format_instant(self.created), "producer": self.producer, "files": files}
        return canonical_json({**body, "previous": self.previous})


def parse_manifest(data: bytes) -> Manifest:
    """From canonical JSON with exactly these keys, paths safe, sorted and each once; raises InvalidEncoding."""
    value = parse_canonical(data)
    try:
        return _manifest(value)
    except (KeyError, TypeError, ValueError, CryptoError) as error:
        raise InvalidEncoding("the manifest is malformed ({error})", _NEXT, where=MANIFEST, error=error) from None


def _manifest(value: Any) -> Manifest:
    _require_keys(value, {"kind", "created", "producer", "files", "previous"})
    files = tuple(_file(one) for one in value["files"])
    paths = [one.path for one in files]
    if paths != sorted(set(paths)) or not _KIND.fullmatch(value["kind"]):
        raise ValueError("files are repeated or out of order, or the kind is no name")
    return Manifest(
        kind=value["kind"],
        created=parse_instant(value["created"]),
        producer=_text(value["producer"]),
        files=files,
        previous=None if value["previous"] is None else _digest(value["previous"]),
    )


def _file(value: Any) -> FileEntry:
    _require_keys(value, {"path", "size", "sm3"})
    if type(value["size"]) is not int or value["size"] < 0:
        raise ValueError("a size is no count of bytes")
    check_path(value["path"])
    return FileEntry(path=value["path"], size=value["size"], sm3=_digest(value["sm3"]))


def _require_keys(value: Mapping[str, Any], keys: set[str]) -> None:
    if not isinstance(value, dict) or value.keys() != keys:
        raise TypeError(f"keys must be {', '.join(sorted(keys))}")


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("the producer is no text")
    return value


def _digest(value: Any) -> str:
    if not isinstance(value, str) or not _DIGEST.fullmatch(value):
        raise ValueError("a digest is no SM3 in lower-case hex")
    return value


def check_path(path: str) -> None:
    """Raises CryptoError unless the path is relative, plain and stays inside the bundle on every system."""
    parts = path.split("/")
    safe = (
        path.isprintable()
        and "\\" not in path
        and ":" not in path
        and not any(part in {"", ".", ".."} for part in parts)
    )
    if not safe or len(path.encode(errors="surrogatepass")) > MAX_PATH_BYTES or path in {MANIFEST, SIGNATURE}:
        raise CryptoError(
            "'{path}' is no path for a file in a bundle",
            "use a relative path without '..'",
            path=str(PurePosixPath(path)),
        )
