"""``yw job``: long work with its progress, and what is done at times."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from records.instants import now
from yunwang.cli.output import emit
from yunwang.language import translate
from yunwang.wiring import open_site

if TYPE_CHECKING:
    from workflow.jobs import Job

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True, add_completion=False)
COLUMNS = ("id", "kind", "state", "done", "total", "actor", "created_at", "ended_at", "message")
JobId = Annotated[str, typer.Argument(metavar="ID")]


def as_json(one: Job) -> dict[str, Any]:
    """A job with its problems in the reader's language; ``total`` null while nobody knows."""
    found = {name: getattr(one, name) for name in one.__slots__}
    return found | {"problems": [problem.as_json(translate) for problem in one.problems]}


@app.command("ls")
def ls() -> None:
    """The newest jobs and how far they are."""
    from storage.state import reading  # noqa: PLC0415 - the state database on first use
    from workflow.jobs import list_jobs  # noqa: PLC0415

    with reading(open_site().state) as connection:
        emit([as_json(one) for one in list_jobs(connection)], columns=COLUMNS)


@app.command("show")
def show(job: JobId) -> None:
    """One job with its parameters, result and problems; exit 1 if it failed."""
    from storage.state import reading  # noqa: PLC0415 - the state database on first use
    from workflow.jobs import State, find  # noqa: PLC0415

    with reading(open_site().state) as connection:
        found = find(connection, job)
    emit(as_json(found), columns=COLUMNS)
    if found.state is State.FAILED:
        raise typer.Exit(1)


@app.command("cancel")
def cancel(
    job: JobId, dry_run: Annotated[bool, typer.Option("--dry-run", help="tell what would come of it")] = False
) -> None:
    """End a waiting job now, a running one at its next step; what it did stays."""
    from storage.state import writing  # noqa: PLC0415 - the state database on first use
    from workflow import jobs  # noqa: PLC0415

    site = open_site()
    with writing(site.state) as connection:
        found = jobs.cancel(connection, site.actor, job, now())
        if dry_run:
            connection.rollback()
    emit(as_json(found), columns=COLUMNS)


@app.command("schedules")
def schedules() -> None:
    """What is done at times (Asia/Shanghai), with its next and last time."""
    from workflow.schedules import shown  # noqa: PLC0415 - the state database on first use
    from yunwang import work_orders  # noqa: PLC0415

    emit(shown(open_site().state, work_orders.schedules()))
