"""All links under watch: readings in; rates, turns and announcements out. Works on event time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from inventory.model import Inventory
from link_health.balance import MISMATCH, Balance
from link_health.columns import IMPLAUSIBLE, INTERPOLATED, OK, Columns, Int, Mask, Rates
from link_health.devices import Devices
from link_health.findings import CLOCK, IMPLAUSIBLE_RATE, STRIKES, Finding, finding_id
from link_health.roots import Topology, device_roots, link_root, topology
from link_health.series import Series
from link_health.states import (
    DECISION,
    PASSING,
    SAID,
    SAYS_DOWN,
    SILENT,
    LinkState,
    Protection,
    patience_us,
    protection,
)
from link_health.tables import LinkRow
from link_health.turns import Action, Announcement, LinkMemory, announced, protection_action

STATES = (LinkState.UNKNOWN, LinkState.UP, LinkState.DOWN)
DECIDE = np.array([[STATES.index(state) for state in row] for row in DECISION], np.int64)
_SAYS = np.array(SAID, np.int64)


def says_of(oper: Int) -> Int:
    """What ends say by ifOperStatus: ``SILENT``, ``SAYS_UP``, ``SAYS_DOWN``."""
    says: Int = np.where((oper >= 0) & (oper < len(_SAYS)), _SAYS[np.clip(oper, 0, len(_SAYS) - 1)], SILENT)
    return says


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What has come up since the last call of ``Watch.take``."""

    turns: list[tuple[str, int, str]] = field(default_factory=list)
    announcements: list[Announcement] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    links: set[str] = field(default_factory=set)
    devices: set[int] = field(default_factory=set)


class Watch:
    """State of all series, links, groups and devices; pure but for its own memory."""

    def __init__(self, interval_us: int) -> None:
        self.interval_us = interval_us
        self.series = Series()
        self.devices = Devices()
        self.balance = Balance()
        self.memories: dict[str, LinkMemory] = {}
        self.groups: dict[str, Protection] = {}
        self.marks: list[int] = []  # newest receipt by source, in order of arrival
        self.outcome = Outcome()
        self.inventory = Inventory()
        self._bind()

    def use(self, inventory: Inventory) -> None:
        """Take over another inventory; what is known of links that stay is kept."""
        self.inventory = inventory
        known = {link.id for link in inventory.links}
        self.memories = {name: memory for name, memory in self.memories.items() if name in known}
        self._bind()
        self.groups = {name: state for name, state in self.groups.items() if name in inventory.group}
        self.outcome.links |= self.memories.keys()

    def _bind(self) -> None:
        links = self.inventory.links
        self.names = [link.id for link in links]
        self.place = {name: row for row, name in enumerate(self.names)}
        self.codes = self._codes()
        self.graph: Topology = topology(self.inventory)
        ends = [(link.a, link.b) for link in links]
        self.a = self.series.numbers([(a.device, a.interface) for a, _ in ends])
        self.b = np.full(len(links), -1, np.int64)
        far = [row for row, (_, b) in enumerate(ends) if b is not None]
        self.b[far] = self.series.numbers([(b.device, b.interface) for _, b in ends if b is not None])
        memory = self.series.memory
        memory.peer[:], memory.ceiling[:] = -1, 0
        memory.peer[self.a] = self.b
        memory.peer[self.b[far]] = self.a[far]
        contracts = np.array([link.contract_bps for link in links], np.int64)
        memory.ceiling[self.a] = contracts
        memory.ceiling[self.b[far]] = contracts[far]
        self.rows_of: dict[int, list[int]] = {}
        for row, numbers in enumerate(zip(self.a.tolist(), self.b.tolist(), strict=True)):
            for number in numbers:
                self.rows_of.setdefault(number, []).append(row)

    def _codes(self) -> Int:
        """Code of each link's state, degraded as up, -1 before the first reading."""
        states = [self.memories[name].state if name in self.memories else None for name in self.names]
        plain = [LinkState.UP if state is LinkState.DEGRADED else state for state in states]
        return np.array([-1 if state is None else STATES.index(state) for state in plain], np.int64)

    def absorb(self, at: Int, readings: Columns, source: int) -> Rates:
        """Judge one reading of each series of ``at``; links that they belong to turn where they must."""
        memory = self.series.memory
        touched = np.full(len(self.series.keys) + 1, -1, np.int64)  # the last element stands for "no end b"
        touched[at] = readings.at_us
        ends = np.stack([touched[self.a], touched[self.b]])
        newest = ends.max(axis=0, initial=-1)
        earliest = np.where(ends >= 0, ends, np.int64(2**62)).min(axis=0, initial=2**62)
        self._evaluate(earliest, newest >= 0, None)
        strict = memory.base.run[at] == readings.run
        rates = self.series.absorb(at, readings, self.interval_us)
        memory.source[at] = source
        self.marks[source] = int(readings.at_us.max(initial=self.marks[source] if not len(at) else -1))
        self._find(at, rates, rates.clock & strict)
        self._evaluate(np.maximum(newest, self._link_clock(None)), newest >= 0, newest)
        self._confirm(at, rates)
        self.outcome.links.update(self.names[row] for row in np.flatnonzero(newest >= 0).tolist())
        return rates

    def advance(self, now_us: int) -> None:
        """What follows from time alone: links and devices without answer, and the events that are due."""
        clock = self._link_clock(now_us)
        self._evaluate(clock, np.ones(len(self.names), np.bool_), None)
        device_clock = self._clock(self.devices.source, now_us)
        lost = self.devices.lost(device_clock, self.interval_us)
        told = self.devices.settle(lost, device_clock, self.interval_us)
        due = self._due(clock)
        if told or due:
            self._announce(told, due, lost)

    def _clock(self, source: Int, now_us: int | None) -> Int:
        """Event time of partitions: now while they are followed closely, else what arrived last."""
        marks = np.array([*self.marks, -1], np.int64)[source]
        if now_us is None:
            return marks
        close = (now_us >= marks) & (now_us - marks <= patience_us(self.interval_us))
        return np.where(close & (marks >= 0), now_us, marks)

    def _link_clock(self, now_us: int | None) -> Int:
        source = np.append(self.series.memory.source, -1)
        return np.maximum(self._clock(source[self.a], now_us), self._clock(source[self.b], now_us))

    def _says(self, ends: Int, now_us: Int) -> Int:
        memory = self.series.memory
        answered, oper = np.append(memory.answered, -1)[ends], np.append(memory.oper, 0)[ends]
        fresh = (answered >= 0) & (np.abs(now_us - answered) <= patience_us(self.interval_us))
        told: Int = np.where(fresh, says_of(oper), SILENT)
        return told

    def _evaluate(self, now_us: Int, mask: Mask, caused: Int | None) -> None:
        """Turn the links of ``mask`` whose state at ``now_us`` is another; ``caused``: when the readings came."""
        code = DECIDE[self._says(self.a, now_us), self._says(self.b, now_us)]
        polled = np.append(self.series.memory.first, -1)
        known = mask & ((polled[self.a] >= 0) | (polled[self.b] >= 0))
        for row in np.flatnonzero(known & (code != self.codes)).tolist():
            state = STATES[code[row]]
            instant = int(caused[row]) if caused is not None else self._aged(row, int(now_us[row]))
            self._turn(row, state, instant)

    def _aged(self, row: int, now_us: int) -> int:
        """When the newest end whose silence made the state fell silent."""
        memory, patience = self.series.memory, patience_us(self.interval_us)
        ends = [int(end[row]) for end in (self.a, self.b) if end[row] >= 0]
        limits = [int(memory.answered[end]) + patience for end in ends if memory.answered[end] >= 0]
        past = [limit for limit in limits if limit <= now_us]
        if past:
            return max(past)
        return max(int(memory.first[end]) for end in ends)

    def _turn(self, row: int, state: LinkState, at_us: int) -> None:
        name = self.names[row]
        memory = self.memories.setdefault(name, LinkMemory())
        self.codes[row] = STATES.index(state)
        state = LinkState.DEGRADED if state is LinkState.UP and memory.findings else state
        at = memory.turn(state, at_us)
        if at is None:
            return
        self.outcome.links.add(name)
        self.outcome.turns.append((name, at, state.value))
        if memory.starts_flapping(at):
            told = Announcement(action=Action.LINK_FLAPPING, at_us=at, name=name, link=name, flapping=True)
            self.outcome.announcements.append(told)

    def _confirm(self, at: Int, rates: Rates) -> None:
        """Count the answers that say down, for links that are down."""
        down = (says_of(rates.oper) == SAYS_DOWN) & ~rates.stale
        for number in at[down].tolist():
            for row in self.rows_of.get(number, ()):
                memory = self.memories.get(self.names[row])
                if memory is not None and memory.state is LinkState.DOWN:
                    memory.confirmations += 1

    def _find(self, at: Int, rates: Rates, clock: Mask) -> None:
        """Open and close quality findings by the newest rates."""
        strikes = self.series.memory.strikes
        judged = ~rates.stale & (rates.length_us > 0)
        strikes[at] = np.where(judged, np.where(clock, strikes[at] + 1, 0), strikes[at])
        fine = (rates.status == OK) | (rates.status == INTERPOLATED)
        self._switch(IMPLAUSIBLE_RATE, at, rates, rates.status == IMPLAUSIBLE, fine)
        self._switch(CLOCK, at, rates, strikes[at] >= STRIKES, judged & ~clock)
        memory, volumes = self.series.memory, self.balance
        volumes.absorb(at, rates, len(memory.first))
        for row, at_us, differs, means in volumes.compare(self.a, self.b):
            self._set_finding(row, int(self.a[row]), MISMATCH, at_us, means if differs else None)

    def _switch(self, kind: str, at: Int, rates: Rates, bad: Mask, good: Mask) -> None:
        bad = bad & ~rates.stale
        for place in np.flatnonzero(bad | (good & self._has_finding(at))).tolist():
            raw = (int(rates.raw_in_bps[place]), int(rates.raw_out_bps[place])) if bad[place] else None
            for row in self.rows_of.get(int(at[place]), ()):
                self._set_finding(row, int(at[place]), kind, int(rates.at_us[place]), raw)

    def _has_finding(self, at: Int) -> Mask:
        open_ends = {
            self.series.number[device, name] for one in self.memories.values() for _, device, name in one.findings
        }
        return np.isin(at, np.fromiter(open_ends, np.int64, len(open_ends)))

    def _set_finding(self, row: int, number: int, kind: str, at_us: int, raw: tuple[int, int] | None) -> None:
        """Open a finding with its raw figures, or close it with None; nothing if it stands so already."""
        name, (device, interface) = self.names[row], self.series.keys[number]
        memory = self.memories.setdefault(name, LinkMemory())
        key = (kind, device, interface)
        if (raw is not None) == (key in memory.findings):
            return
        if raw is not None:
            memory.findings[key] = finding_id(name, *key, at_us)
            opened = Finding.opened(memory.findings[key], name, key, at_us, raw)
        else:
            opened = Finding.closed(memory.findings.pop(key), name, key, at_us)
        self.outcome.findings.append(opened)
        self.outcome.announcements.append(opened.announcement())
        if memory.state in PASSING:
            self._turn(row, LinkState.UP, at_us)

    def _due(self, clock: Int) -> list[tuple[int, Action]]:
        found = []
        series = self.series.memory
        in_vain = np.append(series.asked > series.answered, values=False)
        asked = in_vain[self.a] | in_vain[self.b]
        for row, name in enumerate(self.names):
            memory = self.memories.get(name)
            if memory is None:
                continue
            action = memory.settle(int(clock[row]), self.interval_us, asked=bool(asked[row]))
            if action is not None:
                found.append((row, action))
        return found

    def _announce(self, told: list[tuple[int, Action, int]], due: list[tuple[int, Action]], lost: Int) -> None:
        """Make announcements of one consistent state: roots first, then devices, links and their groups."""
        silent = {self.devices.keys[one] for one in np.flatnonzero(lost >= 0).tolist()}
        down = {name for name, memory in self.memories.items() if memory.state is LinkState.DOWN}
        causes = device_roots(self.graph, silent=silent, down=down)
        out = self.outcome.announcements
        for number, action, at_us in told:
            name = self.devices.keys[number]
            self.outcome.devices.add(number)
            root = causes.get(name) if action is Action.DEVICE_UNREACHABLE else None
            out.append(Announcement(action=action, at_us=at_us, name=name, device=name, root=root))
        for row, action in due:
            name = self.names[row]
            memory = self.memories[name]
            failed = action in {Action.LINK_DOWN, Action.LINK_UNKNOWN}
            memory.root = link_root(self.graph, name, silent=silent, down=down, causes=causes) if failed else None
            out.append(self._link_announcement(row, action))
        for group in dict.fromkeys(link.group for row, _ in due if (link := self.inventory.links[row]).group):
            out.extend(self._group_announcement(str(group)))

    def _link_announcement(self, row: int, action: Action) -> Announcement:
        name = self.names[row]
        memory = self.memories[name]
        self.outcome.links.add(name)
        return Announcement(
            action=action,
            at_us=memory.since_us,
            name=name,
            link=name,
            root=memory.root,
            flapping=memory.flapping,
            details={"state": memory.state.value if memory.state else ""},
        )

    def _group_announcement(self, group: str) -> Iterator[Announcement]:
        members = [self.memories.get(link.id, LinkMemory()) for link in self.inventory.links_of_group[group]]
        state = protection(announced(members))
        action = protection_action(self.groups.get(group), state)
        if state is not Protection.UNKNOWN:
            self.groups[group] = state
        if action is not None:
            at_us = max(member.since_us for member in members)
            roots = {member.root for member in members if member.alarmed is LinkState.DOWN}
            root = roots.pop() if len(roots) == 1 else None
            yield Announcement(action=action, at_us=at_us, name=group, group=group, root=root)

    def rows(self, names: Iterable[str]) -> list[LinkRow]:
        """The links' rows for the state database; none for a link without readings, or that is gone."""
        known = [(name, memory) for name in names if (memory := self.memories.get(name)) and name in self.place]
        told = [(name, memory, memory.state) for name, memory in known if memory.state is not None]
        places = np.array([self.place[name] for name, _, _ in told], np.int64)
        ends = zip(self.series.ends(self.a[places]), self.series.ends(self.b[places]), strict=True)
        return [
            LinkRow(
                link=name,
                state=state.value,
                since_us=memory.since_us,
                flapping=memory.flapping,
                finding=bool(memory.findings),
                root=memory.root,
                a=a,
                b=b,
            )
            for (name, memory, state), (a, b) in zip(told, ends, strict=True)
        ]

    def take(self) -> Outcome:
        """What came up, once."""
        found, self.outcome = self.outcome, Outcome()
        return found
