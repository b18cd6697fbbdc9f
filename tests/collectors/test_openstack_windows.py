"""Windows and quantities: exact, against a slow oracle in fractions."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.openstack.lives import Life
from collectors.openstack.rows import decimals, draw_cells, usage_rows
from collectors.openstack.windows import METERS, check_window, nano_quantities, overlaps, whole_windows
from records.errors import UserError

DAY = datetime(2026, 11, 22, tzinfo=UTC)
SPAN = 6 * 3600


def life(server: str = "s", **more) -> Life:
    shape = {"vcpus": 2, "memory_mb": 4096, "disk_gb": 40}
    common = {"project": "p", "name": server, "flavor": "f", "started_at": DAY}
    return Life(server=server, **(common | shape | more))


@pytest.mark.parametrize("seconds", [0, -3600, 59, 7, 1000, 7200])
def test_a_window_fills_an_hour(seconds):
    with pytest.raises(UserError, match="do not fill an hour"):
        check_window(seconds)


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        pytest.param(0, 7200, (0, 7200), id="aligned"),
        pytest.param(1, 7200, (3600, 7200), id="begins within a window"),
        pytest.param(0, 7199.999999, (0, 3600), id="ends a microsecond early"),
        pytest.param(10, 3000, (3600, 3600), id="none"),
    ],
)
def test_whole_windows(start, end, expected):
    base = int(DAY.timestamp())
    first, last = whole_windows(DAY + timedelta(seconds=start), DAY + timedelta(seconds=end), 3600)
    assert (first - base, last - base) == expected


def oracle(lives: list[Life], seconds: int) -> dict[tuple[str, str, int], Decimal]:
    """Window by window, fractions all the way, rounded half to even at 9 places."""
    exact: dict[tuple[str, str, int], Fraction] = {}
    for one in lives:
        for nth in range(SPAN // seconds):
            start = DAY + timedelta(seconds=nth * seconds)
            end = start + timedelta(seconds=seconds)
            shared = min(one.ended_at or end, end) - max(one.started_at, start)
            if shared > timedelta(0):
                hours = Fraction(shared // timedelta(microseconds=1), 3_600_000_000)
                for meter in METERS:
                    key = (one.server, meter.name, int(start.timestamp()))
                    part = hours * getattr(one, meter.size) / meter.divisor
                    exact[key] = exact.get(key, Fraction(0)) + part
    return {key: rounded(value) for key, value in exact.items() if value}


def rounded(value: Fraction) -> Decimal:
    with localcontext(prec=60):
        scaled = value * 10**9
        whole, rest = divmod(scaled.numerator, scaled.denominator)
        up = rest * 2 > scaled.denominator or (rest * 2 == scaled.denominator and whole % 2)
        return (Decimal(whole + up) / 10**9).quantize(Decimal("1e-9"), ROUND_HALF_EVEN)


micros = st.integers(-(10**10), SPAN * 10**6 + 10**10)


@st.composite
def server_lives(draw, server: str) -> list[Life]:
    """Up to three lives of one server, one after another, of different sizes."""
    edges = sorted(draw(st.sets(micros, min_size=2, max_size=4)))
    found = []
    for begin, end in pairwise(edges):
        size = {name: draw(st.integers(0, 10**6)) for name in ("vcpus", "memory_mb", "disk_gb")}
        found.append(
            life(
                server,
                started_at=DAY + timedelta(microseconds=begin),
                ended_at=DAY + timedelta(microseconds=end),
                **size,
            )
        )
    if draw(st.booleans()):
        found[-1] = replace(found[-1], ended_at=None)
    return found


@settings(deadline=None)
@given(st.tuples(server_lives("a"), server_lives("b")), st.sampled_from([3600, 1800, 300]))
def test_rows_agree_with_the_oracle(groups, seconds):
    lives = [one for group in groups for one in group]
    first = int(DAY.timestamp())
    shared = overlaps(lives, first, first + SPAN, seconds)
    cells = draw_cells(lives, shared, lambda _project, _start: "t")
    rows = usage_rows("c", lives, shared, cells, seconds, lambda _life: None).to_pylist()
    assert {(one["resource"], one["meter"], int(one["start"].timestamp())): one["quantity"] for one in rows} == oracle(
        lives, seconds
    )
    assert len({one["event_id"] for one in rows}) == len(rows)


@settings(deadline=None)
@given(st.integers(0, 3_600_000_000), st.integers(0, 10**8), st.sampled_from([1, 1024]))
def test_rounding_is_half_to_even(shared, size, divisor):
    nano = int(nano_quantities(np.array([shared * size]), divisor)[0])
    assert Decimal(nano) / 10**9 == rounded(Fraction(shared * size, 3_600_000_000 * divisor))


def test_decimals_keep_every_digit():
    kept = decimals(np.array([0, 1, 10**18 - 1, 2**63 - 1]))
    assert [str(one) for one in kept.to_pylist()] == ["0E-9", "1E-9", "999999999.999999999", "9223372036.854775807"]
