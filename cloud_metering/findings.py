"""Findings (疑点) of a month: usage that made no line, windows that overlap, conflicting events (CONTRACT §4)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction
from typing import cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cloud_metering.model import Finding, What
from records.instants import month_bounds

Numbers = npt.NDArray[np.int64]
_SPARSE = 2**40  # numbers with gaps up to here times 2**22 seconds stay below 2**63


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A piece of usage inside the month; ``start`` and ``end`` in seconds since 1970, ``where`` names a record."""

    meter: str
    unit: str
    quantity: Fraction
    start: int
    end: int
    where: str


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

    def add(self, what: str, tenant: str, sku: str | None, part: Part) -> None:
        """Add usage to its finding; ``where`` becomes that of the earliest part."""
        fresh = _Sum(part.meter, part.where, part.start, part.end)
        one = self.found.setdefault((what, tenant, sku, sku or part.meter), fresh)
        one.quantity[part.unit] = one.quantity.get(part.unit, Fraction(0)) + part.quantity
        if part.start < one.start:
            one.start, one.where = part.start, part.where
        one.end = max(one.end, part.end)

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
    starts, ends = _clipped(usage, month)
    return _listed("overlap", usage, _overlapping(_series(usage), starts, ends), starts, ends)


def conflicts(quarantined: pa.Table, month: str) -> list[Finding]:
    """Quarantined records' parts of the month; ``quarantined`` has the columns of USAGE."""
    starts, ends = _clipped(quarantined, month)
    return _listed("conflict", quarantined, np.nonzero(starts < ends)[0], starts, ends)


def _clipped(usage: pa.Table, month: str) -> tuple[Numbers, Numbers]:
    """Starts and ends of the windows in seconds, cut to the month; start >= end for one that lies outside."""
    low, high = (int(at.timestamp()) for at in month_bounds(month))
    starts, ends = (pc.cast(usage.column(name), pa.int64()).to_numpy() for name in ("start", "end"))
    return np.maximum(starts, low), np.minimum(ends, high)


def _series(usage: pa.Table) -> Numbers:
    """A number for each row's (source, resource, meter), small enough to be multiplied by the seconds of a month."""
    code = np.zeros(usage.num_rows, np.int64)
    for name in ("source", "resource", "meter"):
        encoded = usage.column(name).combine_chunks().dictionary_encode()
        code = code * max(len(encoded.dictionary), 1) + encoded.indices.to_numpy()
    return code if code.max(initial=0) < _SPARSE else np.unique(code, return_inverse=True)[1].astype(np.int64)


def _overlapping(series: Numbers, starts: Numbers, ends: Numbers) -> Numbers:
    """Rows that begin before an earlier one of their series has ended, in order of series and start.

    Each series is shifted to a stretch of time of its own, so that one running maximum serves all of them.
    """
    inside = np.nonzero(starts < ends)[0]
    if not len(inside):
        return inside
    low = starts[inside].min()
    shift = series[inside] * (ends[inside].max() - low)
    begin, until = starts[inside] - low + shift, ends[inside] - low + shift
    order = np.argsort(begin, kind="stable")
    reached = np.maximum.accumulate(until[order])
    late = np.nonzero(begin[order][1:] < reached[:-1])[0] + 1
    return inside[order[late]]


def _listed(what: str, usage: pa.Table, rows: Numbers, starts: Numbers, ends: Numbers) -> list[Finding]:
    found = Findings()
    records = usage.take(pa.array(rows)).to_pylist()
    for record, start, end in zip(records, starts[rows].tolist(), ends[rows].tolist(), strict=True):
        length = int((record["end"] - record["start"]).total_seconds())
        part = Part(
            meter=record["meter"],
            unit=record["unit"],
            quantity=Fraction(record["quantity"]) * (end - start) / length,
            start=start,
            end=end,
            where=f"{record['source']}/{record['event_id']}",
        )
        found.add(what, record["tenant"], None, part)
    return found.listed()
