"""One span of one cloud: ask, check that the answers are whole and fit together, meter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa

from collectors.openstack.api import ComputeApi, Json
from collectors.openstack.lives import Life, Memory, flavor_classes, forgotten_since, parse_life, parse_time
from collectors.openstack.rows import Cells, ClassOf, TenantAt, draw_cells, metered, usage_rows
from collectors.openstack.windows import METERS, Overlaps, check_window, overlaps, whole_windows
from inventory.model import Inventory, Tenant
from records.errors import Problem, UnreachableError
from records.instants import format_instant, midnight
from records.schemas import USAGE

MOST_SKEW_SECONDS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What a span came to; received = rows + rejected.

    Attributes:
        rows: ``records.schemas.USAGE``.
        rejected: One for each row whose project no tenant names.
        complete_until: Everything before it, from the asked start on, is in ``rows``, ``rejected`` or ``gaps``.
        gaps: One for each server whose earlier part nova has forgotten: not metered, and not taken for zero.
    """

    rows: pa.Table
    rejected: tuple[Problem, ...]
    complete_until: datetime
    gaps: tuple[Problem, ...] = ()


def collect(
    api: ComputeApi,
    cloud: str,
    inventory: Inventory,
    start: datetime,
    end: datetime,
    *,
    now: datetime,
    window_seconds: int = 3600,
    memory: Memory | None = None,
) -> Collected:
    """Usage of all windows that lie wholly in [start, end) and wholly in the past, by both clocks.

    Args:
        api: The cloud.
        cloud: Its inventory id: the rows' source.
        inventory: Tells whose a project is.
        start: First instant wanted.
        end: End of the span, exclusive.
        now: Our clock.
        window_seconds: Length of a window, a part of an hour.
        memory: What earlier spans told about servers that nova has since given another launch time.

    Raises:
        UserError: The window does not fill an hour, or the login is refused.
        UnreachableError: The cloud does not answer, or not wholly, or its clock is off; nothing is presented then.
    """
    check_window(window_seconds)
    first, last = whole_windows(start, min(end, _past(api.now(), now, cloud)), window_seconds)
    if first == last:
        return Collected(rows=USAGE.schema.empty_table(), rejected=(), complete_until=start)
    span = datetime.fromtimestamp(first, UTC), datetime.fromtimestamp(last, UTC)
    servers = api.servers()  # before the usage, so that it must tell all of them
    fresh = _read_lives(api, servers, *span)
    tenant_at = tenants_of(cloud, inventory, {one["id"]: one["name"] for one in api.projects()})
    class_of = _class_of(api.flavors(), servers)
    known = memory or Memory()
    gaps = tuple(_gaps(api, cloud, fresh, known, span[0]))
    lives = known.recall(fresh, span[0])  # after the last question, so that a failed pass leaves the memory as it was
    shared = overlaps(lives, first, last, window_seconds)
    cells = draw_cells(lives, shared, tenant_at)
    rows = usage_rows(cloud, lives, shared, cells, window_seconds, class_of)
    rejected = tuple(_foreign(cloud, lives, shared, cells))
    return Collected(rows=rows, rejected=rejected, complete_until=span[1], gaps=gaps)


def _past(theirs: datetime, ours: datetime, cloud: str) -> datetime:
    """The earlier of both clocks; UnreachableError if they differ so much that one must be wrong."""
    skew = (theirs - ours).total_seconds()
    if abs(skew) > MOST_SKEW_SECONDS:
        raise UnreachableError(
            "the cloud's clock differs from ours by {seconds} s, its usage would fall into wrong windows",
            "set both by NTP; the windows are collected afterwards",
            where=cloud,
            seconds=round(skew),
        )
    return min(theirs, ours)


def _read_lives(api: ComputeApi, servers: Sequence[Json], start: datetime, end: datetime) -> Sequence[Life]:
    """Lives of the span; the list of servers, read first, proves that no page of the usage was lost."""
    found = [life for life in map(parse_life, api.usages(start, end)) if life is not None]
    told = {life.server for life in found}
    lost = [one["id"] for one in servers if one["id"] not in told and _launched_before(one, end)]
    if lost or len(told) != len(found):
        raise UnreachableError(
            "the cloud's usage answer is not whole: {lost} servers are missing, {twice} stand twice",
            "the span is collected again; if it stays so, look at nova's cells and logs",
            lost=len(lost),
            twice=len(found) - len(told),
        )
    return found


def _launched_before(server: Json, end: datetime) -> bool:
    launched = server.get("OS-SRV-USG:launched_at")
    return launched is not None and server.get("OS-SRV-USG:terminated_at") is None and parse_time(launched) < end


def _gaps(api: ComputeApi, cloud: str, fresh: Sequence[Life], known: Memory, start: datetime) -> Iterator[Problem]:
    """Servers launched in the span not for the first time, of which no earlier answer told."""
    for life in fresh:
        if life.started_at <= start or life.server in known.current:
            continue
        since = forgotten_since(life, api.actions(life.server))
        if since is not None:
            yield Problem(
                "nova has forgotten what the server held between {since} and {until}: it was resized or relaunched",
                "let the collector run all the time, or import this part with `yw meter import`",
                f"{cloud}/{life.server}",
                {"since": format_instant(max(since, start)), "until": format_instant(life.started_at)},
            )


def tenants_of(cloud: str, inventory: Inventory, names: Mapping[str, str]) -> TenantAt:
    """Look-up of the tenant by project id or else name; ``names`` maps keystone's ids to names."""
    memberships = inventory.tenants_of_project

    def tenant_at(project: str, start: int) -> str | None:
        members = memberships.get((cloud, project)) or memberships.get((cloud, names.get(project, "")))
        return _member(members, start).id if members else None

    return tenant_at


def _member(members: Sequence[Tenant], start: int) -> Tenant:
    """The membership at that time, else the last one before, else the first after.

    Usage outside every membership is still the tenant's usage: billing tells it as a finding (CONTRACT §4). A window
    that begins before an edge belongs to the earlier tenant; rating splits it between organisations.
    """
    ordered = sorted(members, key=lambda one: one.start or date.min)
    begun = [one for one in ordered if one.start is None or midnight(one.start).timestamp() <= start]
    return begun[-1] if begun else ordered[0]


def _class_of(flavors: Sequence[Json], servers: Sequence[Json]) -> ClassOf:
    by_flavor, by_server = flavor_classes(flavors, servers)
    flavor_of = {one["id"]: (one.get("flavor") or {}).get("original_name") for one in servers}

    def class_of(life: Life) -> str | None:
        own = by_server.get(life.server) if flavor_of.get(life.server) == life.flavor else None
        return own or by_flavor.get(life.flavor)

    return class_of


def _foreign(cloud: str, lives: Sequence[Life], shared: Overlaps, cells: Cells) -> Iterator[Problem]:
    """One problem for each row that could not be made."""
    for meter in METERS:
        amounts = metered(meter, lives, shared, cells)
        for at in np.flatnonzero((cells.tenant < 0) & (amounts > 0)).tolist():
            life, start = lives[int(cells.life[at])], datetime.fromtimestamp(int(cells.start[at]), UTC)
            yield Problem(
                "no tenant of the inventory has project '{project}'",
                "add a tenant with cloud '{cloud}' and this project, then collect the span again",
                f"{cloud}/{life.server}/{meter.name}/{format_instant(start)}",
                {"project": life.project, "cloud": cloud},
            )
