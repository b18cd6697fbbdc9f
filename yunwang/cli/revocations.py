"""The revocation lists of a call: ``--crl``, else the data folder's own; where there are none, nobody is asked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from crypto.pki.authority import LIST_FILE, SITE_FOLDER
from crypto.pki.crl import RevocationList, load_list
from crypto.pki.revocation import Revocations
from records.instants import now
from yunwang.cli.call import current
from yunwang.cli.files import naming, read_file


def find_revocations(options: Sequence[Path]) -> Revocations:
    """Named lists must be complete and current; those of the data folder's own CAs refuse what they name."""
    if options:
        return Revocations(lists=read_lists(options), at=now())
    return own_revocations(current().place(tell=False).root)  # an artefact is verified alike with or without a site


def own_revocations(root: Path) -> Revocations:
    """The lists of a data folder's own CAs; what they do not name is not refused."""
    own = [path for folder in (SITE_FOLDER, "ca") if (path := root / folder / LIST_FILE).exists()]
    return Revocations(lists=read_lists(own), at=now(), complete=False)


def read_lists(paths: Sequence[Path]) -> tuple[RevocationList, ...]:
    """The lists of files; UserError names the one that is none."""
    return tuple(_read(one) for one in paths)


def _read(path: Path) -> RevocationList:
    with naming(path):
        return load_list(read_file(path))
