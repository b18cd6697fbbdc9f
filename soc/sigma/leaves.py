"""Numbers and networks: tests on one text that need more than a string method."""

from __future__ import annotations

import ipaddress
import operator
import re
from collections.abc import Callable
from functools import lru_cache

from soc.sigma.ir import Bound

_NUMBER = re.compile(r"\s*[+-]?(\d+)(\.\d+)?([eE][+-]?\d{1,3})?\s*", re.ASCII)
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def number(value: str) -> int | float | None:
    """The number a text is, whole ones exactly; None if it is none."""
    found = _NUMBER.fullmatch(value)
    if found is None or len(value) > 300:  # noqa: PLR2004 - longer digits are no measurement, and int() is quadratic
        return None
    return float(value) if found[2] or found[3] else int(value)


def comparison(bound: Bound) -> Callable[[str], bool]:
    """Compare a text's number with a bound; false for a text that is no number."""
    compare, limit = _COMPARE[bound.operator], bound.number

    def holds(value: str) -> bool:
        found = number(value)
        return found is not None and compare(found, limit)

    return holds


@lru_cache(4096)
def in_network(network: str) -> Callable[[str], bool]:
    """Whether a text is an address inside a network; false for a text that is no address."""
    net = ipaddress.ip_network(network, strict=False)

    def holds(value: str) -> bool:
        try:
            return ipaddress.ip_address(value) in net
        except ValueError:
            return False

    return holds
