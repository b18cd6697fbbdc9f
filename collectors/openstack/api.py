"""Port to one cloud: decoded JSON objects as keystone v3 and nova 2.1 give them; the SDK stays behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

Json = Mapping[str, Any]


class ComputeApi(Protocol):
    """One cloud, seen by an administrator. Every method raises UserError (UnreachableError included) and nothing else.

    A method gives everything or raises: never the pages that happened to arrive.
    """

    def now(self) -> datetime:
        """The cloud's own clock, aware UTC, whole seconds: what its usage is cut at."""
        ...

    def projects(self) -> Sequence[Json]:
        """``id`` and ``name`` of every project of every domain."""
        ...

    def servers(self) -> Sequence[Json]:
        """Servers of all projects that are not deleted, in nova's detailed form (microversion 2.47 or later)."""
        ...

    def flavors(self) -> Sequence[Json]:
        """All flavors with their ``extra_specs``, private ones too."""
        ...

    def usages(self, start: datetime, end: datetime) -> Sequence[Json]:
        """``server_usages`` of all projects: servers that existed in [start, end), deleted ones too."""
        ...

    def actions(self, server: str) -> Sequence[Json]:
        """What was done to a server: ``action`` and ``start_time``, for deleted ones too."""
        ...
