"""Single values of a catalogue file, read as they are written: numbers digit by digit, never through floats."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from fractions import Fraction

from inventory.nodes import Item
from records.errors import Problem

Report = Callable[[Problem], None]
_MONEY = re.compile(r"\d{1,12}(\.\d{1,6})?", re.ASCII)
_DECIMAL = re.compile(r"\d{1,12}(\.\d{1,9})?", re.ASCII)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def text(item: Item, report: Report) -> str | None:
    """A text that is not empty."""
    value = item.text()
    if not value or value != value.strip():
        report(Problem("expected a text", "write a name without spaces around it", item.where))
        return None
    return value


def one_of(*choices: str) -> Callable[[Item, Report], str | None]:
    """A reader of one of some words."""

    def reader(item: Item, report: Report) -> str | None:
        value = item.text()
        if value in choices:
            return value
        known = {"value": value, "choices": ", ".join(choices)}
        report(Problem("'{value}' is none of the values known here", "use one of {choices}", item.where, known))
        return None

    return reader


def money(item: Item, report: Report) -> Fraction | None:
    """A price in yuan with at most 12 integer and 6 fraction digits (CONTRACT §3)."""
    return _number(item, report, _MONEY, 'write a price in yuan, at most 6 places, such as "48.91"')


def positive(item: Item, report: Report) -> Fraction | None:
    """A number above 0 with at most 12 integer and 9 fraction digits."""
    found = _number(item, report, _DECIMAL, "write a plain decimal above 0, such as 1000")
    if found == 0:
        report(Problem("0 is not allowed here", "write a number above 0", item.where))
        return None
    return found


def _number(item: Item, report: Report, form: re.Pattern[str], advice: str) -> Fraction | None:
    value = item.text() or ""
    if not form.fullmatch(value):
        report(Problem("'{value}' is no number of the kind wanted here", advice, item.where, {"value": value}))
        return None
    return Fraction(value)


def day(item: Item, report: Report) -> date | None:
    """A date ``YYYY-MM-DD``: 00:00 Asia/Shanghai of that day."""
    value = item.text() or ""
    try:
        if _DAY.fullmatch(value):
            return date.fromisoformat(value)
    except ValueError:
        pass  # the form is right, the day does not exist
    report(Problem("'{value}' is no date", "write it as YYYY-MM-DD", item.where, {"value": value}))
    return None


def truth(item: Item, report: Report) -> bool | None:
    """``true`` or ``false``."""
    found = one_of("true", "false")(item, report)
    return None if found is None else found == "true"


def commit(item: Item, report: Report) -> None:
    """A minimum quantity (保底量): not rated yet, so refused rather than passed over."""
    advice = "remove it, or wait for a version that rates `basis: max_commit`"
    report(Problem("'commit' is not rated by this version", advice, item.where))
