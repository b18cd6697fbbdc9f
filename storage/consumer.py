"""How the worker turns spooled entries into results: offsets committed with what they led to (DESIGN §4).

Order of one batch: rows into the record store, derived events into the worker's own partition, then one state
transaction with ``apply`` and the new offset. A crash in between repeats the batch, so rows, events and state changes
carry ids that make a repetition change nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import pyarrow as pa
import sqlalchemy as sa

from records.schemas import Table
from records.spool import Entry, Kind, Position

Apply = Callable[[sa.Connection], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one batch, or one tick of the clock, comes to.

    Attributes:
        rows: For the record store.
        events: Domain events for the spool; each carries its own deterministic ``event.id``.
        apply: State changes, in call order, inside the transaction that commits the offset; snapshots of the consumer
            included.
    """

    rows: Sequence[tuple[Table, pa.Table]] = ()
    events: Sequence[Entry] = ()
    apply: Sequence[Apply] = field(default=())


class Consumer(Protocol):
    """One judging package at work; after any exception it is thrown away and made again from its snapshot."""

    name: str
    kinds: frozenset[Kind]

    def process(self, batch: Sequence[tuple[Position, Entry]], now: datetime) -> Step:
        """Judge entries of one partition, in order."""
        ...

    def tick(self, now: datetime) -> Step:
        """What follows from time alone, such as a link that no longer answers; called about once a second."""
        ...
