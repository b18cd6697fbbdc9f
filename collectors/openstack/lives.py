"""Lives of servers: what a server held, from when to when, made of nova's answers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from collectors.openstack.api import Json
from records.errors import UnreachableError

_NAIVE = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,6})?Z?")
_RELAUNCHING = frozenset({"resize", "revertResize", "migrate", "rebuild", "evacuate", "rescue", "unshelve"})
_LARGEST = 10**8  # of vCPU, MB and GB: keeps the arithmetic of windows inside 63 bits


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """A server of one size (云主机), from its launch to its end.

    Attributes:
        memory_mb: RAM in MiB, as nova counts it.
        disk_gb: Root plus ephemeral disk in GiB; 0 for a server on volumes.
        ended_at: None while it lives.
    """

    server: str
    project: str
    name: str
    flavor: str
    vcpus: int
    memory_mb: int
    disk_gb: int
    started_at: datetime
    ended_at: datetime | None = None


def parse_time(text: str) -> datetime:
    """Nova's instants to aware UTC: naive ISO in usage, with ``Z`` elsewhere; ValueError for anything else."""
    if not _NAIVE.fullmatch(text):
        raise ValueError(f"not an instant of nova: {text!r}")
    return datetime.fromisoformat(text.removesuffix("Z")).replace(tzinfo=UTC)


def parse_life(usage: Json) -> Life | None:
    """A life from an element of ``server_usages``; None if the server was never launched.

    A server in BUILD, or in ERROR before its first launch, holds nothing yet and has no ``started_at``.

    Raises:
        UnreachableError: The answer has not nova's shape.
    """
    try:
        if usage["started_at"] is None:
            return None
        return _life(usage)
    except (KeyError, TypeError, ValueError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise UnreachableError(
            "the cloud's usage answer has not the shape of nova: {reason}",
            "check what answers at the compute endpoint",
            reason=reason,
        ) from error


def _life(usage: Json) -> Life:
    ended = usage["ended_at"]
    return Life(
        server=_text(usage, "instance_id"),
        project=_text(usage, "tenant_id"),
        name=_text(usage, "name"),
        flavor=_text(usage, "flavor"),
        vcpus=_size(usage, "vcpus"),
        memory_mb=_size(usage, "memory_mb"),
        disk_gb=_size(usage, "local_gb"),
        started_at=parse_time(usage["started_at"]),
        ended_at=None if ended is None else parse_time(ended),
    )


def _text(usage: Json, name: str) -> str:
    value = usage[name]
    if not isinstance(value, str):
        raise TypeError(f"{name} is no text")
    return value


def _size(usage: Json, name: str) -> int:
    value: Any = usage[name]
    if type(value) is not int or not 0 <= value <= _LARGEST:
        raise ValueError(f"{name} is {value!r}")
    return value


@dataclass(slots=True)
class Memory:
    """What earlier answers told: nova forgets a server's past when it resizes, rebuilds, rescues or unshelves it.

    Each of these sets ``launched_at`` anew (nova's compute manager), so that its usage answer then begins there. What
    was seen before is kept as a life that ended where the new one begins. One memory for one cloud; it holds live
    servers, and past lives that end after the last span's start.
    """

    current: dict[str, Life] = field(default_factory=dict)
    past: list[Life] = field(default_factory=list)

    def recall(self, fresh: Iterable[Life], since: datetime) -> list[Life]:
        """All lives of these servers, each server's in order of time; remembers them for the next call.

        Args:
            fresh: What nova says now about every server of the span.
            since: Start of the span: what ended before is forgotten.
        """
        found = list(fresh)
        for life in found:
            before = self.current.get(life.server)
            if before is not None and before.started_at < life.started_at:
                self.past.append(replace(before, ended_at=life.started_at))
        self.current = {life.server: life for life in found}
        self.past = [life for life in self.past if life.ended_at is not None and life.ended_at > since]
        return sorted([*self.past, *found], key=lambda life: (life.server, life.started_at))


def forgotten_since(life: Life, actions: Iterable[Json]) -> datetime | None:
    """Since when nova has forgotten what the server held before ``started_at``; None if that is its first launch."""
    times = {str(one["action"]): parse_time(one["start_time"]) for one in actions}
    relaunched = any(name in _RELAUNCHING and at <= life.started_at for name, at in times.items())
    return times.get("create") if relaunched else None


def flavor_classes(flavors: Sequence[Json], servers: Sequence[Json]) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """``class`` of the extra specs, by flavor name and by server id: a server keeps the flavor as it was at launch."""
    by_flavor = {one["name"]: _class(one) for one in flavors}
    by_server = {one["id"]: _class(one.get("flavor") or {}) for one in servers}
    return by_flavor, by_server


def _class(flavor: Json) -> str:
    return str((flavor.get("extra_specs") or {}).get("class", ""))
