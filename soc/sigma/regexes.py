"""Regular expressions and wildcards of rules, in bounded time: RE2 is linear; what it refuses runs with a time-out."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import re2
import regex

from soc.sigma.ir import Parts, Regex, Wild

Search = Callable[[str], bool]
TIMEOUT_SECONDS = 0.05
CACHE = 8192


class Timeouts:
    """How often a pattern was given up; shown by the rule profile, never silent."""

    count = 0


@lru_cache(CACHE)
def searcher(rule: Regex) -> Search:
    """Search for a rule's pattern; raises ValueError if neither engine takes it."""
    prefix = f"(?{rule.flags})" if rule.flags else ""
    try:
        return _linear(prefix + rule.pattern)
    except re2.error:
        return _timed(rule)


def _linear(pattern: str) -> Search:
    options = re2.Options()
    options.log_errors = False
    search = re2.compile(pattern, options).search

    def found(value: str) -> bool:
        try:
            return search(value) is not None
        except UnicodeEncodeError:  # lone surrogates from JSON escapes
            return search(value.encode("utf-8", "replace").decode()) is not None

    return found


def _timed(rule: Regex) -> Search:
    flags = sum(getattr(regex, flag.upper()) for flag in rule.flags)
    try:
        search = regex.compile(rule.pattern, flags | regex.V0).search
    except regex.error as error:
        raise ValueError(str(error)) from error

    def found(value: str) -> bool:
        try:
            return search(value, timeout=TIMEOUT_SECONDS) is not None
        except TimeoutError:
            Timeouts.count += 1
            return False

    return found


@lru_cache(CACHE)
def wildcard(parts: Parts, *, whole: bool) -> Search:
    """Match ``*`` and ``?`` on the whole value, or anywhere in it."""
    body = "".join(
        {Wild.MANY: ".*", Wild.ONE: "."}[part] if isinstance(part, Wild) else re2.escape(part) for part in parts
    )
    return _linear(rf"(?s)\A{body}\z" if whole else rf"(?s){body}")
