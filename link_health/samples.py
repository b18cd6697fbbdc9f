"""The samples behind a link's figures, for one span of time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from inventory.model import End, Link
from records.instants import microseconds
from records.schemas import RATES
from storage.port import RecordStore, Where

Row = dict[str, Any]
_COLUMNS = ("device", "interface", "at", "seconds", "in_bps", "out_bps", "oper_status", "status")


def link_samples(store: RecordStore, link: Link, start: datetime, end: datetime, patience_us: int) -> list[Row]:
    """Samples of end ``a`` and, where it did not answer for longer than the patience, those of ``b`` mirrored."""
    own = list(_read(store, link.a, "a", start, end))
    if link.b is None:
        return own
    answers = [microseconds(row["at"]) for row in own if row["status"] != "missing" or row["oper_status"] is not None]
    silent = silences(answers, microseconds(start), microseconds(end), patience_us)
    if not silent:
        return own
    other = [row for row in _read(store, link.b, "b", start, end) if _within(microseconds(row["at"]), silent)]
    return sorted(own + other, key=lambda row: (row["at"], row["end"]))


def _read(store: RecordStore, end: End, name: str, start: datetime, until: datetime) -> Iterator[Row]:
    where = [Where("device", "=", end.device), Where("interface", "=", end.interface)]
    table = store.read(RATES, start=start, end=until, where=where, columns=_COLUMNS)
    for row in table.to_pylist():
        rates = (row["in_bps"], row["out_bps"])
        seen = rates if name == "a" else rates[::-1]
        yield {
            "at": row["at"],
            "in_bps": seen[0],
            "out_bps": seen[1],
            "status": row["status"],
            "seconds": row["seconds"],
            "oper_status": row["oper_status"],
            "end": name,
        }


def silences(answers_us: Sequence[int], start_us: int, end_us: int, patience_us: int) -> list[tuple[int, int]]:
    """Spans of [start, end) in which an end was silent: from the end of the patience to the next answer."""
    marks = [start_us - patience_us, *answers_us]
    return [
        (low + patience_us, high)
        for low, high in zip(marks, [*answers_us, end_us], strict=True)
        if high - low > patience_us
    ]


def _within(at_us: int, spans: Sequence[tuple[int, int]]) -> bool:
    return any(low <= at_us < high for low, high in spans)
