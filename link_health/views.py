"""What CLI and console ask of links. Freshness is judged here, at reading time: no link looks alive without answers.

``link_rows`` and ``sla_rows`` read the state database only; the others load numpy and pyarrow when they are called.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from inventory.model import Inventory, Link
from link_health import sla
from link_health.maintenance import spans_of
from link_health.states import (
    LinkState,
    LinkView,
    Protection,
    answering,
    patience_us,
    protection,
    utilisation,
    view_link,
)
from link_health.tables import EndRow, LinkRow, from_us, read_links, read_transitions, to_instant
from records.errors import UsageError, UserError
from records.instants import microseconds, month_bounds
from storage.state import reading

if TYPE_CHECKING:
    from storage.port import RecordStore

BUCKET_US, BUCKETS = 300_000_000, 12  # of the samples behind ``completeness``
DEFAULT_SPAN = timedelta(days=1)

Row = dict[str, Any]


def link_rows(
    state: sa.Engine,
    inventory: Inventory,
    *,
    interval_seconds: float,
    now: datetime,
    wanted: str | None = None,
    region: str | None = None,
) -> list[Row]:
    """Every link of the inventory as ``yw link ls`` shows it (CONTRACT §8).

    ``interval_seconds`` is the polling interval; an end that is silent for two of them and a second does not answer.
    ``wanted`` chooses a state, ``region`` the links with a device in this region or below it.
    """
    with reading(state) as connection:
        kept = read_links(connection)
    interval_us = int(interval_seconds * 1_000_000)
    views = {link.id: _view(kept.get(link.id), microseconds(now), interval_us) for link in inventory.links}
    groups = {
        group: protection([views[link.id].state for link in members])
        for group, members in inventory.links_of_group.items()
    }
    regions = below(region, inventory) if region is not None else None
    return [
        _row(link, views[link.id], kept.get(link.id), groups, microseconds(now), interval_us)
        for link in inventory.links
        if (wanted is None or views[link.id].state == wanted)
        and (regions is None or _lies_in(link, regions, inventory))
    ]


def _view(row: LinkRow | None, now_us: int, interval_us: int) -> LinkView:
    if row is None:
        return LinkView(state=LinkState.UNKNOWN, in_bps=None, out_bps=None, as_of_us=None)
    return view_link(row.a.view, row.b.view, now_us=now_us, interval_us=interval_us, finding=row.finding)


def _row(
    link: Link, view: LinkView, kept: LinkRow | None, groups: Mapping[str, Protection], now_us: int, interval_us: int
) -> Row:
    since = _since(view, kept, interval_us)
    return {
        "link": link.id,
        "group": link.group,
        "state": view.state.value,
        "protection": (groups[link.group] if link.group else protection([view.state])).value,
        "in_bps": view.in_bps,
        "out_bps": view.out_bps,
        "contract_bps": link.contract_bps,
        "utilisation": utilisation(view.in_bps, view.out_bps, link.contract_bps),
        "as_of": from_us(view.as_of_us),
        "completeness": _completeness(kept, now_us, interval_us),
        "since": from_us(since),
        "flapping": bool(kept and kept.flapping and view.state is not LinkState.UNKNOWN),
        "root": kept.root if kept else None,
    }


def _since(view: LinkView, kept: LinkRow | None, interval_us: int) -> int | None:
    """When the shown state began: where age alone made it unknown, when the patience with the last answer ended."""
    if kept is None:
        return None
    if view.state.value == kept.state or view.as_of_us is None:
        return kept.since_us
    return view.as_of_us + patience_us(interval_us) if view.state is LinkState.UNKNOWN else kept.since_us


def _completeness(kept: LinkRow | None, now_us: int, interval_us: int) -> float:
    """Real samples of the last hour, in whole buckets, over those that were due; the better end of the two."""
    ends = (kept.a, kept.b) if kept else ()
    return max((_end_completeness(end, now_us, interval_us) for end in ends), default=0.0)


def _end_completeness(end: EndRow, now_us: int, interval_us: int) -> float:
    if end.first_us is None:
        return 0.0
    newest = now_us // BUCKET_US
    real = sum(count for bucket, count in end.recent.items() if newest - BUCKETS < bucket <= newest)
    start = max((newest - BUCKETS + 1) * BUCKET_US, end.first_us)
    due = (now_us - start) // interval_us
    return round(min(1.0, real / due), 6) if due > 0 else float(real > 0)


def below(region: str, inventory: Inventory) -> frozenset[str]:
    """The region and all regions under it; UserError if there is none of this code."""
    if region not in inventory.region:
        raise UserError(
            "unknown region '{region}'", "use a code from the inventory's regions", where="--region", region=region
        )
    found, size = {region}, 0
    while size != len(found):
        size = len(found)
        found |= {one.code for one in inventory.regions if one.parent in found}
    return frozenset(found)


def _lies_in(link: Link, regions: frozenset[str], inventory: Inventory) -> bool:
    ends = (end.device for end in (link.a, link.b) if end is not None)
    return any(inventory.device[device].region in regions for device in ends if device in inventory.device)


def month_of_report(month: str, now: datetime) -> tuple[datetime, datetime, datetime]:
    """Start and end of ``YYYY-MM``, and how much of it has passed; UsageError if it is none, UserError if ahead."""
    try:
        start, end = month_bounds(month)
    except ValueError as error:
        raise UsageError(
            "'{month}' is not a month", "write it as YYYY-MM, such as 2026-01", where="--month", month=month
        ) from error
    if start > now:
        raise UserError(
            "month {month} has not begun", "choose the running month or an earlier one", where="--month", month=month
        )
    return start, end, min(end, now)


def find_links(inventory: Inventory, *, link: str | None, group: str | None) -> tuple[Link, ...]:
    """The links that are meant; all without a choice; UserError for an unknown one."""
    if link is not None and link not in inventory.link:
        raise UserError("unknown link '{link}'", "run `yw link ls` for the known ones", where="--link", link=link)
    if group is not None and group not in inventory.links_of_group:
        raise UserError(
            "no links in group '{group}'", "run `yw link ls` for the known ones", where="--group", group=group
        )
    if link is not None:
        return (inventory.link[link],)
    return inventory.links_of_group[group] if group is not None else inventory.links


def p95_rows(
    store: RecordStore,
    inventory: Inventory,
    *,
    month: str,
    now: datetime,
    bin_seconds: int,
    link: str | None = None,
    group: str | None = None,
) -> list[Row]:
    """The month's 95th percentile: of one link, of one group as a sum, or of all links (CONTRACT §8)."""
    from link_health import monthly  # noqa: PLC0415 - numpy and pyarrow only where they are needed

    start, end, passed = month_of_report(month, now)
    links = find_links(inventory, link=link, group=group)
    grid = monthly.grid_of(start, passed, bin_seconds)
    figures = monthly.percentiles(store, links, grid, running=end > now, together=group is not None)
    heads: Sequence[Row] = [{"link": None, "group": group}] if group else [{"link": one.id} for one in links]
    return [head | asdict(figure) for head, figure in zip(heads, figures, strict=True)]


def link_samples(
    store: RecordStore, inventory: Inventory, link: str, start: datetime, end: datetime, *, interval_seconds: float
) -> list[Row]:
    """The samples of a link within [start, end): those of end ``a``, mirrored ones of ``b`` where ``a`` was silent."""
    from link_health import samples  # noqa: PLC0415 - numpy and pyarrow only where they are needed

    found = find_links(inventory, link=link, group=None)[0]
    return samples.link_samples(store, found, start, end, patience_us(int(interval_seconds * 1_000_000)))


def sla_rows(
    state: sa.Engine, inventory: Inventory, *, month: str, now: datetime, interval_seconds: float
) -> list[Row]:
    """Availability of every link over the month, or over the part of it that has passed (CONTRACT §8)."""
    start, end, passed = month_of_report(month, now)
    interval_us = int(interval_seconds * 1_000_000)
    with reading(state) as connection:
        turns = read_transitions(connection, start, passed)
        kept = read_links(connection)
    rows = []
    for link in inventory.links:
        known_until = _known_until(kept.get(link.id), microseconds(passed), interval_us)
        history = sla.stays(turns.get(link.id, ()), microseconds(start), microseconds(passed), known_until)
        figures = sla.compute_sla(history, spans_of(link, inventory, start, passed))
        rows.append(_sla_row(link, figures, running=end > now))
    return rows


def _known_until(kept: LinkRow | None, passed_us: int, interval_us: int) -> int:
    """How far the newest answer, or the worker's own verdict, reaches."""
    if kept is None:
        return passed_us  # a link that is polled no more: its turns end with unknown
    ends = [end.view for end in (kept.a, kept.b)]
    if any(answering(end, passed_us, interval_us) for end in ends):
        return passed_us
    reach = [end.answered_us + patience_us(interval_us) for end in ends if end.answered_us is not None]
    return max([*reach, kept.since_us])


def _sla_row(link: Link, figures: sla.Sla, *, running: bool) -> Row:
    spans = [{"from": to_instant(one.start_us), "to": to_instant(one.end_us)} for one in figures.outages]
    return {
        "link": link.id,
        "availability": figures.availability,
        "down_seconds": figures.down_seconds,
        "excluded_seconds": figures.excluded_seconds,
        "outages": len(spans),
        "unknown_seconds": figures.unknown_seconds,
        "provisional": running,
        "spans": spans,
    }
