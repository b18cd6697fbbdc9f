"""Flat dotted names inside, nested objects outside (ECS 8)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

DEEPEST = 24  # levels; what lies deeper stays JSON text
ARRAYS = frozenset(
    {"event.category", "event.type", "tags", "related.ip", "related.user", "related.hosts"}
)  # arrays in ECS


def nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """``{"host.name": "a"}`` to ``{"host": {"name": "a"}}``; a value that is a folder too keeps its dotted form."""
    found: dict[str, Any] = {}
    for name in sorted(flat):
        value = [flat[name]] if name in ARRAYS and not isinstance(flat[name], list) else flat[name]
        *folders, last = name.split(".")
        place: Any = found
        for folder in folders:
            place = place.setdefault(folder, {}) if isinstance(place, dict) else None
        if not isinstance(place, dict) or last in place:
            found[name] = value
        else:
            place[last] = value
    return found


def flat(nested_object: Mapping[str, Any]) -> dict[str, Any]:
    """Nested objects as dotted names; nulls are dropped, lists stay, objects inside lists become JSON text."""
    found: dict[str, Any] = {}
    waiting: list[tuple[str, Any, int]] = [
        (str(name), value, 1) for name, value in reversed(list(nested_object.items()))
    ]
    while waiting:
        name, value, level = waiting.pop()
        if isinstance(value, dict) and level < DEEPEST:
            waiting += [(f"{name}.{inner}", one, level + 1) for inner, one in reversed(value.items())]
        elif isinstance(value, list):
            found[name] = [orjson.dumps(one).decode() if isinstance(one, (dict, list)) else one for one in value]
        elif value is not None:
            found[name] = orjson.dumps(value).decode() if isinstance(value, dict) else value
    return found


def column(value: object) -> str | None:
    """A value for a text column of the store: scalars as text, a list of one as its element, else none."""
    if isinstance(value, list):
        value = value[0] if len(value) == 1 else None
    if value is None or isinstance(value, str):
        return value
    return ("true" if value else "false") if isinstance(value, bool) else str(value)
