"""Bursts (突发用量): a tenant's vCPU in a window far above what it held in the 24 hours before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction

import pyarrow as pa
import sqlalchemy as sa

from cloud_metering.payload import NANO
from cloud_metering.tables import usage_event

METER, UNIT = "vcpu", "vcpu*h"
FACTOR = Fraction(3, 2)  # a window above 1.5 times the mean of the hours before is a burst
TRAILING = timedelta(hours=24)
LEAST_HISTORY = timedelta(hours=6)  # below it there is no mean to compare with: a tenant that just began is no burst

Window = tuple[str, datetime, datetime]  # tenant, start, end
Amounts = Mapping[Window, Fraction]  # vcpu*h


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """One window above the mean; both in vCPU."""

    tenant: str
    start: datetime
    end: datetime
    held: Fraction
    mean: Fraction


def amounts_of(rows: pa.Table) -> dict[Window, Fraction]:
    """VCPU hours by tenant and window of USAGE rows."""
    found: dict[Window, Fraction] = {}
    columns = ("tenant", "start", "end", "meter", "unit", "quantity")
    for tenant, start, end, meter, unit, quantity in zip(*(rows[name].to_pylist() for name in columns), strict=True):
        if (meter, unit) == (METER, UNIT):
            window = (tenant, start, end)
            found[window] = found.get(window, Fraction(0)) + Fraction(quantity)
    return found


def history(connection: sa.Connection, since: datetime, until: datetime) -> dict[Window, Fraction]:
    """VCPU hours by tenant and window that begin in [since, until), from the ledger."""
    kept = usage_event.c
    query = (
        sa.select(kept.tenant, kept.start, kept.end, sa.func.sum(kept.whole), sa.func.sum(kept.nano))
        .where(kept.start >= since, kept.start < until, kept.meter == METER, kept.unit == UNIT)
        .group_by(kept.tenant, kept.start, kept.end)
    )
    rows = connection.execute(query)
    return {(tenant, start, end): int(whole) + Fraction(int(nano), NANO) for tenant, start, end, whole, nano in rows}


def bursts(fresh: Amounts, before: Amounts) -> Iterator[Burst]:
    """Windows of ``fresh`` above ``FACTOR`` times their trailing mean; ``fresh`` replaces those of ``before``."""
    known: dict[str, list[tuple[datetime, datetime, Fraction]]] = {}
    for (tenant, start, end), amount in {**before, **fresh}.items():
        known.setdefault(tenant, []).append((start, end, amount))
    for tenant, start, end in sorted(fresh, key=lambda window: (window[1], window[0])):
        held = fresh[tenant, start, end] / _hours(start, end)
        mean = _mean(known[tenant], start)
        if mean is not None and held > FACTOR * mean:
            yield Burst(tenant=tenant, start=start, end=end, held=held, mean=mean)


def _mean(windows: list[tuple[datetime, datetime, Fraction]], start: datetime) -> Fraction | None:
    """Mean vCPU over the covered hours of the trailing day; None if too few are covered or none was held."""
    trailing = [one for one in windows if start - TRAILING <= one[0] and one[1] <= start]
    covered = {(one[0], one[1]) for one in trailing}
    hours = sum((_hours(*one) for one in covered), Fraction(0))
    amount = sum((one[2] for one in trailing), Fraction(0))
    enough = hours >= Fraction(LEAST_HISTORY // timedelta(seconds=1), 3600)
    return amount / hours if enough and amount else None


def _hours(start: datetime, end: datetime) -> Fraction:
    return Fraction((end - start) // timedelta(seconds=1), 3600)
