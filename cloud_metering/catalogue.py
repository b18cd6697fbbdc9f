"""The price catalogue's file (服务目录, YAML, CONTRACT §4): strict reading, all faults at once with ``FILE:LINE``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from cloud_metering import scalars
from cloud_metering.amounts import decimal_text
from cloud_metering.checking import Placed, check
from cloud_metering.choice import ATTRIBUTE, PLAIN
from cloud_metering.model import Catalogue, Policy, Price, Rule, Tier
from inventory.nodes import Item, compose
from records.errors import Problem, UserError

Report = Callable[[Problem], None]
Reader = Callable[[Item, Report], Any]


def examine(text: str, name: str) -> tuple[Catalogue, list[Problem]]:
    """What could be read of a catalogue, and everything that is wrong with it."""
    root = compose(text, name)
    if isinstance(root, Problem):
        return Catalogue(policy=Policy(), prices=()), [root]
    problems: list[Problem] = []
    values = _mapping(root, _ROOT, problems.append, required=("yunwang_catalogue", "currency", "prices"))
    placed = [one for one in values.get("prices") or () if one is not None]
    rules = [one for one in values.get("match") or () if one is not None]
    policy = values.get("policy") or Policy()
    problems += check(policy, placed, rules)
    prices = _numbered([one.record for one in placed])
    found = Catalogue(policy=policy, prices=prices, rules=tuple(one.record for one in rules))
    return found, sorted(problems, key=_line)


def parse(text: str, name: str = "catalogue") -> Catalogue:
    """The catalogue of a text; raises UserError with all problems."""
    found, problems = examine(text, name)
    if problems:
        raise UserError.of(problems)
    return found


def read_text(path: Path) -> str:
    """A catalogue file's text; raises UserError if it cannot be read."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError("the file is not UTF-8", "save it as UTF-8", where=str(path)) from error
    except OSError as error:
        reason = error.strerror or error
        raise UserError("cannot read the file: {reason}", "check the path", where=str(path), reason=reason) from error


def load_file(path: Path) -> Catalogue:
    """The catalogue of a file; raises UserError with all problems."""
    return parse(read_text(path), str(path))


def _line(problem: Problem) -> tuple[str, int]:
    file, _, line = problem.where.rpartition(":")
    return (file, int(line)) if line.isdigit() else (problem.where, 0)


def _numbered(prices: list[Price]) -> tuple[Price, ...]:
    """Versions counted from 1 by ``valid_from``, in each sku."""
    counts: dict[str, int] = {}
    found = []
    for price in sorted(prices, key=lambda one: (one.sku, one.valid_from or date.min)):
        counts[price.sku] = counts.get(price.sku, 0) + 1
        found.append(replace(price, version=counts[price.sku]))
    order = {price.sku: place for place, price in reversed(list(enumerate(prices)))}
    return tuple(sorted(found, key=lambda one: (order[one.sku], one.version)))


def _mapping(
    item: Item, readers: Mapping[str, Reader], report: Report, required: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Values of a mapping by key; everything wrong with it is reported and left out."""
    values: dict[str, Any] = {}
    pairs = item.pairs()
    if pairs is None:
        report(Problem("expected a mapping {{key: value}}", "write it as the documentation shows", item.where))
        return values
    for key, value in pairs:
        name = key.text() or ""
        if name not in readers:
            known = {"key": name, "known": ", ".join(readers)}
            report(Problem("unknown key '{key}'", "known here: {known}", key.where, known))
        elif name in values:
            report(Problem("key '{key}' stands twice", "keep one of them", key.where, {"key": name}))
        else:
            values[name] = None if value.is_null else readers[name](value, report)
    for name in required:
        if name not in {key.text() for key, value in item.pairs() or () if not value.is_null}:
            report(Problem("'{key}' is missing", "add it", item.where, {"key": name}))
    return values


def _list_of(read: Reader) -> Reader:
    def reader(item: Item, report: Report) -> list[Any]:
        members = item.items()
        if members is None:
            report(Problem("expected a list", "write one `- {{…}}` for each", item.where))
            return []
        return [read(member, report) for member in members]

    return reader


def _policy(item: Item, report: Report) -> Policy:
    given = _mapping(item, _POLICY, report)
    return Policy(**{name: value for name, value in given.items() if value is not None})


def _tier(item: Item, report: Report) -> Tier | None:
    values = _mapping(item, _TIER, report, required=("price",))
    if "up_to" not in values:
        report(Problem("'{key}' is missing", "add it; null on the last tier", item.where, {"key": "up_to"}))
        return None
    return Tier(up_to=values.get("up_to"), price=values["price"]) if values.get("price") is not None else None


def _price(item: Item, report: Report) -> Placed[Price] | None:
    """A price, with the version still to be counted; None if something essential is wrong."""
    faults: list[Problem] = []
    values = _mapping(item, _PRICE, faults.append, required=("sku", "meter", "unit", "model"))
    _check_model(item, values, faults.append)
    for fault in faults:
        report(fault)
    if faults:
        return None
    single = [Tier(up_to=None, price=values["price"])] if "price" in values else values["tiers"]
    given: dict[str, Any] = {name: value for name, value in values.items() if name not in {"price", "tiers"}}
    given["demo"] = values.get("demo") or False
    return Placed(item.where, Price(**given, tiers=tuple(single), version=0))


_TIERED = ("graduated", "volume")


def _check_model(item: Item, values: Mapping[str, Any], report: Report) -> None:
    """Each model has its own fields."""
    model = values.get("model")
    if model is None:
        return
    given = {key.text() for key, value in item.pairs() or () if not value.is_null}
    wanted = {"tiers"} if model in _TIERED else {"price", "block"} if model == "package" else {"price"}
    for name in ("price", "tiers", "block"):
        known = {"key": name, "model": model}
        if name in wanted and name not in given:
            report(Problem("a {model} price needs '{key}'", "add it", item.where, known))
        if name not in wanted and name in values:
            report(Problem("a {model} price has no '{key}'", "remove it, or change the model", item.where, known))
    if "tiers" in wanted and "tiers" in given:
        _check_tiers(item, values.get("tiers") or [], report)


def _check_tiers(item: Item, tiers: list[Tier | None], report: Report) -> None:
    bounds = [one.up_to for one in tiers if one is not None]
    if len(bounds) < len(tiers):
        return
    inner = [bound for bound in bounds[:-1] if bound is not None]
    rising = all(low < high for low, high in pairwise(inner))
    if not bounds or bounds[-1] is not None or len(inner) != len(bounds) - 1 or not rising:
        advice = "let `up_to` rise from tier to tier and be null on the last one only"
        report(Problem("the tiers do not cover every quantity once", advice, item.where))


def _rule(item: Item, report: Report) -> Placed[Rule] | None:
    values = _mapping(item, _RULE, report, required=("sku", "where"))
    if values.get("sku") is None or values.get("where") is None:
        return None
    return Placed(item.where, Rule(sku=values["sku"], where=values["where"]))


def _where(item: Item, report: Report) -> dict[str, str] | None:
    """Columns and the texts that they must equal."""
    found: dict[str, str] = {}
    pairs = item.pairs()
    if pairs is None:
        report(Problem("expected a mapping {{key: value}}", "write where: {{attr.NAME: VALUE}}", item.where))
    for key, value in pairs or ():
        name, text = key.text() or "", value.text()
        attribute = name.startswith(ATTRIBUTE) and name != ATTRIBUTE
        if not attribute and name not in PLAIN:
            known = {"key": name, "known": ", ".join(PLAIN)}
            report(Problem("a rule cannot look at '{key}'", "use attr.NAME or one of {known}", key.where, known))
        elif not text or value.is_null or name in found:
            report(Problem("'{key}' needs one text", "write {key}: VALUE, once", key.where, {"key": name}))
        else:
            found[name] = text
    return found


_POLICY: Mapping[str, Reader] = {
    "basis": scalars.one_of("allocated", "used", "max_commit"),
    "month_hours": scalars.one_of("actual", "720", "730"),
    "rounding": scalars.one_of("half_up", "half_even"),
    "partial_month": scalars.one_of("by_usage", "full_month", "half_month", "by_day"),
}
_TIER: Mapping[str, Reader] = {"up_to": scalars.positive, "price": scalars.money}
_RULE: Mapping[str, Reader] = {"sku": scalars.text, "where": _where}
_PRICE: Mapping[str, Reader] = {
    "sku": scalars.text,
    "meter": scalars.text,
    "unit": scalars.text,
    "model": scalars.one_of("flat", "graduated", "volume", "package", "subscription"),
    "price": scalars.money,
    "tiers": _list_of(_tier),
    "block": scalars.positive,
    "commit": scalars.commit,
    "valid_from": scalars.day,
    "valid_to": scalars.day,
    "approved_by": scalars.text,
    "demo": scalars.truth,
}
_ROOT: Mapping[str, Reader] = {
    "yunwang_catalogue": scalars.one_of("1"),
    "currency": scalars.one_of("CNY"),
    "policy": _policy,
    "prices": _list_of(_price),
    "match": _list_of(_rule),
}


def canonical(catalogue: Catalogue) -> str:
    """The catalogue as YAML in one fixed form: all fields, prices by sku and version, numbers as texts."""
    document = {
        "yunwang_catalogue": 1,
        "currency": catalogue.currency,
        "policy": catalogue.policy.as_json(),
        "prices": [price_fields(price) for price in catalogue.prices],
        "match": [{"sku": rule.sku, "where": dict(rule.where)} for rule in catalogue.rules],
    }
    text: str = yaml.safe_dump(document, allow_unicode=True, sort_keys=False, width=1000)
    return text


def price_fields(price: Price) -> dict[str, Any]:
    """A price in the file's fields; those that its model has no use for are left out."""
    fields: dict[str, Any] = {name: getattr(price, name) for name in ("sku", "meter", "unit", "model")}
    if price.model in _TIERED:
        fields["tiers"] = [{"up_to": _number(one.up_to), "price": decimal_text(one.price)} for one in price.tiers]
    else:
        fields["price"] = decimal_text(price.tiers[0].price)
    if price.block is not None:
        fields["block"] = decimal_text(price.block)
    days = {"valid_from": price.valid_from, "valid_to": price.valid_to}
    fields |= {name: None if value is None else value.isoformat() for name, value in days.items()}
    return fields | {"approved_by": price.approved_by, "demo": price.demo}


def _number(value: Fraction | None) -> str | None:
    return None if value is None else decimal_text(value)


def diff(before: Catalogue, after: Catalogue) -> list[dict[str, Any]]:
    """What differs, each ``{"what", "key", "before", "after"}``; a side that is missing is None."""
    old, new = _things(before), _things(after)
    keys = [*old, *(key for key in new if key not in old)]
    return [
        {"what": what, "key": key, "before": old.get((what, key)), "after": new.get((what, key))}
        for what, key in keys
        if old.get((what, key)) != new.get((what, key))
    ]


def _things(catalogue: Catalogue) -> dict[tuple[str, str], Any]:
    found: dict[tuple[str, str], Any] = {("policy", name): text for name, text in catalogue.policy.as_json().items()}
    found |= {("price", f"{one.sku} {one.valid_from or ''}".strip()): price_fields(one) for one in catalogue.prices}
    rules = [{"sku": rule.sku, "where": dict(rule.where)} for rule in catalogue.rules]
    return found | {("match", str(place)): rule for place, rule in enumerate(rules, 1)}
