"""When certificates end (证书到期): rows from certificates and an instant; collectors make events of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from crypto.x509 import Certificate

WARNING, CRITICAL = timedelta(days=30), timedelta(days=7)


class Level(StrEnum):
    """How urgent; in order."""

    EXPIRED = "expired"
    CRITICAL = "critical"
    WARNING = "warning"
    OK = "ok"
    NOT_YET = "not_yet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expiry:
    """One certificate.

    Attributes:
        name: Where it stands: a key's name or a file.
        serial: Hex.
        days_left: Whole days to its end, rounded down; negative once it is over.
    """

    name: str
    subject: str
    issuer: str
    serial: str
    fingerprint: str
    not_after: datetime
    days_left: int
    level: Level


def report(certificates: Iterable[tuple[str, Certificate]], at: datetime) -> list[Expiry]:
    """A row for each (name, certificate), the one that ends first on top."""
    rows = [_row(name, one, at) for name, one in certificates]
    return sorted(rows, key=lambda row: (row.not_after, row.name))


def _row(name: str, one: Certificate, at: datetime) -> Expiry:
    left = one.not_after - at
    return Expiry(
        name=name,
        subject=one.subject_text,
        issuer=one.issuer_text,
        serial=f"{one.serial:x}",
        fingerprint=one.fingerprint,
        not_after=one.not_after,
        days_left=left // timedelta(days=1),
        level=level_of(one, at),
    )


def level_of(one: Certificate, at: datetime) -> Level:
    """30 days before its end a certificate is a warning, 7 days before it is critical."""
    left = one.not_after - at
    if at < one.not_before:
        return Level.NOT_YET
    if left < timedelta(0):
        return Level.EXPIRED
    if left < CRITICAL:
        return Level.CRITICAL
    return Level.WARNING if left < WARNING else Level.OK
