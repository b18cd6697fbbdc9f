"""Cells of a usage table to checked rows, a column at a time: numbers and instants by value, text exactly."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from records.errors import Problem
from records.instants import parse_instant
from records.schemas import USAGE

Columns = Mapping[str, pa.Array]  # of strings without nulls, all of one length
Integers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

COLUMNS = tuple(name for name in USAGE.schema.names if name != "attributes")
ATTRIBUTE = "attr."
_NAMED = ("source", "event_id", "tenant", "resource", "meter", "unit")
_SHOWN = 60  # characters of a wrong cell in a message
_EMPTY = Problem("'{column}' is empty", "give every row a {column}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NO_INSTANT = np.iinfo(np.int64).min
_PLAIN_DECIMAL = r"^[0-9]{1,12}(\.[0-9]{1,9})?$"


@dataclass(frozen=True, slots=True)
class Check:
    """One rule: which rows break it, and what is said then; ``{value}`` becomes the row's cell of ``column``."""

    broken: Mask
    column: str
    problem: Problem


def check_rows(
    columns: Columns, source: str | None, tenants: Container[str]
) -> tuple[pa.Table, list[tuple[int, Problem]]]:
    """The sound rows in ``records.schemas.USAGE``; of each other row its place and the first rule that it breaks.

    Args:
        columns: Cells by column name; ``source`` may be absent.
        source: Stands in for an absent or empty source, and is the only one allowed; None allows any.
        tenants: The known ones.
    """
    cells = {**columns, "source": _with_source(columns, source)}
    start, end = (_each(cells[name], _seconds, np.int64) for name in ("start", "end"))
    checks = _checks(cells, source, tenants, start, end)
    first = np.full(len(start), -1)
    for nth, check in reversed(list(enumerate(checks))):
        first[check.broken] = nth
    rows = pa.table(_arrays(cells, start, end, pa.array(np.flatnonzero(first < 0))), schema=USAGE.schema)
    return rows, [(at, _problem(checks[first[at]], cells, at)) for at in np.flatnonzero(first >= 0).tolist()]


def _with_source(columns: Columns, source: str | None) -> pa.Array:
    if "source" not in columns:
        return pa.repeat(source or "", len(columns["event_id"]))
    return pc.if_else(pc.equal(columns["source"], ""), source or "", columns["source"])


def _checks(cells: Columns, source: str | None, tenants: Container[str], start: Integers, end: Integers) -> list[Check]:
    strange = _each(cells["tenant"], lambda text: text not in tenants, np.bool_)
    other = np.zeros(len(start), np.bool_) if source is None else _mask(pc.not_equal(cells["source"], source))
    plain = _mask(pc.match_substring_regex(cells["quantity"], _PLAIN_DECIMAL))
    no_decimal = Problem(
        "'{value}' is no quantity", "write a plain decimal such as 4 or 0.5: at most 12 digits, a point, at most 9 more"
    )
    no_instant = Problem(
        "'{value}' is no instant of '{column}'",
        "write RFC 3339 with Z or an offset, whole seconds: 2026-01-31T16:00:00Z",
    )
    foreign = Problem(
        "the row is of source '{value}', not '{source}'", "import it with its own --source", values={"source": source}
    )
    return [
        *(Check(_mask(pc.equal(cells[name], "")), name, _EMPTY) for name in _NAMED),
        Check(other, "source", foreign),
        Check(strange, "tenant", Problem("unknown tenant '{value}'", "add it to the inventory, or correct it")),
        Check(~plain, "quantity", no_decimal),
        Check(start == _NO_INSTANT, "start", no_instant),
        Check(end == _NO_INSTANT, "end", no_instant),
        Check(end <= start, "end", Problem("the end {value} is not later than the start", "correct start or end")),
    ]


def _arrays(cells: Columns, start: Integers, end: Integers, kept: pa.Array) -> list[pa.Array]:
    made = {
        "quantity": cells["quantity"].take(kept).cast(USAGE.schema.field("quantity").type),
        "start": pa.array(start, pa.timestamp("s", tz="UTC")).take(kept),
        "end": pa.array(end, pa.timestamp("s", tz="UTC")).take(kept),
        "attributes": _attributes(cells).take(kept),
    }
    return [made[name] if name in made else cells[name].take(kept) for name in USAGE.schema.names]


def _attributes(cells: Columns) -> pa.Array:
    """Canonical JSON of each row's ``attr.*`` cells, made once for each combination; an empty cell is absent."""
    names = [name for name in cells if name.startswith(ATTRIBUTE)]
    codes = np.zeros(len(cells["event_id"]), np.int64)
    for name in names:
        own = cells[name].dictionary_encode()
        _, codes = np.unique(codes * len(own.dictionary) + own.indices.to_numpy(), return_inverse=True)
    _, places, back = np.unique(codes, return_index=True, return_inverse=True)
    combinations = (
        zip(*(cells[name].take(pa.array(places)).to_pylist() for name in names), strict=True) if names else ()
    )
    texts = [_canonical(names, values) for values in combinations] or ["{}"]
    return pa.array(texts, pa.string()).take(pa.array(back))


def _canonical(names: Sequence[str], values: Sequence[str]) -> str:
    present = {name.removeprefix(ATTRIBUTE): value for name, value in zip(names, values, strict=True) if value}
    return orjson.dumps(present, option=orjson.OPT_SORT_KEYS).decode()


def _each(column: pa.Array, work_out: Callable[[str], object], kind: type[np.generic]) -> npt.NDArray[Any]:
    """What a function makes of each cell; it is called once for each different one."""
    own = column.dictionary_encode()
    values = [work_out(text) for text in own.dictionary.to_pylist()]
    found: npt.NDArray[Any] = np.array(values, kind)[own.indices.to_numpy()]
    return found


def _mask(found: pa.Array) -> Mask:
    mask: Mask = found.to_numpy(zero_copy_only=False)
    return mask


def _seconds(text: str) -> int:
    """Whole seconds since 1970 of an instant; ``_NO_INSTANT`` for anything else."""
    try:
        at = parse_instant(text)
    except ValueError:
        return _NO_INSTANT
    return _NO_INSTANT if at.microsecond else int((at - _EPOCH).total_seconds())


def _problem(check: Check, cells: Columns, at: int) -> Problem:
    value = cells[check.column][at].as_py()
    shown = value if len(value) <= _SHOWN else value[:_SHOWN] + "…"
    return replace(check.problem, values={**check.problem.values, "value": shown, "column": check.column})
