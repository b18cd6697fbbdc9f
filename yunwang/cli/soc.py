"""``yw soc``: events, rules, alerts, incidents (CONTRACT §8)."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from records.errors import UsageError
from yunwang.cli.output import emit, note, plain
from yunwang.language import translate

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True, add_completion=False)
rules = typer.Typer(rich_markup_mode=None, no_args_is_help=True, add_completion=False)
app.add_typer(rules, name="rules", help="check and test Sigma rules")

Files = Annotated[list[Path], typer.Argument(help="log files: EVTX, JSON lines, syslog lines; also gz, xz, bz2")]
Form = Annotated[str, typer.Option("--format", help="auto, syslog, json, ndjson, evtx")]
Level = Annotated[str | None, typer.Option(help="this level or higher: informational, low, medium, high, critical")]
Limit = Annotated[int, typer.Option(min=1, help="at most so many rows")]
State = Annotated[str | None, typer.Option(help="only this state")]
ALERT_COLUMNS = ("id", "level", "state", "rule_title", "last_at", "count", "entities")
INCIDENT_COLUMNS = ("id", "level", "state", "opened_at", "title", "why")


@app.command()
def ingest(
    files: Files,
    form: Form = "auto",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only say what it would come to")] = False,
) -> None:
    """Read log files into the platform, each once."""
    from records.instants import now  # noqa: PLC0415 - quick start of the other commands
    from soc.files import check_format  # noqa: PLC0415
    from soc.ingest import spool_file  # noqa: PLC0415
    from yunwang.wiring import open_site  # noqa: PLC0415

    check_format(form)
    if dry_run:
        emit(_foreseen(files, form))
        return
    site = open_site()
    site.prepare()
    spooled = [spool_file(path, site.place.spool, now(), form) for path in files]
    before = _counts(site, {one.partition for one in spooled})
    _drain(site, {one.partition for one in spooled})
    after = _counts(site, {one.partition for one in spooled})
    emit({"received": sum(one.received for one in spooled), **{name: after[name] - before[name] for name in after}})


def _foreseen(files: list[Path], form: str) -> dict[str, int]:
    from soc.detect import parsed_counts  # noqa: PLC0415 - quick start

    received, unparsed = parsed_counts(files, form)
    return {"received": received, "stored": 0, "unparsed": unparsed, "alerts": 0}


def _drain(site: Any, partitions: set[str]) -> None:
    from yunwang.worker import drain  # noqa: PLC0415 - quick start

    drain(site, partitions)


def _counts(site: Any, partitions: set[str]) -> dict[str, int]:
    """What the worker made of these files so far."""
    from storage.counting import counters  # noqa: PLC0415 - quick start

    found = counters(site.state)
    names = ("stored", "unparsed", "alerts")
    return {name: sum(found.get(f"ingest.{name}", {}).get(one, 0) for one in partitions) for name in names}


@app.command()
def detect(
    files: Files,
    folder: Annotated[list[Path], typer.Option("--rules", help="folder, file or archive of Sigma rules")],
    form: Form = "auto",
    hits: Annotated[bool, typer.Option("--hits", help="one NDJSON line a hit instead of the summary")] = False,
) -> None:
    """Run Sigma rules over files; needs no data folder and keeps nothing."""
    from soc.detect import detect as run  # noqa: PLC0415 - quick start
    from soc.files import check_format, check_readable  # noqa: PLC0415
    from soc.sigma.load import load_rules  # noqa: PLC0415

    check_format(form)
    check_readable(files)
    found = run(files, load_rules(folder), form, _stream if hits else None)
    if hits:
        note("{events} events, {hits} hits, {unsupported} rules not supported", **_summary(found))
    else:
        told = found.as_json()
        told["unsupported"] = [one | {"why": translate(one["why"])} for one in told["unsupported"]]
        emit(told, columns=("rule_id", "level", "count", "title"), rows=lambda result: result["hits"])


def _stream(hit: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(hit, ensure_ascii=False, default=plain) + "\n")


def _summary(found: Any) -> dict[str, int]:
    return {"events": found.events, "hits": sum(found.hits.values()), "unsupported": len(found.rules.unsupported)}


@app.command()
def alerts(
    state: State = None,
    level: Level = None,
    entity: Annotated[str | None, typer.Option(help="KIND=ID, e.g. link=hlj-hrb-1")] = None,
    limit: Limit = 10_000,
) -> None:
    """List alerts of all states, the last seen first."""
    from records.alarms import AlertState  # noqa: PLC0415 - quick start
    from soc.views import list_alerts  # noqa: PLC0415 - quick start

    _check_known("--state", state, AlertState)
    site, what = _site(), _filter(state, level, entity)
    _emit_records(list_alerts(site.state, what, limit=limit, language=_language()), ALERT_COLUMNS)


@app.command()
def incidents(
    state: State = None,
    level: Level = None,
    entity: Annotated[str | None, typer.Option(help="KIND=ID, e.g. org=hlj-finance")] = None,
    limit: Limit = 10_000,
) -> None:
    """List incidents with the reason of each join, the last opened first."""
    from records.alarms import IncidentState  # noqa: PLC0415 - quick start
    from soc.views import list_incidents  # noqa: PLC0415 - quick start

    _check_known("--state", state, IncidentState)
    site, what = _site(), _filter(state, level, entity)
    _emit_records(list_incidents(site.state, what, limit=limit, language=_language()), INCIDENT_COLUMNS)


def _site() -> Any:
    from yunwang.wiring import open_site  # noqa: PLC0415 - quick start

    return open_site()


def _language() -> Any:
    from yunwang.language import wanted  # noqa: PLC0415 - quick start

    return wanted()


def _check_known(option: str, value: str | None, known: type[StrEnum]) -> None:
    if value is not None and value not in set(known):
        what, advice = "unknown value '{value}'", "use one of {known}"
        raise UsageError(what, advice, where=option, value=value, known=", ".join(known))


def _filter(state: str | None, level: str | None, entity: str | None) -> Any:
    from records.alarms import Level as Known  # noqa: PLC0415 - quick start
    from soc.views import Filter  # noqa: PLC0415

    _check_known("--level", level, Known)
    kind, equals, value = (entity or "").partition("=")
    if entity is not None and not (equals and kind and value):
        raise UsageError(
            "'{entity}' is no entity", "write KIND=ID, e.g. link=hlj-hrb-1", where="--entity", entity=entity
        )
    return Filter(state=state, level=Known(level) if level else None, entity=(kind, value) if entity else None)


def _emit_records(page: Any, columns: tuple[str, ...]) -> None:
    emit([dataclasses.asdict(one) for one in page.rows], columns=columns)
    if page.next is not None:
        note("only the first {count} are shown; see more with --limit", count=len(page.rows))


@app.command()
def parse(
    file: Annotated[Path, typer.Argument(help="a log file")],
    form: Form = "auto",
    explain: Annotated[bool, typer.Option("--explain", help="add which parser read it, or why none could")] = False,
) -> None:
    """Show the ECS event of each record; with -o ndjson one a line."""
    from soc.detect import parsed_events  # noqa: PLC0415 - quick start
    from soc.files import check_format  # noqa: PLC0415

    check_format(form)
    emit(list(parsed_events(file, form, explain=explain)), columns=("@timestamp", "event", "message"))


@rules.command()
def check(path: Annotated[Path | None, typer.Argument(help="rules; our own if left out")] = None) -> None:
    """Load rules and list those that cannot be run, with the reason; exit 1 if there are any."""
    from soc.pack import FOLDER  # noqa: PLC0415 - quick start
    from soc.sigma.load import load_rules  # noqa: PLC0415

    found = load_rules([path or FOLDER])
    errors = [{"where": one.path, "rule": one.rule, "what": translate(one.why)} for one in found.unsupported]
    emit({"valid": not errors, "rules": len(found.rules), "correlations": len(found.correlations), "errors": errors})
    if errors:
        raise typer.Exit(1)


def _outcome(one: Any) -> dict[str, Any]:
    return dataclasses.asdict(one) | {"why": translate(one.why)}


@rules.command(name="test")
def run_samples(
    path: Annotated[Path | None, typer.Argument(help="folder of rules with samples; our own if left out")] = None,
) -> None:
    """Run the samples of every rule; exit 1 if one fails."""
    from soc.pack import FOLDER  # noqa: PLC0415 - quick start
    from soc.rule_tests import run_tests  # noqa: PLC0415

    found = run_tests(path or FOLDER, FOLDER)
    failed = sum(not one.passed for one in found)
    result = {"passed": len(found) - failed, "failed": failed, "results": [_outcome(one) for one in found]}
    emit(result, columns=("rule", "sample", "expected", "passed", "why"), rows=lambda value: value["results"])
    if failed:
        raise typer.Exit(1)
