"""A link's samples as a chart and as the table beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby, pairwise
from statistics import median
from typing import Any

from records.instants import parse_instant

Row = Mapping[str, Any]
MOST_POINTS = 720
_AROUND = 5  # points to each side that tell how far apart points stand here; history is coarser than the live poll
_GAP_FACTOR = 2.5
_OPER_DOWN = 2  # ifOperStatus, RFC 2863


def _at(row: Row) -> datetime:
    at: datetime | str = row["at"]
    return parse_instant(at) if isinstance(at, str) else at


def thinned(rows: Sequence[Row], most: int = MOST_POINTS) -> list[Row]:
    """At most so many points: each the mean of neighbours at the newest one's instant; null where none is known."""
    step = -(-len(rows) // most) if rows else 1
    return [_mean(rows[start : start + step]) for start in range(0, len(rows), step)]


def _mean(rows: Sequence[Row]) -> Row:
    worst = next((row["status"] for row in rows if row["status"] != "ok"), "ok")
    figures = {name: _mean_of([row[name] for row in rows if row[name] is not None]) for name in ("in_bps", "out_bps")}
    status = worst if any(one is None for one in figures.values()) else "ok"
    return {"at": _at(rows[-1]), **figures, "status": status, "down": any(_is_down(row) for row in rows)}


def _is_down(row: Row) -> bool:
    return row.get("oper_status") == _OPER_DOWN


def _mean_of(values: Sequence[int]) -> int | None:
    return round(sum(values) / len(values)) if values else None


def with_gaps(points: Sequence[Row]) -> list[Row]:
    """The points with an unknown one wherever the next is missing, so that no line is drawn across silence."""
    instants = [_at(row) for row in points]
    steps = [(after - before).total_seconds() for before, after in pairwise(instants)]
    found = list(points[:1])
    for index, step in enumerate(steps):
        if step > _usual(steps, index) * _GAP_FACTOR:
            found.append(_unknown(instants[index] + timedelta(seconds=step / 2)))
        found.append(points[index + 1])
    return found


def _usual(steps: Sequence[float], index: int) -> float:
    """Seconds: the larger of the medians before and behind a step; the step itself where it stands alone."""
    sides = (steps[max(0, index - _AROUND) : index], steps[index + 1 : index + 1 + _AROUND])
    return max((median(one) for one in sides if one), default=steps[index])


def _unknown(at: datetime) -> Row:
    return {"at": at, "in_bps": None, "out_bps": None, "status": "missing", "down": False}


def spans(points: Sequence[Row]) -> Iterator[tuple[str, datetime, datetime]]:
    """``("down" | "missing", start, end)`` of what the chart shades; each span reaches to its known neighbours."""
    start = 0
    for kind, run in groupby(points, key=_kind):
        end = start + len(list(run))
        if kind:
            yield kind, _at(points[max(0, start - 1)]), _at(points[min(end, len(points) - 1)])
        start = end


def _kind(row: Row) -> str:
    return "down" if row["down"] else "missing" if row["in_bps"] is None and row["out_bps"] is None else ""


def series(points: Sequence[Row]) -> dict[str, list[Any]]:
    """Columns for the chart; instants in milliseconds since 1970."""
    return {
        "at": [_milliseconds(_at(row)) for row in points],
        "in": [row["in_bps"] for row in points],
        "out": [row["out_bps"] for row in points],
        "spans": [[kind, _milliseconds(start), _milliseconds(end)] for kind, start, end in spans(points)],
    }


def _milliseconds(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def completeness(rows: Sequence[Row]) -> float | None:
    """The part of samples that have both figures; None without samples."""
    if not rows:
        return None
    return sum(row["in_bps"] is not None and row["out_bps"] is not None for row in rows) / len(rows)
