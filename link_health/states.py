"""Link and group states from both ends (CONTRACT §8, Links). Standard library only: ``yw link ls`` judges with it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

SECOND_US = 1_000_000
FLAP_CHANGES = 4
FLAP_SPAN_US = 600 * SECOND_US

SILENT, SAYS_UP, SAYS_DOWN = 0, 1, 2  # what one end says

SAID = (
    SILENT,
    SAYS_UP,
    SAYS_DOWN,
    SAYS_DOWN,
    SILENT,
    SILENT,
    SAYS_DOWN,
    SAYS_DOWN,
)  # by ifOperStatus, RFC 2863: testing carries nothing


class LinkState(StrEnum):
    """State of a link; ``degraded`` is up with an open quality finding."""

    UP = "up"
    DOWN = "down"
    DEGRADED = "degraded"
    UNKNOWN = "unknown"


class Protection(StrEnum):
    """Protection of a group of links (双链路保护)."""

    NORMAL = "normal"
    DEGRADED = "degraded"
    LOST = "lost"
    UNKNOWN = "unknown"


PASSING = frozenset({LinkState.UP, LinkState.DEGRADED})

# What end a says (rows) and end b says (columns): any down is down, else any up is up.
DECISION: tuple[tuple[LinkState, ...], ...] = (
    (LinkState.UNKNOWN, LinkState.UP, LinkState.DOWN),
    (LinkState.UP, LinkState.UP, LinkState.DOWN),
    (LinkState.DOWN, LinkState.DOWN, LinkState.DOWN),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndView:
    """What is known of one end of a link.

    Attributes:
        answered_us: Receipt of the newest answer that told ifOperStatus; None if there never was one.
        oper: ifOperStatus in that answer, 0 if unknown.
        figure_us: Receipt of the reading that the figures rest on.
        in_bps: Mean between the two newest valid readings, None where there is no truth.
        out_bps: As ``in_bps``.
    """

    answered_us: int | None = None
    oper: int = 0
    figure_us: int | None = None
    in_bps: int | None = None
    out_bps: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkView:
    """A link as one row shows it; in and out are seen from end ``a``."""

    state: LinkState
    in_bps: int | None
    out_bps: int | None
    as_of_us: int | None


NOBODY = EndView()


def patience_us(interval_us: int) -> int:
    """How old the newest answer of an end may be: two intervals and one second."""
    return 2 * interval_us + SECOND_US


def said(end: EndView, now_us: int, interval_us: int) -> int:
    """What an end says now: ``SILENT`` if it does not answer, or answers neither up nor down."""
    if not answering(end, now_us, interval_us):
        return SILENT
    return SAID[end.oper] if 0 <= end.oper < len(SAID) else SILENT


def answering(end: EndView, now_us: int, interval_us: int) -> bool:
    """The end answered within two intervals and a second; an answer from as far ahead came from a wrong clock."""
    return end.answered_us is not None and abs(now_us - end.answered_us) <= patience_us(interval_us)


def view_link(a: EndView, b: EndView, *, now_us: int, interval_us: int, finding: bool) -> LinkView:
    """State, figures and their age, from both ends.

    End ``b``, mirrored, stands in only while ``a`` does not answer. ``as_of_us`` is that of the reading with the
    figures, or of a newer answer of the other end if that alone makes the state.
    """
    says = said(a, now_us, interval_us), said(b, now_us, interval_us)
    state = DECISION[says[0]][says[1]]
    if state is LinkState.UNKNOWN:
        newest = max((at for at in (a.answered_us, b.answered_us) if at is not None), default=None)
        return LinkView(state=state, in_bps=None, out_bps=None, as_of_us=newest)
    if state is LinkState.UP and finding:
        state = LinkState.DEGRADED
    if answering(a, now_us, interval_us):
        figures, other, alone = a, b, says[0] == SILENT or (says[1] == SAYS_DOWN and says[0] != SAYS_DOWN)
    else:
        figures, other, alone = (
            EndView(answered_us=b.answered_us, figure_us=b.figure_us, in_bps=b.out_bps, out_bps=b.in_bps),
            a,
            False,
        )
    as_of = figures.figure_us if figures.figure_us is not None else figures.answered_us
    if alone and other.answered_us is not None:
        as_of = max(as_of or 0, other.answered_us)
    return LinkView(state=state, in_bps=figures.in_bps, out_bps=figures.out_bps, as_of_us=as_of)


def protection(states: Sequence[LinkState]) -> Protection:
    """Protection of a group by its members; a link without a group is a group of one."""
    up = sum(state in PASSING for state in states)
    down = sum(state is LinkState.DOWN for state in states)
    if up and up == len(states):
        return Protection.NORMAL
    if up and down:
        return Protection.DEGRADED
    return Protection.LOST if down and down == len(states) else Protection.UNKNOWN


def utilisation(in_bps: int | None, out_bps: int | None, contract_bps: int) -> float | None:
    """The larger direction as a fraction of the contract, not clamped; None if neither is known."""
    known = [rate for rate in (in_bps, out_bps) if rate is not None]
    return round(max(known) / contract_bps, 6) if known and contract_bps > 0 else None


def is_flapping(changes_us: Iterable[int], at_us: int) -> bool:
    """Four changes or more within the ten minutes up to ``at_us``."""
    return sum(at_us - FLAP_SPAN_US < change <= at_us for change in changes_us) >= FLAP_CHANGES
