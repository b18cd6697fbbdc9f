"""A month's usage records to segments and findings: split at all edges, summed exactly (CONTRACT §4).

DuckDB sums in 128-bit decimals; what is split at an edge is summed as quantity times seconds for each window length, so
that the division by the length happens once, in exact fractions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from itertools import accumulate
from typing import NamedTuple

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cloud_metering.choice import classify, sku_for
from cloud_metering.findings import Findings, Part
from cloud_metering.model import Catalogue, Finding, Membership, Price, Segment
from cloud_metering.rating import factor
from records.errors import Problem, UserError
from records.instants import midnight, month_bounds

_NAMED = ("tenant", "meter", "unit")
Memberships = Mapping[str, Sequence[Membership]]
_ENGINE: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "threads": 2,
}


class Sum(NamedTuple):
    """One group of records: same tenant, meter, unit and class, one cell, one window length where it was split.

    ``total`` is quantity times the seconds inside the cell if ``seconds`` is not 1, ``row`` the first record's row.
    """

    tenant: str
    meter: str
    unit: str
    kind: int
    cell: int
    seconds: int
    total: Decimal
    events: int
    start: int
    end: int
    row: int


Place = tuple[str, str, str, int, int]  # tenant, meter, unit, kind, cell
Key = tuple[str, str, str, int]  # tenant, sku, unit, first cell of the run


class Run(NamedTuple):
    """A stretch of cells with one organisation and one price; ``first`` is its first cell."""

    first: int
    organisation: str | None
    price: Price | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregated:
    """What a month's usage comes to before rating.

    Attributes:
        places: Which segment the records of a (tenant, meter, unit, kind, cell) went into; absent if into none.
        kinds: Number of the rules' combination, for each row of the usage.
        edges: Of the cells.
    """

    segments: list[Segment]
    findings: list[Finding]
    places: Mapping[Place, int]
    kinds: npt.NDArray[np.int64]
    edges: tuple[datetime, ...]


@dataclass(frozen=True, kw_only=True)
class Grid:
    """The month cut where some price or membership changes: at midnights in Asia/Shanghai."""

    edges: tuple[datetime, ...]
    catalogue: Catalogue
    memberships: Memberships
    runs: dict[tuple[str, str], list[Run]] = field(default_factory=dict)

    def organisation(self, tenant: str, cell: int) -> str | None:
        """Who the tenant belongs to in a cell."""
        at = self.edges[cell]
        spans = self.memberships.get(tenant, ())
        return next((one.organisation for one in spans if _covers(at, one.start, one.end)), None)

    def price(self, sku: str, cell: int) -> Price | None:
        """The price in force in a cell."""
        at = self.edges[cell]
        return next((one for span, one in self._spans[sku] if _covers(at, *span)), None)

    @cached_property
    def _spans(self) -> Mapping[str, Sequence[tuple[tuple[datetime | None, datetime | None], Price]]]:
        """Each sku's prices and from when to when they hold."""
        return {sku: [(price_span(one), one) for one in held] for sku, held in self.catalogue.versions.items()}

    def run(self, tenant: str, sku: str, cell: int) -> Run:
        """First cell, organisation and price of the stretch of equal cells that a cell lies in."""
        if (tenant, sku) not in self.runs:
            cells = range(len(self.edges) - 1)
            held = (Run(cell, self.organisation(tenant, cell), self.price(sku, cell)) for cell in cells)
            self.runs[tenant, sku] = list(accumulate(held, _same_run))
        return self.runs[tenant, sku][cell]

    def run_end(self, tenant: str, sku: str, first: int) -> datetime:
        """Where the stretch that begins with cell ``first`` ends."""
        last = max(cell for cell, run in enumerate(self.runs[tenant, sku]) if run[0] == first)
        return self.edges[last + 1]


def _same_run(before: Run, here: Run) -> Run:
    return before if before[1:] == here[1:] else here


def _covers(at: datetime, start: datetime | None, end: datetime | None) -> bool:
    return (start is None or start <= at) and (end is None or at < end)


def price_span(price: Price) -> tuple[datetime | None, datetime | None]:
    """From when to when a price holds, in UTC; None is open."""
    days = (price.valid_from, price.valid_to)
    start, end = (None if day is None else midnight(day) for day in days)
    return start, end


def grid(catalogue: Catalogue, memberships: Memberships, month: str) -> Grid:
    """The month's cells."""
    start, end = month_bounds(month)
    spans = [price_span(price) for price in catalogue.prices]
    spans += [(one.start, one.end) for held in memberships.values() for one in held]
    inside = {edge for span in spans for edge in span if edge is not None and start < edge < end}
    return Grid(edges=tuple(sorted({start, end} | inside)), catalogue=catalogue, memberships=memberships)


def aggregate(usage: pa.Table, catalogue: Catalogue, memberships: Memberships, month: str) -> Aggregated:
    """Segments and findings of a month.

    Args:
        usage: ``records.schemas.USAGE``; rows outside the month change nothing.
        catalogue: Checked prices and rules.
        memberships: Tenant to its spans, which do not overlap.
        month: ``YYYY-MM``.

    Raises:
        UserError: Records that no rule decides among several skus, each named.
    """
    cells = grid(catalogue, memberships, month)
    kinds, values = classify(usage, catalogue.attributes)
    judge = _Judge(usage=usage, cells=cells, values=values)
    for one in sums(usage, kinds, cells.edges):
        judge.take(one)
    if judge.undecided:
        raise UserError.of(judge.undecided.values())
    number = {key: nth for nth, key in enumerate(sorted(judge.parts, key=_order))}
    return Aggregated(
        segments=[judge.segment(*key) for key in number],
        findings=judge.findings.listed(),
        places={place: number[key] for place, key in judge.places.items()},
        kinds=kinds,
        edges=cells.edges,
    )


def sums(usage: pa.Table, kinds: npt.NDArray[np.int64], edges: Sequence[datetime]) -> Iterable[Sum]:
    """Exact sums of all groups, in one pass of DuckDB."""
    seconds = [int(edge.timestamp()) for edge in edges]
    cells = pa.table(  # noqa: F841 - DuckDB finds it by its name
        {"cell": range(len(edges) - 1), "since": seconds[:-1], "until": seconds[1:]},
        schema=pa.schema([("cell", pa.int32()), ("since", pa.int64()), ("until", pa.int64())]),
    )
    named = [_numbered(usage.column(name)) for name in _NAMED]
    columns = {name: pa.array(codes, pa.int32()) for name, (codes, _) in zip(_NAMED, named, strict=True)}
    columns["kind"] = pa.array(kinds, pa.int32())
    columns["row"] = pa.array(np.arange(usage.num_rows))
    records = usage.select(["quantity", "start", "end"])
    for name, values in columns.items():
        records = records.append_column(name, values)
    tenants, meters, units = (names for _, names in named)
    with duckdb.connect(config=_ENGINE) as engine:
        rows = engine.execute(_query(seconds)).fetchall()
    return [Sum(tenants[row[0]], meters[row[1]], units[row[2]], *row[3:]) for row in rows]


def _numbered(column: pa.ChunkedArray) -> tuple[npt.NDArray[np.int32], list[str]]:
    """A number for each row and the texts by number: whole numbers are grouped far sooner than texts."""
    encoded = column.combine_chunks().dictionary_encode()
    return encoded.indices.to_numpy(), encoded.dictionary.to_pylist()


def _query(edges: Sequence[int]) -> str:
    steps = " ".join(f"WHEN {{0}} < {edge} THEN {cell}" for cell, edge in enumerate(edges, -1))
    place = f"CASE {steps} ELSE {len(edges) - 1} END"
    return f"""
    WITH timed AS (SELECT *, epoch(start)::BIGINT AS since, epoch("end")::BIGINT AS until FROM records),
    placed AS (SELECT *, {place.format("since")} AS first, {place.format("(until - 1)")} AS last FROM timed)
    SELECT tenant, meter, unit, kind, first AS cell, 1 AS seconds,
           sum(quantity), count(*), min(since), max(until), min(row)
    FROM placed WHERE first = last AND first BETWEEN 0 AND {len(edges) - 2} GROUP BY ALL
    UNION ALL
    SELECT tenant, meter, unit, kind, cells.cell, placed.until - placed.since AS seconds,
           sum(quantity * (least(placed.until, cells.until) - greatest(placed.since, cells.since))),
           count(*), min(greatest(placed.since, cells.since)), max(least(placed.until, cells.until)), min(row)
    FROM placed JOIN cells ON cells.since < placed.until AND placed.since < cells.until
    WHERE first <> last GROUP BY ALL
    """  # noqa: S608 - whole numbers only


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judge:
    """Sends each group to its segment or finding."""

    usage: pa.Table
    cells: Grid
    values: Sequence[Mapping[str, str]]
    findings: Findings = field(default_factory=Findings)
    undecided: dict[tuple[str, int], Problem] = field(default_factory=dict)
    parts: dict[Key, list[tuple[Fraction, int]]] = field(default_factory=dict)
    places: dict[Place, Key] = field(default_factory=dict)
    chosen: dict[tuple[str, int, str], tuple[str | None, bool]] = field(default_factory=dict)

    def take(self, one: Sum) -> None:
        """Judge one group."""
        if self.cells.organisation(one.tenant, one.cell) is None:
            return self._find("no_organisation", one, None)
        known = self.cells.catalogue.skus_of_meter.get(one.meter, ())
        if not known:
            return self._find("no_sku", one, None)
        sku, converts = self._choose(one.meter, one.kind, one.unit)
        if sku is None:
            return self._cannot_choose(one, known)
        if not converts:
            return self._find("unit", one, sku)
        first, _, price = self.cells.run(one.tenant, sku, one.cell)
        if price is None:
            return self._find("no_price", one, sku)
        key = (one.tenant, sku, one.unit, first)
        self.parts.setdefault(key, []).append((_exact(one), one.events))
        self.places[one.tenant, one.meter, one.unit, one.kind, one.cell] = key
        return None

    def _choose(self, meter: str, kind: int, unit: str) -> tuple[str | None, bool]:
        """The sku, and whether the unit converts to that of its price; the same for many groups."""
        key = (meter, kind, unit)
        if key not in self.chosen:
            catalogue = self.cells.catalogue
            sku = sku_for(meter, self.values[kind], catalogue)
            converts = sku is not None and factor(unit, catalogue.versions[sku][0].unit, Fraction(1)) is not None
            self.chosen[key] = (sku, converts)
        return self.chosen[key]

    def _find(self, what: str, one: Sum, sku: str | None) -> None:
        part = Part(
            meter=one.meter,
            unit=one.unit,
            quantity=_exact(one),
            start=one.start,
            end=one.end,
            where=self._name(one.row),
        )
        self.findings.add(what, one.tenant, sku, part)

    def _name(self, row: int) -> str:
        return f"{self.usage['source'][row].as_py()}/{self.usage['event_id'][row].as_py()}"

    def _cannot_choose(self, one: Sum, skus: Sequence[str]) -> None:
        problem = Problem(
            "no match rule decides which of {skus} the usage of meter '{meter}' is",
            "add a rule under `match` of the catalogue that meets this record",
            self._name(one.row),
            {"skus": ", ".join(skus), "meter": one.meter},
        )
        self.undecided.setdefault((one.meter, one.kind), problem)

    def segment(self, tenant: str, sku: str, unit: str, first: int) -> Segment:
        """The segment of a key."""
        parts = self.parts[tenant, sku, unit, first]
        _, organisation, price = self.cells.run(tenant, sku, first)
        if organisation is None or price is None:
            raise ValueError("a segment lies where there is no organisation or price")
        return Segment(
            tenant=tenant,
            organisation=organisation,
            sku=sku,
            version=price.version,
            start=self.cells.edges[first],
            end=self.cells.run_end(tenant, sku, first),
            usage_unit=unit,
            quantity=sum((part for part, _ in parts), Fraction(0)),
            events=sum(events for _, events in parts),
        )


def _order(key: Key) -> tuple[str, str, int, str]:
    tenant, sku, unit, first = key
    return tenant, sku, first, unit


def _exact(one: Sum) -> Fraction:
    return Fraction(one.total) / one.seconds
