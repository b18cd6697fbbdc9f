"""In which windows a source's usage was metered: asked again in the same ones, it gives the same events."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from cloud_metering.tables import usage_event


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A part of a span and the length of its windows in seconds."""

    start: datetime
    end: datetime
    window_seconds: int


def spans(
    connection: sa.Connection, source: str, start: datetime, end: datetime, *, window_seconds: int
) -> Sequence[Span]:
    """[start, end) cut where the ledger's windows of that source change their length.

    Windows of another length have other event ids, so that the same time would be billed twice. Where the ledger has
    nothing, windows are ``window_seconds`` long.
    """
    columns = usage_event.c
    wanted = sa.select(columns.start, columns.end).where(columns.source == source)
    inside = wanted.where(columns.start >= start, columns.start < end).distinct().order_by(columns.start)
    known = [(at, int((until - at) / timedelta(seconds=1))) for at, until in connection.execute(inside)]
    return cut(known, start, end, window_seconds)


def cut(known: Iterable[tuple[datetime, int]], start: datetime, end: datetime, otherwise: int) -> Sequence[Span]:
    """Parts of [start, end); ``known``: start and seconds of each window, in order."""
    edges: list[tuple[datetime, int]] = [(start, otherwise)]
    reached = start
    for at, seconds in known:
        if at > reached:
            edges.append((reached, otherwise))
        edges.append((at, seconds))
        reached = max(reached, at + timedelta(seconds=seconds))
    edges.append((reached, otherwise))
    return _joined(edges, end)


def _joined(edges: Sequence[tuple[datetime, int]], end: datetime) -> Sequence[Span]:
    found: list[Span] = []
    for (at, seconds), (following, _) in zip(edges, [*edges[1:], (end, 0)], strict=True):
        if following <= at or at >= end:
            continue
        if found and found[-1].window_seconds == seconds:
            found[-1] = Span(start=found[-1].start, end=min(following, end), window_seconds=seconds)
        else:
            found.append(Span(start=at, end=min(following, end), window_seconds=seconds))
    return found
