"""Grouping and back-off."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notify.pace import Policy, backoff, grouped
from tests.notify.story import NOON

POLICY = Policy(wait_seconds=5, window_seconds=60)


def after(seconds: float):
    return NOON + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("queued", "last", "out"),
    [
        pytest.param(None, None, 5, id="the first waits for others"),
        pytest.param(3, None, 3, id="one is about to go: with it"),
        pytest.param(None, -20, 40, id="one has gone: the window's end"),
        pytest.param(None, -300, 5, id="one has gone long ago: like the first"),
        pytest.param(40, -20, 40, id="others wait for the window's end: with them"),
        pytest.param(3600, None, 5, id="the others wait for the morning: not with them"),
        pytest.param(-10, None, 5, id="what is overdue is a message of its own"),
    ],
)
def test_grouped(queued: float | None, last: float | None, out: float) -> None:
    times = (None if one is None else after(one) for one in (queued, last))
    assert grouped(NOON, *times, POLICY) == after(out)


@given(st.lists(st.floats(0, 600), min_size=1, max_size=60))
def test_many_alike_are_few_messages_and_none_waits_longer_than_wait_and_window(arrivals: list[float]) -> None:
    """One message at most for each window, whatever the arrivals: simulated with the clock moving from one to the next."""
    queue: list[tuple[float, float]] = []  # arrival, when it goes
    gone: list[float] = []
    for arrival in sorted(arrivals):
        gone += sorted({out for _, out in queue if out <= arrival} - set(gone))
        waiting = [out for _, out in queue if out > arrival]
        queued = after(min(waiting)) if waiting else None
        last = after(gone[-1]) if gone else None
        out = (grouped(after(arrival), queued, last, POLICY) - NOON).total_seconds()
        queue.append((arrival, out))
    messages = sorted({out for _, out in queue})

    assert all(later - earlier >= 60 - 1e-3 for earlier, later in itertools.pairwise(messages))
    assert all(arrival <= out <= arrival + 65 + 1e-3 for arrival, out in queue)


@pytest.mark.parametrize(
    ("tries", "chance", "asked", "seconds"),
    [
        pytest.param(1, 1.0, None, 10, id="first"),
        pytest.param(2, 1.0, None, 20, id="doubled"),
        pytest.param(1, 0.0, None, 5, id="jitter takes at most half"),
        pytest.param(1, 1.0, 600.0, 600, id="the peer asks for more"),
        pytest.param(5, 1.0, 1.0, 160, id="the peer asks for less"),
        pytest.param(100, 1.0, None, 1800, id="bounded"),
        pytest.param(1, 0.5, 1e9, 1800, id="a peer cannot ask for ever"),
    ],
)
def test_backoff(tries: int, chance: float, asked: float | None, seconds: float) -> None:
    assert backoff(tries, chance, Policy(), asked) == timedelta(seconds=seconds)


@given(st.integers(1, 10_000), st.floats(0, 1), st.none() | st.floats(0, 1e12))
def test_a_wait_is_positive_and_bounded(tries: int, chance: float, asked: float | None) -> None:
    policy = Policy()
    wait = backoff(tries, chance, policy, asked).total_seconds()
    assert policy.backoff_seconds / 2 <= wait <= policy.longest_seconds
