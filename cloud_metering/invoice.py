"""Issuing (出账): one signed bundle for each organisation, numbered and chained (CONTRACT §4, §7)."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from cloud_metering import tables, usage_file
from cloud_metering.amounts import exact_text
from cloud_metering.books import Chosen, Closed, bill_of, catalogue_in_force, close, closed_month
from cloud_metering.catalogue import canonical
from cloud_metering.draft import Draft, memberships_of, total_fen
from cloud_metering.model import Proofs
from cloud_metering.papers import Heading, paper, workbook
from cloud_metering.rating import hours_of
from crypto.bundle import manifest_digest, write_bundle
from crypto.canonical import canonical_json
from crypto.identity import SiteIdentity
from inventory.model import Inventory
from records.errors import RefusedError
from records.instants import format_instant, month_bounds
from storage.state import reading, writing

KIND = "bill"
_UNSAFE = re.compile(r"[^\w.@-]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """One bill that was issued.

    Attributes:
        path: The bundle, relative to the data folder.
        total_fen: What is to be paid.
    """

    number: str
    month: str
    organisation: str
    path: str
    total_fen: int
    demo: bool
    approvals: Proofs
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """Where bills are issued: databases, folder, key, and who acts.

    Attributes:
        folder: The data folder; bundles go to ``bills/MONTH/`` in it.
        producer: Program and version, for the manifest.
        approvals: Who agreed to the bills that are issued now.
    """

    state: sa.Engine
    folder: Path
    identity: SiteIdentity
    inventory: Inventory
    actor: str
    producer: str
    approvals: Proofs = ()


def invoices(connection: sa.Connection, month: str | None = None) -> list[Issued]:
    """Bills issued so far, of one month or all, in order of their numbers."""
    kept = tables.invoice.c
    query = sa.select(*(kept[name] for name in Issued.__slots__)).order_by(kept.seq)
    rows = connection.execute(query if month is None else query.where(kept.month == month))
    return [Issued(**{**row, "approvals": json.loads(row["approvals"])}) for row in rows.mappings()]


def issue(
    office: Office,
    month: str,
    at: datetime,
    *,
    organisation: str | None = None,
    chosen: Chosen | None = None,
    allow_demo: bool = False,
) -> list[Issued]:
    """Issue a month's bills; those that stand are left as they are and given again.

    Raises:
        RefusedError: The month is open, or a price is a demo price, and ``allow_demo`` is not set.
    """
    closed = _closed(office, month, at, chosen, allow_demo=allow_demo)
    with reading(office.state) as connection:
        bill = bill_of(connection, month, None, {})
    missing = to_issue(office.state, bill, organisation, allow_demo=allow_demo)
    roots = usage_file.roots(bill) if missing else []
    for name in missing:
        _issue_one(office, bill, closed, name, roots, at)
    with reading(office.state) as connection:
        return [one for one in invoices(connection, month) if organisation in {None, one.organisation}]


def to_issue(state: sa.Engine, bill: Draft, organisation: str | None, *, allow_demo: bool) -> list[str]:
    """Organisations of a draft whose bills do not stand yet; all rules of ``issue`` hold.

    Raises:
        RefusedError: As ``issue``.
    """
    if bill.state == "open" and not allow_demo:
        raise _open(bill.month)
    with reading(state) as connection:
        standing = {one.organisation for one in invoices(connection, bill.month)}
    missing = [name for name in organisations(bill) if organisation in {None, name} and name not in standing]
    if not allow_demo:
        _refuse_demo(bill, missing)
    return missing


def _open(month: str) -> RefusedError:
    advice = "run `yw bill close --month {month}` first"
    return RefusedError("month {month} is open", advice, where=month, month=month)


def _closed(office: Office, month: str, at: datetime, chosen: Chosen | None, *, allow_demo: bool) -> Closed:
    """What the month rests on; an open one is closed on the spot, which only a demo may."""
    with reading(office.state) as connection:
        found = closed_month(connection, month)
        if found is not None:
            return found
        if not allow_demo:
            raise _open(month)
        chosen = chosen or catalogue_in_force(connection)
    with writing(office.state) as connection:
        return close(
            connection,
            month,
            chosen=chosen,
            memberships=memberships_of(office.inventory),
            at=at,
            actor=office.actor,
            waiver="issued directly with --allow-demo",
            approvals=office.approvals,
        )


def organisations(bill: Draft) -> list[str]:
    """Who has a line, sorted."""
    return sorted({one.organisation for one in bill.charges})


def demo_skus(bill: Draft, organisation: str) -> list[str]:
    """Skus on an organisation's bill whose price is a demo price, sorted."""
    versions = bill.catalogue.versions
    charges = (one for one in bill.charges if one.organisation == organisation)
    return sorted({one.sku for one in charges if versions[one.sku][one.version - 1].demo})


def _refuse_demo(bill: Draft, missing: list[str]) -> None:
    skus = sorted({sku for name in missing for sku in demo_skus(bill, name)})
    if skus:
        raise RefusedError(
            "the bill of {month} rests on demo prices: {skus}",
            "load approved prices, or issue it as a demo with --allow-demo",
            where=bill.month,
            month=bill.month,
            skus=", ".join(skus),
        )


def _issue_one(office: Office, bill: Draft, closed: Closed, organisation: str, roots: list[str], at: datetime) -> None:
    """Write one bundle and its row; a bundle without a row is what a crash left, and is made anew."""
    with writing(office.state) as connection:
        kept = tables.invoice.c
        last = connection.execute(sa.select(kept.seq, kept.manifest_sm3).order_by(kept.seq.desc()).limit(1)).first()
        seq, previous = (last.seq + 1, last.manifest_sm3) if last else (1, None)
        heading = _heading(office, bill, closed, organisation, f"YW-{bill.month.replace('-', '')}-{seq:04d}", at)
        path = Path("bills") / bill.month / f"{heading.number}-{_UNSAFE.sub('_', organisation)}"
        if (office.folder / path).exists():
            shutil.rmtree(office.folder / path)
        files = bundle_files(bill, closed, heading, roots, office.approvals)
        options = {"created": at, "producer": office.producer, "previous": previous}
        out = write_bundle(office.folder / path, KIND, files, office.identity, **options)  # type: ignore[arg-type]  # three options of their own types
        row = {
            "seq": seq,
            "number": heading.number,
            "month": bill.month,
            "organisation": organisation,
            "path": path.as_posix(),
            "manifest_sm3": manifest_digest(out),
            "previous": previous,
            "total_fen": total_fen(_charges(bill, organisation), bill.catalogue.policy),
            "demo": heading.demo,
            "approvals": json.dumps(list(office.approvals)),
            "at": at,
            "actor": office.actor,
        }
        connection.execute(tables.invoice.insert().values(row))


def _charges(bill: Draft, organisation: str) -> list[Any]:
    return [one for one in bill.charges if one.organisation == organisation]


def _heading(office: Office, bill: Draft, closed: Closed, organisation: str, number: str, at: datetime) -> Heading:
    named = office.inventory.organisation.get(organisation)
    names = office.inventory.system
    systems = {one.id: names[one.system].name for one in office.inventory.tenants if one.system}
    return Heading(
        number=number,
        organisation=organisation,
        organisation_name=named.name if named else organisation,
        demo=bool(demo_skus(bill, organisation)),
        issued_at=at.replace(microsecond=0),
        systems=systems,
        seq=closed.bound.seq,
        head=closed.head.hex(),
    )


def bundle_files(
    bill: Draft, closed: Closed, heading: Heading, roots: list[str], approvals: Proofs
) -> Mapping[str, bytes]:
    """Everything that a bill's bundle holds."""
    shown = bill.for_organisation(heading.organisation) | {
        "state": "issued",
        "number": heading.number,
        "organisation": heading.organisation,
        "organisation_name": heading.organisation_name,
        "demo": heading.demo,
        "issued_at": format_instant(heading.issued_at),
        "approvals": [dict(one) for one in approvals],
    }
    on_bill = {one.tenant for one in _charges(bill, heading.organisation)}
    rows = [(one, mark) for one, mark in zip(bill.aggregated.segments, roots, strict=True) if one.tenant in on_bill]
    return {
        "bill.json": canonical_json(shown),
        "bill.xlsx": workbook(shown, heading),
        "bill.pdf": paper(shown, bill.catalogue, heading),
        "usage.csv": usage_file.write([one for one, _ in rows], [mark for _, mark in rows]),
        "catalogue.yaml": canonical(bill.catalogue).encode(),
        "policy.json": canonical_json(policy_document(bill, closed)),
    }


def policy_document(bill: Draft, closed: Closed) -> dict[str, Any]:
    """What the amounts follow from besides prices and usage."""
    start, end = month_bounds(bill.month)
    return {
        "month": bill.month,
        "time_zone": "Asia/Shanghai",
        "start": format_instant(start),
        "end": format_instant(end),
        "hours": exact_text(hours_of(bill.month, bill.catalogue.policy)),
        "policy": bill.catalogue.policy.as_json(),
        "waiver": closed.waiver,
        "ledger": {"seq": closed.bound.seq, "head": closed.head.hex()},
    }
