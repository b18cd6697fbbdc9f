"""Provinces for tests: seven devices for lab and collectors, two routers for soc, as many as one likes for speed."""

from __future__ import annotations

import socket
from dataclasses import replace

from inventory.model import (
    Device,
    End,
    Group,
    GroupMode,
    Host,
    Inventory,
    Link,
    Organisation,
    Region,
    RegionLevel,
    Role,
    Site,
    Snmp,
    Tenant,
    Tier,
)


def free_port(kind: socket.SocketKind = socket.SOCK_DGRAM) -> int:
    """A port that nobody uses at this moment."""
    with socket.socket(socket.AF_INET, kind) as opened:
        opened.bind(("127.0.0.1", 0))
        return opened.getsockname()[1]


def device(name: str, address: str, port: int | None, vendor: str = "huawei", **more) -> Device:
    """One device; without a port it does not speak SNMP."""
    snmp = Snmp(version="2c", port=port, community="secret:ro") if port else None
    fields = {"region": "230100", "role": Role.ACCESS} | more
    return Device(id=name, name=name, vendor=vendor, platform="huawei_vrp", address=address, snmp=snmp, **fields)


def link(name: str, group: str | None, tier: Tier, bps: int, a: str, b: str | None) -> Link:
    ends = [End(device=end.split(":")[0], interface=end.split(":")[1]) if end else None for end in (a, b)]
    return Link(id=name, group=group, tier=tier, contract_bps=bps, a=ends[0], b=ends[1])


def small_province(port: int = 1161) -> Inventory:
    """Two cores, two routers of a city, two counties with two links each, one township with one."""
    backbone, county = Tier.PROVINCE_PREFECTURE, Tier.PREFECTURE_COUNTY
    devices = (
        device("core1", "127.9.1.1", port, role=Role.CORE),
        device("core2", "127.9.1.2", port, role=Role.CORE),
        device("city1", "127.9.2.1", port, vendor="h3c"),
        device("city2", "127.9.2.2", port, vendor="h3c"),
        device("north", "127.9.3.1", port),
        device("south", "127.9.3.2", port),
        device("mill", "127.9.4.1", port),
    )
    return Inventory(
        regions=(
            Region(code="230000", name="黑龙江省", level=RegionLevel.PROVINCE),
            Region(code="230100", name="哈尔滨市", level=RegionLevel.PREFECTURE, parent="230000"),
        ),
        organisations=(Organisation(id="tax", name="税务局", region="230000"),),
        devices=devices,
        groups=(
            Group(id="g-city", name="省到市", mode=GroupMode.LOAD_BALANCE),
            Group(id="g-north", name="市到北县", mode=GroupMode.LOAD_BALANCE),
            Group(id="g-south", name="市到南县", mode=GroupMode.ACTIVE_STANDBY),
        ),
        links=(
            link("city-1", "g-city", backbone, 10**10, "core1:xge0/0/1", "city1:xge0/0/1"),
            link("city-2", "g-city", backbone, 10**10, "core2:xge0/0/1", "city2:xge0/0/1"),
            link("north-1", "g-north", county, 10**9, "city1:ge1/0/1", "north:ge0/0/1"),
            link("north-2", "g-north", county, 10**9, "city2:ge1/0/1", "north:ge0/0/2"),
            link("south-1", "g-south", county, 10**9, "city1:ge1/0/2", "south:ge0/0/1"),
            link("south-2", "g-south", county, 10**9, "city2:ge1/0/2", "south:ge0/0/2"),
            link("mill-1", None, Tier.COUNTY_TOWNSHIP, 10**8, "north:ge0/0/9", "mill:ge0/0/1"),
        ),
        hosts=(Host(id="tax-db1", address="127.9.9.1", os="linux", organisation="tax"),),
        tenants=(Tenant(id="tax-core", cloud="prov-cloud", project="tax", organisation="tax"),),
        sites=(Site(id="tax-north", organisation="tax", region="230100", group="g-north"),),
    )


def two_routers() -> Inventory:
    """One organisation with a host, a tenant, and a site behind two links; nobody is polled."""
    region = "230000"
    return Inventory(
        regions=(Region(code=region, name="黑龙江省", level=RegionLevel.PROVINCE),),
        organisations=(Organisation(id="hlj-finance", name="省财政厅", region=region),),
        devices=(
            device("pe1", "127.0.1.1", None, role=Role.CORE, region=region),
            device("pe2", "127.0.1.2", None, role=Role.CORE, region=region),
        ),
        groups=(Group(id="g1", name="g1", mode=GroupMode.LOAD_BALANCE),),
        links=(
            link("l1", "g1", Tier.METRO, 10**9, "pe1:x1", "pe2:x1"),
            link("l2", "g1", Tier.METRO, 10**9, "pe1:x2", None),
        ),
        tenants=(Tenant(id="fin-core", cloud="c", project="p", organisation="hlj-finance"),),
        hosts=(Host(id="fin-db1", address="127.0.2.1", os="linux", organisation="hlj-finance"),),
        sites=(Site(id="s1", organisation="hlj-finance", region=region, group="g1"),),
    )


def many_devices(count: int, interfaces: int, port: int) -> Inventory:
    """As many devices with as many interfaces each, every one with a link of its own and no other end."""
    names = [f"d{number:04d}" for number in range(count)]
    return Inventory(
        regions=(Region(code="230100", name="哈尔滨市", level=RegionLevel.PREFECTURE),),
        devices=tuple(
            device(name, f"127.{20 + number // 62_500}.{number // 250 % 250}.{number % 250 + 1}", port)
            for number, name in enumerate(names)
        ),
        links=tuple(
            link(f"{name}-{at}", None, Tier.METRO, 10**9, f"{name}:ge0/0/{at}", None)
            for name in names
            for at in range(1, interfaces + 1)
        ),
    )


def without(inventory: Inventory, name: str) -> Inventory:
    """The same inventory without a device and its links."""
    return replace(
        inventory,
        devices=tuple(one for one in inventory.devices if one.id != name),
        links=tuple(one for one in inventory.links if name not in {one.a.device, one.b.device if one.b else ""}),
    )
