"""``yw catalogue``: check, compare and load price catalogues (CONTRACT §4, §8)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cloud_metering.catalogue import diff, examine, load_file, read_text
from cloud_metering.model import Catalogue, Policy
from records.errors import UserError
from records.instants import now
from yunwang.agreement import agreed
from yunwang.cli.approve import Reason
from yunwang.cli.output import emit, show_error
from yunwang.language import translate
from yunwang.wiring import Site, open_site

if TYPE_CHECKING:
    from access.approvals import Agreement

SHOWN = 20  # differences that the second person sees in the request; the file has them all

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True, add_completion=False)

File = Annotated[Path, typer.Argument(help="a catalogue in YAML")]


@app.command("check")
def check(file: File) -> None:
    """Read a catalogue and tell everything that is wrong with it; needs no data folder."""
    found, problems = examine(read_text(file), str(file))
    if problems:
        show_error(UserError.of(problems))
    demo = sum(price.demo for price in found.prices)
    result: dict[str, Any] = {
        "valid": not problems,
        "counts": {"skus": len(found.versions), "prices": len(found.prices), "rules": len(found.rules), "demo": demo},
        "errors": [one.as_json(translate) for one in problems],
    }
    emit(result, columns=("section", "count"), rows=_counts)
    if problems:
        raise typer.Exit(3)


def _counts(result: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"section": name, "count": count} for name, count in result["counts"].items()]


@app.command("diff")
def compare(
    file: File,
    other: Annotated[
        Path | None, typer.Argument(help="a second file; the loaded catalogue is the first if absent")
    ] = None,
) -> None:
    """What differs between two catalogues, or between the loaded one and a file."""
    before, after = (_loaded(), load_file(file)) if other is None else (load_file(file), load_file(other))
    emit(diff(before, after), columns=("what", "key", "before", "after"))


def _loaded() -> Catalogue:
    from cloud_metering.books import catalogue_in_force  # noqa: PLC0415 - the state database on first use
    from storage.state import reading  # noqa: PLC0415

    with reading(open_site().state) as connection:
        return catalogue_in_force(connection).catalogue


@app.command("load")
def load(
    file: File,
    reason: Reason = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="show the difference only")] = False,
) -> None:
    """Put a catalogue in force, which takes two persons; months that are closed keep theirs."""
    wanted = load_file(file)
    site = open_site()
    changes = diff(_before(site), wanted)
    result: dict[str, Any] = {"version": None, "new": None, "changes": changes, "approvals": []}
    emit(result if dry_run else result | _load(site, wanted, changes, reason), rows=lambda found: found["changes"])


def _before(site: Site) -> Catalogue:
    """The catalogue in force; an empty one before the first."""
    from cloud_metering.books import newest_catalogue  # noqa: PLC0415 - the state database on first use
    from storage.state import reading  # noqa: PLC0415

    with reading(site.state) as connection:
        found = newest_catalogue(connection)
    return found.catalogue if found else Catalogue(policy=Policy(), prices=())


def _load(site: Site, wanted: Catalogue, changes: list[dict[str, Any]], reason: str) -> dict[str, Any]:
    """Load it; the catalogue in force once more asks nobody and changes nothing."""
    from access import approvals  # noqa: PLC0415 - the state database on first use
    from access.audit import record  # noqa: PLC0415
    from cloud_metering.books import load_catalogue  # noqa: PLC0415
    from storage.state import writing  # noqa: PLC0415

    actor, at = site.actor, now()
    used = _agreed(site, wanted, changes, reason) if changes else None
    proofs = used.proofs if used else []
    with writing(site.state) as connection:
        version, new = load_catalogue(connection, wanted, at, actor, proofs)
        if used:
            approvals.use(connection, used, at)
        record(connection, actor, "catalogue.load", str(version), "success", {"new": new, "approvals": proofs}, at)
    return {"version": version, "new": new, "approvals": proofs}


def _agreed(site: Site, wanted: Catalogue, changes: list[dict[str, Any]], reason: str) -> Agreement:
    from access.approvals import Action  # noqa: PLC0415 - the state database on first use
    from access.roles import Capability  # noqa: PLC0415
    from cloud_metering.catalogue import canonical  # noqa: PLC0415
    from crypto.sm3 import sm3_hex  # noqa: PLC0415

    mark = sm3_hex(canonical(wanted).encode())
    shown = {"sm3": mark, "prices": len(wanted.prices), "changes": len(changes), "first": changes[:SHOWN]}
    return agreed(site, Capability.CATALOGUE_WRITE, Action.CATALOGUE_LOAD, mark[:12], shown, reason)
