"""What the collector remembers over a restart: what it told, and what it is about to tell."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from collectors.certificates.changes import Known
from crypto.keys.files import write_atomic
from records.instants import format_instant, parse_instant

VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Written before an event goes out and again once the spool has it.

    A kill in between sends the event once more, with the same id and instant: what is judged twice changes nothing.

    Attributes:
        known: Name to what was last told.
        pending: Events as JSON that the spool may not have yet.
    """

    known: Mapping[str, Known] = field(default_factory=dict)
    pending: Sequence[str] = ()


def load(file: Path) -> Memory:
    """The memory; an empty one if there is none or it is damaged: then the present state is told anew."""
    try:
        found = json.loads(file.read_text("utf-8"))
        found = {VERSION: found}[found["version"]]
        known = {str(name): _known(one) for name, one in found["known"].items()}
        return Memory(known=known, pending=tuple(map(str, found["pending"])))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Memory()


def save(memory: Memory, file: Path) -> None:
    """Replace the file durably, old or new, never half; OSError if there is no room."""
    known = {name: _plain(one) for name, one in memory.known.items()}
    body = {"version": VERSION, "known": known, "pending": list(memory.pending)}
    write_atomic(file, json.dumps(body, ensure_ascii=False, sort_keys=True).encode())


def _known(found: Any) -> Known:
    ends = found["not_after"]
    return Known(
        level=found["level"], fingerprint=found["fingerprint"], not_after=None if ends is None else parse_instant(ends)
    )


def _plain(one: Known) -> dict[str, str | None]:
    ends = None if one.not_after is None else format_instant(one.not_after)
    return {"level": one.level, "fingerprint": one.fingerprint, "not_after": ends}
