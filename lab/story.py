"""The demo's story (演示剧情) as data: one bureau's day goes wrong in three places at once.

A county's first uplink is cut and stays cut; somebody guesses passwords on a host of the bureau whose branch sits
behind that link; a tenant of the same bureau starts far more virtual CPUs than ever. Simulators play it, tests compare
with it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from inventory.model import Host, Inventory, Link, Site, Tenant, Tier
from records.instants import SHANGHAI, format_instant

CUT_AFTER = timedelta(seconds=60)
STORM_AFTER = timedelta(seconds=80)
BURST_AFTER = timedelta(seconds=100)
PAST_OUTAGES = 6
PAST_DAYS = 62  # outages of the past reach back this far: all of last month, and this one


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A link without light from ``start`` on; ``end`` None means that it stays so."""

    link: str
    start: datetime
    end: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Storm:
    """A login storm (暴力破解) on one host.

    Attributes:
        attempts: Failed logins of one storm, spread evenly over ``seconds``; then one succeeds.
        repeat_seconds: From one storm's start to the next one's.
    """

    host: str
    source_ip: str
    users: tuple[str, ...]
    start: datetime
    seconds: int
    attempts: int
    repeat_seconds: int

    def starts(self, begin: datetime, end: datetime) -> Iterator[datetime]:
        """Starts of all storms in [begin, end)."""
        step = timedelta(seconds=self.repeat_seconds)
        at = self.start if begin <= self.start else self.start + -((self.start - begin) // step) * step
        while at < end:
            if at >= begin:
                yield at
            at += step


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """A tenant that starts servers in a hurry: ``servers`` of ``vcpus`` each, from ``start`` for ``seconds``."""

    tenant: str
    project: str
    cloud: str
    start: datetime
    seconds: int
    servers: int
    vcpus: int
    memory_mb: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What the simulators play from ``epoch`` on; a part is None where the inventory has nobody to play it.

    Attributes:
        organisation: The bureau that all three parts hit.
        group: The links that its branch sits behind.
        past: Outages that are over, of other links: last month's availability is not perfect either.
    """

    epoch: datetime
    organisation: str | None
    site: str | None
    group: str | None
    cut: Cut | None
    past: tuple[Cut, ...]
    storm: Storm | None
    burst: Burst | None

    @property
    def cuts(self) -> tuple[Cut, ...]:
        """All outages, the old ones first."""
        return (*self.past, *((self.cut,) if self.cut else ()))


def tell(inventory: Inventory, epoch: datetime) -> Story:
    """The story for an inventory; the same inventory and epoch always give the same one."""
    if epoch.tzinfo is None:
        raise ValueError(f"naive epoch {epoch!r}")
    epoch = epoch.astimezone(UTC)
    site = _site(inventory, epoch)
    organisation = site.organisation if site else None
    group = site.group if site else None
    victim = inventory.links_of_group[group][0].id if group else None
    return Story(
        epoch=epoch,
        organisation=organisation,
        site=site.id if site else None,
        group=group,
        cut=Cut(link=victim, start=epoch + CUT_AFTER) if victim else None,
        past=_past(inventory, epoch, group),
        storm=_storm(_hosts(inventory, organisation), epoch),
        burst=_burst(_members(inventory, organisation, epoch), epoch),
    )


def _site(inventory: Inventory, epoch: datetime) -> Site | None:
    """The first site behind a county's dual link whose organisation has a host and a tenant, else the nearest to it."""

    def rank(site: Site) -> tuple[bool, bool, bool]:
        links = inventory.links_of_group[site.group]
        county = all(link.tier is Tier.PREFECTURE_COUNTY for link in links) and len(links) > 1
        organisation = site.organisation
        return (not county, not _hosts(inventory, organisation), not _members(inventory, organisation, epoch))

    behind_links = [site for site in inventory.sites if inventory.links_of_group.get(site.group)]
    return min(behind_links, key=rank, default=None)


def _hosts(inventory: Inventory, organisation: str | None) -> list[Host]:
    return [host for host in inventory.hosts if host.organisation == organisation and organisation is not None]


def _members(inventory: Inventory, organisation: str | None, epoch: datetime) -> list[Tenant]:
    """Memberships of the organisation that are in force on the epoch's day in Asia/Shanghai."""
    day = epoch.astimezone(SHANGHAI).date()
    return [
        one
        for one in inventory.tenants
        if one.organisation == organisation and (one.start or date.min) <= day and (one.end is None or day < one.end)
    ]


def _storm(hosts: list[Host], epoch: datetime) -> Storm | None:
    if not hosts:
        return None
    return Storm(
        host=hosts[0].id,
        source_ip="203.0.113.77",  # RFC 5737: an address that nobody has
        users=("root", "admin", "oracle", "test", "ubuntu", "deploy"),
        start=epoch + STORM_AFTER,
        seconds=40,
        attempts=60,
        repeat_seconds=6 * 3600,
    )


def _burst(tenants: list[Tenant], epoch: datetime) -> Burst | None:
    if not tenants:
        return None
    chosen = tenants[0]
    return Burst(
        tenant=chosen.id,
        project=chosen.project,
        cloud=chosen.cloud,
        start=epoch + BURST_AFTER,
        seconds=2 * 3600,
        servers=24,
        vcpus=8,
        memory_mb=16_384,
    )


def _past(inventory: Inventory, epoch: datetime, spared: str | None) -> tuple[Cut, ...]:
    """Outages of some minutes to two hours, on links of other groups, one a group, all over a day before the epoch."""
    chosen: dict[str | None, Link] = {}
    for link in sorted(inventory.links, key=lambda link: _number(f"outage {link.id}")):
        if link.group != spared and link.group is not None:
            chosen.setdefault(link.group, link)
    today = epoch.astimezone(SHANGHAI).replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)
    return tuple(
        sorted((_outage(link, today) for link in list(chosen.values())[:PAST_OUTAGES]), key=lambda cut: cut.start)
    )


def _outage(link: Link, today: datetime) -> Cut:
    number = _number(f"when {link.id} {format_instant(today)[:7]}")
    start = today - timedelta(days=2 + number % PAST_DAYS, seconds=number // 97 % 70_000)
    return Cut(link=link.id, start=start, end=start + timedelta(seconds=300 + number // 89 % 7_000))


def _number(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=6).digest(), "big")
