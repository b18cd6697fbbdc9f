"""When a link turns, and when that is worth an event: confirmation, hold-down, flapping (research: network §5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from link_health.states import FLAP_SPAN_US, PASSING, LinkState, Protection, is_flapping

CONFIRMATIONS = 2  # answers that say down, of either end, before it is an event


class Action(StrEnum):
    """``event.action`` of the events of this package."""

    LINK_DOWN = "link_down"
    LINK_UP = "link_up"
    LINK_UNKNOWN = "link_unknown"
    LINK_FLAPPING = "link_flapping"
    PROTECTION_DEGRADED = "protection_degraded"
    PROTECTION_LOST = "protection_lost"
    PROTECTION_RESTORED = "protection_restored"
    DEVICE_UNREACHABLE = "device_unreachable"
    DEVICE_REACHABLE = "device_reachable"
    QUALITY_FINDING = "quality_finding"
    QUALITY_RESTORED = "quality_restored"
    COLLECTION_SILENT = "collection_silent"
    COLLECTION_RESUMED = "collection_resumed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """Something that becomes a domain event.

    Attributes:
        action: What happened.
        at_us: Instant of the reading that caused it.
        name: The object: link, group, device or partition.
        root: The failed object that it lies behind.
        details: Further fields, short names to values.
    """

    action: Action
    at_us: int
    name: str
    link: str | None = None
    group: str | None = None
    device: str | None = None
    root: str | None = None
    flapping: bool = False
    details: Mapping[str, str | int] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class LinkMemory:
    """What is remembered of a link.

    Attributes:
        state: The state by the newest answers; None before the first reading.
        since_us: When it turned.
        changes: Instants of the latest turns between passing and down.
        confirmations: Answers that said down since it turned down.
        alarmed: The state that the events told last; up, down or unknown.
        flapping: An event told so.
        root: What it lies behind, by the last event.
        findings: Open quality findings: (kind, device, interface) to their id.
    """

    state: LinkState | None = None
    since_us: int = 0
    changes: list[int] = field(default_factory=list)
    confirmations: int = 0
    alarmed: LinkState | None = None
    flapping: bool = False
    root: str | None = None
    findings: dict[tuple[str, str, str], str] = field(default_factory=dict)

    def turn(self, state: LinkState, at_us: int) -> int | None:
        """Take over a state; the instant of the turn, or None if it is the old one. Turns never go back in time."""
        before, self.state = self.state, state
        if before is state:
            return None
        at = max(at_us, self.since_us + 1) if before is not None else at_us
        if (before in PASSING and state is LinkState.DOWN) or (before is LinkState.DOWN and state in PASSING):
            self.changes = [*[one for one in self.changes if one > at - FLAP_SPAN_US][-20:], at]
        if state is LinkState.DOWN:
            self.confirmations = 0
        self.since_us = at
        return at

    def settle(self, clock_us: int, hold_us: int, *, asked: bool) -> Action | None:
        """The event that is due: down once confirmed, unknown after one interval of hold-down, up at once.

        ``asked``: an end was polled in vain since its last answer; while the collector stands still, silence is not the
        link's.
        """
        state = LinkState.UP if self.state in PASSING else self.state
        if state is None or state is self.alarmed:
            return None
        if state is LinkState.DOWN and self.confirmations < CONFIRMATIONS:
            return None
        if state is LinkState.UNKNOWN and (not asked or clock_us - self.since_us < hold_us):
            return None
        before, self.alarmed = self.alarmed, state
        if state is LinkState.UP:
            return Action.LINK_UP if before is not None else None
        return Action.LINK_DOWN if state is LinkState.DOWN else Action.LINK_UNKNOWN

    def starts_flapping(self, clock_us: int) -> bool:
        """Whether it flaps and no event told so yet."""
        before, self.flapping = self.flapping, is_flapping(self.changes, clock_us)
        return self.flapping and not before


def protection_action(before: Protection | None, after: Protection) -> Action | None:
    """The event for a group whose protection turned; unknown tells nothing, and neither does normal from the start."""
    if after is before or after is Protection.UNKNOWN:
        return None
    if after is Protection.NORMAL:
        return None if before is None else Action.PROTECTION_RESTORED
    return Action.PROTECTION_DEGRADED if after is Protection.DEGRADED else Action.PROTECTION_LOST


def announced(members: Sequence[LinkMemory]) -> list[LinkState]:
    """The states of members as the events told them, so that a group's event never outruns its links'."""
    return [member.alarmed or LinkState.UNKNOWN for member in members]
