"""Instants and months: aware UTC inside, RFC 3339 outside, months cut at 00:00 Asia/Shanghai (CONTRACT §1)."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MONTH = re.compile(r"(\d{4})-(0[1-9]|1[0-2])")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,6})?([Zz]|[+-]\d\d:\d\d)")


def microseconds(at: datetime) -> int:
    """Whole µs since 1970; ValueError for a naive instant."""
    if at.tzinfo is None:
        raise ValueError(f"naive instant {at!r}")
    delta = at - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def now() -> datetime:
    """The wall clock, aware UTC. Call it at the rim only; pure functions take instants."""
    return datetime.now(UTC)


def format_instant(at: datetime) -> str:
    """RFC 3339 in UTC with ``Z``; fractions only when there are any."""
    if at.tzinfo is None:
        raise ValueError(f"naive instant {at!r}")
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def parse_instant(text: str) -> datetime:
    """RFC 3339 with ``Z`` or an offset to aware UTC; ValueError for anything else, a missing offset included."""
    if not _INSTANT.fullmatch(text):
        raise ValueError(f"not an RFC 3339 instant with offset: {text!r}")
    return datetime.fromisoformat(text.upper().replace(" ", "T")).astimezone(UTC)


def midnight(day: date) -> datetime:
    """00:00 Asia/Shanghai of that day, in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=SHANGHAI).astimezone(UTC)


def month_of(at: datetime) -> str:
    """``YYYY-MM`` of an instant in Asia/Shanghai."""
    return at.astimezone(SHANGHAI).strftime("%Y-%m")


def month_bounds(month: str) -> tuple[datetime, datetime]:
    """Start (inclusive) and end (exclusive) of ``YYYY-MM`` in UTC; ValueError if it is no month."""
    found = _MONTH.fullmatch(month)
    if not found:
        raise ValueError(f"not a month YYYY-MM: {month!r}")
    start = date(int(found[1]), int(found[2]), 1)
    return midnight(start), midnight((start + timedelta(days=32)).replace(day=1))


def next_month(month: str) -> str:
    """The month after ``YYYY-MM``."""
    return month_of(month_bounds(month)[1])


def previous_month(month: str) -> str:
    """The month before ``YYYY-MM``."""
    return month_of(month_bounds(month)[0] - timedelta(days=1))
