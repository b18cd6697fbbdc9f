"""How an event's values read as text: what every comparison of a Sigma rule sees."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

View = Mapping[str, Any]  # the names that rules use -> values
EXACT_FLOATS = 2**53  # whole floats below this are exact


def text(value: object) -> str:
    """A value as rules compare it: booleans are ``true``, ``false``, whole numbers have no point, objects are JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < EXACT_FLOATS:
        return str(int(value))
    if isinstance(value, (dict, list)):
        return orjson.dumps(value, default=str).decode()
    return str(value)


def texts(value: object) -> tuple[str, ...]:
    """The texts of a field: one, or those of a list's elements; none for null, which means absent."""
    if value is None:
        return ()
    if isinstance(value, (list, tuple)):
        return tuple(text(one) for one in value if one is not None)
    return (text(value),)


class ListMetError(Exception):
    """A field that is read holds a list, which only the naive evaluator judges."""


def scalar(value: object) -> str:
    """``text`` of what is no list; raises ListMetError for one."""
    if isinstance(value, (list, tuple)):
        raise ListMetError
    return text(value)


class Lowered(dict[str, str | None]):
    """Lower-case texts of an event, made when a field is first read; None for an absent one."""

    __slots__ = ("view",)

    def __init__(self, view: View) -> None:
        self.view = view

    def __missing__(self, name: str) -> str | None:
        value = self.view.get(name)
        if type(value) is str:
            low: str | None = value.lower()
        elif isinstance(value, (list, tuple)):
            raise ListMetError
        else:
            low = None if value is None else text(value).lower()
        self[name] = low
        return low

    def all(self) -> list[str]:
        """Lower-case texts of all present fields."""
        return [low for name in self.view if (low := self[name]) is not None]
