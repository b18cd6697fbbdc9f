"""The inventory in the file's own shape: as plain objects, YAML, canonical JSON, and as Ansible's dynamic inventory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from typing import Any

import yaml

from inventory.model import SECTIONS, Inventory
from inventory.reading import file_name
from records.instants import format_instant


def as_plain(record: Any) -> Any:
    """A record as the file would hold it; unset keys are left out."""
    if is_dataclass(record):
        pairs = ((file_name(one.name), getattr(record, one.name)) for one in fields(record))
        return {name: as_plain(value) for name, value in pairs if value is not None}
    if isinstance(record, Mapping):
        return {key: as_plain(value) for key, value in record.items()}
    if isinstance(record, tuple):
        return [as_plain(one) for one in record]
    if isinstance(record, datetime):
        return format_instant(record)
    if isinstance(record, date):
        return record.isoformat()
    return str(record) if isinstance(record, str) else record


def document(inventory: Inventory) -> dict[str, Any]:
    """The whole file; empty sections are left out."""
    found = {name: as_plain(getattr(inventory, name)) for name in SECTIONS}
    return {"yunwang": 1} | {name: records for name, records in found.items() if records}


def to_json(inventory: Inventory) -> str:
    """One line of JSON that ``inventory.loading.parse`` reads back."""
    return json.dumps(document(inventory), ensure_ascii=False, separators=(",", ":"))


def to_yaml(inventory: Inventory) -> str:
    """YAML with one record a line, as people write it."""
    lines = ["yunwang: 1"]
    for name, records in document(inventory).items():
        if name == "yunwang":
            continue
        lines.append(f"{name}:")
        lines += ["  - " + _flow(record) for record in records]
    return "\n".join(lines) + "\n"


def _flow(record: Any) -> str:
    text: str = yaml.safe_dump(record, default_flow_style=True, allow_unicode=True, sort_keys=False, width=10**9)
    return text.strip()


def ansible(inventory: Inventory) -> dict[str, Any]:
    """Ansible's dynamic inventory (``--list``): hosts by organisation, devices by region, role, vendor; no secret."""
    hostvars: dict[str, Any] = {}
    groups: dict[str, list[str]] = {}
    for host in inventory.hosts:
        hostvars[host.id] = _host_variables(host)
        for name in ("hosts", host.os, host.organisation and f"org_{host.organisation}"):
            _join(groups, name, host.id)
    for device in inventory.devices:
        if device.cli is None:
            continue
        hostvars[device.id] = {
            "ansible_host": device.address,
            "ansible_port": device.cli.port,
            "ansible_user": device.cli.username,
        } | {"ansible_network_os": device.platform}
        for name in ("devices", f"role_{device.role}", f"vendor_{device.vendor}", f"region_{device.region}"):
            _join(groups, name, device.id)
    return {"_meta": {"hostvars": hostvars}} | {name: {"hosts": members} for name, members in sorted(groups.items())}


def _host_variables(host: Any) -> dict[str, Any]:
    found = {"ansible_host": host.address, "yw_organisation": host.organisation, "yw_system": host.system}
    if host.ssh is not None:
        found |= {"ansible_port": host.ssh.port, "ansible_user": host.ssh.username}
    return {name: value for name, value in found.items() if value is not None}


def _join(groups: dict[str, list[str]], name: str | None, member: str) -> None:
    if name:
        groups.setdefault(name.replace("-", "_").replace(".", "_"), []).append(member)
