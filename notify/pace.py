"""When to send: grouping of what is alike, retries with back-off, limits of a channel. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The engine's figures, in seconds.

    Attributes:
        dedupe_seconds: How long a notice silences further ones with its key; 0 switches it off.
        wait_seconds: How long the first of a group waits for others.
        window_seconds: At most one message for one group and channel in this time.
        tries: Then a delivery has failed.
        backoff_seconds: Before the second try; doubled for each further one.
        longest_seconds: The longest wait between two tries, whatever the peer asks for.
        most: Notices in one message.
    """

    dedupe_seconds: float = 300.0
    wait_seconds: float = 3.0
    window_seconds: float = 120.0
    tries: int = 8
    backoff_seconds: float = 10.0
    longest_seconds: float = 1800.0
    most: int = 50


def grouped(due: datetime, queued: datetime | None, last: datetime | None, policy: Policy) -> datetime:
    """When a delivery goes out with its like.

    Args:
        due: When it may.
        queued: When a message of its group is about to go.
        last: When the last one of its group went.
        policy: The figures.
    """
    wait, window = timedelta(seconds=policy.wait_seconds), timedelta(seconds=policy.window_seconds)
    if queued is not None and due <= queued <= due + max(wait, window):
        return queued
    return due + wait if last is None else max(due + wait, last + window)


def backoff(tries: int, chance: float, policy: Policy, asked: float | None = None) -> timedelta:
    """The wait after the n-th try that did not succeed.

    Args:
        tries: Made so far, from 1.
        chance: 0 to 1, random: of many that failed together not all come back together.
        policy: The figures.
        asked: Seconds that the peer wants to be left alone; not shortened, only bounded.
    """
    doubled = policy.backoff_seconds * 2.0 ** min(tries - 1, 30)
    wait = min(doubled, policy.longest_seconds) * (0.5 + chance / 2)
    return timedelta(seconds=min(max(wait, asked or 0.0), policy.longest_seconds))
