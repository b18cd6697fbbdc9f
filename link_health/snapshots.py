"""The watch as bytes and back (快照): one JSON head and the arrays, without pickle."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import numpy as np

from link_health.columns import Columns
from link_health.devices import Devices
from link_health.series import Memory
from link_health.states import LinkState, Protection
from link_health.turns import LinkMemory
from link_health.watch import Watch

FORMAT = 2
_DEVICE_ARRAYS = ("answered", "asked", "polled", "source", "alarmed")


def dump(watch: Watch, runs: list[str], sources: list[str]) -> bytes:
    """All that a new process needs to go on as this one would."""
    head = {
        "format": FORMAT,
        "interval_us": watch.interval_us,
        "series": watch.series.keys,
        "devices": watch.devices.keys,
        "runs": runs,
        "sources": sources,
        "marks": watch.marks,
        "groups": watch.groups,
        "links": {name: _plain(memory) for name, memory in watch.memories.items()},
    }
    buffer = io.BytesIO()
    np.savez(
        buffer, head=np.frombuffer(json.dumps(head, ensure_ascii=False).encode(), np.uint8), **dict(_arrays(watch))
    )
    return buffer.getvalue()


def _arrays(watch: Watch) -> Iterator[tuple[str, Any]]:
    memory = watch.series.memory
    yield from ((f"base.{one.name}", getattr(memory.base, one.name)) for one in fields(Columns))
    yield from ((f"memory.{one.name}", getattr(memory, one.name)) for one in fields(Memory) if one.name != "base")
    yield from ((f"device.{name}", getattr(watch.devices, name)) for name in _DEVICE_ARRAYS)
    yield "balance", watch.balance.sums


def _plain(memory: LinkMemory) -> list[Any]:
    findings = [[*key, name] for key, name in memory.findings.items()]
    state, alarmed = memory.state and memory.state.value, memory.alarmed and memory.alarmed.value
    return [
        state,
        memory.since_us,
        memory.changes,
        memory.confirmations,
        alarmed,
        memory.flapping,
        memory.root,
        findings,
    ]


def restore(blob: bytes, interval_us: int) -> tuple[Watch, list[str], list[str]] | None:
    """The watch, poller processes and partitions of a snapshot; None if it is of another format."""
    with np.load(io.BytesIO(blob), allow_pickle=False) as kept:
        head = json.loads(kept["head"].tobytes())
        if head["format"] != FORMAT:
            return None
        watch = Watch(interval_us)
        keys = [(device, name) for device, name in head["series"]]
        watch.series.keys, watch.series.number = keys, {key: number for number, key in enumerate(keys)}
        base = Columns(**{one.name: kept[f"base.{one.name}"] for one in fields(Columns)})
        rest = {one.name: kept[f"memory.{one.name}"] for one in fields(Memory) if one.name != "base"}
        watch.series.memory = Memory(base=base, **rest)
        watch.devices = Devices(
            head["devices"],
            {name: number for number, name in enumerate(head["devices"])},
            **{name: kept[f"device.{name}"] for name in _DEVICE_ARRAYS},
        )
        watch.balance.sums = kept["balance"]
    watch.marks = head["marks"]
    watch.groups = {name: Protection(state) for name, state in head["groups"].items()}
    watch.memories = {name: _memory(values) for name, values in head["links"].items()}
    return watch, head["runs"], head["sources"]


def _memory(values: list[Any]) -> LinkMemory:
    state, since_us, changes, confirmations, alarmed, flapping, root, findings = values
    return LinkMemory(
        state=LinkState(state) if state else None,
        since_us=since_us,
        changes=changes,
        confirmations=confirmations,
        alarmed=LinkState(alarmed) if alarmed else None,
        flapping=flapping,
        root=root,
        findings={(kind, device, interface): name for kind, device, interface, name in findings},
    )
