"""Root cause (根因): the failed object that an unreachable device or a link without answer lies behind."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from inventory.model import Inventory, RegionLevel, Role


@dataclass(frozen=True, slots=True)
class Hop:
    """One link of a device, and the device at its other end."""

    link: str
    device: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """The graph of links; ``roots`` are the province's core devices, where the collectors stand."""

    roots: tuple[str, ...]
    hops: Mapping[str, Sequence[Hop]]
    ends: Mapping[str, tuple[str, ...]]


def topology(inventory: Inventory) -> Topology:
    """Devices and links of the inventory, neighbours in order of their names."""
    hops: dict[str, list[Hop]] = {}
    for link in inventory.links:
        if link.b is not None:
            hops.setdefault(link.a.device, []).append(Hop(link.id, link.b.device))
            hops.setdefault(link.b.device, []).append(Hop(link.id, link.a.device))
    ends = {link.id: tuple(end.device for end in (link.a, link.b) if end is not None) for link in inventory.links}
    ordered = {device: tuple(sorted(found, key=lambda hop: (hop.device, hop.link))) for device, found in hops.items()}
    return Topology(roots=_roots(inventory), hops=ordered, ends=ends)


def _roots(inventory: Inventory) -> tuple[str, ...]:
    return tuple(
        device.id
        for device in inventory.devices
        if device.role is Role.CORE
        and device.region in inventory.region
        and inventory.region[device.region].level is RegionLevel.PROVINCE
    )


def device_roots(graph: Topology, *, silent: Collection[str], down: Collection[str]) -> dict[str, str]:
    """Each silent device that lies behind another failed object, and that object.

    The object is the first failed one on a shortest way from a root. A device that a live path reaches, and that is
    silent nevertheless, failed itself and is not listed. A silent device all of whose links (two at least) are down at
    their living ends is itself the cause of those links.
    """
    dead = {device for device in silent if _is_dead(graph, device, silent, down)}
    causes: dict[str, str | None] = {device: device if device in silent else None for device in graph.roots}
    live = {device for device in graph.roots if device not in silent}
    waiting = deque(sorted(live))
    while waiting:  # what a living path reaches, first
        here = waiting.popleft()
        for hop in graph.hops.get(here, ()):
            if hop.device not in causes and hop.link not in down:
                causes[hop.device] = hop.device if hop.device in silent else None
                if hop.device not in silent:
                    waiting.append(hop.device)
    _spread(graph, causes, dead, down)
    return {device: cause for device in silent if (cause := causes.get(device)) is not None and cause != device}


def _spread(graph: Topology, causes: dict[str, str | None], dead: Collection[str], down: Collection[str]) -> None:
    """Hand the cause of each device on to those that only it leads to."""
    waiting = deque(causes)
    while waiting:
        here = waiting.popleft()
        for hop in graph.hops.get(here, ()):
            if hop.device in causes:
                continue
            own = hop.device if hop.device in dead or hop.link not in down else hop.link
            causes[hop.device] = causes[here] if causes[here] is not None else own
            waiting.append(hop.device)


def _is_dead(graph: Topology, device: str, silent: Collection[str], down: Collection[str]) -> bool:
    """All links to living neighbours, two at least, are down: it is the device that failed, not each of them."""
    living = [hop for hop in graph.hops.get(device, ()) if hop.device not in silent]
    return len(living) > 1 and all(hop.link in down for hop in living)


def link_root(
    graph: Topology, link: str, *, silent: Collection[str], down: Collection[str], causes: Mapping[str, str]
) -> str | None:
    """The failed object that a link lies behind: a silent end or its cause; None if the link itself failed."""
    ends = graph.ends.get(link, ())
    mute = [device for device in ends if device in silent]
    if not mute:
        return None
    if link in down:
        return next((device for device in mute if _is_dead(graph, device, silent, down)), None)
    near = min(mute, key=lambda device: (device in causes, ends.index(device)))
    cause = causes.get(near, near)
    return cause if cause != link else None
