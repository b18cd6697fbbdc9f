"""Which devices answer at all, for the root cause and for their own events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from link_health.columns import Int, Mask
from link_health.states import patience_us
from link_health.turns import Action


@dataclass(slots=True)
class Devices:
    """All devices by number; -1 is null.

    Attributes:
        answered: Receipt of the newest answer, be it that an interface is gone.
        asked: Receipt of the newest poll, answered or not: silence counts only where somebody asked.
        polled: Receipt of the first poll, answered or not.
        source: Number of the partition that its readings come from.
        alarmed: 1 an event told that it is unreachable, 0 not.
    """

    keys: list[str] = field(default_factory=list)
    number: dict[str, int] = field(default_factory=dict)
    answered: Int = field(default_factory=lambda: np.zeros(0, np.int64))
    asked: Int = field(default_factory=lambda: np.zeros(0, np.int64))
    polled: Int = field(default_factory=lambda: np.zeros(0, np.int64))
    source: Int = field(default_factory=lambda: np.zeros(0, np.int64))
    alarmed: Int = field(default_factory=lambda: np.zeros(0, np.int64))

    def numbers(self, names: Sequence[str]) -> Int:
        """The numbers of these devices; unknown ones are added."""
        for name in dict.fromkeys(names):
            if name not in self.number:
                self.number[name] = len(self.keys)
                self.keys.append(name)
        more = len(self.keys) - len(self.answered)
        if more:
            blanks = (("answered", -1), ("asked", -1), ("polled", -1), ("source", -1), ("alarmed", 0))
            for attribute, blank in blanks:
                setattr(self, attribute, np.append(getattr(self, attribute), np.full(more, blank, np.int64)))
        return np.fromiter((self.number[name] for name in names), np.int64, len(names))

    def absorb(self, at: Int, at_us: Int, answered: Mask, source: int) -> None:
        """Take note of readings of the devices ``at``; a device may stand there often."""
        self.source[at] = source
        first = at[self.polled[at] < 0]
        self.polled[first] = at_us.max(initial=-1)
        np.minimum.at(self.polled, at, at_us)
        np.maximum.at(self.asked, at, at_us)
        told = at[answered]
        np.maximum.at(self.answered, told, at_us[answered])

    def lost(self, clock: Int, interval_us: int) -> Int:
        """Since when each device is silent, patience over; -1 for one that answers, or was not asked since it did."""
        limit = np.where(self.answered >= 0, self.answered, self.polled) + patience_us(interval_us)
        return np.where((self.asked > self.answered) & (clock > limit), limit, -1)

    def settle(self, lost: Int, clock: Int, hold_us: int) -> list[tuple[int, Action, int]]:
        """(device, action, instant) of what is due to be told, after one interval of hold-down."""
        gone = np.flatnonzero((lost >= 0) & (self.alarmed == 0) & (clock - lost >= hold_us))
        back = np.flatnonzero((lost < 0) & (self.alarmed == 1))
        self.alarmed[gone], self.alarmed[back] = 1, 0
        told = [(int(one), Action.DEVICE_UNREACHABLE, int(lost[one])) for one in gone]
        return told + [(int(one), Action.DEVICE_REACHABLE, int(self.answered[one])) for one in back]
