"""What a verification found: the shape of ``yw verify`` (CONTRACT §7)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from records.errors import Translate, untranslated
from records.instants import format_instant


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleProblem:
    """One thing that does not hold.

    Attributes:
        path: Of the file, relative to the bundle.
        what: Template of the fault, filled with ``values``; a literal, so that Babel finds it.
    """

    path: str
    what: str
    values: Mapping[str, object] = field(default_factory=dict)

    def as_json(self, translate: Translate = untranslated) -> dict[str, str]:
        return {"path": self.path, "what": translate(self.what).format_map(self.values)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """The verdict on one artefact.

    Attributes:
        kind: Of the bundle; ``file`` for a detached signature; None where the manifest cannot be read.
        signer, signed_at: None where no signature holds.
        root: Subject of the CA in which the signer's chain ends.
        timestamped: Whether the time is that of a trusted time-stamp token, not the signer's own word.
        checked: How many files were compared with their digest.
    """

    kind: str | None
    trusted: bool
    signer: str | None
    signed_at: datetime | None
    checked: int
    problems: tuple[BundleProblem, ...]
    timestamped: bool = False
    root: str | None = None

    @property
    def valid(self) -> bool:
        """Every byte and every rule of the kind holds."""
        return not self.problems

    @property
    def accepted(self) -> bool:
        """Valid and trusted: exit 0."""
        return self.valid and self.trusted

    def as_json(self, translate: Translate = untranslated) -> dict[str, Any]:
        """The mapping that ``yw verify -o json`` prints."""
        return {
            "kind": self.kind,
            "valid": self.valid,
            "trusted": self.trusted,
            "signer": self.signer,
            "signed_at": None if self.signed_at is None else format_instant(self.signed_at),
            "timestamped": self.timestamped,
            "checked": self.checked,
            "problems": [one.as_json(translate) for one in self.problems],
        }
