"""Catalogue versions and closed months (关账): what a bill rests on, kept for good."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from cloud_metering import tables
from cloud_metering.aggregate import Memberships
from cloud_metering.amounts import exact_text, price_text, to_fen, yuan_text
from cloud_metering.catalogue import canonical, parse
from cloud_metering.draft import (
    Bound,
    Draft,
    draft,
    memberships_from,
    memberships_json,
    missing_sources,
    rounding_lines,
)
from cloud_metering.ledger import ledger_head, watermarks
from cloud_metering.model import Catalogue, Proofs
from crypto.sm3 import sm3_hex
from records.errors import RefusedError, UserError


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A catalogue and its number in the books; None if a file was given."""

    catalogue: Catalogue
    version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """A closed month: its lines never change again."""

    month: str
    chosen: Chosen
    memberships: Memberships
    bound: Bound
    head: bytes
    waiver: str | None
    approvals: Proofs
    at: datetime


def load_catalogue(
    connection: sa.Connection, catalogue: Catalogue, at: datetime, actor: str, approvals: Proofs = ()
) -> tuple[int, bool]:
    """Put a catalogue in force; returns its number and whether it is new. The one in force again changes nothing."""
    body = canonical(catalogue)
    newest = _newest(connection)
    if newest is not None and newest.body == body:
        return newest.version, False
    version = 1 if newest is None else newest.version + 1
    connection.execute(
        tables.catalogue.insert().values(
            version=version,
            recorded_at=at,
            actor=actor,
            sm3=sm3_hex(body.encode()),
            body=body,
            approvals=json.dumps(list(approvals)),
        )
    )
    return version, True


_kept = lru_cache(8)(parse)  # a page asks for the same text with every view


def catalogue_in_force(connection: sa.Connection) -> Chosen:
    """The catalogue loaded last; raises UserError if there is none."""
    found = newest_catalogue(connection)
    if found is None:
        raise UserError("no price catalogue is loaded", "run `yw catalogue load FILE`, or give --catalogue FILE")
    return found


def newest_catalogue(connection: sa.Connection) -> Chosen | None:
    """The catalogue loaded last; None before the first."""
    newest = _newest(connection)
    if newest is None:
        return None
    return Chosen(catalogue=_kept(newest.body, f"catalogue {newest.version}"), version=newest.version)


def _newest(connection: sa.Connection) -> Any | None:
    kept = tables.catalogue.c
    query = sa.select(kept.version, kept.body).order_by(kept.version.desc()).limit(1)
    return connection.execute(query).first()


def closed_month(connection: sa.Connection, month: str) -> Closed | None:
    """What a closed month rests on; None while it is open."""
    row = connection.execute(sa.select(tables.period).where(tables.period.c.month == month)).first()
    if row is None:
        return None
    return Closed(
        month=month,
        chosen=Chosen(catalogue=_kept(row.catalogue, f"catalogue of {month}"), version=row.catalogue_version),
        memberships=memberships_from(row.memberships),
        bound=Bound(seq=row.ledger_seq, conflict=row.conflict_number),
        head=bytes(row.ledger_head),
        waiver=row.waiver,
        approvals=json.loads(row.approvals),
        at=row.at,
    )


def month_state(connection: sa.Connection, month: str) -> str:
    """``open``, ``closed`` or ``issued``."""
    if connection.execute(sa.select(tables.invoice.c.seq).where(tables.invoice.c.month == month).limit(1)).first():
        return "issued"
    found = connection.execute(sa.select(tables.period.c.number).where(tables.period.c.month == month)).first()
    return "closed" if found else "open"


def bill_of(connection: sa.Connection, month: str, chosen: Chosen | None, memberships: Memberships) -> Draft:
    """The month's draft: of what stands now while it is open, else of what it was closed on.

    Args:
        connection: A snapshot.
        month: ``YYYY-MM``.
        chosen: For an open month; the catalogue in force if None.
        memberships: For an open month.
    """
    closed = closed_month(connection, month)
    if closed is None:
        catalogue = (chosen or catalogue_in_force(connection)).catalogue
        return draft(connection, month, catalogue, memberships)
    state = month_state(connection, month)
    return draft(connection, month, closed.chosen.catalogue, closed.memberships, state=state, bound=closed.bound)


def close(
    connection: sa.Connection,
    month: str,
    *,
    chosen: Chosen | None,
    memberships: Memberships,
    at: datetime,
    actor: str,
    waiver: str | None = None,
    approvals: Proofs = (),
) -> Closed:
    """Close a month; closing it again changes nothing.

    Raises:
        RefusedError: A source of the month has not delivered all of it and no waiver was given.
        UserError: There is no catalogue, or a record that no rule decides.
    """
    known = closed_month(connection, month)
    if known is not None:
        return known
    chosen = chosen or catalogue_in_force(connection)
    bill = draft(connection, month, chosen.catalogue, memberships)
    if not bill.complete and not waiver:
        raise _incomplete(bill, missing_sources(bill.usage, watermarks(connection), month))
    _write_period(connection, month, chosen, memberships, at=at, actor=actor, waiver=waiver, approvals=list(approvals))
    _write_charges(connection, bill)
    found = closed_month(connection, month)
    if found is None:
        raise ValueError(f"month {month} was not closed")
    return found


def _incomplete(bill: Draft, missing: list[str]) -> RefusedError:
    return RefusedError(
        "usage of {month} is not complete: {sources}",
        "collect the rest, or state the reason with --waive WHY",
        where=bill.month,
        month=bill.month,
        sources=", ".join(missing) or "no source has delivered any",
    )


def _write_period(
    connection: sa.Connection,
    month: str,
    chosen: Chosen,
    memberships: Memberships,
    *,
    at: datetime,
    actor: str,
    waiver: str | None,
    approvals: Proofs,
) -> None:
    seq, head = ledger_head(connection)
    conflict = connection.execute(sa.select(sa.func.max(tables.usage_conflict.c.number))).scalar() or 0
    row = {
        "month": month,
        "at": at,
        "actor": actor,
        "ledger_seq": seq,
        "ledger_head": head,
        "conflict_number": conflict,
        "catalogue": canonical(chosen.catalogue),
        "catalogue_version": chosen.version,
        "memberships": memberships_json(memberships),
        "waiver": waiver,
        "approvals": json.dumps(approvals),
    }
    connection.execute(tables.period.insert().values(row))


def _write_charges(connection: sa.Connection, bill: Draft) -> None:
    """The lines as they were at closing, and the rounding lines beside them."""
    policy = bill.catalogue.policy
    rows = [
        {
            "month": bill.month,
            "tenant": one.tenant,
            "organisation": one.organisation,
            "sku": one.sku,
            "price_version": one.version,
            "tier": one.tier,
            "quantity": exact_text(one.quantity),
            "unit": one.unit,
            "unit_price": price_text(one.unit_price),
            "amount": yuan_text(to_fen(one.amount, policy.rounding)),
            "kind": "usage",
        }
        for one in bill.charges
    ]
    if rows:
        connection.execute(tables.charge.insert(), rows)
    for one in rounding_lines(bill.charges, policy):
        connection.execute(tables.charge.insert().values(month=bill.month, **one))
