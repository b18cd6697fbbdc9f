"""The demo province (演示): its own keys, ledger and CA in ``DATA/demo``, and a story played over real protocols.

History from the 1st of last month comes from the simulators' own f(t), through the same rate, state and metering code.
"""

from __future__ import annotations

import json
import secrets
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from records.instants import format_instant, month_bounds, month_of, now, parse_instant, previous_month
from records.secret import Secret
from yunwang.children import Recipe
from yunwang.supervisor import write_json

if TYPE_CHECKING:
    from inventory.model import Cloud, Device, Inventory
    from yunwang.wiring import Site

Say = Callable[[str], None]
CLOUD_USER = "yunwang"
COMMUNITY, CLOUD_SECRET = "snmp-ro", "os-prov"


def _file(site: Site) -> Path:
    return site.place.root / "demo.json"


def facts(site: Site) -> dict[str, Any]:
    """Epoch and ports of this demo; empty before its first start."""
    try:
        found: dict[str, Any] = json.loads(_file(site).read_text("utf-8"))
    except FileNotFoundError:
        return {}
    return found


def epoch(site: Site) -> datetime:
    """When the story begins."""
    return parse_instant(facts(site)["epoch"])


def prepare(site: Site, say: Say) -> None:
    """Set the demo up on its first start; later choose other ports where the old ones are taken."""
    known = facts(site)
    if not known:
        _store_secrets(site)
        known = {"epoch": format_instant(now().replace(microsecond=0)), "history": False}
    known |= _ports(known)
    write_json(_file(site), known)
    _store_inventory(site, known)
    _load_prices(site)
    if not known["history"]:
        say("first start: loading the demo's history since the 1st of last month, about half a minute")
        load_history(site)
        write_json(_file(site), known | {"history": True})


def _store_secrets(site: Site) -> None:
    site.keystore.put_secret(COMMUNITY, Secret(secrets.token_hex(8)))
    credentials = {
        "username": CLOUD_USER,
        "password": secrets.token_urlsafe(16),
        "project_name": "admin",
        "user_domain_name": "Default",
        "project_domain_name": "Default",
    }
    site.keystore.put_secret(CLOUD_SECRET, Secret(json.dumps(credentials)))


def _ports(known: Mapping[str, Any]) -> dict[str, int]:
    return {
        "snmp": _free(known.get("snmp", 1161), socket.SOCK_DGRAM, "0.0.0.0"),  # noqa: S104 - answers for all of 127/8
        "cloud": _free(known.get("cloud", 5000), socket.SOCK_STREAM, "127.0.0.1"),
    }


def _free(wanted: int, kind: int, host: str) -> int:
    """The wanted port if nobody has it, else another one."""
    for port in (wanted, 0):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    return wanted


def _store_inventory(site: Site, known: Mapping[str, Any]) -> None:
    from inventory.writing import to_json  # noqa: PLC0415 - only at a start
    from storage import inventory as kept  # noqa: PLC0415
    from storage.state import writing  # noqa: PLC0415

    text = to_json(province(known["snmp"], known["cloud"]))
    if text != kept.load(site.state):
        with writing(site.state) as connection:
            kept.save(connection, text, "demo", now())


def _load_prices(site: Site) -> None:
    """The catalogue of demo prices; the same one again changes nothing."""
    import cloud_metering  # noqa: PLC0415 - only at a start
    from cloud_metering.books import load_catalogue  # noqa: PLC0415
    from cloud_metering.catalogue import load_file  # noqa: PLC0415
    from storage.state import writing  # noqa: PLC0415

    found = load_file(Path(cloud_metering.__file__).with_name("demo_catalogue.yaml"))
    with writing(site.state) as connection:
        load_catalogue(connection, found, now(), "demo")


def province(snmp_port: int, cloud_port: int) -> Inventory:
    """The demo's inventory with the simulators' ports."""
    from inventory.loading import load  # noqa: PLC0415 - only at a start
    from lab.province import FILE  # noqa: PLC0415

    found = load(FILE)

    def device(one: Device) -> Device:
        return replace(one, snmp=replace(one.snmp, port=snmp_port)) if one.snmp else one

    def cloud(one: Cloud) -> Cloud:
        return replace(one, url=f"http://127.0.0.1:{cloud_port}/v3")

    return replace(found, devices=tuple(map(device, found.devices)), clouds=tuple(map(cloud, found.clouds)))


def recipes(site: Site, opened: Mapping[str, socket.socket]) -> Sequence[Recipe]:
    """The simulators as one more child; it sends its logs to the listeners that the supervisor opened."""
    targets = [
        word
        for name, option in (("syslog_tcp", "--syslog-tcp"), ("syslog_udp", "--syslog-udp"))
        if name in opened
        for word in (option, "{}:{}".format(*opened[name].getsockname()[:2]))
    ]
    arguments = ("yunwang", "lab", "run", "--data", str(site.place.data), *targets)
    return (Recipe(name="lab", arguments=arguments, demo=True),)


def load_history(site: Site) -> None:
    """Rates, states and usage from the 1st of last month to the epoch; safe to repeat after a cut."""
    end = epoch(site)
    start = month_bounds(previous_month(month_of(end)))[0]
    _load_links(site, start, end)
    _load_usage(site, start, end)


def _load_links(site: Site, start: datetime, end: datetime) -> None:
    from lab.story import tell  # noqa: PLC0415 - only at the first start
    from lab.traffic import Traffic  # noqa: PLC0415
    from yunwang.history import load_links  # noqa: PLC0415

    inventory = site.inventory
    store = site.open_store(writer=True)
    try:
        load_links(site.state, store, inventory, Traffic(inventory, tell(inventory, end).cuts), start, end)
    finally:
        store.close()


def _load_usage(site: Site, start: datetime, end: datetime) -> None:
    from cloud_metering.ledger import advance_watermark, post  # noqa: PLC0415 - only at the first start
    from collectors.openstack import collect  # noqa: PLC0415
    from lab.simulator.cloud import history_rows  # noqa: PLC0415
    from storage.state import writing  # noqa: PLC0415

    whole = end.replace(minute=0, second=0, microsecond=0)
    rows = history_rows(site.inventory, start, whole, collect=collect)
    with writing(site.state) as connection:
        post(connection, rows, now())
        for cloud in site.inventory.clouds:
            advance_watermark(connection, cloud.id, whole)
