"""What rating is about: prices, policy, memberships, segments of usage, bill lines and findings (CONTRACT §4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction
from functools import cached_property
from typing import Any, Literal

from cloud_metering.amounts import quantity_text
from records.instants import format_instant

Proofs = Sequence[Mapping[str, str]]
"""Who asked for a thing and who agreed (CONTRACT §10), as artefacts show it; empty while one person suffices."""

Model = Literal["flat", "graduated", "volume", "package", "subscription"]
What = Literal["no_sku", "no_price", "no_organisation", "unit", "overlap", "conflict"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """One step of a price; ``up_to`` is inclusive and in the price's unit, None on the last."""

    up_to: Fraction | None
    price: Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """A price of a sku for a span of days; ``tiers`` has exactly one step where the model has none.

    Attributes:
        version: Counts the sku's prices from 1 by ``valid_from``.
        block: Units in one package (资源包); None for other models.
        valid_from: First day in Asia/Shanghai; None if it has always held.
        valid_to: Day after the last; None if open.
        demo: The price is invented or not the authority's: no bill is issued on it without saying so.
    """

    sku: str
    meter: str
    unit: str
    model: Model
    tiers: tuple[Tier, ...]
    version: int
    valid_from: date | None = None
    valid_to: date | None = None
    block: Fraction | None = None
    approved_by: str | None = None
    demo: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What 按实结算 means here; printed on every bill."""

    basis: str = "allocated"
    month_hours: str = "actual"
    rounding: str = "half_up"
    partial_month: str = "by_usage"

    def as_json(self) -> dict[str, str]:
        """The fields by their names in the file."""
        names = ("basis", "month_hours", "rounding", "partial_month")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Chooses a sku for records of its meter whose values all equal ``where``, as text."""

    sku: str
    where: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """A price catalogue (服务目录): prices by sku and version, and the rules that choose a sku."""

    policy: Policy
    prices: tuple[Price, ...]
    rules: tuple[Rule, ...] = ()
    currency: str = "CNY"

    @cached_property
    def versions(self) -> Mapping[str, tuple[Price, ...]]:
        """Sku to its prices in order of version."""
        found: dict[str, list[Price]] = {}
        for price in self.prices:
            found.setdefault(price.sku, []).append(price)
        return {sku: tuple(sorted(prices, key=lambda one: one.version)) for sku, prices in found.items()}

    @cached_property
    def skus_of_meter(self) -> Mapping[str, tuple[str, ...]]:
        """Meter to its skus, in the order of the file."""
        found: dict[str, dict[str, None]] = {}
        for price in self.prices:
            found.setdefault(price.meter, {})[price.sku] = None
        return {meter: tuple(skus) for meter, skus in found.items()}

    @cached_property
    def attributes(self) -> tuple[str, ...]:
        """The columns that the rules look at, sorted."""
        return tuple(sorted({name for rule in self.rules for name in rule.where}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """A tenant's organisation for a span in UTC; None is open."""

    tenant: str
    organisation: str
    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A tenant's usage of a sku between two edges: one organisation, one price version, one usage unit.

    Attributes:
        quantity: Exact, in ``usage_unit``.
        events: Records that took part, those split at an edge included.
    """

    tenant: str
    organisation: str
    sku: str
    version: int
    start: datetime
    end: datetime
    usage_unit: str
    quantity: Fraction
    events: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """What one (tenant, organisation, sku, version, tier) comes to, exact.

    Attributes:
        quantity: In ``unit``: the price's, or ``block`` for a package.
        amount: Yuan, before rounding.
    """

    tenant: str
    organisation: str
    sku: str
    version: int
    tier: int | None
    quantity: Fraction
    unit: str
    unit_price: Fraction
    amount: Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Usage that made no line, or that somebody should look at."""

    what: What
    where: str
    tenant: str
    meter: str
    start: datetime
    end: datetime
    sku: str | None = None
    quantity: Fraction | None = None
    unit: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The shape of CONTRACT §4."""
        return {
            "what": self.what,
            "where": self.where,
            "tenant": self.tenant,
            "meter": self.meter,
            "sku": self.sku,
            "quantity": None if self.quantity is None else quantity_text(self.quantity),
            "unit": self.unit,
            "start": format_instant(self.start),
            "end": format_instant(self.end),
        }
