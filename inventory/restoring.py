"""The stored inventory back to records, quickly: what was checked when it came in is not checked again."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from enum import StrEnum
from functools import cache, partial
from typing import Any, cast

from inventory.model import SECTIONS, Inventory
from inventory.reading import SECTION_RECORDS, file_name, hints
from records.instants import parse_instant

Convert = Callable[[Any], Any]


def restore(text: str) -> Inventory:
    """The inventory of ``inventory.writing.to_json``; equal to what ``loading.parse`` gives of the same text."""
    document: Mapping[str, Any] = json.loads(text)
    return Inventory(
        **{name: tuple(_record(SECTION_RECORDS[name], one) for one in document.get(name, ())) for name in SECTIONS}
    )


def _record(cls: type, values: Mapping[str, Any]) -> Any:
    attributes, converters = _shape(cls)
    return cls(
        **{attributes[name]: converters[name](value) if name in converters else value for name, value in values.items()}
    )


@cache
def _shape(cls: type) -> tuple[Mapping[str, str], Mapping[str, Convert]]:
    """File key to attribute, and file key to converter where the value is not used as it is."""
    attributes = {file_name(one.name): one.name for one in fields(cls)}
    found = {key: _converter(hints(cls)[name], name) for key, name in attributes.items()}
    return attributes, {key: converter for key, converter in found.items() if converter is not None}


def _converter(hint: Any, name: str) -> Convert | None:
    if is_dataclass(hint):
        return partial(_record, cast("type", hint))
    if name == "scope":
        return lambda scope: {key: tuple(ids) for key, ids in scope.items()}
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return hint
    return {date: date.fromisoformat, datetime: parse_instant}.get(hint)
