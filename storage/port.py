"""Port of the record store: samples, rates and events (DESIGN §5). Engines pass the same contract tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

import pyarrow as pa

from records.schemas import Table

Operator = Literal["=", "!=", "<", "<=", ">", ">=", "in", "contains"]


@dataclass(frozen=True, slots=True)
class Where:
    """One condition on a column; ``in`` takes a tuple, ``contains`` a text, case-insensitively.

    A missing value meets ``= None`` and ``!=`` every value that is not None, and nothing else.
    """

    column: str
    operator: Operator
    value: object


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Rows of one page and the cursor of the next; ``next`` is None on the last page."""

    rows: pa.Table
    next: str | None


class RecordStore(Protocol):
    """Keeps rows for good, by key. Only the worker appends and seals; anybody reads."""

    def append(self, table: Table, rows: pa.Table) -> int:
        """Store rows whose key is new; returns how many were. Durable when it returns. A known key changes nothing."""
        ...

    def read(
        self,
        table: Table,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        where: Sequence[Where] = (),
        columns: Sequence[str] | None = None,
    ) -> pa.Table:
        """All rows of [start, end) that meet every condition, each once, ordered by series and time."""
        ...

    def page(
        self,
        table: Table,
        *,
        limit: int,
        cursor: str | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        where: Sequence[Where] = (),
        newest_first: bool = True,
    ) -> Page:
        """At most ``limit`` rows by time and key; the cursor stays valid while rows arrive and are sealed."""
        ...

    def count(
        self, table: Table, *, start: datetime | None = None, end: datetime | None = None, where: Sequence[Where] = ()
    ) -> int:
        """How many rows ``read`` would give."""
        ...

    def seal(self, before: datetime) -> int:
        """Move whole days (UTC) older than ``before`` into sealed segments; returns rows moved. Crash-safe."""
        ...

    def load_sealed(self, table: Table, rows: pa.Table) -> int:
        """Bulk-load historic rows straight into sealed segments, one a day; a day that has a segment is skipped."""
        ...

    def close(self) -> None: ...
