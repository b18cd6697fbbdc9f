"""What CLI and console show of metering: usage by tenant, meter and day, months, bills, sources."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

import sqlalchemy as sa

from cloud_metering import tables
from cloud_metering.aggregate import Memberships
from cloud_metering.amounts import fen_of, quantity_text, yuan_text
from cloud_metering.books import Chosen, bill_of, catalogue_in_force, closed_month, month_state
from cloud_metering.catalogue import canonical
from cloud_metering.draft import memberships_json
from cloud_metering.invoice import Issued, invoices
from cloud_metering.ledger import ledger_head, watermarks
from cloud_metering.payload import NANO
from crypto.sm3 import sm3_hex
from records.errors import UserError
from records.instants import SHANGHAI, format_instant, month_bounds, month_of, next_month
from storage.state import reading, upsert, writing

_SECONDS_A_DAY = 86_400
_EVENT = tables.usage_event.c


def usage(
    state: sa.Engine,
    start: datetime,
    end: datetime,
    *,
    tenants: Sequence[str] | None = None,
    by_day: bool = False,
    by_resource: bool = False,
) -> list[dict[str, Any]]:
    """Usage of windows that begin in [start, end), by tenant and meter, and by day or resource for a closer look.

    Quantities are exact sums shown with 6 places; a day is one in Asia/Shanghai.
    """
    groups: list[sa.ColumnElement[Any]] = [_EVENT.tenant, _EVENT.meter, _EVENT.unit]
    names = ["tenant", "meter", "unit"]
    if by_resource:
        groups, names = [*groups, _EVENT.resource], [*names, "resource"]
    if by_day:
        groups, names = [*groups, _day(start)], [*names, "day"]
    sums = (sa.func.sum(_EVENT.whole), sa.func.sum(_EVENT.nano), sa.func.count(), sa.func.max(_EVENT.end))
    query = sa.select(*groups, *sums).where(_EVENT.start >= start, _EVENT.start < end).group_by(*groups)
    if tenants is not None:
        query = query.where(_EVENT.tenant.in_(list(tenants)))
    with reading(state) as connection:
        rows = connection.execute(query.order_by(*groups)).all()
    return [_usage_row(names, row, start) for row in rows]


def _day(start: datetime) -> sa.ColumnElement[int]:
    """Days since the midnight in Asia/Shanghai at or before ``start``."""
    first = int(_midnight(start).timestamp()) * 1_000_000
    return (sa.type_coerce(_EVENT.start, sa.BigInteger) - first) // (_SECONDS_A_DAY * 1_000_000)


def _midnight(at: datetime) -> datetime:
    return at.astimezone(SHANGHAI).replace(hour=0, minute=0, second=0, microsecond=0)


def _usage_row(names: Sequence[str], row: Sequence[Any], start: datetime) -> dict[str, Any]:
    found = dict(zip(names, row, strict=False))
    whole, nano, count, last = row[len(names) :]
    if "day" in found:
        found["day"] = (_midnight(start) + timedelta(days=int(found["day"]))).date().isoformat()
    quantity = quantity_text(int(whole) + Fraction(int(nano), NANO))
    until = last if isinstance(last, datetime) else None
    return found | {"quantity": quantity, "events": count, "until": until and format_instant(until)}


def sources(state: sa.Engine) -> list[dict[str, Any]]:
    """Each source's events, newest receipt and watermark."""
    query = sa.select(_EVENT.source, sa.func.count(), sa.func.max(_EVENT.received_at)).group_by(_EVENT.source)
    with reading(state) as connection:
        rows = {source: (count, at) for source, count, at in connection.execute(query)}
        marks = watermarks(connection)
        conflicts = _conflicts(connection)
    return [
        {
            "source": one,
            "events": rows[one][0] if one in rows else 0,
            "conflicts": conflicts.get(one, 0),
            "received_at": format_instant(rows[one][1]) if one in rows else None,
            "complete_until": format_instant(marks[one]) if one in marks else None,
        }
        for one in sorted({*rows, *marks})
    ]


def _conflicts(connection: sa.Connection) -> dict[str, int]:
    kept = tables.usage_conflict.c.source
    found = connection.execute(sa.select(kept, sa.func.count()).group_by(kept))
    return {source: count for source, count in found}  # noqa: C416 - a Row is no pair to mypy


def months(state: sa.Engine) -> list[dict[str, Any]]:
    """Months with usage, newest first: state, bills and their total; the total is null until bills are issued."""
    with reading(state) as connection:
        first, last = connection.execute(sa.select(sa.func.min(_EVENT.start), sa.func.max(_EVENT.end))).one()
        if first is None:
            return []
        return [_month(connection, one) for one in reversed(_months_between(first, last))]


def _months_between(first: datetime, last: datetime) -> list[str]:
    found = [month_of(first)]
    while month_bounds(found[-1])[1] < last:
        found.append(next_month(found[-1]))
    return found


def _month(connection: sa.Connection, month: str) -> dict[str, Any]:
    issued = invoices(connection, month)
    closed = closed_month(connection, month)
    return {
        "month": month,
        "state": month_state(connection, month),
        "bills": len(issued),
        "total": yuan_text(sum(one.total_fen for one in issued)) if issued else None,
        "demo": any(one.demo for one in issued),
        "closed_at": format_instant(closed.at) if closed else None,
    }


def bills(state: sa.Engine, month: str | None = None) -> list[dict[str, Any]]:
    """Issued bills, in order of their numbers."""
    with reading(state) as connection:
        return [issued_json(one) for one in invoices(connection, month)]


def issued_json(one: Issued) -> dict[str, Any]:
    """A bill's row as JSON."""
    return {
        "number": one.number,
        "month": one.month,
        "organisation": one.organisation,
        "total": yuan_text(one.total_fen),
        "demo": one.demo,
        "path": one.path,
        "issued_at": format_instant(one.at),
        "approvals": list(one.approvals),
    }


def month_bill(state: sa.Engine, month: str, memberships: Memberships) -> dict[str, Any] | None:
    """The whole month's bill, rated again only when what it rests on has changed; None without a catalogue.

    Reads the cache in a snapshot and writes it in a transaction of its own.
    """
    with reading(state) as connection:
        try:
            chosen = catalogue_in_force(connection)
        except UserError:
            return None
        basis = _basis(connection, month, chosen, memberships)
        kept = tables.bill_draft.c
        query = sa.select(kept.body).where(kept.month == month, kept.basis == basis)
        body: str | None = connection.execute(query).scalar()
        if body is not None:
            found: dict[str, Any] = json.loads(body)
            return found
        bill = bill_of(connection, month, chosen, memberships).for_organisation(None)
    with writing(state) as connection:
        row = {"month": month, "basis": basis, "body": json.dumps(bill, ensure_ascii=False)}
        upsert(connection, tables.bill_draft, [row])
    return bill


def _basis(connection: sa.Connection, month: str, chosen: Chosen, memberships: Memberships) -> str:
    conflict = connection.execute(sa.select(sa.func.max(tables.usage_conflict.c.number))).scalar()
    parts = (
        month_state(connection, month),
        ledger_head(connection)[0],
        conflict,
        sorted(watermarks(connection).items()),
        canonical(chosen.catalogue) if chosen.version is None else chosen.version,
        memberships_json(memberships),
    )
    return sm3_hex(repr(parts).encode())


def by_organisation(bill: dict[str, Any]) -> list[dict[str, Any]]:
    """A bill's total for each organisation, largest first."""
    totals: dict[str, int] = {}
    for line in bill["lines"]:
        totals[line["organisation"]] = totals.get(line["organisation"], 0) + fen_of(line["amount"])
    ordered = sorted(totals.items(), key=lambda item: (-item[1], item[0]))
    return [{"organisation": name, "amount": yuan_text(fen)} for name, fen in ordered]
