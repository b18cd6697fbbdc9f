"""The trust anchors of a call: ``--ca``, ``YW_CA``, ``[crypto] ca``, the data folder's; never one from the artefact."""

from __future__ import annotations

import os
from pathlib import Path

from crypto.x509 import Certificate, load_certificates
from records.errors import UserError
from yunwang.cli.call import current
from yunwang.wiring import settings_of


def find_anchors(option: Path | None) -> tuple[Certificate, ...]:
    """The certificates to trust, empty where there are none; UserError if a named file cannot be read."""
    named = option or (Path(os.environ["YW_CA"]) if os.environ.get("YW_CA") else None)
    if named is not None:
        return load_certificates(read_file(named))
    place = current().place(tell=False)  # an artefact is verified alike with or without a site
    configured = settings_of(current(), place).crypto.ca
    if configured:
        return load_certificates(read_file(Path(configured)))
    return load_certificates(read_file(place.ca)) if place.ca.exists() else ()


def read_file(path: Path) -> bytes:
    """The bytes of a file that the user named; UserError if there is none."""
    try:
        return path.read_bytes()
    except OSError as error:
        reason = error.strerror or error
        raise UserError(
            "cannot read {path}: {reason}",
            "check the name and its permissions",
            where=str(path),
            path=path,
            reason=reason,
        ) from error
