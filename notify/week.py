"""Spans as they are written: ``22:00-07:00``, ``mon-fri 08:30-17:30``, ``sat,sun``."""

from __future__ import annotations

import re
from datetime import time

from notify.rosters import ALL_DAYS, Span

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-(?:([01]\d|2[0-3]):([0-5]\d)|(24):(00))")


def parse_span(text: str) -> Span:
    """Days, hours, or both; without days every day, without hours all of it; ValueError for anything else."""
    words = text.lower().split()
    hours = words.pop() if words and ":" in words[-1] else ""
    if len(words) > 1 or not (words or hours):
        raise ValueError(f"no span of the week: {text!r}")
    days = _days(words[0], text) if words else ALL_DAYS
    found = _HOURS.fullmatch(hours) if hours else None
    if hours and found is None:
        raise ValueError(f"no span of the week: {text!r}")
    if found is None:
        return Span(days=days)
    start = time(int(found[1]), int(found[2]))
    return Span(start=start, end=time(0) if found[5] else time(int(found[3]), int(found[4])), days=days)


def _days(word: str, text: str) -> frozenset[int]:
    days: set[int] = set()
    for part in word.split(","):
        first, dash, last = part.partition("-")
        if first not in DAYS or (dash and last not in DAYS):
            raise ValueError(f"no span of the week: {text!r}")
        start, length = DAYS.index(first), (DAYS.index(last or first) - DAYS.index(first)) % 7
        days |= {(start + number) % 7 for number in range(length + 1)}
    return frozenset(days)
