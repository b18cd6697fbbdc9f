"""Instants as logs write them. RFC 3164 has neither year nor zone: both follow from when the line was received."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Any

CHINA = timezone(timedelta(hours=8))  # where clocks without a zone stand; no daylight saving since 1991
AHEAD = timedelta(hours=8)
SKEW = timedelta(days=1)  # a sender's clock may be ahead by this much, no more
NEAR = timedelta(minutes=5)  # a live line lies this close to its receipt
_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
MONTHS = {name: number for number, name in enumerate(_NAMES, 1)}
_ISO = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?\s?(Z|z|[+-]\d\d:?\d\d)?")
_SHORTEST = len("2026-03-02T10:00:00")
_EARLIEST, _LATEST = 10**8, 10**11  # epoch seconds lie between, milliseconds above


@lru_cache(4096)  # lines of one second say the same
def iso_instant(text: str, zone: timezone = CHINA) -> datetime | None:
    """RFC 3339 and its relatives (space, comma, nine digits, no zone); None if it is none."""
    text = text.strip()
    if len(text) < _SHORTEST or text[10] not in "T ":
        return _odd_instant(text, zone)
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        return _odd_instant(text, zone)


def _odd_instant(text: str, zone: timezone) -> datetime | None:
    found = _ISO.fullmatch(text)
    if found is None:
        return None
    day, clock, fraction, offset = found.groups()
    try:
        at = datetime.fromisoformat(f"{day}T{clock}.{(fraction or '0')[:6]:0<6}")
        return at.replace(tzinfo=_zone(offset) if offset else zone).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _zone(offset: str) -> timezone:
    if offset in {"Z", "z"}:
        return UTC
    minutes = int(offset[1:3]) * 60 + int(offset[-2:])
    return timezone(timedelta(minutes=minutes if offset[0] == "+" else -minutes))


def any_instant(value: Any) -> datetime | None:
    """A text, or seconds or milliseconds since 1970, else None. A text without zone means UTC, as JSON producers do."""
    if isinstance(value, str):
        return iso_instant(value, UTC)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > _EARLIEST:
        return None
    try:
        return datetime.fromtimestamp(value / 1000 if value > _LATEST else value, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def yearless(
    month: int, day: int, clock: tuple[int, int, int, int], received_at: datetime, year: int | None = None
) -> datetime | None:
    """The instant of a clock without zone, and perhaps without year.

    Without a year it is the last such day that is not more than a day ahead of the receipt: December's lines that come
    in January are last year's. The clock is China's, or UTC where only that lies within five minutes of the receipt.
    None for a day that no year has.

    Args:
        month: 1 to 12.
        day: Of the month.
        clock: Hour, minute, second, microsecond.
        received_at: Receipt, aware UTC.
        year: Where the line has one.
    """
    found = _at(month, day, clock, received_at, year)
    if found is None or abs(found - received_at) <= NEAR:
        return found
    world = found + AHEAD
    return world if abs(world - received_at) <= NEAR else found


def _at(
    month: int, day: int, clock: tuple[int, int, int, int], received_at: datetime, year: int | None
) -> datetime | None:
    """The instant by China's clock."""
    for one in (year,) if year else _years(month, received_at):
        try:
            at = datetime(one, month, day, *clock, tzinfo=UTC) - AHEAD
        except (ValueError, OverflowError):  # 29 February of another year, hour 24
            continue
        if year or at <= received_at + SKEW:
            return at
    return None


def _years(month: int, received_at: datetime) -> Iterable[int]:
    """Years that come into question, the likeliest first; the next one only around its first day."""
    latest = received_at.year + (1 if received_at.month == 12 and month == 1 else 0)  # noqa: PLR2004 - December
    return range(latest, max(latest - 9, 1), -1)
