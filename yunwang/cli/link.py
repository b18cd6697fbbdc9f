"""``yw link``: state, samples, 95th percentile, SLA (CONTRACT §8)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from link_health import views
from link_health.states import LinkState
from records.errors import UsageError
from records.instants import now, parse_instant
from yunwang.cli.output import emit
from yunwang.wiring import open_site

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True, add_completion=False)

Month = Annotated[str, typer.Option("--month", help="YYYY-MM, cut at 00:00 Asia/Shanghai")]

LS = (
    "link",
    "group",
    "state",
    "protection",
    "in_bps",
    "out_bps",
    "contract_bps",
    "utilisation",
    "as_of",
    "completeness",
)
P95 = (
    "link", "p95_in_bps", "p95_out_bps", "billed_bps",
    "samples", "interpolated", "missing", "completeness", "provisional",
)  # fmt: skip
REPORT = ("link", "availability", "down_seconds", "excluded_seconds", "outages", "unknown_seconds", "provisional")
SHOW = ("at", "in_bps", "out_bps", "status", "seconds", "end")


@app.command("ls")
def list_links(
    state: Annotated[LinkState | None, typer.Option("--state", help="only links in this state")] = None,
    region: Annotated[str | None, typer.Option("--region", help="only links in this region or below it")] = None,
) -> None:
    """Every link: state, protection, rates, utilisation."""
    site = open_site()
    rows = views.link_rows(
        site.state,
        site.inventory,
        interval_seconds=site.settings.collect.snmp_interval_seconds,
        now=now(),
        wanted=state.value if state else None,
        region=region,
    )
    emit(rows, columns=LS)


@app.command()
def p95(
    month: Month,
    link: Annotated[str | None, typer.Option("--link", help="one link")] = None,
    group: Annotated[str | None, typer.Option("--group", help="the sum of a group's links")] = None,
) -> None:
    """95th percentile of a month by nearest rank, with its completeness."""
    if link is not None and group is not None:
        raise UsageError("--link and --group exclude each other", "give one of them", where="yw link p95")
    site = open_site()
    rows = views.p95_rows(
        site.store,
        site.inventory,
        month=month,
        now=now(),
        bin_seconds=site.settings.link_health.bin_seconds,
        link=link,
        group=group,
    )
    emit(rows, columns=("group", *P95[1:]) if group else P95)


@app.command()
def report(month: Month) -> None:
    """Availability of every link over a month, agreed maintenance excluded."""
    site = open_site()
    interval = site.settings.collect.snmp_interval_seconds
    emit(views.sla_rows(site.state, site.inventory, month=month, now=now(), interval_seconds=interval), columns=REPORT)


@app.command()
def show(
    link: Annotated[str, typer.Argument(help="id of the link")],
    start: Annotated[str | None, typer.Option("--from", help="RFC 3339; 24 hours ago by default")] = None,
    end: Annotated[str | None, typer.Option("--to", help="RFC 3339; now by default")] = None,
) -> None:
    """The samples behind a link's figures."""
    begin, until = _span(start, end)
    site = open_site()
    interval = site.settings.collect.snmp_interval_seconds
    rows = views.link_samples(site.store, site.inventory, link, begin, until, interval_seconds=interval)
    emit(rows, columns=SHOW)


def _span(start: str | None, end: str | None) -> tuple[datetime, datetime]:
    until = _instant(end, "--to") if end else now()
    begin = _instant(start, "--from") if start else until - views.DEFAULT_SPAN
    if begin >= until:
        raise UsageError("--from is not before --to", "give a span of time", where="yw link show")
    return begin, until


def _instant(text: str, option: str) -> datetime:
    try:
        return parse_instant(text)
    except ValueError as error:
        raise UsageError(
            "'{text}' is no instant", "write it as 2026-01-31T08:00:00+08:00", where=option, text=text
        ) from error
