"""Usage rows of lives: one for each (server, meter, window), with an id that a second collect makes again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import orjson
import pyarrow as pa

from collectors.openstack.lives import Life
from collectors.openstack.windows import METERS, Integers, Meter, Overlaps, nano_quantities
from crypto.sm3 import sm3_hex
from records.schemas import USAGE

TenantAt = Callable[
    [str, int], str | None
]  # (project id, window start in seconds) to tenant id; None for a foreign project
ClassOf = Callable[[Life], str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """Overlaps drawn together to one cell for each server and window.

    Attributes:
        life: The life that the window ended with: it gives flavor and name.
        start: Start of the window, seconds since 1970.
        first: Index into the overlaps of the cell's first one; a resized server has several lives in a window.
        tenant: Index into ``tenants``, -1 for a foreign project.
    """

    life: Integers
    start: Integers
    first: Integers
    tenant: Integers
    tenants: Sequence[str]


def usage_id(source: str, resource: str, meter: str, start: int, end: int) -> str:
    """Event id of a polled window: SM3 over the five, so that polling it again gives the same."""
    return sm3_hex(f"{source}\0{resource}\0{meter}\0{start}\0{end}".encode())


def draw_cells(lives: Sequence[Life], shared: Overlaps, tenant_at: TenantAt) -> Cells:
    """One cell for each server and window; ``shared`` is ordered by server."""
    server = _ids([life.server for life in lives])[shared.life]
    changed = (np.diff(server, prepend=-1) != 0) | (np.diff(shared.start, prepend=-1) != 0)
    first = np.flatnonzero(changed)
    final = np.append(first, len(shared.life))[1:] - 1
    life, start = shared.life[final], shared.start[first]
    tenant, tenants = _tenants(lives, life, start, tenant_at)
    return Cells(life=life, start=start, first=first, tenant=tenant, tenants=tenants)


def _ids(names: Sequence[str]) -> Integers:
    known: dict[str, int] = {}
    return np.fromiter((known.setdefault(name, len(known)) for name in names), np.int64, len(names))


def _tenants(
    lives: Sequence[Life], life: Integers, start: Integers, tenant_at: TenantAt
) -> tuple[Integers, Sequence[str]]:
    """Tenant of each cell, asked once for each project and window."""
    project = _ids([one.project for one in lives])[life]
    names = list(dict.fromkeys(one.project for one in lives))
    pairs, back = np.unique(np.stack([project, start]), axis=1, return_inverse=True)
    found = [tenant_at(names[which], at) for which, at in pairs.T.tolist()]
    tenants = list(dict.fromkeys(one for one in found if one is not None))
    place = {name: nth for nth, name in enumerate(tenants)}
    codes = np.fromiter((-1 if one is None else place[one] for one in found), np.int64, len(found))
    return codes[back], tenants


def usage_rows(
    source: str, lives: Sequence[Life], shared: Overlaps, cells: Cells, seconds: int, class_of: ClassOf
) -> pa.Table:
    """Rows in ``records.schemas.USAGE`` of all cells with a tenant, meter after meter; a meter of size 0 has none."""
    attributes = [_attributes(life, class_of(life)) for life in lives]
    tables = [_meter_rows(source, meter, lives, shared, cells, seconds, attributes) for meter in METERS]
    return pa.concat_tables(tables)


def _attributes(life: Life, flavor_class: str | None) -> str:
    values: Mapping[str, str | None] = {"class": flavor_class, "flavor": life.flavor, "name": life.name}
    return orjson.dumps({key: value for key, value in values.items() if value}, option=orjson.OPT_SORT_KEYS).decode()


def _meter_rows(
    source: str,
    meter: Meter,
    lives: Sequence[Life],
    shared: Overlaps,
    cells: Cells,
    seconds: int,
    attributes: Sequence[str],
) -> pa.Table:
    amounts = metered(meter, lives, shared, cells)
    kept = np.flatnonzero((amounts > 0) & (cells.tenant >= 0))
    life, start = cells.life[kept], cells.start[kept]
    servers = [lives[nth].server for nth in life.tolist()]
    ids = [
        usage_id(source, server, meter.name, at, at + seconds)
        for server, at in zip(servers, start.tolist(), strict=True)
    ]
    columns = {
        "source": pa.repeat(source, len(kept)),
        "event_id": pa.array(ids, pa.string()),
        "tenant": pa.array(cells.tenants, pa.string()).take(pa.array(cells.tenant[kept])),
        "resource": pa.array(servers, pa.string()),
        "meter": pa.repeat(meter.name, len(kept)),
        "quantity": decimals(nano_quantities(amounts[kept], meter.divisor)),
        "unit": pa.repeat(meter.unit, len(kept)),
        "start": pa.array(start, pa.timestamp("s", tz="UTC")),
        "end": pa.array(start + seconds, pa.timestamp("s", tz="UTC")),
        "attributes": pa.array(attributes, pa.string()).take(pa.array(life)),
    }
    return pa.table([columns[name] for name in USAGE.schema.names], schema=USAGE.schema)


def metered(meter: Meter, lives: Sequence[Life], shared: Overlaps, cells: Cells) -> Integers:
    """Microseconds x size of each cell, summed exactly over the lives in it before anything is rounded."""
    sizes = np.fromiter((getattr(life, meter.size) for life in lives), np.int64, len(lives))
    if not len(cells.first):
        return np.zeros(0, np.int64)
    return np.add.reduceat(shared.micros * sizes[shared.life], cells.first)


def decimals(nano: Integers) -> pa.Array:
    """Whole 10**-9 units as decimal128(21, 9): the low and the high word of each value, little-endian."""
    words = np.stack([nano, nano >> 63], axis=1)
    return pa.Array.from_buffers(pa.decimal128(21, 9), len(nano), [None, pa.py_buffer(words.astype("<i8").tobytes())])
