"""Findings (疑点) of a month: usage that made no line, windows that overlap, conflicting events (CONTRACT §4)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction
from typing import cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cloud_metering.model import Finding, What
from records.instants import month_bounds


@dataclass(slots=True)
class _Sum:
    """What is known of one finding so far; ``quantity`` by unit, because different units do not add."""

    meter: str
    where: str
    start: int
    end: int
    quantity: dict[str, Fraction] = field(default_factory=dict)


@dataclass(slots=True)
class Findings:
    """Collects findings, one for each (what, tenant, sku or meter)."""

    found: dict[tuple[str, str, str | None, str], _Sum] = field(default_factory=dict)

    def add(  # the eight fields of a finding
        self, what: str, tenant: str, meter: str, sku: str | None, unit: str, quantity: Fraction, start: int, end: int,
        where: str,
    ) -> None:  # fmt: skip
        """Add usage to its finding; ``start`` and ``end`` in seconds, ``where`` names the first record."""
        one = self.found.setdefault((what, tenant, sku, sku or meter), _Sum(meter, where, start, end))
        one.quantity[unit] = one.quantity.get(unit, Fraction(0)) + quantity
        if start < one.start:
            one.start, one.where = start, where
        one.end = max(one.end, end)

    def listed(self) -> list[Finding]:
        """All findings in a fixed order; a quantity in mixed units is unknown."""
        ordered = sorted(self.found.items(), key=lambda item: (item[0][0], item[0][1], item[0][3]))
        return [_finding(what, tenant, sku, one) for (what, tenant, sku, _), one in ordered]


def _finding(what: str, tenant: str, sku: str | None, one: _Sum) -> Finding:
    single = len(one.quantity) == 1
    return Finding(
        what=cast("What", what),
        where=one.where,
        tenant=tenant,
        meter=one.meter,
        sku=sku,
        quantity=next(iter(one.quantity.values())) if single else None,
        unit=next(iter(one.quantity)) if single else None,
        start=datetime.fromtimestamp(one.start, UTC),
        end=datetime.fromtimestamp(one.end, UTC),
    )


def overlaps(usage: pa.Table, month: str) -> list[Finding]:
    """Windows of one (source, resource, meter) that share time in the month: the later record's part of the month."""
    found = Findings()
    for row, start, end in _overlapping(usage, *_bounds(month)):
        _add(found, "overlap", usage, row, start, end)
    return found.listed()


def conflicts(quarantined: pa.Table, month: str) -> list[Finding]:
    """Quarantined records' parts of the month; ``quarantined`` has the columns of USAGE."""
    found = Findings()
    low, high = _bounds(month)
    starts, ends = _clipped(quarantined, low, high)
    for row in np.nonzero(starts < ends)[0]:
        _add(found, "conflict", quarantined, int(row), int(starts[row]), int(ends[row]))
    return found.listed()


def _bounds(month: str) -> tuple[int, int]:
    start, end = month_bounds(month)
    return int(start.timestamp()), int(end.timestamp())


def _clipped(usage: pa.Table, low: int, high: int) -> tuple[np.ndarray, np.ndarray]:
    starts, ends = (pc.cast(usage.column(name), pa.int64()).to_numpy() for name in ("start", "end"))
    return np.maximum(starts, low), np.minimum(ends, high)


def _overlapping(usage: pa.Table, low: int, high: int) -> list[tuple[int, int, int]]:
    """(row, start, end) of each record that begins, inside the month, before an earlier one of its series has ended."""
    starts, ends = _clipped(usage, low, high)
    series = _series(usage)
    order = np.lexsort((ends, starts, series))
    order = order[(starts < ends)[order]]
    same = series[order][1:] == series[order][:-1]
    if not (same & (starts[order][1:] < ends[order][:-1])).any():
        return []  # sorted by start, an overlap shows between neighbours
    found: list[tuple[int, int, int]] = []
    reached, last = low, -1
    for row in order.tolist():
        reached = reached if series[row] == last else low
        if starts[row] < reached:
            found.append((row, int(starts[row]), int(ends[row])))
        reached, last = max(reached, int(ends[row])), series[row]
    return found


def _series(usage: pa.Table) -> np.ndarray:
    """A number for each row's (source, resource, meter)."""
    code = np.zeros(usage.num_rows, np.int64)
    for name in ("source", "resource", "meter"):
        encoded = usage.column(name).combine_chunks().dictionary_encode()
        code = code * max(len(encoded.dictionary), 1) + encoded.indices.to_numpy()
    return code


def _add(found: Findings, what: str, usage: pa.Table, row: int, start: int, end: int) -> None:
    record = usage.slice(row, 1).to_pylist()[0]
    length = int((record["end"] - record["start"]).total_seconds())
    part = Fraction(record["quantity"]) * (end - start) / length
    where = f"{record['source']}/{record['event_id']}"
    found.add(what, record["tenant"], record["meter"], None, record["unit"], part, start, end, where)
