"""What must hold between the prices of a catalogue, and what this version does not rate (CONTRACT §4)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import Generic, TypeVar

from cloud_metering.model import Policy, Price, Rule
from records.errors import Problem

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Placed(Generic[T]):
    """A record and ``FILE:LINE`` that it was read from."""

    where: str
    record: T


def check(policy: Policy, prices: Sequence[Placed[Price]], rules: Sequence[Placed[Rule]]) -> list[Problem]:
    """All that is wrong across records."""
    by_sku: dict[str, list[Placed[Price]]] = {}
    for one in prices:
        by_sku.setdefault(one.record.sku, []).append(one)
    found = [problem for group in by_sku.values() for problem in _check_sku(group)]
    return [*found, *_unrated(policy, prices), *_unknown_skus(rules, set(by_sku))]


def _unrated(policy: Policy, prices: Sequence[Placed[Price]]) -> Iterator[Problem]:
    if policy.basis == "max_commit":
        where = prices[0].where.rpartition(":")[0] + ":1" if prices else ""
        yield Problem("basis 'max_commit' is not rated by this version", "use allocated or used", where)
    for one in prices:
        if one.record.model == "subscription" and policy.partial_month != "by_usage":
            what = "a subscription with partial_month '{rule}' is not rated by this version"
            yield Problem(what, "use `partial_month: by_usage`", one.where, {"rule": policy.partial_month})


def _unknown_skus(rules: Sequence[Placed[Rule]], known: set[str]) -> Iterator[Problem]:
    for one in rules:
        if one.record.sku not in known:
            values = {"sku": one.record.sku}
            yield Problem("the rule's sku '{sku}' has no price", "add one, or mend the name", one.where, values)


def _check_sku(group: Sequence[Placed[Price]]) -> Iterator[Problem]:
    first = group[0].record
    for one in group:
        yield from _check_span(one)
        for name in ("meter", "unit", "model"):
            if getattr(one.record, name) != getattr(first, name):
                values = {"sku": first.sku, "key": name, "other": getattr(first, name)}
                what = "prices of '{sku}' differ in '{key}'"
                yield Problem(what, "write '{other}' as in the first, or use another sku", one.where, values)
    ordered = sorted(group, key=lambda one: one.record.valid_from or date.min)
    for earlier, later in pairwise(ordered):
        yield from _check_neighbours(earlier.record, later)


def _check_span(one: Placed[Price]) -> Iterator[Problem]:
    start, end = one.record.valid_from, one.record.valid_to
    if start is not None and end is not None and end <= start:
        yield Problem("valid_to is not after valid_from", "valid_to is the day after the last", one.where)


def _check_neighbours(earlier: Price, later: Placed[Price]) -> Iterator[Problem]:
    until, since = earlier.valid_to, later.record.valid_from
    if since is None or until is None or until > since:
        values = {"sku": earlier.sku, "since": earlier.valid_from}
        what = "the validity overlaps that of the price of '{sku}' from {since}"
        yield Problem(what, "end the earlier one on the day that this one begins", later.where, values)
    elif earlier.block != later.record.block and (until - timedelta(days=1)).replace(day=1) == since.replace(day=1):
        yield Problem("'block' changes within a month", "change it on the 1st of a month", later.where)
