"""A month's bill as it stands (账单草稿): ledger in, lines and findings out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from cloud_metering.aggregate import Aggregated, Memberships, aggregate
from cloud_metering.amounts import exact_text, price_text, quantity_text, to_fen, yuan_text
from cloud_metering.findings import conflicts, overlaps
from cloud_metering.ledger import watermarks
from cloud_metering.model import Catalogue, Charge, Finding, Membership, Policy
from cloud_metering.rating import rate
from inventory.model import Inventory
from records.instants import format_instant, midnight, month_bounds
from records.schemas import USAGE

_COLUMNS = 'source, event_id, tenant, resource, meter, whole, nano, unit, start, "end", attributes'
_MICRO = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """Up to where the ledger counts; a closed month rests on what was there at closing."""

    seq: int
    conflict: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A rated month, all organisations.

    Attributes:
        charges: Exact, one for each line.
        complete: Every source that has usage in the month has delivered it to its end.
        usage: What it rests on, in ledger order; ``marks`` are the payload digests beside it.
    """

    month: str
    state: str
    catalogue: Catalogue
    charges: list[Charge]
    findings: list[Finding]
    complete: bool
    aggregated: Aggregated
    usage: pa.Table
    marks: list[bytes]

    def for_organisation(self, organisation: str | None) -> dict[str, Any]:
        """The shape of CONTRACT §8; of one organisation, or of all."""
        charges = [one for one in self.charges if organisation in {None, one.organisation}]
        tenants = {one.tenant for one in charges} | self._members(organisation)
        findings = [one for one in self.findings if organisation is None or one.tenant in tenants]
        return {
            "month": self.month,
            "state": self.state,
            "total": total_text(charges, self.catalogue.policy),
            "complete": self.complete,
            "lines": lines(charges, self.catalogue.policy),
            "findings": [one.as_json() for one in findings],
            "rounding": rounding_lines(charges, self.catalogue.policy),
        }

    def _members(self, organisation: str | None) -> set[str]:
        return {one.tenant for one in self.aggregated.segments if one.organisation == organisation}


def lines(charges: Iterable[Charge], policy: Policy) -> list[dict[str, Any]]:
    """Bill lines: each amount rounded once (CONTRACT §4)."""
    return [_line(one, policy) for one in charges]


def _line(one: Charge, policy: Policy) -> dict[str, Any]:
    return {
        "tenant": one.tenant,
        "organisation": one.organisation,
        "sku": one.sku,
        "price_version": one.version,
        "tier": one.tier,
        "quantity": quantity_text(one.quantity),
        "unit": one.unit,
        "unit_price": price_text(one.unit_price),
        "amount": yuan_text(to_fen(one.amount, policy.rounding)),
        "kind": "usage",
    }


def total_fen(charges: Iterable[Charge], policy: Policy) -> int:
    """What is to be paid: the sum of the rounded lines."""
    return sum(to_fen(one.amount, policy.rounding) for one in charges)


def total_text(charges: Iterable[Charge], policy: Policy) -> str:
    """The same in yuan."""
    return yuan_text(total_fen(charges, policy))


def rounding_lines(charges: Iterable[Charge], policy: Policy) -> list[dict[str, Any]]:
    """Exact minus rounded for each organisation: its own line, never on the total. The amount is an exact fraction."""
    differences: dict[str, Fraction] = {}
    for one in charges:
        difference = one.amount - Fraction(to_fen(one.amount, policy.rounding), 100)
        differences[one.organisation] = differences.get(one.organisation, Fraction(0)) + difference
    return [
        {"organisation": name, "kind": "rounding", "amount": exact_text(amount)}
        for name, amount in sorted(differences.items())
        if amount
    ]


def draft(
    connection: sa.Connection,
    month: str,
    catalogue: Catalogue,
    memberships: Memberships,
    *,
    state: str = "open",
    bound: Bound | None = None,
) -> Draft:
    """Rate a month; raises UserError naming records that no rule decides among several skus.

    Args:
        connection: A snapshot of the state database.
        month: ``YYYY-MM``.
        catalogue: Checked.
        memberships: Tenant to its spans.
        state: ``open``, ``closed`` or ``issued``.
        bound: For a closed month, up to where the ledger counts.
    """
    usage, marks = month_usage(connection, month, bound)
    found = aggregate(usage, catalogue, memberships, month)
    more = [*overlaps(usage, month), *conflicts(month_conflicts(connection, month, bound), month)]
    return Draft(
        month=month,
        state=state,
        catalogue=catalogue,
        charges=rate(found.segments, catalogue, month),
        findings=[*found.findings, *more],
        complete=complete(usage, watermarks(connection), month),
        aggregated=found,
        usage=usage,
        marks=marks,
    )


def complete(usage: pa.Table, known: Mapping[str, datetime], month: str) -> bool:
    """Whether every source of the month's usage has delivered it to its end; False if nothing has."""
    return bool(usage.num_rows) and not missing_sources(usage, known, month)


def missing_sources(usage: pa.Table, known: Mapping[str, datetime], month: str) -> list[str]:
    """Sources of the month's usage that have not delivered it to its end, sorted."""
    end = month_bounds(month)[1]
    sources: list[str] = pc.unique(usage.column("source")).to_pylist()
    return sorted(one for one in sources if one not in known or known[one] < end)


def month_usage(connection: sa.Connection, month: str, bound: Bound | None = None) -> tuple[pa.Table, list[bytes]]:
    """Usage that touches a month, in ledger order, and the payload digests."""
    low, high = (int(at.timestamp()) * _MICRO for at in month_bounds(month))
    newest = f" AND seq <= {bound.seq:d}" if bound else ""
    picked = f"SELECT seq, {_COLUMNS}, payload_sm3 FROM usage_event WHERE"  # noqa: S608 - fixed names and whole numbers
    query = (
        f"{picked} start >= {low} AND start < {high}{newest} UNION ALL "
        f'{picked} crosses AND start < {low} AND "end" > {low}{newest} ORDER BY 1'
    )
    rows = [tuple(row) for row in connection.exec_driver_sql(query)]
    return usage_table([row[1:-1] for row in rows]), [bytes(row[-1]) for row in rows]


def month_conflicts(connection: sa.Connection, month: str, bound: Bound | None = None) -> pa.Table:
    """Quarantined records that touch a month."""
    low, high = (int(at.timestamp()) * _MICRO for at in month_bounds(month))
    newest = f" AND number <= {bound.conflict:d}" if bound else ""
    query = f'SELECT {_COLUMNS} FROM usage_conflict WHERE start < {high} AND "end" > {low}{newest} ORDER BY number'  # noqa: S608 - fixed names and whole numbers
    return usage_table([tuple(row) for row in connection.exec_driver_sql(query)])


def usage_table(rows: Sequence[tuple[Any, ...]]) -> pa.Table:
    """Ledger rows in the columns of ``_COLUMNS`` as ``records.schemas.USAGE``."""
    if not rows:
        return USAGE.schema.empty_table()
    source, event_id, tenant, resource, meter, whole, nano, unit, start, end, attributes = zip(*rows, strict=True)
    columns = {
        "source": source,
        "event_id": event_id,
        "tenant": tenant,
        "resource": resource,
        "meter": meter,
        "quantity": _decimals(whole, nano),
        "unit": unit,
        "start": pa.array([one // _MICRO for one in start]).cast(pa.timestamp("s", tz="UTC")),
        "end": pa.array([one // _MICRO for one in end]).cast(pa.timestamp("s", tz="UTC")),
        "attributes": attributes,
    }
    return pa.table(columns, schema=USAGE.schema)


def _decimals(whole: Sequence[int], nano: Sequence[int]) -> pa.Array:
    """Both parts as one decimal128(21, 9): little-endian 128-bit integers of nano units."""
    words = b"".join((high * 10**9 + low).to_bytes(16, "little") for high, low in zip(whole, nano, strict=True))
    return pa.Array.from_buffers(pa.decimal128(21, 9), len(whole), [None, pa.py_buffer(words)])


def memberships_of(inventory: Inventory) -> dict[str, tuple[Membership, ...]]:
    """Tenant to its spans, from the inventory's dates: 00:00 Asia/Shanghai, end exclusive."""
    return {
        name: tuple(
            Membership(
                tenant=name,
                organisation=one.organisation,
                start=None if one.start is None else midnight(one.start),
                end=None if one.end is None else midnight(one.end),
            )
            for one in spans
        )
        for name, spans in inventory.memberships.items()
    }


def memberships_json(memberships: Memberships) -> str:
    """Memberships as kept with a closed month."""
    spans = [
        [one.tenant, one.organisation, one.start and format_instant(one.start), one.end and format_instant(one.end)]
        for held in memberships.values()
        for one in held
    ]
    return json.dumps(sorted(spans, key=str), ensure_ascii=False)


def memberships_from(text: str) -> dict[str, tuple[Membership, ...]]:
    """What ``memberships_json`` wrote."""
    found: dict[str, list[Membership]] = {}
    for tenant, organisation, *span in json.loads(text):
        start, end = (None if one is None else datetime.fromisoformat(one) for one in span)
        one = Membership(tenant=tenant, organisation=organisation, start=start, end=end)
        found.setdefault(tenant, []).append(one)
    return {name: tuple(spans) for name, spans in found.items()}
