"""The inventory's records, one class a section of the file, field names as in the file (CONTRACT §2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime
from enum import StrEnum
from functools import cached_property


class RegionLevel(StrEnum):
    """The five levels of the extranet (省市县乡村)."""

    PROVINCE = "province"
    PREFECTURE = "prefecture"
    COUNTY = "county"
    TOWNSHIP = "township"
    VILLAGE = "village"


class Role(StrEnum):
    """A device's place in the network."""

    CORE = "core"
    AGGREGATION = "aggregation"
    ACCESS = "access"


class GroupMode(StrEnum):
    """How a group of links works together (双链路)."""

    LOAD_BALANCE = "load_balance"
    ACTIVE_STANDBY = "active_standby"


class Tier(StrEnum):
    """Between which levels a link runs."""

    PROVINCE_PREFECTURE = "province-prefecture"
    PREFECTURE_COUNTY = "prefecture-county"
    COUNTY_TOWNSHIP = "county-township"
    TOWNSHIP_VILLAGE = "township-village"
    METRO = "metro"


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """An administrative region; ``code`` is GB/T 2260, six digits, or longer below the county."""

    code: str
    name: str
    level: RegionLevel
    parent: str | None = None
    covered: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Organisation:
    """A bureau (委办局)."""

    id: str
    name: str
    region: str
    parent: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Carrier:
    """A telecom operator."""

    id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Snmp:
    """How a device answers SNMP; ``community``, ``auth_key`` and ``priv_key`` are references ``secret:…``."""

    version: str
    port: int = 161
    community: str | None = None
    user: str | None = None
    auth: str | None = None
    auth_key: str | None = None
    priv: str | None = None
    priv_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cli:
    """How a device's command line is reached; ``driver`` is a netmiko device type."""

    driver: str
    username: str
    password: str
    port: int = 22
    host_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A router, switch or firewall."""

    id: str
    name: str
    region: str
    role: Role
    vendor: str
    platform: str
    address: str
    organisation: str | None = None
    snmp: Snmp | None = None
    cli: Cli | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Links that protect or share with each other."""

    id: str
    name: str
    mode: GroupMode


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """One end of a link; ``interface`` is ifName exactly."""

    device: str
    interface: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One extranet circuit (电子政务外网链路); in and out are seen from end ``a``."""

    id: str
    tier: Tier
    contract_bps: int
    a: End
    b: End | None = None
    group: str | None = None
    carrier: str | None = None
    circuit: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    """A cloud and how its API is reached; ``credentials`` resolves to the text of a JSON object (see docs)."""

    id: str
    name: str
    kind: str
    url: str
    credentials: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """An information system of an organisation; ``level`` is its 等保 level, ``cii`` critical infrastructure."""

    id: str
    name: str
    organisation: str
    level: int
    on_cloud: bool = False
    cii: bool = False
    zone: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """One membership of a tenant (租户): the same ``id`` stands once for each span."""

    id: str
    cloud: str
    project: str
    organisation: str
    system: str | None = None
    start: date | None = None
    end: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ssh:
    """How a host is reached; ``key`` resolves to the text of a private key."""

    username: str
    key: str | None = None
    password: str | None = None
    port: int = 22
    host_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A server that is audited or sends logs."""

    id: str
    address: str
    os: str
    organisation: str | None = None
    system: str | None = None
    ssh: Ssh | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """An organisation's place and the group of links that it sits behind."""

    id: str
    organisation: str
    region: str
    group: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A database or web service on a host."""

    id: str
    host: str
    kind: str
    port: int
    credentials: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSource:
    """Where logs are expected from; silent longer than ``silent_after_seconds`` is a finding."""

    id: str
    format: str = "auto"
    device: str | None = None
    host: str | None = None
    organisation: str | None = None
    silent_after_seconds: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintenance:
    """A window in which outages are agreed; ``rrule`` as in RFC 5545."""

    id: str
    scope: Mapping[str, tuple[str, ...]]
    start: datetime
    end: datetime
    rrule: str | None = None
    agreed: bool = False


@dataclass(frozen=True, kw_only=True)
class Inventory:
    """All sections; each in file order. Immutable; the look-ups below are built on first use."""

    regions: tuple[Region, ...] = ()
    organisations: tuple[Organisation, ...] = ()
    carriers: tuple[Carrier, ...] = ()
    devices: tuple[Device, ...] = ()
    groups: tuple[Group, ...] = ()
    links: tuple[Link, ...] = ()
    clouds: tuple[Cloud, ...] = ()
    systems: tuple[System, ...] = ()
    tenants: tuple[Tenant, ...] = ()
    hosts: tuple[Host, ...] = ()
    sites: tuple[Site, ...] = ()
    services: tuple[Service, ...] = ()
    log_sources: tuple[LogSource, ...] = ()
    maintenance: tuple[Maintenance, ...] = ()

    @cached_property
    def region(self) -> Mapping[str, Region]:
        return {one.code: one for one in self.regions}

    @cached_property
    def organisation(self) -> Mapping[str, Organisation]:
        return {one.id: one for one in self.organisations}

    @cached_property
    def device(self) -> Mapping[str, Device]:
        return {one.id: one for one in self.devices}

    @cached_property
    def group(self) -> Mapping[str, Group]:
        return {one.id: one for one in self.groups}

    @cached_property
    def link(self) -> Mapping[str, Link]:
        return {one.id: one for one in self.links}

    @cached_property
    def cloud(self) -> Mapping[str, Cloud]:
        return {one.id: one for one in self.clouds}

    @cached_property
    def system(self) -> Mapping[str, System]:
        return {one.id: one for one in self.systems}

    @cached_property
    def host(self) -> Mapping[str, Host]:
        return {one.id: one for one in self.hosts}

    @cached_property
    def host_at(self) -> Mapping[str, Host]:
        """Hosts by address."""
        return {one.address: one for one in self.hosts}

    @cached_property
    def device_at(self) -> Mapping[str, Device]:
        """Devices by address."""
        return {one.address: one for one in self.devices}

    @cached_property
    def memberships(self) -> Mapping[str, tuple[Tenant, ...]]:
        """Tenant id to its memberships, earliest first."""
        found: dict[str, list[Tenant]] = {}
        for one in self.tenants:
            found.setdefault(one.id, []).append(one)
        return {name: tuple(sorted(spans, key=lambda span: span.start or date.min)) for name, spans in found.items()}

    @cached_property
    def tenants_of_project(self) -> Mapping[tuple[str, str], tuple[Tenant, ...]]:
        """(cloud id, project) to the memberships that name it."""
        found: dict[tuple[str, str], list[Tenant]] = {}
        for one in self.tenants:
            found.setdefault((one.cloud, one.project), []).append(one)
        return {key: tuple(spans) for key, spans in found.items()}

    @cached_property
    def links_of_group(self) -> Mapping[str, tuple[Link, ...]]:
        """Group id to its member links; a link without a group stands alone and is not here."""
        found: dict[str, list[Link]] = {}
        for one in self.links:
            if one.group is not None:
                found.setdefault(one.group, []).append(one)
        return {key: tuple(members) for key, members in found.items()}

    @cached_property
    def organisations_behind_group(self) -> Mapping[str, tuple[str, ...]]:
        """Group id to the organisations whose sites sit behind it."""
        found: dict[str, list[str]] = {}
        for site in self.sites:
            found.setdefault(site.group, []).append(site.organisation)
        return {key: tuple(dict.fromkeys(names)) for key, names in found.items()}

    @cached_property
    def interfaces_of_device(self) -> Mapping[str, tuple[str, ...]]:
        """Device id to the interfaces on which links end: what the poller asks for."""
        found: dict[str, list[str]] = {}
        for link in self.links:
            for end in (link.a, link.b):
                if end is not None:
                    found.setdefault(end.device, []).append(end.interface)
        return {key: tuple(dict.fromkeys(names)) for key, names in found.items()}


SECTIONS: tuple[str, ...] = tuple(one.name for one in fields(Inventory))
