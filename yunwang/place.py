"""Where data live: ``./var``, ``--data DIR`` or ``YW_DATA``; the demo in ``DATA/demo`` (CONTRACT §1)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Place:
    """The folder that one command acts on.

    Attributes:
        data: The data folder as the user named it.
        demo: Whether the demo inside it is meant.
    """

    data: Path
    demo: bool

    @property
    def root(self) -> Path:
        """The folder that holds state, records, spool and keys."""
        return self.data / "demo" if self.demo else self.data

    @property
    def state(self) -> Path:
        return self.root / "state.db"

    @property
    def records(self) -> Path:
        return self.root / "records"

    @property
    def spool(self) -> Path:
        return self.root / "spool"

    @property
    def keys(self) -> Path:
        return self.root / "keys"

    @property
    def timestamps(self) -> Path:
        """The next serial number of the site's time-stamp authority."""
        return self.root / "tsa" / "serial.json"

    @property
    def audit_log(self) -> Path:
        """Signed bundles of audit records, an anchor each."""
        return self.root / "audit-log"

    @property
    def ca(self) -> Path:
        """The exported trust anchor."""
        return self.root / "ca.pem"

    @property
    def run(self) -> Path:
        """Locks, pids and counters of running processes."""
        return self.root / "run"

    @property
    def config(self) -> Path:
        return self.data / "yunwang.toml"


def data_folder(option: Path | None) -> Path:
    """The folder by precedence: option, ``YW_DATA``, ``./var``."""
    if option is not None:
        return option.absolute()
    return Path(os.environ.get("YW_DATA") or "var").absolute()


def is_site(data: Path) -> bool:
    """A folder is a site once an inventory was imported into it."""
    return (data / "ca.pem").exists()
