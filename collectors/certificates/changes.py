"""What is new since the last look: pure, from what is known and what is seen to changes and what is known then."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from crypto.pki.expiry import Expiry, Level


class Fault(StrEnum):
    """Why nothing can be said of a certificate; never taken for ``ok``."""

    MISSING = "missing"
    UNREADABLE = "unreadable"


class Action(StrEnum):
    """``event.action`` of a change."""

    VALID = "certificate_valid"
    NOT_YET_VALID = "certificate_not_yet_valid"
    EXPIRING = "certificate_expiring"
    CRITICAL = "certificate_critical"
    EXPIRED = "certificate_expired"
    RENEWED = "certificate_renewed"
    REPLACED = "certificate_replaced"  # by one that does not end later
    MISSING = "certificate_missing"
    UNREADABLE = "certificate_unreadable"
    WITHDRAWN = "certificate_withdrawn"  # its key is used no more, or the configuration names it no more


GOOD = frozenset({Action.VALID, Action.RENEWED, Action.REPLACED, Action.WITHDRAWN})
_ACTIONS: Mapping[str, Action] = {
    Level.OK: Action.VALID,
    Level.NOT_YET: Action.NOT_YET_VALID,
    Level.WARNING: Action.EXPIRING,
    Level.CRITICAL: Action.CRITICAL,
    Level.EXPIRED: Action.EXPIRED,
    Fault.MISSING: Action.MISSING,
    Fault.UNREADABLE: Action.UNREADABLE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What one look found under one name.

    Attributes:
        name: A key's name, or the setting or file that holds the certificate.
        file: Where it was read, or should have been.
        row: The certificate; None where ``fault`` says why not.
        why: What reading said, for people; only with a fault.
    """

    name: str
    file: str
    row: Expiry | None = None
    fault: Fault | None = None
    why: str = ""

    def __post_init__(self) -> None:
        if (self.row is None) == (self.fault is None):
            raise ValueError(f"{self.name}: either a certificate or a fault")

    @property
    def level(self) -> str:
        """The certificate's level, or the fault."""
        return self.row.level.value if self.row else str(self.fault)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What was last told of a name.

    Attributes:
        fingerprint, not_after: Of the last certificate that could be read; they outlive a fault.
    """

    level: str
    fingerprint: str | None = None
    not_after: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing to be told; ``sighting`` is None where the name is gone."""

    action: Action
    name: str
    at: datetime
    sighting: Sighting | None = None
    previous: Known | None = None


def compare(
    known: Mapping[str, Known], seen: Sequence[Sighting], at: datetime, doubtful: Collection[str] = ()
) -> tuple[dict[str, Known], list[Change]]:
    """What is known after a look, and what changed by it.

    A certificate that is in order when it is first seen is no news. Names in ``doubtful`` are left as they were; while
    anything is at fault a name that is not seen may be behind that fault, and counts as known still.
    """
    told = [one for one in seen if one.name not in doubtful]
    after = {one.name: _remember(known.get(one.name), one) for one in told}
    changes = [change for one in told for change in _changes(known.get(one.name), one, at)]
    blind = any(one.fault for one in seen)
    for name, before in known.items():
        if name in after:
            continue
        if blind or name in doubtful:
            after[name] = before
        else:
            changes.append(Change(action=Action.WITHDRAWN, name=name, at=at, previous=before))
    return after, changes


def _remember(before: Known | None, one: Sighting) -> Known:
    if one.row is not None:
        return Known(level=one.level, fingerprint=one.row.fingerprint, not_after=one.row.not_after)
    return replace(before, level=one.level) if before else Known(level=one.level)


def _changes(before: Known | None, one: Sighting, at: datetime) -> Iterator[Change]:
    for action in _actions(before, one):
        yield Change(action=action, name=one.name, at=at, sighting=one, previous=before)


def _actions(before: Known | None, one: Sighting) -> Iterator[Action]:
    other = _successor(before, one)
    if other is not None:
        yield other
    was = Level.OK.value if before is None or other is not None else before.level
    if one.level != was:
        yield _ACTIONS[one.level]


def _successor(before: Known | None, one: Sighting) -> Action | None:
    """Whether another certificate stands there, and whether it ends later."""
    if before is None or before.not_after is None or one.row is None or before.fingerprint == one.row.fingerprint:
        return None
    return Action.RENEWED if one.row.not_after > before.not_after else Action.REPLACED
