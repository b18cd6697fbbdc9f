"""Rates and turns over a long span at once: the same judgement as at work, for histories that are fed in.

A whole day of all series is judged in one call, each reading against its neighbour. That is right wherever every
reading becomes the base of the next; a series in which one does not (a failed, partial, late or cached reading) goes
through the day step by step. Quality findings are made at work only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from inventory.model import Link
from link_health.arrow import from_rates, names_of
from link_health.columns import Columns, Int, Mask, Rates
from link_health.rates import Context, compute_rates
from link_health.series import Key, Series
from link_health.states import patience_us
from link_health.watch import DECIDE, STATES, says_of

DAY_US = 86_400_000_000

ReadingsAt = Callable[[Int], Columns]
"""Readings of all series at some instants (microseconds): series after series, each in order of time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """One day (UTC) of history.

    Attributes:
        rates: RATES rows, by series and time.
        turns: (link, microseconds, state) of each change.
    """

    rates: pa.Table
    turns: tuple[tuple[str, int, str], ...]


def rates_of_history(
    readings_at: ReadingsAt,
    times_us: Int,
    keys: Sequence[Key],
    *,
    interval_us: int,
    links: Sequence[Link] = (),
) -> Iterator[Day]:
    """Judge the readings of the series ``keys`` at rising ``times_us``, day by day; turns are told of ``links``."""
    series = Series()
    series.numbers(keys)
    _bind(series, links)
    names = names_of(keys)
    turns = _Turns(series, links, interval_us)
    for times in np.split(times_us, np.flatnonzero(np.diff(times_us // DAY_US)) + 1):
        if len(times):
            readings = readings_at(times)
            rates = _judge(series, readings, len(times), interval_us)
            kept = np.flatnonzero(rates.emit)
            owners = pa.array(kept // len(times))
            table = from_rates(rates.take(kept), names[0].take(owners), names[1].take(owners))
            yield Day(rates=table, turns=tuple(turns.of(readings, times)))


def _bind(series: Series, links: Sequence[Link]) -> None:
    for link in links:
        for end in (link.a, link.b):
            number = series.number.get((end.device, end.interface)) if end is not None else None
            if number is not None:
                series.memory.ceiling[number] = link.contract_bps


def _judge(series: Series, readings: Columns, steps: int, interval_us: int) -> Rates:
    """Rates of all readings, (series, steps) flattened."""
    count = len(series.keys)
    before = _shifted(series.memory.base, readings, steps)
    first = np.arange(count * steps) % steps == 0
    context = Context(
        interval_us=interval_us,
        seen=~first | np.repeat(series.memory.seen, steps),
        ceiling_bps=np.repeat(series.memory.ceiling, steps),
        moved=np.ones(count * steps, np.bool_),  # so that each reading that might be merged is not taken for a base
        peer=np.full(count * steps, -1, np.int64),
    )
    rates = compute_rates(before, readings, context)
    plain = rates.seed.reshape(count, steps).all(axis=1) & _complete(readings, count, steps)
    _remember(series, readings, rates, np.flatnonzero(plain), steps)
    return _stepwise(series, readings, rates, np.flatnonzero(~plain), interval_us)


def _complete(readings: Columns, count: int, steps: int) -> Mask:
    """Series that leave nothing out that would be remembered from an earlier reading."""
    carried = (readings.boots, readings.if_index, readings.discontinuity)
    whole = [(values >= 0) | (values.max(initial=-1) < 0) for values in carried]
    complete: Mask = np.logical_and.reduce(whole).reshape(count, steps).all(axis=1)
    return complete


def _shifted(base: Columns, readings: Columns, steps: int) -> Columns:
    """For each reading the one before it; for the first of a series its base."""
    moved = {}
    for name in Columns.__dataclass_fields__:
        values = getattr(readings, name).reshape(-1, steps)
        kept = getattr(base, name)[:, None]
        moved[name] = np.concatenate([kept, values[:, :-1]], axis=1).ravel()
    return Columns(**moved)


def _remember(series: Series, readings: Columns, rates: Rates, numbers: Int, steps: int) -> None:
    """Let the last reading of each series be its base."""
    memory = series.memory
    last = numbers * steps + steps - 1
    fresh = readings.take(last)
    for name in Columns.__dataclass_fields__:
        getattr(memory.base, name)[numbers] = getattr(fresh, name)
    memory.seen[numbers] = True
    memory.rate_in[numbers], memory.rate_out[numbers] = rates.in_bps[last], rates.out_bps[last]


def _stepwise(series: Series, readings: Columns, rates: Rates, numbers: Int, interval_us: int) -> Rates:
    """Judge some series one reading after the other and put the result in place."""
    if not len(numbers):
        return rates
    steps = len(readings) // len(series.keys)
    found = {name: getattr(rates, name).copy() for name in Rates.__dataclass_fields__}
    for step in range(steps):
        places = numbers * steps + step
        judged = series.absorb(numbers, readings.take(places), interval_us)
        for name, values in found.items():
            values[places] = getattr(judged, name)
    return replace(rates, **found)


class _Turns:
    """Turns of links over a history; remembers the newest answers between two days."""

    def __init__(self, series: Series, links: Sequence[Link], interval_us: int) -> None:
        known = [link for link in links if (link.a.device, link.a.interface) in series.number]
        self.names = [link.id for link in known]
        self.a = np.array([series.number[link.a.device, link.a.interface] for link in known], np.int64)
        ends = [(link.b.device, link.b.interface) if link.b is not None else None for link in known]
        self.b = np.array([series.number.get(end, -1) if end else -1 for end in ends], np.int64)
        self.patience = patience_us(interval_us)
        self.state = np.full(len(known), -1, np.int64)
        self.answered = np.full(len(series.keys) + 1, -(10**15), np.int64)  # the last stands for "no end b"
        self.said = np.zeros(len(series.keys) + 1, np.int64)

    def of(self, readings: Columns, times: Int) -> Iterator[tuple[str, int, str]]:
        """The turns at these instants: what age alone brings, dated to the end of the patience, then the answers."""
        before = self.answered[:, None].copy(), self.said[:, None].copy()
        answered, said = self._told(readings, times)
        before_answered, before_said = (
            np.concatenate([old, new[:, :-1]], axis=1) for old, new in zip(before, (answered, said), strict=True)
        )
        aged, told = self._codes(before_answered, before_said, times), self._codes(answered, said, times)
        if (self.state < 0).any():  # before the first reading there is no state that could age
            aged[:, 0] = np.where(self.state < 0, told[:, 0], aged[:, 0])
        codes = np.stack([aged, told], axis=2).reshape(len(self.names), 2 * len(times))
        changed = codes != np.concatenate([self.state[:, None], codes[:, :-1]], axis=1)
        limits = [before_answered[ends] + self.patience for ends in (self.a, self.b)]
        past = np.max([np.where(limit <= times, limit, -1) for limit in limits], axis=0)
        first = self.state < 0
        for row, place in np.argwhere(changed).tolist():
            step, answer = divmod(place, 2)
            instant = times[step] if answer or (step == 0 and first[row]) else past[row, step]
            yield self.names[row], int(instant), STATES[codes[row, place]].value
        self.state = codes[:, -1] if codes.size else self.state

    def _codes(self, answered: Int, said: Int, times: Int) -> Int:
        """State of each link at each instant by what its ends said last."""
        says = np.where(times - answered <= self.patience, said, 0)
        codes: Int = DECIDE[says[self.a], says[self.b]]
        return codes

    def _told(self, readings: Columns, times: Int) -> tuple[Int, Int]:
        """Newest answer of each series at each instant, and what it said; one row more for the missing end."""
        steps = len(times)
        told = ((readings.oper > 0) & readings.ok).reshape(-1, steps)
        newest = np.maximum.accumulate(np.where(told, np.arange(steps)[None, :], -1), axis=1)
        says = says_of(readings.oper).reshape(-1, steps)
        count = len(says)
        answered = np.where(newest >= 0, times[newest], self.answered[:count, None])
        said = np.where(newest >= 0, np.take_along_axis(says, np.maximum(newest, 0), axis=1), self.said[:count, None])
        none = np.full((1, steps), -(10**15), np.int64)
        self.answered[:count], self.said[:count] = answered[:, -1], said[:, -1]
        return np.concatenate([answered, none]), np.concatenate([said, np.zeros((1, steps), np.int64)])
