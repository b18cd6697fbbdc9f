"""Static files under names that change with their content, so that browsers keep them for good."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

STATIC = Path(__file__).parent / "static"


@cache
def url(name: str) -> str:
    """Address of a file below ``static/``; KeyError-like failure (FileNotFoundError) if it is not there."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={digest}"
