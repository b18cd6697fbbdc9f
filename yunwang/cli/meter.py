"""``yw meter``: import, collect and list usage (CONTRACT §3, §8)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from records.errors import Problem, UsageError, UserError
from records.instants import midnight, month_bounds, month_of, now, parse_instant
from yunwang.cli.output import emit, note
from yunwang.language import translate
from yunwang.wiring import Site, open_site

if TYPE_CHECKING:
    import pyarrow as pa

    from inventory.model import Cloud

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True, add_completion=False)

_CHUNK_ROWS = 50_000  # of one transaction: the worker waits no longer for the write lock than these take
_COUNTS = ("received", "stored", "duplicates", "conflicts")
DryRun = Annotated[bool, typer.Option("--dry-run", help="tell what would come of it, store nothing")]


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="CSV or NDJSON")],
    source: Annotated[str | None, typer.Option("--source", help="fills an absent column source")] = None,
    dry_run: DryRun = False,
) -> None:
    """Read a usage table into the ledger; exit 1 if a row was rejected or in conflict."""
    from collectors.tables import read_usage  # noqa: PLC0415 - pyarrow on first use

    site = open_site()
    if not file.is_file():
        raise UserError("there is no file '{path}'", "check the path", where=str(file), path=file)
    read = read_usage(file, str(file), source, site.inventory.memberships.keys())
    counts = _counts(site, read.rows, dry_run=dry_run, action="usage.import", subject=str(file))
    _finish(counts, read.received, read.rejected)


@app.command("collect")
def collect(
    source: Annotated[str, typer.Option("--source", help="id of a cloud of the inventory")],
    start: Annotated[str, typer.Option("--from", help="instant with offset, or YYYY-MM-DD in Asia/Shanghai")],
    end: Annotated[str, typer.Option("--to", help="instant or day, exclusive")],
    dry_run: DryRun = False,
) -> None:
    """Ask a cloud for its usage of a span and store it; exit 1 if a row was rejected or in conflict."""
    from yunwang.collecting import collect_span  # noqa: PLC0415 - the cloud's SDK on first use

    site = open_site()
    cloud = _cloud(site, source)
    since, until = _instant(start, "--from"), _instant(end, "--to")
    if until <= since:
        raise UsageError("--to is not after --from", "give a later end", where="--to")
    found = collect_span(site, cloud, since, until)
    for gap in found.gaps:
        note("gap: {what}", what=gap.text(translate))
    received, subject = found.rows.num_rows + len(found.rejected), cloud.id
    counts = _counts(site, found.rows, dry_run=dry_run, action="usage.collect", subject=subject)
    if not dry_run:
        _advance(site, cloud.id, since, found.complete_until)
    _finish(counts, received, found.rejected)


def _cloud(site: Site, source: str) -> Cloud:
    found = site.inventory.cloud.get(source)
    if found is None or found.kind != "openstack":
        known = ", ".join(one.id for one in site.inventory.clouds if one.kind == "openstack") or "none"
        raise UserError(
            "there is no OpenStack cloud '{source}'",
            "known here: {known}",
            where="--source",
            source=source,
            known=known,
        )
    return found


def _instant(text: str, option: str) -> datetime:
    try:
        return midnight(date.fromisoformat(text)) if "T" not in text.upper() else parse_instant(text)
    except ValueError as error:
        advice = "write 2026-07-01 or 2026-07-01T00:00:00+08:00"
        raise UsageError("'{value}' is no instant", advice, where=option, value=text) from error


def _advance(site: Site, source: str, since: datetime, until: datetime) -> None:
    """A span that begins after the watermark leaves a gap before it, so it does not move it."""
    from cloud_metering.ledger import advance_watermark, watermarks  # noqa: PLC0415 - the ledger on first use
    from storage.state import writing  # noqa: PLC0415

    with writing(site.state) as connection:
        known = watermarks(connection).get(source)
        if known is None or since <= known:
            advance_watermark(connection, source, until)


def _counts(site: Site, rows: pa.Table, *, dry_run: bool, action: str, subject: str) -> dict[str, int]:
    return _look(site, rows) if dry_run else _post(site, rows, action, subject)


def _finish(counts: dict[str, int], received: int, rejected: Sequence[Problem]) -> None:
    """The two ways into the ledger end alike."""
    refused = [{"where": one.where, "what": one.text(translate)} for one in rejected]
    result: dict[str, Any] = {"received": received, **counts, "rejected": refused}
    emit(result, columns=(*_COUNTS, "rejected"), rows=lambda found: [{**found, "rejected": len(found["rejected"])}])
    if rejected or counts["conflicts"]:
        raise typer.Exit(1)


def _look(site: Site, rows: pa.Table) -> dict[str, int]:
    from cloud_metering.ledger import preview  # noqa: PLC0415 - the ledger on first use
    from storage.state import reading  # noqa: PLC0415

    with reading(site.state) as connection:
        found = preview(connection, rows)
    return {"stored": found.stored, "duplicates": found.duplicates, "conflicts": found.conflicts}


def _post(site: Site, rows: pa.Table, action: str, subject: str) -> dict[str, int]:
    from access.audit import record  # noqa: PLC0415 - the ledger on first use
    from cloud_metering.ledger import post  # noqa: PLC0415
    from storage.state import writing  # noqa: PLC0415

    counts, actor = {"stored": 0, "duplicates": 0, "conflicts": 0}, site.actor
    for first in range(0, rows.num_rows, _CHUNK_ROWS):
        with writing(site.state) as connection:
            found = post(connection, rows.slice(first, _CHUNK_ROWS), now())
        for name in counts:
            counts[name] += getattr(found, name)
    with writing(site.state) as connection:
        record(connection, actor, action, subject, "success", counts, now())
    return counts


@app.command("ls")
def list_usage(
    month: Annotated[str | None, typer.Option("--month", help="YYYY-MM; the running month if absent")] = None,
    tenant: Annotated[str | None, typer.Option("--tenant", help="only this tenant")] = None,
    by_day: Annotated[bool, typer.Option("--by-day", help="one row a day in Asia/Shanghai")] = False,
    by_resource: Annotated[bool, typer.Option("--by-resource", help="one row a resource")] = False,
) -> None:
    """Usage by tenant and meter: exact sums of the windows that begin in the month."""
    from cloud_metering import views  # noqa: PLC0415 - the ledger on first use

    site = open_site()
    start, end = month_span(month or month_of(now()))
    tenants = None if tenant is None else [tenant]
    rows = views.usage(site.state, start, end, tenants=tenants, by_day=by_day, by_resource=by_resource)
    emit(rows)


def month_span(month: str) -> tuple[datetime, datetime]:
    """Start and end of ``--month``; UsageError if it is no month."""
    try:
        return month_bounds(month)
    except ValueError as error:
        raise UsageError(
            "'{value}' is no month", "write it as YYYY-MM, e.g. 2026-07", where="--month", value=month
        ) from error


@app.command("sources")
def list_sources() -> None:
    """Each source of usage: events, conflicts, up to where it is complete."""
    from cloud_metering import views  # noqa: PLC0415 - the ledger on first use

    emit(views.sources(open_site().state))


@app.command("verify")
def verify() -> None:
    """Recompute the ledger's chain; exit 1 if an event was changed, added or removed."""
    from cloud_metering.ledger import ledger_head, verify_chain  # noqa: PLC0415 - the ledger on first use
    from storage.state import reading  # noqa: PLC0415

    with reading(open_site().state) as connection:
        (count, head), broken = ledger_head(connection), verify_chain(connection)
    emit({"valid": not broken, "events": count, "head": head.hex(), "broken": broken})
    if broken:
        raise typer.Exit(1)
