"""What the console asks of the domain packages: plain functions that give rows in the shapes of CONTRACT §8."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from access.scope import Scope
from console.language import Language
from console.sources import Source
from crypto.verification import Verification

Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Views:
    """Read functions; each is called per request and decides itself what it caches.

    Attributes:
        links: Rows of ``yw link ls``.
        link_samples: (link, start, end) to rows of ``yw link show``, oldest first.
        p95: (month, link) to the row of ``yw link p95``, or None.
        usage: Month to ``{"tenant","organisation","meter","unit","day","quantity"}``, quantity a Decimal, day a date.
        months: Months that have usage or a bill, newest first: ``{"month","state"}``.
        bill: Month to the shape of ``yw bill draft``, with the amounts as Decimal; None if there is nothing to bill.
        alerts: Alerts of a scope, to be paged.
        incidents: Incidents of a scope, to be paged.
        alert: Id to the alert of CONTRACT §5, or None if the scope does not hold it.
        incident: The same for an incident, without what the scope does not hold.
        events: Event ids to their ECS events, flat dotted names, oldest first.
        rules: Rules in force: ``{"id","title","level","domain","logsource","attack","hits"}``.
    """

    links: Callable[[], Sequence[Row]]
    link_samples: Callable[[str, datetime, datetime], Sequence[Row]]
    p95: Callable[[str, str], Row | None]
    usage: Callable[[str], Sequence[Row]]
    months: Callable[[], Sequence[Row]]
    bill: Callable[[str], Row | None]
    alerts: Callable[[Scope, Language], Source]
    incidents: Callable[[Scope, Language], Source]
    alert: Callable[[str, Scope, Language], Row | None]
    incident: Callable[[str, Scope, Language], Row | None]
    events: Callable[[Sequence[str]], Sequence[Row]]
    rules: Callable[[Language], Sequence[Row]]


@dataclass(frozen=True, kw_only=True)
class KeyViews:
    """The site's cryptography, without a secret.

    Attributes:
        keys: Every key: ``{"name","use","algorithm","state","created","changed","rotate_by","not_after","id",
            "fingerprint","certificate","previous"}``; raises CryptoError where the keystore cannot be read safely.
        certificates: Those that the site rests on, the one that ends first on top, faults before all:
            ``{"name","level","days_left","not_after","subject","issuer","serial","fingerprint","file"}``.
        providers: In the order in which they are asked, self-tested within the last minute:
            ``{"order","name","state","library","version","file","serves","behind","milliseconds","why"}``.
        fallbacks: Operation to how often this process did it by the slow reference.
        verify: The verdict on an artefact, against the site's own trust anchor and no other; what ``yw verify`` says.
    """

    keys: Callable[[], Sequence[Row]]
    certificates: Callable[[], Sequence[Row]]
    providers: Callable[[], Sequence[Row]]
    fallbacks: Callable[[], Mapping[str, int]]
    verify: Callable[[Path], Verification]
