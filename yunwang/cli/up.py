"""``yw up``: everything at once; the demo province while no site is set up (CONTRACT §8)."""

from __future__ import annotations

import os
import sys
import time
from functools import partial
from pathlib import Path

import typer

from records.errors import UserError
from yunwang import supervisor
from yunwang.cli.call import current
from yunwang.cli.output import note, show_error, show_warning
from yunwang.wiring import Site, open_site

DETACH_SECONDS = 170.0


def command(
    port: int | None = typer.Option(None, "--port", min=1, max=65_535, help="the console's port"),
    demo: bool | None = typer.Option(
        None, "--demo/--no-demo", help="the demo province; default while no site is set up"
    ),
    detach: bool = typer.Option(False, "--detach", help="go to the background once the console answers"),
) -> None:
    """Run collectors, worker and console until SIGINT or SIGTERM."""
    chosen = current().place(demo=demo, tell=False).demo
    site = open_site(demo=chosen, must_exist=False)
    if not chosen and not site.place.ca.exists():
        raise UserError(
            "no site is set up in this folder", "run `yw inventory import PATH` first", where=str(site.place.root)
        )
    site.prepare()
    if detach:
        _in_background(site, port)
    else:
        _in_foreground(site, port)


def _in_foreground(site: Site, port: int | None) -> None:
    kept = supervisor.lock(site.place)
    try:
        _ = site.state, site.identity  # migrated and ready before the children start
        more = _demo(site) if site.place.demo else lambda _: ()
        parent = supervisor.build(site.place, site.settings, port, current().config, more)
        for warning in parent.warnings:
            show_warning(warning)
        _announce_first_password(site)
        parent.run(lambda url: _say_ready(url, site))
    finally:
        kept.close()


def _demo(site: Site) -> supervisor.MoreRecipes:
    from yunwang import demo  # noqa: PLC0415 - only the demo needs it

    demo.prepare(site, note)
    return partial(demo.recipes, site)


def _announce_first_password(site: Site) -> None:
    from yunwang.acting import first_password  # noqa: PLC0415 - asks the state database

    password = first_password(site.state, demo=site.place.demo)
    if password:
        note("first user: admin, one-time password: {password}", password=password)


def _say_ready(url: str, site: Site) -> None:
    sys.stdout.write(f"console: {url}\n")
    sys.stdout.flush()
    if site.place.demo:
        note("this is the demo province; its data live in {folder}", folder=site.place.root)


def _in_background(site: Site, port: int | None) -> None:
    log = site.place.run / "up.log"
    log.unlink(missing_ok=True)
    if supervisor.holder(site.place) is not None:
        supervisor.lock(site.place)  # tells who holds it
    if os.fork() == 0:
        _become_daemon(log)
        try:
            _in_foreground(site, port)
        except UserError as error:
            show_error(error)
            os._exit(error.exit_code)
        os._exit(0)
    _wait_for_line(log)


def _become_daemon(log: Path) -> None:
    os.setsid()
    if os.fork():
        os._exit(0)
    stream = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(stream, 1)
    os.dup2(stream, 2)


def _wait_for_line(log: Path) -> None:
    """Hand the daemon's words on until it is ready or has failed."""
    deadline = time.monotonic() + DETACH_SECONDS
    while time.monotonic() < deadline:
        text = log.read_text("utf-8") if log.exists() else ""
        ready = [line for line in text.splitlines() if line.startswith("console: ")]
        if ready or "error: " in text:
            sys.stderr.write("".join(line + "\n" for line in text.splitlines() if not line.startswith("console: ")))
            sys.stdout.write("".join(line + "\n" for line in ready))
            raise typer.Exit(0 if ready else 3)
        time.sleep(0.1)
    raise UserError(
        "the console did not become ready in {seconds} s", "read the log", where=str(log), seconds=DETACH_SECONDS
    )
