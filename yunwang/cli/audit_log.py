"""``yw audit-log``: who did what; verified against its chain and its signed anchors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from records.instants import now
from yunwang import __version__
from yunwang.cli.output import emit, show_error
from yunwang.language import translate
from yunwang.wiring import open_site

if TYPE_CHECKING:
    from yunwang.wiring import Site

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True, add_completion=False)
COLUMNS = ("number", "at", "actor", "action", "object", "outcome")


@app.command("ls")
def ls(limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="how many, newest first")] = 100) -> None:
    """The newest records."""
    import sqlalchemy as sa  # noqa: PLC0415 - the state database on first use

    from access.audit import from_row  # noqa: PLC0415
    from access.tables import audit_log  # noqa: PLC0415
    from storage.state import reading  # noqa: PLC0415

    newest = sa.select(audit_log).order_by(audit_log.c.number.desc()).limit(limit)
    with reading(open_site().state) as connection:
        emit([from_row(row).as_json() for row in connection.execute(newest).mappings()], columns=COLUMNS)


@app.command("anchor")
def anchor(dry_run: Annotated[bool, typer.Option("--dry-run", help="tell how many records wait")] = False) -> None:
    """Sign the records since the last anchor now; the worker does it every hour."""
    from access import anchors  # noqa: PLC0415 - the state database on first use

    site = open_site()
    made: list[Path] = []
    while not dry_run and (
        one := anchors.write(site.state, site.place.audit_log, site.identity, now(), f"yunwang {__version__}")
    ):
        made.append(one.path)
    emit({"paths": made, "newest": anchors.newest(site.place.audit_log)})


@app.command("verify")
def verify() -> None:
    """Recompute the whole chain and compare it with every anchor; exit 1 if a record does not fit."""
    from access import anchors, audit  # noqa: PLC0415 - the state database on first use
    from records.errors import UserError  # noqa: PLC0415

    site = open_site()
    problems = [*audit.verify(site.state), *anchors.compare(site.state, site.place.audit_log, _verifier(site))]
    result: dict[str, Any] = {
        "valid": not problems,
        "anchors": len(anchors.anchors(site.place.audit_log)),
        "newest": anchors.newest(site.place.audit_log),
        "problems": [one.as_json(translate) for one in problems],
    }
    if problems:
        show_error(UserError.of(problems))
    emit(result)
    if problems:
        raise typer.Exit(1)


def _verifier(site: Site) -> Any:
    """From a bundle to its verdict, by the site's own CA alone."""
    from crypto.bundle import verify_bundle  # noqa: PLC0415 - beside its only use
    from crypto.x509 import load_certificates  # noqa: PLC0415
    from yunwang.cli.revocations import own_revocations  # noqa: PLC0415
    from yunwang.verification import RULES  # noqa: PLC0415

    roots, known = load_certificates(site.place.ca.read_bytes()), own_revocations(site.place.root)
    return lambda path: verify_bundle(path, roots, RULES, known)
