"""Rating (计费): segments of a month's usage to charges, exact. Pure.

Usage is aggregated first and tiered afterwards: within a segment one organisation and one price version hold, and
filling tiers with the segment's sum gives the same as filling them record by record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from fractions import Fraction
from itertools import groupby

from cloud_metering.model import Catalogue, Charge, Policy, Price, Segment
from records.instants import month_bounds

HOURLY, MONTHLY = "*h", "*month"
BLOCK = "block"
Part = tuple[int | None, Fraction, Fraction]  # tier, quantity, unit price


def hours_of(month: str, policy: Policy) -> Fraction:
    """Hours of a month by the policy: those of the calendar in Asia/Shanghai, or a fixed number."""
    if policy.month_hours != "actual":
        return Fraction(policy.month_hours)
    start, end = month_bounds(month)
    return Fraction((end - start) // timedelta(seconds=1), 3600)


def factor(usage_unit: str, price_unit: str, hours: Fraction) -> Fraction | None:
    """What a quantity of usage is multiplied by to be in the price's unit; None if the two do not convert."""
    if usage_unit == price_unit:
        return Fraction(1)
    thing = usage_unit.removesuffix(HOURLY)
    return 1 / hours if thing != usage_unit and price_unit == thing + MONTHLY else None


def rate(segments: Sequence[Segment], catalogue: Catalogue, month: str) -> list[Charge]:
    """Charges of a month, one for each (tenant, organisation, sku, version, tier), in that order.

    Args:
        segments: Of whole tenants: tiers run over a tenant's month across organisations and price versions.
        catalogue: Checked; every segment's sku, version and unit are in it.
        month: ``YYYY-MM``.
    """
    hours = hours_of(month, catalogue.policy)
    found: dict[tuple[str, str, str, int, int | None], Charge] = {}
    ordered = sorted(segments, key=lambda one: (one.tenant, one.sku, one.start))
    for _, group in groupby(ordered, key=lambda one: (one.tenant, one.sku)):
        for charge in _rate_sku(list(group), catalogue.versions, hours):
            key = (charge.tenant, charge.organisation, charge.sku, charge.version, charge.tier)
            found[key] = _sum(found[key], charge) if key in found else charge
    return [found[key] for key in sorted(found, key=lambda key: (*key[:4], key[4] or 0))]


def _rate_sku(segments: list[Segment], versions: Mapping[str, Sequence[Price]], hours: Fraction) -> Iterator[Charge]:
    """Charges of one tenant's month of one sku, in time order."""
    prices = [versions[one.sku][one.version - 1] for one in segments]
    quantities = [_converted(one, price, hours) for one, price in zip(segments, prices, strict=True)]
    total, before = sum(quantities, Fraction(0)), Fraction(0)
    for segment, price, quantity in zip(segments, prices, quantities, strict=True):
        for tier, part, unit_price in MODELS[price.model](price, before, quantity, total):
            yield _charge(segment, price, tier, part, unit_price)
        before += quantity


def _converted(segment: Segment, price: Price, hours: Fraction) -> Fraction:
    by = factor(segment.usage_unit, price.unit, hours)
    if by is None:
        raise ValueError(f"{segment.usage_unit} does not convert to {price.unit}")
    return segment.quantity * by


def _flat(price: Price, before: Fraction, quantity: Fraction, total: Fraction) -> Iterator[Part]:  # noqa: ARG001 - the shape of a model
    if quantity:
        yield None, quantity, price.tiers[0].price


def _graduated(price: Price, before: Fraction, quantity: Fraction, total: Fraction) -> Iterator[Part]:  # noqa: ARG001 - the shape of a model
    """Fill the tiers from where the month stands; each quantity pays the price of the tier that it falls into."""
    low = Fraction(0)
    for number, tier in enumerate(price.tiers, 1):
        high = before + quantity if tier.up_to is None else min(tier.up_to, before + quantity)
        part = high - max(low, before)
        if part > 0:
            yield number, part, tier.price
        low = high


def _volume(price: Price, before: Fraction, quantity: Fraction, total: Fraction) -> Iterator[Part]:  # noqa: ARG001 - the shape of a model
    """The whole quantity pays the price of the tier that the month's total reaches."""
    reached = next(number for number, tier in enumerate(price.tiers, 1) if tier.up_to is None or total <= tier.up_to)
    if quantity:
        yield reached, quantity, price.tiers[reached - 1].price


def _package(price: Price, before: Fraction, quantity: Fraction, total: Fraction) -> Iterator[Part]:  # noqa: ARG001 - the shape of a model
    """Whole blocks, each charged where it is opened."""
    if price.block is None:
        raise ValueError(f"package {price.sku} has no block")
    opened = _ceiling((before + quantity) / price.block) - _ceiling(before / price.block)
    if opened:
        yield None, Fraction(opened), price.tiers[0].price


def _ceiling(value: Fraction) -> int:
    return -(-value.numerator // value.denominator)


MODELS: Mapping[str, Callable[[Price, Fraction, Fraction, Fraction], Iterator[Part]]] = {
    "flat": _flat,
    "graduated": _graduated,
    "volume": _volume,
    "package": _package,
    "subscription": _flat,  # partial_month by_usage, the only one that the catalogue check lets through
}


def _charge(segment: Segment, price: Price, tier: int | None, part: Fraction, unit_price: Fraction) -> Charge:
    return Charge(
        tenant=segment.tenant,
        organisation=segment.organisation,
        sku=segment.sku,
        version=segment.version,
        tier=tier,
        quantity=part,
        unit=BLOCK if price.model == "package" else price.unit,
        unit_price=unit_price,
        amount=part * unit_price,
    )


def _sum(one: Charge, other: Charge) -> Charge:
    return replace(one, quantity=one.quantity + other.quantity, amount=one.amount + other.amount)
