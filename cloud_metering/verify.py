"""Re-rate an issued bill from its bundle (CONTRACT §7): a changed amount is found even under a good signature."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Any, Protocol

from cloud_metering import usage_file
from cloud_metering.aggregate import price_span
from cloud_metering.amounts import exact_text
from cloud_metering.catalogue import parse
from cloud_metering.draft import lines, rounding_lines, total_text
from cloud_metering.model import Catalogue, Charge, Price, Segment
from cloud_metering.rating import factor, hours_of, rate
from crypto.verification import BundleProblem
from records.errors import UserError
from records.instants import format_instant, month_bounds

BILL, USAGE, CATALOGUE, POLICY = "bill.json", "usage.csv", "catalogue.yaml", "policy.json"
_LINE_KEY = ("tenant", "organisation", "sku", "price_version", "tier")


class Reader(Protocol):
    """The checked files of a bundle: ``crypto.bundle.BundleReader``."""

    def read(self, path: str, /) -> bytes: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bundle:
    bill: Mapping[str, Any]
    policy: Mapping[str, Any]
    catalogue: Catalogue
    segments: list[Segment]


def verify_bill(reader: Reader) -> list[BundleProblem]:
    """Everything on the bill that does not follow from its usage, prices and policy."""
    problems: list[BundleProblem] = []
    parts = {
        name: _parsed(reader, name, read, problems)
        for name, read in (
            (BILL, _document),
            (POLICY, _document),
            (CATALOGUE, lambda data: parse(data.decode("utf-8"), CATALOGUE)),
            (USAGE, usage_file.read),
        )
    }
    if problems:
        return problems
    bundle = _Bundle(bill=parts[BILL], policy=parts[POLICY], catalogue=parts[CATALOGUE], segments=parts[USAGE])
    problems = [*_check_policy(bundle), *_check_usage(bundle)]
    return problems or list(_check_bill(bundle))


def _parsed(reader: Reader, name: str, read: Any, problems: list[BundleProblem]) -> Any:
    try:
        return read(reader.read(name))
    except (UserError, ValueError) as error:
        problems.append(BundleProblem(path=name, what="cannot be read: {reason}", values={"reason": str(error)}))
        return None


def _document(data: bytes) -> dict[str, Any]:
    found = json.loads(data)
    if not isinstance(found, dict):
        raise ValueError("no JSON object")  # noqa: TRY004 - a fault of the content, as any other
    return found


def _check_policy(bundle: _Bundle) -> Iterator[BundleProblem]:
    """The policy is the catalogue's, and its month and hours are the bill's."""
    month = str(bundle.bill.get("month"))
    start, end = month_bounds(month)
    expected = {
        "month": month,
        "time_zone": "Asia/Shanghai",
        "start": format_instant(start),
        "end": format_instant(end),
        "hours": exact_text(hours_of(month, bundle.catalogue.policy)),
        "policy": bundle.catalogue.policy.as_json(),
    }
    for name, value in expected.items():
        if bundle.policy.get(name) != value:
            values = {"name": name, "found": bundle.policy.get(name), "expected": value}
            yield BundleProblem(path=POLICY, what="'{name}' is {found}, must be {expected}", values=values)


def _check_usage(bundle: _Bundle) -> Iterator[BundleProblem]:
    """Each row lies in the month, under the price version in force, in a unit that converts; rows do not overlap."""
    start, end = month_bounds(str(bundle.bill["month"]))
    for number, one in enumerate(bundle.segments, 2):
        if not start <= one.start < one.end <= end:
            yield _row(number, "line {line} lies outside the month")
        elif one.quantity < 0 or not _rated_by(one, bundle.catalogue):
            yield _row(number, "line {line} does not fit its price version")
    ordered = sorted(bundle.segments, key=lambda one: (one.tenant, one.sku, one.usage_unit, one.start))
    for _, group in groupby(ordered, key=lambda one: (one.tenant, one.sku, one.usage_unit)):
        for earlier, later in pairwise(group):
            if later.start < earlier.end:
                yield BundleProblem(path=USAGE, what="two rows of {tenant} overlap", values={"tenant": later.tenant})


def _row(number: int, what: str) -> BundleProblem:
    return BundleProblem(path=USAGE, what=what, values={"line": number})


def _rated_by(one: Segment, catalogue: Catalogue) -> bool:
    versions: Sequence[Price] = catalogue.versions.get(one.sku, ())
    if not 1 <= one.version <= len(versions):
        return False
    price = versions[one.version - 1]
    since, until = price_span(price)
    holds = (since is None or since <= one.start) and (until is None or one.end <= until)
    return holds and factor(one.usage_unit, price.unit, hours_of("2000-01", catalogue.policy)) is not None


def _check_bill(bundle: _Bundle) -> Iterator[BundleProblem]:
    """Lines, total, rounding and the demo mark follow from a rating done anew."""
    charges = rate(bundle.segments, bundle.catalogue, str(bundle.bill["month"]))
    mine = [one for one in charges if one.organisation == bundle.bill.get("organisation")]
    policy = bundle.catalogue.policy
    expected = lines(mine, policy)
    yield from _compare_lines(bundle.bill.get("lines"), expected)
    totals = {"total": total_text(mine, policy), "rounding": rounding_lines(mine, policy), "demo": _demo(mine, bundle)}
    for name, value in totals.items():
        if bundle.bill.get(name) != value:
            values = {"name": name, "found": bundle.bill.get(name), "expected": value}
            yield BundleProblem(path=BILL, what="'{name}' is {found}, re-rated {expected}", values=values)


def _demo(charges: Sequence[Charge], bundle: _Bundle) -> bool:
    return any(bundle.catalogue.versions[one.sku][one.version - 1].demo for one in charges)


def _compare_lines(found: Any, expected: list[dict[str, Any]]) -> Iterator[BundleProblem]:
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        yield BundleProblem(path=BILL, what="'lines' is no list of lines")
        return
    if found == expected:
        return
    wanted = {tuple(one[name] for name in _LINE_KEY): one for one in expected}
    for number, line in enumerate(found, 1):
        right = wanted.pop(tuple(line.get(name) for name in _LINE_KEY), None)
        if right != line:
            yield _wrong_line(number, line, right)
    for line in wanted.values():
        yield BundleProblem(path=BILL, what="a line is missing: {line}", values={"line": _shown(line)})


def _wrong_line(number: int, line: Mapping[str, Any], right: Mapping[str, Any] | None) -> BundleProblem:
    if right is None:
        values = {"number": number, "line": _shown(line)}
        return BundleProblem(path=BILL, what="line {number} rests on no usage: {line}", values=values)
    names = [name for name in {**right, **line} if line.get(name) != right.get(name)]
    values = {
        "number": number,
        "line": _shown(right),
        "found": ", ".join(f"{name} {line.get(name)}" for name in names),
        "expected": ", ".join(f"{name} {right.get(name)}" for name in names),
    }
    return BundleProblem(path=BILL, what="line {number} ({line}) says {found}, re-rated {expected}", values=values)


def _shown(line: Mapping[str, Any]) -> str:
    return " ".join(str(line.get(name)) for name in _LINE_KEY)
