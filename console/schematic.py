"""The schematic map (方格示意图): the prefectures about where they lie; no boundary is drawn (审图号)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from inventory.model import Inventory, Region, RegionLevel

PLACES: Mapping[str, tuple[int, int]] = {  # region code -> row, column; GB/T 2260
    "232700": (1, 2),  # 大兴安岭
    "231100": (1, 3),  # 黑河
    "230700": (1, 4),  # 伊春
    "230400": (1, 5),  # 鹤岗
    "230200": (2, 1),  # 齐齐哈尔
    "231200": (2, 3),  # 绥化
    "230800": (2, 5),  # 佳木斯
    "230500": (2, 6),  # 双鸭山
    "230600": (3, 2),  # 大庆
    "230100": (3, 3),  # 哈尔滨
    "230900": (3, 5),  # 七台河
    "230300": (3, 6),  # 鸡西
    "231000": (4, 5),  # 牡丹江
}
COLUMNS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One prefecture; ``total`` 0 means that none of its links is in the inventory.

    ``down`` where a group is lost or a single link is cut, ``degraded`` while the second link still carries.
    """

    code: str
    name: str
    full_name: str
    row: int
    column: int
    state: str
    up: int
    total: int
    worst_utilisation: float | None


def tiles(inventory: Inventory, rows: Iterable[Mapping[str, Any]]) -> list[Tile]:
    """The prefectures of the inventory with their links' rows (as ``console.lists.links`` names them)."""
    of_region: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        of_region.setdefault(row["region"], []).append(row)
    prefectures = [one for one in inventory.regions if one.level is RegionLevel.PREFECTURE]
    return [
        _tile(one, place, of_region.get(one.name, []))
        for one, place in zip(prefectures, _places(prefectures), strict=True)
    ]


def _places(prefectures: Sequence[Region]) -> list[tuple[int, int]]:
    """Known prefectures at their place, others in rows below."""
    others = iter(range(len(prefectures)))
    below = max((row for row, _ in PLACES.values()), default=0) + 1
    found = []
    for one in prefectures:
        if one.code in PLACES:
            found.append(PLACES[one.code])
        else:
            index = next(others)
            found.append((below + index // COLUMNS, index % COLUMNS + 1))
    return found


def _tile(region: Region, place: tuple[int, int], rows: Sequence[Mapping[str, Any]]) -> Tile:
    return Tile(
        code=region.code,
        name=short_name(region.name),
        full_name=region.name,
        row=place[0],
        column=place[1],
        state=_state(rows),
        up=sum(row["state"] == "up" for row in rows),
        total=len(rows),
        worst_utilisation=max((row["utilisation"] for row in rows if row["utilisation"] is not None), default=None),
    )


def _state(rows: Sequence[Mapping[str, Any]]) -> str:
    states, protection = {row["state"] for row in rows}, {row["protection"] for row in rows}
    if "lost" in protection:
        return "down"
    if states & {"down", "degraded"}:
        return "degraded"
    return "up" if states == {"up"} else "unknown"


def short_name(name: str) -> str:
    """``大兴安岭地区`` as 大兴安岭, ``哈尔滨市`` as 哈尔滨."""
    return name.removesuffix("地区").removesuffix("市")
