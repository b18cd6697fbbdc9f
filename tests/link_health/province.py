"""A small province, and readings of it as spool entries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from inventory.model import (
    Carrier,
    Device,
    End,
    Group,
    GroupMode,
    Inventory,
    Link,
    Organisation,
    Region,
    RegionLevel,
    Role,
    Site,
    Tier,
)
from records.schemas import READINGS
from records.spool import Entry, Kind, Position

START = datetime(2026, 3, 1, tzinfo=UTC)
T = 60
GIGA = 10**9


def device(name: str, region: str, role: Role) -> Device:
    return Device(
        id=name, name=name, region=region, role=role, vendor="h3c", platform="hp_comware", address="127.0.0.1"
    )


def link(name: str, a: str, b: str | None, group: str | None = None, contract: int = GIGA) -> Link:
    far = End(device=b, interface=f"to-{name}") if b else None
    return Link(
        id=name, tier=Tier.PROVINCE_PREFECTURE, contract_bps=contract, a=End(device=a, interface=f"to-{name}"), b=far,
        group=group, carrier="ctcc", circuit=f"C-{name}",
    )  # fmt: skip


PROVINCE = Inventory(
    regions=(
        Region(code="230000", name="黑龙江省", level=RegionLevel.PROVINCE),
        Region(code="230100", name="哈尔滨市", level=RegionLevel.PREFECTURE, parent="230000"),
        Region(code="230109", name="松北区", level=RegionLevel.COUNTY, parent="230100"),
    ),
    carriers=(Carrier(id="ctcc", name="中国电信"),),
    organisations=tuple(Organisation(id=name, name=name, region="230100") for name in ("finance", "tax")),
    devices=(
        device("core", "230000", Role.CORE),
        device("city", "230100", Role.AGGREGATION),
        device("county", "230109", Role.ACCESS),
    ),
    groups=(
        Group(id="core-city", name="省到市", mode=GroupMode.LOAD_BALANCE),
        Group(id="city-county", name="市到县", mode=GroupMode.ACTIVE_STANDBY),
    ),
    links=(
        link("up1", "core", "city", "core-city"),
        link("up2", "core", "city", "core-city"),
        link("down1", "city", "county", "city-county"),
    ),
    sites=(
        Site(id="s1", organisation="finance", region="230100", group="core-city"),
        Site(id="s2", organisation="tax", region="230100", group="core-city"),
        Site(id="s3", organisation="tax", region="230109", group="city-county"),
    ),
)

END_OF = {
    (end.device, end.interface): (one, mine)
    for one in PROVINCE.links
    for mine, end in (("a", one.a), ("b", one.b))
    if end
}


def when(step: float) -> datetime:
    return START + timedelta(seconds=step * T)


def reading(name: str, interface: str, step: float, **changes: Any) -> dict[str, Any]:
    """An answer of a port that carries 80 Mbit/s from a to b and 40 back, ``step`` intervals after the start."""
    forth, back = (int(step * T * rate) for rate in (10**7, 5 * 10**6))
    mine = END_OF.get((name, interface), (None, "a"))[1]
    plain = {
        "device": name, "interface": interface, "at": when(step), "elapsed_ns": int(step * T * 10**9) + 1, "run": "r1",
        "status": "ok", "uptime_ticks": 10**6 + int(step * T * 100), "if_index": 1, "discontinuity_ticks": 0,
        "counter_bits": 64, "in_octets": 10**9 + (back if mine == "a" else forth),
        "out_octets": 10**9 + (forth if mine == "a" else back), "oper_status": 1,
        "admin_status": 1, "speed_bps": 10**10,
    }  # fmt: skip
    return plain | changes


def silent(name: str, interface: str, step: float) -> dict[str, Any]:
    return {
        "device": name, "interface": interface, "at": when(step), "elapsed_ns": int(step * T * 10**9) + 1, "run": "r1",
        "status": "timeout",
    }  # fmt: skip


def poll(step: float, *, mute: Iterable[str] = (), down: Iterable[tuple[str, str]] = ()) -> list[dict[str, Any]]:
    """One round over all ports; ``mute`` devices time out, ``down`` ports (device, link) say so."""
    rows = []
    for name, interface in END_OF:
        if name in mute:
            rows.append(silent(name, interface, step))
        else:
            fallen = (name, interface.removeprefix("to-")) in set(down)
            rows.append(reading(name, interface, step, oper_status=2 if fallen else 1))
    return rows


def payload_of(rows: Iterable[Mapping[str, Any]]) -> bytes:
    table = pa.Table.from_pylist(
        [dict.fromkeys(READINGS.schema.names) | dict(row) for row in rows], schema=READINGS.schema
    )
    buffer = pa.BufferOutputStream()
    with pa.ipc.new_stream(buffer, table.schema) as writer:
        writer.write_table(table)
    return bytes(buffer.getvalue().to_pybytes())


def batch_of(
    *rounds: Iterable[Mapping[str, Any]], offset: int = 0, partition: str = "collect"
) -> list[tuple[Position, Entry]]:
    return [
        (
            Position(partition, offset + number),
            Entry(kind=Kind.SAMPLES, source="snmp", received_at=START, payload=payload_of(rows), format="arrow"),
        )
        for number, rows in enumerate(rounds)
    ]
