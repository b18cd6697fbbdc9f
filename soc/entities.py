"""What an event is about: link, device, host, user, tenant, organisation, address … CONTRACT §5."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from soc.ecs import column
from soc.event import Fields

Entities = Mapping[str, str]
Merged = dict[str, str | None]  # None: several values were met, so it is none of them

_FIELDS = {
    "link": ("yw.link",),
    "device": ("yw.device", "observer.name"),
    "group": ("yw.group",),
    "host": ("host.name",),
    "user": ("user.name",),
    "tenant": ("yw.tenant",),
    "org": ("yw.org",),
    "source_ip": ("source.ip",),
    "cloud": ("yw.cloud",),
    "item": ("yw.item",),
    "certificate": ("yw.certificate",),
    "source": ("yw.source",),
}
KINDS = tuple(_FIELDS)
KIND_OF_FIELD = {name: kind for kind, names in _FIELDS.items() for name in names} | {
    "yw.asset": "host",
    "User": "user",
    "Computer": "host",
}
_FOLLOWING = frozenset({"org", "group"})  # follow from the others and name too much to tell alerts apart by


def entities_of(fields: Fields) -> dict[str, str]:
    """Kind to id; a host goes by its inventory id where it has one, a device is no host."""
    found: dict[str, str] = {}
    for kind, names in _FIELDS.items():
        value = next((text for name in names if name in fields and (text := column(fields[name]))), None)
        if value is not None:
            found[kind] = value
    asset = column(fields.get("yw.asset"))
    if "device" in found:
        found.pop("host", None)
    elif asset is not None:
        found["host"] = asset
    return found


def key_of(rule: str, entities: Entities) -> str:
    """Rule and entities: a repetition within the suppression window is the same alert."""
    telling = {kind: value for kind, value in entities.items() if kind not in _FOLLOWING} or entities
    return "|".join([rule, *(f"{kind}={telling[kind]}" for kind in sorted(telling))])


def merge(known: Mapping[str, str | None], more: Iterable[Mapping[str, str | None]]) -> Merged:
    """All entities that do not contradict each other; a kind with two values stays known as undecided."""
    found: Merged = dict(known)
    for one in more:
        for kind, value in one.items():
            found[kind] = value if found.get(kind, value) == value else None
    return found


def decided(merged: Mapping[str, str | None]) -> dict[str, str]:
    """The entities with one value."""
    return {kind: value for kind, value in merged.items() if value is not None}
