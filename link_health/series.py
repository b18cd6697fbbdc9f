"""What is remembered of each series (device, interface): base, newest answer, figures, completeness."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields

import numpy as np

from link_health.columns import OK, Columns, Int, Mask, Rates
from link_health.rates import Context, compute_rates, next_base
from link_health.states import patience_us
from link_health.tables import EndRow

BUCKET_US = 300_000_000
BUCKETS = 12  # completeness looks back over an hour

Key = tuple[str, str]


@dataclass(slots=True, kw_only=True)
class Memory:
    """One element a series; -1 is null.

    Attributes:
        base: The last reading whose counters were taken over.
        seen: The series has a base.
        ceiling: Contract bandwidth of its link, 0 if none.
        peer: Position of the far end's series, -1 if unknown.
        device: Position of its device.
        source: Number of the spool partition that its readings come from.
        answered: Receipt of the newest answer with ifOperStatus.
        asked: Receipt of the newest reading, answered or not.
        oper: ifOperStatus in that answer.
        figure: Receipt of the reading that the figures rest on.
        rate_in: Its rate in bit/s.
        rate_out: As ``rate_in``.
        first: Receipt of the first reading, answered or not.
        bucket: Number of the newest five-minute bucket with a reading.
        recent: Real samples of that bucket and the eleven before, newest first; shape (series, 12).
        strikes: Readings in a row in which the agent's clock and ours disagreed.
    """

    base: Columns
    seen: Mask
    ceiling: Int
    peer: Int
    device: Int
    source: Int
    answered: Int
    asked: Int
    oper: Int
    figure: Int
    rate_in: Int
    rate_out: Int
    first: Int
    bucket: Int
    recent: Int
    strikes: Int

    @classmethod
    def blank(cls, count: int) -> Memory:
        """Series of which nothing is known."""
        names = [one.name for one in fields(cls) if one.name not in {"base", "seen", "recent"}]
        arrays = {name: np.full(count, -1, np.int64) for name in names}
        arrays.update({name: np.zeros(count, np.int64) for name in ("ceiling", "oper", "strikes")})
        return cls(
            base=Columns.empty(count),
            seen=np.zeros(count, np.bool_),
            recent=np.zeros((count, BUCKETS), np.int64),
            **arrays,
        )

    def grown(self, count: int) -> Memory:
        """The same with ``count`` blank series behind."""
        more = Memory.blank(count)
        arrays = {
            one.name: np.concatenate([getattr(self, one.name), getattr(more, one.name)])
            for one in fields(self)
            if one.name != "base"
        }
        return Memory(base=Columns.joined([self.base, more.base]), **arrays)


@dataclass(slots=True)
class Series:
    """All series by number; numbers are given once and never change."""

    keys: list[Key] = field(default_factory=list)
    number: dict[Key, int] = field(default_factory=dict)
    memory: Memory = field(default_factory=lambda: Memory.blank(0))

    def numbers(self, keys: Sequence[Key]) -> Int:
        """The numbers of these series; unknown ones are added."""
        fresh = [key for key in dict.fromkeys(keys) if key not in self.number]
        if fresh:
            self.number.update(zip(fresh, range(len(self.keys), len(self.keys) + len(fresh)), strict=True))
            self.keys.extend(fresh)
            self.memory = self.memory.grown(len(fresh))
        return np.fromiter((self.number[key] for key in keys), np.int64, len(keys))

    def absorb(self, at: Int, readings: Columns, interval_us: int) -> Rates:
        """Judge one reading of each of the series ``at`` (no number twice) and remember it."""
        memory = self.memory
        base = memory.base.take(at)
        rates = compute_rates(base, readings, self._context(at, readings, interval_us))
        _store(memory.base, at, next_base(base, readings, rates))
        memory.seen[at] |= rates.seed
        self._remember(at, readings, rates)
        _count(memory, at, readings.at_us, rates.emit & (rates.status == OK))
        return rates

    def _context(self, at: Int, readings: Columns, interval_us: int) -> Context:
        memory = self.memory
        peer = memory.peer[at]
        told = (
            (peer >= 0)
            & (memory.figure[peer] >= readings.at_us - patience_us(interval_us))
            & (memory.rate_in[peer] >= 0)
        )
        moves = (memory.rate_in[peer] > 0) | (memory.rate_out[peer] > 0)
        return Context(
            interval_us=interval_us,
            seen=memory.seen[at],
            ceiling_bps=memory.ceiling[at],
            moved=(memory.rate_in[at] > 0) | (memory.rate_out[at] > 0),
            peer=np.where(told, moves.astype(np.int64), -1),
        )

    def _remember(self, at: Int, readings: Columns, rates: Rates) -> None:
        memory = self.memory
        memory.first[at] = np.where(memory.first[at] < 0, readings.at_us, memory.first[at])
        memory.asked[at] = np.maximum(memory.asked[at], readings.at_us)
        told = ~rates.stale & (rates.oper > 0)
        memory.answered[at] = np.where(told, readings.at_us, memory.answered[at])
        memory.oper[at] = np.where(told, rates.oper, memory.oper[at])
        shown = rates.emit & readings.ok
        for name, value in (("figure", readings.at_us), ("rate_in", rates.in_bps), ("rate_out", rates.out_bps)):
            kept = getattr(memory, name)
            kept[at] = np.where(shown, value, kept[at])

    def ends(self, positions: Int) -> list[EndRow]:
        """Series as their links' rows show them; an empty row for position -1."""
        memory = self.memory
        heads = (
            memory.answered,
            memory.oper,
            memory.figure,
            memory.rate_in,
            memory.rate_out,
            memory.first,
            memory.bucket,
        )
        values = np.concatenate(
            [np.stack([head[positions] for head in heads], axis=1), memory.recent[positions]], axis=1
        )
        whole = zip(positions.tolist(), values.tolist(), strict=True)
        return [EndRow(tuple(row)) if position >= 0 else EndRow() for position, row in whole]


def _store(base: Columns, at: Int, fresh: Columns) -> None:
    for one in fields(base):
        getattr(base, one.name)[at] = getattr(fresh, one.name)


def _count(memory: Memory, at: Int, at_us: Int, real: Mask) -> None:
    """Count real samples into five-minute buckets; a reading older than its newest bucket counts there."""
    newest = at_us // BUCKET_US
    shift = np.clip(newest - memory.bucket[at], 0, BUCKETS)
    moved = np.flatnonzero(shift)
    if len(moved):
        source = np.arange(BUCKETS)[None, :] - shift[moved, None]
        rows = memory.recent[at[moved]]
        shifted = np.take_along_axis(rows, np.maximum(source, 0), axis=1)
        memory.recent[at[moved]] = np.where(source >= 0, shifted, 0)
        memory.bucket[at[moved]] = newest[moved]
    memory.recent[at, 0] += real
