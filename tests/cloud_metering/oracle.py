"""The obvious, slow rating: record by record, piece by piece, in Fractions. Shares no code with the fast path."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from fractions import Fraction
from math import ceil
from typing import Any
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")


def midnight(day: date | None, default: int) -> int:
    return default if day is None else int(datetime(day.year, day.month, day.day, tzinfo=SHANGHAI).timestamp())


def month_days(month: str) -> list[date]:
    first = date(int(month[:4]), int(month[5:]), 1)
    return [first + timedelta(days=n) for n in range(31) if (first + timedelta(days=n)).month == first.month]


def rate(rows: list[dict[str, Any]], prices: list[Any], members: list[tuple], month: str, hours: Fraction) -> dict:
    """(tenant, organisation, sku, version, tier) to (quantity, amount), with one sku a meter.

    ``members`` are (tenant, organisation, first day or None, day after the last or None).
    """
    pieces = sorted(_pieces(rows, prices, members, month, hours), key=lambda piece: piece[0])
    totals: dict[tuple[str, str], Fraction] = {}
    for _, tenant, _, price, part in pieces:
        totals[tenant, price.sku] = totals.get((tenant, price.sku), Fraction(0)) + part
    done: dict[tuple[str, str], Fraction] = {}
    found: dict[tuple, tuple[Fraction, Fraction]] = {}
    for _, tenant, organisation, price, part in pieces:
        before = done.get((tenant, price.sku), Fraction(0))
        done[tenant, price.sku] = before + part
        for tier, quantity, unit_price in _priced(price, before, part, totals[tenant, price.sku]):
            key = (tenant, organisation, price.sku, price.version, tier)
            old = found.get(key, (Fraction(0), Fraction(0)))
            found[key] = (old[0] + quantity, old[1] + quantity * unit_price)
    return {key: value for key, value in found.items() if value[0]}


def _pieces(rows: list[dict[str, Any]], prices: list[Any], members: list[tuple], month: str, hours: Fraction) -> list:
    """(start, tenant, organisation, price, quantity in the price's unit), cut at every midnight of the month."""
    found = []
    for row in rows:
        start, end = int(row["start"].timestamp()), int(row["end"].timestamp())
        for day in month_days(month):
            low, high = max(start, midnight(day, 0)), min(end, midnight(day + timedelta(days=1), 0))
            price = next(
                (one for one in prices if one.meter == row["meter"] and _in(day, one.valid_from, one.valid_to)), None
            )
            org = next((one[1] for one in members if one[0] == row["tenant"] and _in(day, one[2], one[3])), None)
            if high <= low or price is None or org is None:
                continue
            part = Fraction(row["quantity"]) * (high - low) / (end - start)
            found.append((low, row["tenant"], org, price, part if row["unit"] == price.unit else part / hours))
    return found


def _in(day: date, start: date | None, end: date | None) -> bool:
    return (start is None or start <= day) and (end is None or day < end)


def _priced(price: Any, before: Fraction, part: Fraction, total: Fraction) -> list:
    if price.model == "flat":
        return [(None, part, price.tiers[0].price)]
    if price.model == "package":
        blocks = ceil((before + part) / price.block) - ceil(before / price.block)
        return [(None, Fraction(blocks), price.tiers[0].price)]
    if price.model == "volume":
        reached = min(n for n, tier in enumerate(price.tiers, 1) if tier.up_to is None or total <= tier.up_to)
        return [(reached, part, price.tiers[reached - 1].price)]
    found, low = [], Fraction(0)
    for number, tier in enumerate(price.tiers, 1):
        high = before + part if tier.up_to is None else tier.up_to
        inside = min(high, before + part) - max(low, before)
        if inside > 0:
            found.append((number, inside, tier.price))
        low = high
    return found
