"""``usage.csv`` of a bill: the segments that were rated, at full precision, each with the root over its source events.

It holds the whole month of every tenant on the bill, parts of other organisations included: tiers run over the tenant's
month.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cloud_metering.amounts import exact_text, parse_exact
from cloud_metering.draft import Draft
from cloud_metering.model import Segment
from crypto.merkle import root
from records.instants import format_instant, parse_instant

COLUMNS = (
    "tenant",
    "organisation",
    "sku",
    "price_version",
    "start",
    "end",
    "unit",
    "quantity",  # exact: an integer, or numerator/denominator
    "events",
    "events_root",  # RFC 6962 over SM3; a leaf is an event's payload_sm3, in ledger order
)


def write(segments: Sequence[Segment], roots: Sequence[str]) -> bytes:
    """The file, UTF-8, LF."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(_cells(one, mark) for one, mark in zip(segments, roots, strict=True))
    return text.getvalue().encode()


def _cells(one: Segment, mark: str) -> tuple[str | int, ...]:
    return (
        one.tenant,
        one.organisation,
        one.sku,
        one.version,
        format_instant(one.start),
        format_instant(one.end),
        one.usage_unit,
        exact_text(one.quantity),
        one.events,
        mark,
    )


def read(data: bytes) -> list[Segment]:
    """The segments of a file; ValueError with the line where it does not hold."""
    lines = list(csv.reader(io.StringIO(data.decode("utf-8"), newline="")))
    if not lines or tuple(lines[0]) != COLUMNS:
        raise ValueError("line 1: the columns are not those of usage.csv")
    return [_segment(cells, number) for number, cells in enumerate(lines[1:], 2)]


def _segment(cells: Sequence[str], number: int) -> Segment:
    if len(cells) != len(COLUMNS):
        raise ValueError(f"line {number}: {len(cells)} cells instead of {len(COLUMNS)}")
    named = dict(zip(COLUMNS, cells, strict=True))
    try:
        start, end, quantity = (
            parse_instant(named["start"]),
            parse_instant(named["end"]),
            parse_exact(named["quantity"]),
        )
        version, events = int(named["price_version"]), int(named["events"])
    except ValueError as error:
        raise ValueError(f"line {number}: {error}") from error
    return Segment(
        tenant=named["tenant"],
        organisation=named["organisation"],
        sku=named["sku"],
        version=version,
        start=start,
        end=end,
        usage_unit=named["unit"],
        quantity=quantity,
        events=events,
    )


def roots(bill: Draft) -> list[str]:
    """For each segment the Merkle root over its source events, in hex."""
    leaves: list[list[bytes]] = [[] for _ in bill.aggregated.segments]
    found = bill.aggregated
    edges = np.asarray([int(edge.timestamp()) for edge in found.edges])
    starts, ends = (pc.cast(bill.usage.column(name), pa.int64()).to_numpy() for name in ("start", "end"))
    first = np.maximum(np.searchsorted(edges, starts, side="right") - 1, 0)
    last = np.minimum(np.searchsorted(edges, ends, side="left") - 1, len(edges) - 2)
    names = [bill.usage.column(name).to_pylist() for name in ("tenant", "meter", "unit")]
    rows = zip(*names, found.kinds.tolist(), first.tolist(), last.tolist(), bill.marks, strict=True)
    for tenant, meter, unit, kind, begin, stop, mark in rows:
        places = {found.places.get((tenant, meter, unit, kind, cell)) for cell in range(begin, stop + 1)}
        for place in places:
            if place is not None:
                leaves[place].append(mark)
    return [root(one).hex() for one in leaves]
