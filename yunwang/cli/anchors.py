"""The trust anchors of a call: ``--ca``, ``YW_CA``, ``[crypto] ca``, the data folder's; never one from the artefact."""

from __future__ import annotations

import os
from pathlib import Path

from crypto.x509 import Certificate, load_certificates
from yunwang.cli.call import current
from yunwang.cli.files import naming, read_file
from yunwang.wiring import settings_of


def find_anchors(option: Path | None) -> tuple[Certificate, ...]:
    """The certificates to trust, empty where there are none; UserError if a named file cannot be read."""
    named = option or (Path(os.environ["YW_CA"]) if os.environ.get("YW_CA") else None)
    if named is not None:
        return read_certificates(named)
    place = current().place(tell=False)  # an artefact is verified alike with or without a site
    configured = settings_of(current(), place).crypto.ca
    if configured:
        return read_certificates(Path(configured))
    return read_certificates(place.ca) if place.ca.exists() else ()


def read_certificates(path: Path) -> tuple[Certificate, ...]:
    """The certificates of a file; UserError if it holds none."""
    with naming(path):
        return load_certificates(read_file(path))
