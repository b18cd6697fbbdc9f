"""What every port of the province has counted at any instant (真值): the simulator answers it, tests compare with it.

Directions are those of a link (CONTRACT §8): *in* arrives at end ``a``, *out* leaves it. What ``a`` sends, ``b``
receives, octet for octet. A cut link carries nothing, and the first other link of its group carries its traffic.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import overload

import numpy as np
import numpy.typing as npt

from inventory.model import GroupMode, Inventory, Link
from lab.flow import ORIGIN, SCALE, SECOND, Flow, Whole
from lab.shape import HABITS
from lab.story import Cut

Seconds = int | float
Times = npt.NDArray[np.int64] | npt.NDArray[np.float64]

FOREVER = 2**62
UP, DOWN = 1, 2  # ifOperStatus
STANDBY_OCTETS = SCALE  # per second on a link that waits: routing hellos and probes
_SHARES = (52, 48)  # of two links that share; per-flow hashing is never even
_PORT_SPEEDS = tuple(mega * 1_000_000 for mega in (10, 100, 1_000, 2_500, 10_000, 25_000, 40_000, 100_000, 400_000))


def micros(at: Seconds) -> int:
    """Unix seconds to whole microseconds since ``ORIGIN``."""
    return (at - ORIGIN) * SECOND if isinstance(at, int) else round(at * SECOND) - ORIGIN * SECOND


def micros_many(at: Times) -> Whole:
    """``micros`` of each."""
    if at.dtype.kind == "i":
        return (at.astype(np.int64) - ORIGIN) * SECOND
    return np.rint(at * SECOND).astype(np.int64) - ORIGIN * SECOND


@dataclass(frozen=True)
class _Gap:
    """A stretch of time in which a flow runs elsewhere, microseconds since ``ORIGIN``."""

    flow: Flow
    start: int
    end: int

    @cached_property
    def _before(self) -> int:
        return self.flow.octets(self.start)

    @cached_property
    def _after(self) -> int:
        return self.flow.octets(self.end)

    def octets(self, at: int) -> int:
        """What ran elsewhere in [start, min(at, end))."""
        if at <= self.start:
            return 0
        return (self.flow.octets(at) if at < self.end else self._after) - self._before

    def octets_many(self, at: Whole) -> Whole:
        """``octets`` of each instant."""
        return self.flow.octets_many(np.clip(at, self.start, self.end)) - self._before


@dataclass(frozen=True, slots=True)
class _Course:
    """What one link carries in one direction: its own flow, less its gaps, more those of its partners."""

    own: Flow
    less: tuple[_Gap, ...]
    more: tuple[_Gap, ...]

    def octets(self, at: int) -> int:
        found = self.own.octets(at)
        for gap in self.less:
            found -= gap.octets(at)
        for gap in self.more:
            found += gap.octets(at)
        return found

    def octets_many(self, at: Whole) -> Whole:
        found = self.own.octets_many(at)
        for gap in self.less:
            found = found - gap.octets_many(at)
        for gap in self.more:
            found = found + gap.octets_many(at)
        return found


class Traffic:
    """The counters of an inventory's ports as a pure function of time.

    Raises:
        ValueError: Two outages of one group overlap, or one names no link.
    """

    def __init__(self, inventory: Inventory, cuts: Iterable[Cut] = ()) -> None:
        self.inventory = inventory
        self._cuts = _by_link(inventory, cuts)
        self._courses: dict[tuple[str, str], _Course] = {}

    @cached_property
    def _ports(self) -> dict[tuple[str, str], tuple[Link, bool]]:
        """(device, ifName) to the link that ends there and whether its end ``a`` does."""
        found: dict[tuple[str, str], tuple[Link, bool]] = {}
        for link in self.inventory.links:
            found[link.a.device, link.a.interface] = (link, True)
            if link.b is not None:
                found[link.b.device, link.b.interface] = (link, False)
        return found

    @overload
    def octets(self, link: str, direction: str, at: Seconds) -> int: ...
    @overload
    def octets(self, link: str, direction: str, at: Times) -> Whole: ...
    def octets(self, link: str, direction: str, at: Seconds | Times) -> int | Whole:
        """Octets that a link has carried ``in`` or ``out`` (seen from ``a``) until Unix second(s) ``at``."""
        course = self._courses.get((link, direction)) or self._course(link, direction)
        if isinstance(at, np.ndarray):
            return course.octets_many(micros_many(at))
        return course.octets(micros(at))

    @overload
    def counters(self, device: str, interface: str, at: Seconds) -> tuple[int, int]: ...
    @overload
    def counters(self, device: str, interface: str, at: Times) -> tuple[Whole, Whole]: ...
    def counters(self, device: str, interface: str, at: Seconds | Times) -> tuple[int, int] | tuple[Whole, Whole]:
        """Received and sent octets of a port since ``ORIGIN``; KeyError if no link ends there."""
        link, at_a = self._ports[device, interface]
        received, sent = ("in", "out") if at_a else ("out", "in")
        return self.octets(link.id, received, at), self.octets(link.id, sent, at)  # type: ignore[return-value]  # both of one kind

    def mean_bps(self, link: str, start: Seconds, end: Seconds) -> tuple[float, float]:
        """The true mean rates (in, out) of [start, end) in bit/s, seen from end ``a``."""
        span = (micros(end) - micros(start)) / SECOND
        rates = [
            (self.octets(link, direction, end) - self.octets(link, direction, start)) * 8 / span
            for direction in ("in", "out")
        ]
        return rates[0], rates[1]

    def link_at(self, device: str, interface: str) -> Link:
        """The link that ends at a port; KeyError if none does."""
        return self._ports[device, interface][0]

    def is_up(self, link: str, at: Seconds) -> bool:
        """Whether a link has light; both its ends say so."""
        return not any(start <= micros(at) < end for start, end in self._cuts.get(link, ()))

    def changed_at(self, link: str, at: Seconds) -> float | None:
        """Unix second of the latest change between up and down until ``at``; None if there was none."""
        edges = [edge for cut in self._cuts.get(link, ()) for edge in cut if edge <= micros(at)]
        return max(edges) / SECOND + ORIGIN if edges else None

    def oper_status(self, device: str, interface: str, at: Seconds) -> int:
        """The port's ifOperStatus; KeyError if no link ends there."""
        return UP if self.is_up(self._ports[device, interface][0].id, at) else DOWN

    def oper_status_many(self, device: str, interface: str, at: Times) -> npt.NDArray[np.int8]:
        """``oper_status`` of each instant."""
        times = micros_many(at)
        found = np.full(times.shape, UP, dtype=np.int8)
        for start, end in self._cuts.get(self._ports[device, interface][0].id, ()):
            found[(times >= start) & (times < end)] = DOWN
        return found

    def speed_bps(self, device: str, interface: str) -> int:
        """The port's speed: the slowest common one that carries the contract."""
        wanted = self._ports[device, interface][0].contract_bps
        return next((speed for speed in _PORT_SPEEDS if speed >= wanted), wanted)

    def _course(self, name: str, direction: str) -> _Course:
        link = self.inventory.link[name]
        less = tuple(_Gap(self._flow(link, direction), *span) for span in self._cuts.get(name, ()))
        more = tuple(
            _Gap(self._flow(other, direction), *span)
            for other in self._siblings(link)
            if other.id != name
            for span in self._cuts.get(other.id, ())
            if self._stand_in(other) == name
        )
        course = self._courses[name, direction] = _Course(self._flow(link, direction), less, more)
        return course

    def _siblings(self, link: Link) -> Sequence[Link]:
        return self.inventory.links_of_group.get(link.group, ()) if link.group is not None else ()

    def _stand_in(self, cut: Link) -> str | None:
        """Who carries a cut link's traffic: the first other link of its group."""
        return next((other.id for other in self._siblings(cut) if other.id != cut.id), None)

    def _flow(self, link: Link, direction: str) -> Flow:
        seed = int.from_bytes(hashlib.blake2b(f"{link.group or link.id} {direction}".encode(), digest_size=7).digest())
        return Flow(seed, link.tier, max(1, self._peak(link, direction) // SCALE))

    def _peak(self, link: Link, direction: str) -> int:
        """Octets/s at the busiest time; a pair that shares does so unevenly, a standby link only says hello."""
        habit = HABITS[link.tier]
        members = self._siblings(link) or (link,)
        place = [one.id for one in members].index(link.id)
        group = self.inventory.group.get(link.group or "")
        if group is not None and group.mode is GroupMode.ACTIVE_STANDBY and place:
            return STANDBY_OCTETS
        lean = 2 * _SHARES[place] if len(members) == len(_SHARES) else 100
        octets = link.contract_bps / 8 * habit.busiest * lean / 100 * (habit.upward if direction == "in" else 1.0)
        return int(octets)


def _by_link(inventory: Inventory, cuts: Iterable[Cut]) -> dict[str, tuple[tuple[int, int], ...]]:
    """Link to its outages in microseconds since ``ORIGIN``; ValueError where two of one group overlap."""
    found: dict[str, list[tuple[int, int]]] = {}
    of_group: dict[str, list[tuple[int, int]]] = {}
    for cut in cuts:
        link = inventory.link.get(cut.link)
        if link is None:
            raise ValueError(f"an outage of the unknown link {cut.link}")
        span = micros(cut.start.timestamp()), FOREVER if cut.end is None else micros(cut.end.timestamp())
        others = of_group.setdefault(link.group or link.id, [])
        if any(span[0] < end and start < span[1] for start, end in others):
            raise ValueError(f"outages of the group of {cut.link} overlap")
        others.append(span)
        found.setdefault(cut.link, []).append(span)
    return {name: tuple(sorted(spans)) for name, spans in found.items()}
