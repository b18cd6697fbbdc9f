"""What can be looked at again before a ticket is closed: kind of ticket to its check."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from records.instants import format_instant, now

if TYPE_CHECKING:
    from workflow.tickets import Check, Seen
    from yunwang.wiring import Site


def checks(site: Site) -> Mapping[str, Check]:
    """Kind to check; the kind ``task`` has none: only an exception that two agreed to closes it."""
    return {"link": lambda subject: _link(site, subject)}


def _link(site: Site, name: str) -> Seen:
    """A link is in order when it is up by a reading of the last interval; unknown is not in order."""
    from link_health.views import link_rows  # noqa: PLC0415 - pyarrow on first use
    from workflow.tickets import Seen  # noqa: PLC0415

    interval = site.settings.collect.snmp_interval_seconds
    rows = link_rows(site.state, site.inventory, interval_seconds=interval, now=now())
    row = next((one for one in rows if one["link"] == name), None)
    if row is None:
        return Seen(passed=None, observed=f"link {name} is not in the inventory")
    known = row["state"] in {"up", "down", "degraded"}
    evidence = {"state": row["state"], "as_of": row["as_of"] and format_instant(row["as_of"])}
    return Seen(
        passed=row["state"] == "up" if known else None, observed=f"link {name}: {row['state']}", evidence=evidence
    )
