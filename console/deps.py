"""What the console is given by the composition root, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from access.passwords import DEFAULT, Policy
from access.sessions import Limits
from console.ports import KeyViews, Views
from inventory.model import Inventory
from records.instants import now


def english(_language: str, message: str) -> str:
    """Errors as they stand in the code."""
    return message


@dataclass(frozen=True, kw_only=True)
class ConsoleDeps:
    """Everything that a request may need.

    Attributes:
        engine: The state database.
        inventory: The inventory in force now.
        views: Read functions of the domain packages.
        keyring: The site's keys, certificates and crypto providers.
        status: Processes and counters, the shape of ``yw status``.
        versions: Topic (``links``, ``alerts``, …) to a text that changes when its data do; asked every two seconds.
        messages: (language, message) to its text in that language, for errors that the console itself cannot translate.
        ready: Named checks of what the console needs, for ``/readyz``.
        demo: Whether the data are the demo's; every page says so.
        secure: Whether browsers come by TLS, directly or through the proxy in front.
        behind_proxy: Whether the peer address is the proxy's and ``X-Forwarded-For`` holds the browser's.
        ca: The exported trust anchor, for download.
        limits: How long a session lives.
        passwords: What a password must be.
        clock: The wall clock.
    """

    engine: sa.Engine
    inventory: Callable[[], Inventory]
    views: Views
    keyring: KeyViews
    status: Callable[[], Mapping[str, Any]]
    versions: Callable[[], Mapping[str, str]]
    ready: Callable[[], Mapping[str, bool]]
    messages: Callable[[str, str], str] = english
    demo: bool = False
    secure: bool = False
    behind_proxy: bool = False
    ca: Path | None = None
    limits: Limits = field(default_factory=Limits)
    passwords: Policy = DEFAULT
    clock: Callable[[], datetime] = now
    version: str = ""
