"""How the platform is: processes, counters that add up, lag, store, disk (CONTRACT §8)."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from typing import Any

from records.instants import now
from yunwang.language import translate
from yunwang.place import Place
from yunwang.supervisor import holder, running, warnings
from yunwang.wiring import Site


def status(site: Site) -> dict[str, Any]:
    """The whole of ``yw status``."""
    place = site.place
    processes = _processes(place)
    counters = _counters(site)
    return {
        "ready": bool(processes) and all(one["state"] in {"running", "done"} for one in processes),
        "processes": processes,
        "counters": counters,
        "lag_seconds": _lag_seconds(site),
        "store": {"kind": site.settings.store.kind, "state": "ok" if _writable(place) else "read-only"},
        "disk_free_bytes": shutil.disk_usage(place.root).free,
        "warnings": [one.as_json(translate) for one in warnings(place)],
        "demo": place.demo,
    }


def _processes(place: Place) -> list[dict[str, Any]]:
    alive = holder(place)
    rows: list[dict[str, Any]] = running(place).get("processes", [])
    keys = ("name", "pid", "state", "since")
    if alive is None:
        return [{key: row[key] for key in keys} | {"pid": None, "state": "stopped"} for row in rows]
    return [{key: row[key] for key in keys} | {"restarts": row["restarts"]} for row in rows]


def collector_report(place: Place) -> Mapping[str, Any]:
    """What the collect process last wrote down; empty if it never did."""
    try:
        found: dict[str, Any] = json.loads((place.run / "collect.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found


def _counters(site: Site) -> dict[str, Any]:
    """Received = stored + dropped + what waits; each number is read where it is committed."""
    from storage.driver import counters  # noqa: PLC0415 - the state database on first use

    kept = counters(site.state)
    dropped = dict(kept.get("dropped", {}))
    for why, count in collector_report(site.place).get("dropped", {}).items():
        if count:
            dropped[why] = dropped.get(why, 0) + count
    return {name: _total(kept.get(name)) for name in ("received", "parsed", "unparsed", "stored")} | {
        "dropped": dropped,
        "late": _total(kept.get("late")),
        "alerts": _total(kept.get("alerts")),
    }


def _total(by_label: Mapping[str, int] | None) -> int:
    return sum((by_label or {}).values())


def _lag_seconds(site: Site) -> float | None:
    """Age of the oldest entry that the worker has not judged; 0 if none waits."""
    from storage.driver import offsets  # noqa: PLC0415 - the state database on first use

    done = offsets(site.state)
    oldest = None
    for partition in site.spool.partitions():
        reached = min(done.get((name, partition), 0) for name in ("soc", "link_health", "cloud_metering"))
        if reached < site.spool.end(partition):
            for _, entry in site.spool.read(partition, reached, 1):
                oldest = min(oldest or entry.received_at, entry.received_at)
    return 0.0 if oldest is None else round(max(0.0, (now() - oldest).total_seconds()), 3)


def _writable(place: Place) -> bool:
    return os.access(place.root, os.W_OK)
