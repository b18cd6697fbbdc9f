"""Links and devices (链路、设备)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from access.ownership import owners
from access.scope import Scope
from console import words
from console.ports import Views
from console.sources import MemorySource
from console.table import Column, Table
from inventory.model import Device, Inventory, Link, RegionLevel
from records.instants import parse_instant

_TIERS = tuple(words.TIER.items())

LINKS = Table(
    name="links",
    title="链路",
    key="link",
    sort="link",
    topic="links",
    empty="还没有链路。请用 yw inventory import 导入资产清单，采集器会在一个周期内开始轮询。",
    columns=(
        Column(key="link", title="链路编号", kind="code", href="/links/{link}", searched=True),
        Column(key="group_name", title="链路组", searched=True, room="wide"),
        Column(key="region", title="市地", searched=True, room="wide"),
        Column(key="tier", title="层级", choices=_TIERS, room="extra"),
        Column(key="carrier", title="运营商", searched=True, room="wide"),
        Column(key="state", title="状态", kind="link_state", choices=words.choices(words.LINK_STATE)),
        Column(key="protection", title="保护", kind="protection", choices=words.choices(words.PROTECTION)),
        Column(key="in_bps", title="入向", kind="bps"),
        Column(key="out_bps", title="出向", kind="bps"),
        Column(key="contract_bps", title="签约带宽", kind="bps", room="wide"),
        Column(key="utilisation", title="利用率", kind="bar"),
        Column(key="completeness", title="完整率", kind="percent", room="extra"),
        Column(key="as_of", title="数据截至", kind="instant"),
    ),
)

DEVICES = Table(
    name="devices",
    title="设备",
    key="device",
    sort="device",
    topic="links",
    empty="还没有设备。请用 yw inventory import 导入资产清单。",
    columns=(
        Column(key="device", title="设备", kind="code", searched=True),
        Column(key="name", title="名称", searched=True),
        Column(key="region", title="市地", searched=True),
        Column(key="role", title="角色", searched=True),
        Column(key="vendor", title="厂商", searched=True),
        Column(key="platform", title="平台", kind="code", searched=True),
        Column(key="address", title="地址", kind="code", searched=True),
        Column(key="links", title="链路数", kind="number"),
    ),
)


def links_table(inventory: Inventory) -> Table:
    """The table with the prefectures of this inventory to choose from."""
    names = tuple(
        (one.name, one.name) for one in inventory.regions if one.level in {RegionLevel.PROVINCE, RegionLevel.PREFECTURE}
    )
    return replace(
        LINKS, columns=tuple(replace(one, choices=names) if one.key == "region" else one for one in LINKS.columns)
    )


def prefecture_of(inventory: Inventory, code: str) -> str | None:
    """The code of the prefecture that a region is or lies in; the province for itself, None if unknown."""
    seen: set[str] = set()
    while code in inventory.region and code not in seen:
        region = inventory.region[code]
        if region.level in {RegionLevel.PREFECTURE, RegionLevel.PROVINCE} or region.parent is None:
            return code
        seen.add(code)
        code = region.parent
    return None


def home_of(inventory: Inventory, link: Link) -> str | None:
    """The prefecture that a link serves: that of its lower end."""
    ends = [
        inventory.device[end.device] for end in (link.b, link.a) if end is not None and end.device in inventory.device
    ]
    homes = [prefecture_of(inventory, one.region) for one in ends]
    lower = [one for one in homes if one is not None and inventory.region[one].level is not RegionLevel.PROVINCE]
    return (lower or homes or [None])[0]


def link_rows(views: Views, inventory: Inventory, scope: Scope) -> list[Mapping[str, Any]]:
    """The rows of ``yw link ls`` within the scope, with the names that people know."""
    owner = owners(inventory)["link"]
    seen = scope.rows(views.links(), lambda row: owner.get(row["link"], frozenset()))
    return [{**row, **_names(inventory, row["link"]), "as_of": _instant(row["as_of"])} for row in seen]


def _instant(value: datetime | str | None) -> datetime | None:
    return parse_instant(value) if isinstance(value, str) else value


def _names(inventory: Inventory, name: str) -> Mapping[str, Any]:
    link = inventory.link.get(name)
    if link is None:  # measured, but no longer in the inventory
        return {"group_name": None, "region": None, "tier": None, "carrier": None}
    carriers = {one.id: one.name for one in inventory.carriers}
    home = home_of(inventory, link)
    return {
        "group_name": inventory.group[link.group].name if link.group else None,
        "region": inventory.region[home].name if home else None,
        "tier": link.tier.value,
        "carrier": carriers.get(link.carrier or "", link.carrier),
    }


def links(views: Views, inventory: Inventory, scope: Scope) -> MemorySource:
    """The list of links."""
    return MemorySource(links_table(inventory), link_rows(views, inventory, scope))


def devices(inventory: Inventory, scope: Scope) -> MemorySource:
    """The list of devices."""
    return MemorySource(DEVICES, _device_rows(inventory, scope))


def _device_rows(inventory: Inventory, scope: Scope) -> Iterator[Mapping[str, Any]]:
    owner = owners(inventory)["device"]
    ends = [end.device for link in inventory.links for end in (link.a, link.b) if end is not None]
    counts: dict[str, int] = {}
    for name in ends:
        counts[name] = counts.get(name, 0) + 1
    for one in scope.rows(inventory.devices, lambda device: owner.get(device.id, frozenset())):
        yield _device_row(inventory, one, counts.get(one.id, 0))


def _device_row(inventory: Inventory, one: Device, count: int) -> Mapping[str, Any]:
    home = prefecture_of(inventory, one.region)
    return {
        "device": one.id,
        "name": one.name,
        "region": inventory.region[home].name if home else None,
        "role": one.role.value,
        "vendor": one.vendor,
        "platform": one.platform,
        "address": one.address,
        "links": count,
    }
