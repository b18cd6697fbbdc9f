"""A span is asked for again in the windows that the ledger has."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_metering.spans import cut

DAY = datetime(2026, 10, 1, tzinfo=UTC)


def at(minutes: int) -> datetime:
    return DAY + timedelta(minutes=minutes)


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        pytest.param([], [(0, 240, 120)], id="nothing known"),
        pytest.param([(0, 3600), (60, 3600)], [(0, 120, 3600), (120, 240, 120)], id="hours, then ours"),
        pytest.param([(60, 3600)], [(0, 60, 120), (60, 120, 3600), (120, 240, 120)], id="a gap before"),
        pytest.param([(0, 3600), (60, 120), (62, 120)], [(0, 60, 3600), (60, 240, 120)], id="ours after hours"),
        pytest.param([(180, 3600)], [(0, 180, 120), (180, 240, 3600)], id="at the end"),
    ],
)
def test_cut(known: list[tuple[int, int]], expected: list[tuple[int, int, int]]) -> None:
    found = cut([(at(minutes), seconds) for minutes, seconds in known], at(0), at(240), 120)

    assert [(one.start, one.end, one.window_seconds) for one in found] == [(at(a), at(b), c) for a, b, c in expected]


@given(st.lists(st.tuples(st.integers(0, 60), st.sampled_from([60, 120, 3600])), max_size=8))
def test_the_parts_cover_the_span_once(windows: list[tuple[int, int]]) -> None:
    known, reached = [], 0
    for gap, seconds in windows:
        known.append((at(reached + gap), seconds))
        reached += gap + seconds // 60
    found = cut(known, at(0), at(reached + 5), 300)

    assert found[0].start == at(0)
    assert found[-1].end == at(reached + 5)
    assert all(one.end == other.start for one, other in pairwise(found))
