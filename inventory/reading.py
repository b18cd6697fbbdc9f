"""From YAML nodes to the inventory's records: strict, every problem at once with ``FILE:LINE`` (CONTRACT §2)."""

from __future__ import annotations

import ipaddress
import re
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import date, datetime
from enum import StrEnum
from functools import cache
from typing import Any

from inventory import model
from inventory.nodes import Item
from records.errors import Problem
from records.instants import parse_instant

FILE_NAMES = {"start": "from", "end": "to"}  # Python's names of the file's keywords
SECRETS = frozenset({"community", "auth_key", "priv_key", "password", "key", "credentials"})
_REFERENCE = re.compile(r"secret:(env:[A-Za-z_]\w*|file:.+|[A-Za-z0-9._-]+)", re.DOTALL)
_IDENTIFIER = re.compile(r"[A-Za-z0-9一-鿿][\w.:/@-]{0,127}")
_LIMITS = {"port": (1, 65_535), "level": (1, 5), "contract_bps": (1, 10**15), "silent_after_seconds": (1, 10**9)}
_CHOICES = {
    "version": ("1", "2c", "3"),
    "auth": ("md5", "sha1", "sha224", "sha256", "sha384", "sha512"),
    "priv": ("des", "aes128", "aes192", "aes256"),
    "zone": None,
}

Report = Callable[[Problem], None]


class _Bad(Exception):  # noqa: N818 - never leaves this module
    """A value that cannot be read; its problem was reported."""


def file_name(attribute: str) -> str:
    """The key in the file of a record's attribute."""
    return FILE_NAMES.get(attribute, attribute)


@cache
def hints(cls: type) -> Mapping[str, Any]:
    """Attribute to type, unions with None reduced to the type."""
    return {
        name: _not_none(hint) for name, hint in typing.get_type_hints(cls).items() if not isinstance(hint, property)
    }


def _not_none(hint: Any) -> Any:
    if isinstance(hint, types.UnionType):
        return next(one for one in hint.__args__ if one is not types.NoneType)
    return hint


def read_record(cls: type, item: Item, report: Report) -> Any | None:
    """One record from one mapping; reports everything wrong with it and gives None if there was anything."""
    pairs = item.pairs()
    if pairs is None:
        report(Problem("expected a mapping {{key: value}}", "write it as the documentation shows", item.where))
        return None
    names = {file_name(one.name): one for one in fields(cls)}
    values: dict[str, Any] = {}
    sound = True
    for key, value in pairs:
        name = key.text() or ""
        try:
            _check_key(name, names, values, key, report)
            if not value.is_null:
                values[names[name].name] = _read_value(hints(cls)[names[name].name], names[name].name, value, report)
        except _Bad:
            sound = False
    for name, one in names.items():
        if one.default is MISSING and one.default_factory is MISSING and one.name not in values and sound:
            report(Problem("'{key}' is missing", "add it", item.where, {"key": name}))
            sound = False
    return cls(**values) if sound else None


def _check_key(name: str, names: Mapping[str, Any], values: Mapping[str, Any], key: Item, report: Report) -> None:
    if name not in names:
        report(
            Problem("unknown key '{key}'", "known here: {known}", key.where, {"key": name, "known": ", ".join(names)})
        )
        raise _Bad
    if names[name].name in values:
        report(Problem("'{key}' stands twice", "keep one of them", key.where, {"key": name}))
        raise _Bad


def _read_value(hint: Any, name: str, item: Item, report: Report) -> Any:
    if is_dataclass(hint):
        record = read_record(typing.cast("type", hint), item, report)
        if record is None:
            raise _Bad
        return record
    if name == "scope":
        return _scope(item, report)
    text = item.text()
    if text is None:
        _refuse(report, item, "'{key}' must be one value", "write a single value", key=name)
    return _scalar(hint, name, str(text).strip(), item, report)


def _scalar(hint: Any, name: str, text: str, item: Item, report: Report) -> Any:
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return _choice(tuple(hint), hint, name, text, item, report)
    if _CHOICES.get(name):
        return _choice(_CHOICES[name] or (), str, name, text, item, report)
    reader: Callable[[str, str, Item, Report], Any] = _READERS.get(hint, _text)
    return reader(name, text, item, report)


def _refuse(report: Report, item: Item, what: str, advice: str, **values: object) -> typing.NoReturn:
    report(Problem(what, advice, item.where, values))
    raise _Bad


def _choice(known: tuple[str, ...], cls: Callable[[str], Any], name: str, text: str, item: Item, report: Report) -> Any:
    if text not in known:
        _refuse(
            report, item, "'{value}' is no {key}", "use one of {known}", value=text, key=name, known=", ".join(known)
        )
    return cls(text)


def _text(name: str, text: str, item: Item, report: Report) -> str:
    if not text:
        _refuse(report, item, "'{key}' is empty", "give it a value, or leave the key out", key=name)
    if name in SECRETS:
        if not _REFERENCE.fullmatch(text):
            _refuse(
                report,
                item,
                "'{key}' holds a literal secret",
                "store it with `yw secret set NAME` and write secret:NAME",
                key=name,
            )
    elif name == "id" and not _IDENTIFIER.fullmatch(text):
        _refuse(report, item, "'{value}' is no id", "use letters, digits and . _ : / @ -, at most 128", value=text)
    elif name == "address":
        _check_address(text, item, report)
    return text


def _check_address(text: str, item: Item, report: Report) -> None:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        if (
            not re.fullmatch(r"(?=.{1,253}$)([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.?)+", text)
            or text.replace(".", "").isdigit()
        ):
            _refuse(report, item, "'{value}' is no address", "write an IPv4 or IPv6 address or a host name", value=text)


def _integer(name: str, text: str, item: Item, report: Report) -> int:
    if not re.fullmatch(r"-?\d{1,18}", text):
        _refuse(
            report, item, "'{key}' must be a whole number, not '{value}'", "write digits only", key=name, value=text
        )
    value = int(text)
    low, high = _LIMITS.get(name, (-(10**18), 10**18))
    if not low <= value <= high:
        _refuse(
            report,
            item,
            "'{key}' is {value}, outside {low} to {high}",
            "correct the value",
            key=name,
            value=value,
            low=low,
            high=high,
        )
    return value


def _boolean(name: str, text: str, item: Item, report: Report) -> bool:
    if text.lower() not in {"true", "false"}:
        _refuse(
            report, item, "'{key}' must be true or false, not '{value}'", "write true or false", key=name, value=text
        )
    return text.lower() == "true"


def _day(name: str, text: str, item: Item, report: Report) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        _refuse(report, item, "'{key}' is no date: '{value}'", "write YYYY-MM-DD", key=file_name(name), value=text)


def _instant(name: str, text: str, item: Item, report: Report) -> datetime:
    try:
        return parse_instant(text)
    except ValueError:
        _refuse(
            report,
            item,
            "'{key}' is no instant: '{value}'",
            "write it like 2026-12-01T00:00:00+08:00",
            key=file_name(name),
            value=text,
        )


_READERS: Mapping[Any, Callable[[str, str, Item, Report], Any]] = {
    int: _integer,
    bool: _boolean,
    date: _day,
    datetime: _instant,
    str: _text,
}
_SCOPES = ("links", "devices", "groups", "regions", "hosts")


def _scope(item: Item, report: Report) -> Mapping[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for key, value in item.pairs() or ():
        members = value.items()
        if key.text() not in _SCOPES or members is None:
            _refuse(
                report,
                key,
                "a scope maps one of {known} to a list of ids",
                "write e.g. {{links: [ID]}}",
                known=", ".join(_SCOPES),
            )
        found[str(key.text())] = tuple(str(member.text()) for member in members)
    if not found:
        _refuse(report, item, "the scope is empty", "name what is under maintenance, e.g. {{links: [ID]}}")
    return found


SECTION_RECORDS: Mapping[str, type] = {
    one.name: typing.get_args(typing.get_type_hints(model.Inventory)[one.name])[0] for one in fields(model.Inventory)
}
