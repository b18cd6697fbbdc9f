"""A port that carries 80 Mbit/s in and half of it out, and its reading at any time."""

from __future__ import annotations

from dataclasses import replace

from oracle import SECOND, Reading

T = 60 * SECOND
BPS = 80_000_000
STEP = BPS // 8 * 60  # octets in one interval
BOOT = 7_777_777  # ticks of uptime at the first reading


def at(step: float, total: int | None = None, **changes: object) -> Reading:
    """The reading at ``step`` intervals of a port that carries 80 Mbit/s in and half of it out."""
    now = int(step * T)
    count = int(step * STEP) if total is None else total
    plain = Reading(
        at=10**15 + now,
        elapsed=now * 1000 + 5,
        uptime=(BOOT + now // 10_000) % 2**32,
        octets=(count, count // 2),
    )
    return replace(plain, **changes)  # type: ignore[arg-type]
