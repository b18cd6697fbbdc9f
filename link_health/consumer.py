"""Link health at work in the worker: samples from the spool become rates, states and events (``storage.consumer``).

A link's state follows the newest answer at once. ``link_down`` is told after a second answer that says down, of either
end; ``link_unknown`` and ``device_unreachable`` one interval after the state turned, when all that fails together is
known, so that each names its root. Everything goes by the readings' own time: a backlog, or a collector that does not
run, is no outage.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from inventory.model import Inventory
from link_health import snapshots
from link_health.arrow import codes_of, from_rates, names_of, read_samples, to_columns
from link_health.columns import Int
from link_health.events import entries
from link_health.findings import Finding
from link_health.states import patience_us
from link_health.tables import (
    device_answer,
    from_us,
    link_state,
    quality_finding,
    save_links,
    save_transitions,
    to_instant,
)
from link_health.turns import Action, Announcement
from link_health.watch import Outcome, Watch
from records.instants import microseconds
from records.schemas import RATES, READINGS, Table
from records.spool import Entry, Kind, Position
from storage import snapshot
from storage.consumer import Apply, Step
from storage.counting import bump
from storage.state import upsert

NAME = "link_health"


class LinkConsumer:
    """Consumer of kind ``samples``.

    Args:
        state: Where its snapshot lies.
        inventory: The inventory in force; asked before each batch and tick.
        interval_seconds: The polling interval.
    """

    name = NAME
    kinds = frozenset({Kind.SAMPLES})

    def __init__(self, state: sa.Engine, inventory: Callable[[], Any], *, interval_seconds: float) -> None:
        self._inventory = inventory
        self._using: Inventory | None = None
        interval_us = int(interval_seconds * 1_000_000)
        blob = snapshot.load(state, NAME)
        kept = snapshots.restore(blob, interval_us) if blob else None
        self.watch, self._runs, self._sources = kept or (Watch(interval_us), [], [])
        self._names: tuple[pa.Array, pa.Array] = names_of([])
        self._silent = False

    def process(self, batch: Sequence[tuple[Position, Entry]], now: datetime) -> Step:
        self._follow()
        tables = [read_samples(entry.payload) for _, entry in batch]
        readings = pa.concat_tables(tables).combine_chunks() if tables else READINGS.schema.empty_table()
        rates = self._absorb(readings, self._source(batch[0][0].partition)) if len(readings) else []
        self.watch.advance(microseconds(now))
        rows: list[tuple[Table, pa.Table]] = [(READINGS, readings)]
        rows += [(RATES, pa.concat_tables(rates))] if rates else []
        return self._step(now, rows, len(batch))

    def tick(self, now: datetime) -> Step:
        changed = self._follow()
        self.watch.advance(microseconds(now))
        self._listen(microseconds(now))
        found = self.watch.outcome
        idle = not (changed or found.turns or found.announcements or found.links or found.devices)
        return Step() if idle else self._step(now, [], 0)

    def _follow(self) -> bool:
        """Take over the inventory if it is another one."""
        found: Inventory = self._inventory()
        if found is self._using:
            return False
        self._using = found
        self.watch.use(found)
        return True

    def _source(self, partition: str) -> int:
        if partition not in self._sources:
            self._sources.append(partition)
            self.watch.marks.append(-1)
        return self._sources.index(partition)

    def _run_numbers(self, column: pa.ChunkedArray) -> Int:
        """Number each poller process."""
        codes, names = codes_of(column)
        for name in names:
            if name not in self._runs:
                self._runs.append(name)
        return np.array([self._runs.index(name) for name in names], np.int64)[codes]

    def _absorb(self, table: pa.Table, source: int) -> list[pa.Table]:
        """Judge all readings, each series' in the order of arrival; RATES rows."""
        series, columns = self._series(table), to_columns(table, self._run_numbers(table.column("run")))
        devices = self.watch.devices
        codes, names = codes_of(table.column("device"))
        heard = pc.is_in(table.column("status"), value_set=pa.array(["ok", "gone"])).to_numpy(zero_copy_only=False)
        numbers = devices.numbers(names)[codes]
        found = []
        for places in rounds(series):
            devices.absorb(numbers[places], columns.at_us[places], heard[places], source)
            self.watch.outcome.devices.update(np.unique(numbers[places]).tolist())
            rates = self.watch.absorb(series[places], columns.take(places), source)
            kept = np.flatnonzero(rates.emit)
            names_at = [array.take(pa.array(series[places][kept])) for array in self._named()]
            found.append(from_rates(rates.take(kept), *names_at))
        return found

    def _series(self, table: pa.Table) -> Int:
        devices, device_names = codes_of(table.column("device"))
        interfaces, interface_names = codes_of(table.column("interface"))
        pairs, positions = np.unique(devices * len(interface_names) + interfaces, return_inverse=True)
        keys = [
            (device_names[pair // len(interface_names)], interface_names[pair % len(interface_names)])
            for pair in pairs.tolist()
        ]
        return self.watch.series.numbers(keys)[positions]

    def _named(self) -> tuple[pa.Array, pa.Array]:
        if len(self._names[0]) != len(self.watch.series.keys):
            self._names = names_of(self.watch.series.keys)
        return self._names

    def _listen(self, now_us: int) -> None:
        """Tell once when no collector delivers any more, and once when one does again."""
        newest = max(self.watch.marks, default=-1)
        limit = patience_us(self.watch.interval_us) + self.watch.interval_us
        silent = newest >= 0 and now_us - newest > limit
        if silent != self._silent and newest >= 0:
            action = Action.COLLECTION_SILENT if silent else Action.COLLECTION_RESUMED
            self.watch.outcome.announcements.append(Announcement(action=action, at_us=newest, name="collect"))
        self._silent = silent

    def _step(self, now: datetime, rows: Sequence[tuple[Table, pa.Table]], count: int) -> Step:
        found = self.watch.take()
        using = self._using or Inventory()
        events = [entry for told in found.announcements for entry in entries(told, using, now)]
        return Step(rows=rows, events=events, apply=[self._changes(found, count)])

    def _changes(self, found: Outcome, count: int) -> Apply:
        watch = self.watch
        links = watch.rows(sorted(found.links))
        answers = [self._answer(number) for number in sorted(found.devices)]
        known = list(watch.names)
        blob = snapshots.dump(watch, self._runs, self._sources)

        def apply(connection: sa.Connection) -> None:
            save_links(connection, links)
            save_transitions(connection, found.turns)
            save_findings(connection, found.findings)
            upsert(connection, device_answer, answers)
            forget_links(connection, known)
            bump(connection, "received", Kind.SAMPLES.value, count)
            bump(connection, "stored", Kind.SAMPLES.value, count)
            snapshot.save(connection, NAME, blob)

        return apply

    def _answer(self, number: int) -> dict[str, object]:
        devices = self.watch.devices
        answered = int(devices.answered[number])
        return {
            "device": devices.keys[number],
            "answered_at": from_us(answered if answered >= 0 else None),
            "first_at": from_us(int(devices.polled[number])),
        }


def rounds(series: Int) -> Iterable[Int]:
    """Places of the first reading of each series, then of the second, and so on, each in order of arrival."""
    order = np.argsort(series, kind="stable")
    ordered = series[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(series) else np.zeros(0, np.int64)
    lengths = np.diff(np.r_[starts, len(series)])
    rank = np.arange(len(series)) - np.repeat(starts, lengths)
    for one in range(int(lengths.max(initial=0))):
        yield np.sort(order[rank == one])


def save_findings(connection: sa.Connection, findings: Iterable[Finding]) -> None:
    """Open and close quality findings; what is known already changes nothing."""
    for one in findings:
        if one.is_open:
            row = {
                "id": one.id,
                "link": one.link,
                "kind": one.kind,
                "device": one.device,
                "interface": one.interface,
                "opened_at": to_instant(one.at_us),
                "raw_in_bps": one.raw_in_bps,
                "raw_out_bps": one.raw_out_bps,
            }
            upsert(connection, quality_finding, [row], keep=True)
        else:
            closed = quality_finding.update().where(
                quality_finding.c.id == one.id, quality_finding.c.closed_at.is_(None)
            )
            connection.execute(closed.values(closed_at=to_instant(one.at_us)))


def forget_links(connection: sa.Connection, known: Sequence[str]) -> None:
    """Drop the rows of links that the inventory no longer names; their transitions stay."""
    kept = set(known)
    gone = [name for name in connection.scalars(sa.select(link_state.c.link)) if name not in kept]
    if gone:
        connection.execute(link_state.delete().where(link_state.c.link.in_(gone)))
