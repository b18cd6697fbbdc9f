"""``yw version``."""

from __future__ import annotations

from yunwang import __version__
from yunwang.cli.output import emit


def command() -> None:
    """Print the version."""
    emit({"version": __version__})
