"""Which rules an event can concern at all: by product, category, service; on Windows by Channel and EventID."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from soc.sigma.ir import And, Node, Op, Or, Test
from soc.sigma.rule import Rule
from soc.sigma.text import text

NONE: frozenset[str] = frozenset()
CHANNEL, EVENT_ID = "Channel", "EventID"
LINUX_SYSMON = "linux-sysmon/operational"
SYSMON = "microsoft-windows-sysmon/operational"

SYSMON_CATEGORIES: dict[
    str, tuple[str, ...]
] = {  # Sysmon's event ids, Microsoft Learn "Sysmon", and Sigma's categories
    "1": ("process_creation",),
    "2": ("file_change",),
    "3": ("network_connection",),
    "5": ("process_termination",),
    "6": ("driver_load",),
    "7": ("image_load",),
    "8": ("create_remote_thread",),
    "9": ("raw_access_thread",),
    "10": ("process_access",),
    "11": ("file_event",),
    "12": ("registry_event", "registry_add", "registry_delete"),
    "13": ("registry_event", "registry_set"),
    "14": ("registry_event", "registry_rename"),
    "15": ("create_stream_hash",),
    "17": ("pipe_created",),
    "18": ("pipe_created",),
    "19": ("wmi_event",),
    "20": ("wmi_event",),
    "21": ("wmi_event",),
    "22": ("dns_query",),
    "23": ("file_delete",),
    "24": ("clipboard_capture",),
    "25": ("process_tampering",),
    "26": ("file_delete",),
    "27": ("file_block_executable",),
    "28": ("file_block_shredding",),
    "29": ("file_executable_detected",),
    "255": ("sysmon_error",),
}


class Source(NamedTuple):
    """Where an event comes from; events of one source share one bucket of rules."""

    product: str | None = None
    categories: frozenset[str] = NONE
    services: frozenset[str] = NONE
    channel: str | None = None  # lower case
    event_id: str | None = None


@lru_cache(8192)
def windows_source(channel: object, event_id: object) -> Source:
    """The source of a record of a Windows event log, or of Sysmon for Linux, which names its channel so."""
    name, number = (
        text(channel).lower() if channel is not None else None,
        text(event_id) if event_id is not None else None,
    )
    sysmon = name in {SYSMON, LINUX_SYSMON}
    categories = frozenset(SYSMON_CATEGORIES.get(number or "", ())) if sysmon else NONE
    product = "linux" if name == LINUX_SYSMON else "windows"
    return Source(product, categories, frozenset({"sysmon"}) if sysmon else NONE, name, number)


class Route(NamedTuple):
    """What a rule asks of a source; None asks nothing."""

    product: str | None
    category: str | None
    service: str | None
    channels: frozenset[str] | None
    event_ids: frozenset[str] | None

    def admits(self, source: Source) -> bool:
        """Whether events of this source can meet the rule."""
        return (
            (self.product is None or self.product == source.product)
            and (self.category is None or self.category in source.categories)
            and (self.service is None or self.service in source.services)
            and (self.channels is None or source.channel in self.channels)
            and (self.event_ids is None or source.event_id in self.event_ids)
        )


def route_of(rule: Rule) -> Route:
    """The route of a rule. Where a pipeline has turned the log source into Channel and EventID, those decide."""
    product = _low(rule.declared.product)
    if product != "windows":
        return Route(product, _low(rule.declared.category), _low(rule.declared.service), None, None)
    channels = necessary_values(rule.condition, CHANNEL)
    event_ids = necessary_values(rule.condition, EVENT_ID)
    if channels is not None or rule.logsource != rule.declared:
        return Route(product, None, None, channels, event_ids)
    return Route(product, _low(rule.declared.category), _low(rule.declared.service), None, event_ids)


class Router:
    """Rules by what they ask, so that a new source looks at few of them."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._by_key: dict[tuple[str | None, str | None], list[tuple[int, Route]]] = {}
        for index, rule in enumerate(rules):
            route = route_of(rule)
            for channel in route.channels if route.channels is not None else (None,):
                self._by_key.setdefault((route.product, channel), []).append((index, route))

    def admitted(self, source: Source) -> list[int]:
        """Indexes of the rules for a source, rising."""
        keys = {(product, channel) for product in (None, source.product) for channel in (None, source.channel)}
        return sorted({index for key in keys for index, route in self._by_key.get(key, ()) if route.admits(source)})


def _low(name: str | None) -> str | None:
    return name.lower() if name else None


def necessary_values(node: Node, name: str) -> frozenset[str] | None:
    """Lower-case values of which the field must have one for the condition to hold; None if any may do."""
    if isinstance(node, Test):
        return frozenset({str(node.operand).lower()}) if node.field == name and node.op is Op.EQUAL else None
    if isinstance(node, And):
        found = [values for part in node.parts if (values := necessary_values(part, name)) is not None]
        return frozenset.intersection(*found) if found else None
    if isinstance(node, Or):
        each = [necessary_values(part, name) for part in node.parts]
        known = [values for values in each if values is not None]
        return frozenset().union(*known) if len(known) == len(each) else None
    return None
