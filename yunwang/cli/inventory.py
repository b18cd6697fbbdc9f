"""``yw inventory``: check, import, export, ansible (CONTRACT §2, §8)."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from inventory.loading import examine, load
from inventory.merging import Difference, compare, merge
from inventory.model import Inventory
from inventory.writing import ansible as ansible_inventory
from inventory.writing import to_json, to_yaml
from records.instants import now
from yunwang.cli.files import write_file
from yunwang.cli.output import emit, show_error
from yunwang.language import translate
from yunwang.wiring import Site, open_site

if TYPE_CHECKING:
    from records.errors import Problem

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True, add_completion=False)


def _counts(inventory: Inventory) -> dict[str, int]:
    from inventory.model import SECTIONS  # noqa: PLC0415 - beside its only use

    return {name: len(getattr(inventory, name)) for name in SECTIONS}


@app.command("check")
def check(path: Path) -> None:
    """Read an inventory and tell everything that is wrong with it."""
    inventory, problems = examine(path)
    _show_problems(problems)
    emit(
        {"valid": not problems, "counts": _counts(inventory), "errors": [one.as_json(translate) for one in problems]},
        rows=lambda result: [{"section": name, "count": count} for name, count in result["counts"].items()],
    )
    if problems:
        raise typer.Exit(3)


def _show_problems(problems: list[Problem]) -> None:
    from records.errors import UserError  # noqa: PLC0415 - beside its only use

    if problems:
        show_error(UserError.of(problems))


@app.command("import")
def import_(path: Path, prune: bool = False, dry_run: bool = False) -> None:
    """Make the store equal to what the file names; removes only with --prune."""
    wanted = load(path)
    site = open_site(demo=False, must_exist=False)
    stored = site.inventory if site.place.ca.exists() else Inventory()
    merged = merge(stored, wanted, prune=prune)
    _checked(merged)
    difference = compare(stored, merged)
    if not dry_run:
        _save(site, merged, difference)
    emit(
        {"valid": True, "applied": not dry_run, "counts": _counts(merged), "errors": []} | difference.as_json(),
        rows=lambda result: [{"section": name, "count": count} for name, count in result["counts"].items()],
    )


def _checked(merged: Inventory) -> None:
    """What stays in the store and what the file names must hold together too."""
    from inventory.loading import parse  # noqa: PLC0415 - beside its only use

    parse(to_json(merged), "store")


def _save(site: Site, merged: Inventory, difference: Difference) -> None:
    from access.audit import record  # noqa: PLC0415 - the state database on first use
    from storage import inventory as kept  # noqa: PLC0415
    from storage.state import writing  # noqa: PLC0415

    site.prepare()
    _ = site.identity  # the first import sets the site up: keystore, CA, ca.pem
    if difference.nothing and kept.revision(site.state):
        return
    with writing(site.state) as connection:
        kept.save(connection, to_json(merged), site.actor, now())
        counts = {name: sum(map(len, sections.values())) for name, sections in difference.as_json().items()}
        record(connection, site.actor, "inventory.import", "inventory", "success", counts, now())


@app.command("export")
def export(out: Path | None = typer.Option(None, "--out", help="write to this file instead of stdout")) -> None:
    """Write the inventory in force as YAML."""
    text = to_yaml(open_site().inventory)
    if out is None:
        sys.stdout.write(text)
    else:
        write_file(out, text.encode())


@app.command("ansible")
def ansible(
    everything: bool = typer.Option(False, "--list", help="all hosts and groups"),
    host: str | None = typer.Option(None, "--host", help="the variables of one host"),
) -> None:
    """Ansible's dynamic inventory."""
    found: dict[str, Any] = ansible_inventory(open_site().inventory)
    chosen = found["_meta"]["hostvars"].get(host, {}) if host and not everything else found
    sys.stdout.write(json.dumps(chosen, ensure_ascii=False) + "\n")
