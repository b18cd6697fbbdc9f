"""``yw bill``: draft, close, issue, show and export bills (CONTRACT §4, §8)."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from records.errors import UserError
from records.instants import format_instant, now
from yunwang import billing
from yunwang.billing import Closing, Issuing, draft_of
from yunwang.cli.approve import Reason
from yunwang.cli.meter import month_span
from yunwang.cli.output import emit
from yunwang.wiring import Site, open_site

if TYPE_CHECKING:
    from cloud_metering.books import Chosen
    from cloud_metering.invoice import Issued

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True, add_completion=False)

Month = Annotated[str, typer.Option("--month", help="YYYY-MM, cut at 00:00 Asia/Shanghai")]
Org = Annotated[str | None, typer.Option("--org", help="only this organisation")]
CatalogueFile = Annotated[Path | None, typer.Option("--catalogue", help="this file instead of the loaded prices")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="tell what would come of it, change nothing")]


LINE = (
    "tenant", "organisation", "sku", "price_version", "tier", "quantity", "unit", "unit_price", "amount", "kind",
)  # fmt: skip


@app.command()
def draft(month: Month, org: Org = None, catalogue: CatalogueFile = None) -> None:
    """The month's bill as it stands; exit 1 if there are findings."""
    month_span(month)
    site = open_site()
    _known_organisation(site, org)
    bill = draft_of(site, month, _chosen(catalogue)).for_organisation(org)
    emit(bill, columns=LINE, rows=lambda found: found["lines"])
    if bill["findings"]:
        raise typer.Exit(1)


def _known_organisation(site: Site, org: str | None) -> None:
    if org is not None and org not in site.inventory.organisation:
        advice = "run `yw inventory export` for the known ones"
        raise UserError("there is no organisation '{org}'", advice, where="--org", org=org)


def _chosen(catalogue: Path | None) -> Chosen | None:
    """The catalogue of a file; None for the loaded one."""
    from cloud_metering.books import Chosen  # noqa: PLC0415 - DuckDB on first use
    from cloud_metering.catalogue import load_file  # noqa: PLC0415

    return None if catalogue is None else Chosen(catalogue=load_file(catalogue))


@app.command()
def close(
    month: Month,
    waive: Annotated[str | None, typer.Option("--waive", help="why missing usage is accepted")] = None,
    catalogue: CatalogueFile = None,
    reason: Reason = "",
    dry_run: DryRun = False,
) -> None:
    """Close a month, which takes two persons: its lines never change again. Closing it twice changes nothing."""
    month_span(month)
    site = open_site()
    wanted = Closing(month=month, waiver=waive, chosen=_chosen(catalogue), reason=reason)
    found = billing.would_close(site, wanted) if dry_run else billing.close(site, wanted)
    result: dict[str, Any] = {
        "month": month,
        "state": "closed",
        "closed_at": format_instant(found.at),
        "catalogue_version": found.chosen.version,
        "ledger": {"seq": found.bound.seq, "head": found.head.hex()},
        "waiver": found.waiver,
        "approvals": list(found.approvals),
        "applied": not dry_run,
    }
    emit(result)


@app.command()
def issue(
    month: Month,
    org: Org = None,
    catalogue: CatalogueFile = None,
    allow_demo: Annotated[bool, typer.Option("--allow-demo", help="issue demo prices, marked as a demo")] = False,
    reason: Reason = "",
    dry_run: DryRun = False,
) -> None:
    """Write one signed bundle for each organisation, which takes two persons, and print the paths.

    A second time prints the same.
    """
    month_span(month)
    site = open_site()
    _known_organisation(site, org)
    wanted = Issuing(month=month, organisation=org, chosen=_chosen(catalogue), allow_demo=allow_demo, reason=reason)
    if dry_run:
        _show_issue(site, month, billing.would_issue(site, wanted))
    else:
        _show_issue(site, month, [_issued(site, one) for one in billing.issue(site, wanted)])


def _issued(site: Site, one: Issued) -> dict[str, Any]:
    from cloud_metering.views import issued_json  # noqa: PLC0415 - the ledger on first use

    return issued_json(one) | {"path": str(site.place.root / one.path)}


def _show_issue(site: Site, month: str, found: list[dict[str, Any]]) -> None:
    paths = [one["path"] for one in found if one["path"]]
    agreed = [proof for one in found for proof in one["approvals"]]
    approvals = list({one["id"]: one for one in agreed}.values())
    result = {"month": month, "paths": paths, "bills": found, "approvals": approvals, "ca": str(site.place.ca)}
    emit(result, rows=lambda shown: shown["bills"])


@app.command()
def show(month: Annotated[str | None, typer.Option("--month", help="YYYY-MM")] = None, org: Org = None) -> None:
    """Months and their state; with --month the bills issued; with --org too, that bill as it was signed."""
    from cloud_metering import views  # noqa: PLC0415 - the ledger on first use

    site = open_site()
    if month is None:
        emit(views.months(site.state))
        return
    month_span(month)
    if org is not None:
        folder = site.place.root / _standing(site, month, org)
        emit(json.loads((folder / "bill.json").read_bytes()), rows=lambda found: found["lines"])
        return
    bills = views.bills(site.state, month)
    emit([one | {"path": str(site.place.root / one["path"])} for one in bills])


def _standing(site: Site, month: str, org: str) -> str:
    """Path of an issued bill; UserError if there is none."""
    from cloud_metering import views  # noqa: PLC0415 - the ledger on first use

    for one in views.bills(site.state, month):
        if one["organisation"] == org:
            return str(one["path"])
    advice = "run `yw bill issue --month {month}`"
    raise UserError("no bill of {month} for '{org}' was issued", advice, where="--org", month=month, org=org)


class ExportFormat(StrEnum):
    """What a bill can be exported as."""

    CSV = "csv"
    XLSX = "xlsx"
    PDF = "pdf"
    JSON = "json"


@app.command()
def export(
    month: Month,
    out: Annotated[Path, typer.Option("--out", help="file to write")],
    form: Annotated[
        ExportFormat, typer.Option("--format", help="pdf and xlsx of one issued bill need --org")
    ] = ExportFormat.CSV,
    org: Org = None,
) -> None:
    """Write a month's lines as CSV or JSON, or one issued bill as PDF or XLSX."""
    month_span(month)
    site = open_site()
    if form in {ExportFormat.PDF, ExportFormat.XLSX}:
        data = _from_bundle(site, month, org, f"bill.{form.value}")
    else:
        data = _lines(site, month, org, form)
    try:
        out.write_bytes(data)
    except OSError as error:
        reason = error.strerror or error
        raise UserError(
            "cannot write the file: {reason}", "choose another --out", where=str(out), reason=reason
        ) from error
    emit({"path": str(out)})


def _from_bundle(site: Site, month: str, org: str | None, name: str) -> bytes:
    if org is None:
        raise UserError("an issued bill is one organisation's", "add --org", where="--org")
    return (site.place.root / _standing(site, month, org) / name).read_bytes()


def _lines(site: Site, month: str, org: str | None, form: ExportFormat) -> bytes:
    from documents.model import Listing, columns  # noqa: PLC0415 - on first use
    from documents.rows import csv_bytes  # noqa: PLC0415 - on first use

    bill = draft_of(site, month).for_organisation(org)
    if form is ExportFormat.JSON:
        return json.dumps(bill, ensure_ascii=False).encode()
    names = (
        "tenant",
        "organisation",
        "sku",
        "price_version",
        "tier",
        "quantity",
        "unit",
        "unit_price",
        "amount",
        "kind",
    )
    rows = ([line[name] for name in names] for line in bill["lines"])
    return csv_bytes(Listing(title=month, columns=columns(*names), rows=rows, created=now(), trailer=False))
