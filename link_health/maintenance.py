"""Agreed maintenance (维护窗口) as spans of time per link; recurs by the useful part of RFC 5545 §3.3.10."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from inventory.model import Inventory, Link, Maintenance
from records.errors import UserError
from records.instants import SHANGHAI, microseconds, parse_instant

_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_PARTS = frozenset({"FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY", "BYMONTHDAY"})
_MOST = 10_000  # occurrences of one window

Span = tuple[int, int]


def spans_of(link: Link, inventory: Inventory, start: datetime, end: datetime) -> list[Span]:
    """Agreed windows of a link within [start, end), in microseconds, merged and in order."""
    found = [
        span
        for window in inventory.maintenance
        if window.agreed and concerns(window, link, inventory)
        for span in occurrences(window, start, end)
    ]
    return merged(found)


def concerns(window: Maintenance, link: Link, inventory: Inventory) -> bool:
    """The window's scope names the link, its group, one of its devices, or the region of one of them."""
    devices = [end.device for end in (link.a, link.b) if end is not None]
    regions = [inventory.device[device].region for device in devices if device in inventory.device]
    named = {"links": [link.id], "groups": [link.group or ""], "devices": devices, "regions": regions}
    return any(set(window.scope.get(scope, ())) & set(names) for scope, names in named.items())


def occurrences(window: Maintenance, start: datetime, end: datetime) -> Iterator[Span]:
    """Each occurrence, cut to [start, end)."""
    length = window.end - window.start
    for begin in _begins(window, end):
        low, high = max(begin, start), min(begin + length, end)
        if low < high:
            yield microseconds(low), microseconds(high)


def _begins(window: Maintenance, end: datetime) -> Iterator[datetime]:
    if window.rrule is None:
        yield window.start
        return
    rule = parse_rule(window.rrule, window.id)
    until = min(end, _until(rule["UNTIL"])) if "UNTIL" in rule else end
    count = min(int(rule.get("COUNT", _MOST)), _MOST)
    for number, begin in enumerate(_steps(window.start.astimezone(SHANGHAI), rule, until)):
        if number >= count or begin > until:
            return
        yield begin


def parse_rule(text: str, window: str) -> dict[str, str]:
    """The parts of a recurrence rule; UserError if it uses more than is understood here."""
    parts = dict(part.partition("=")[::2] for part in text.removeprefix("RRULE:").upper().split(";") if part)
    known = parts.get("FREQ") in {"DAILY", "WEEKLY", "MONTHLY"} and parts.keys() <= _PARTS
    numbers = [parts[name] for name in ("INTERVAL", "COUNT", "BYMONTHDAY") if name in parts]
    days = [day for day in parts.get("BYDAY", "").split(",") if day]
    if (
        not known
        or not all(number.isdecimal() and int(number) > 0 for number in numbers)
        or not set(days) <= set(_DAYS)
    ):
        raise UserError(
            "maintenance '{window}': recurrence '{rule}' is not understood",
            "use FREQ=DAILY|WEEKLY|MONTHLY with INTERVAL, COUNT, UNTIL, BYDAY or BYMONTHDAY",
            where=window,
            window=window,
            rule=text,
        )
    return parts


def _until(text: str) -> datetime:
    """UNTIL of RFC 5545: a date (its whole day, Asia/Shanghai) or an instant in UTC."""
    if "T" not in text:
        return datetime.strptime(text, "%Y%m%d").replace(tzinfo=SHANGHAI) + timedelta(days=1)
    day, time = text.rstrip("Z").split("T")
    return parse_instant(f"{day[:4]}-{day[4:6]}-{day[6:]}T{time[:2]}:{time[2:4]}:{time[4:]}Z")


def _steps(first: datetime, rule: dict[str, str], until: datetime) -> Iterator[datetime]:
    """Candidate beginnings in order, on the wall clock of Asia/Shanghai."""
    interval = int(rule.get("INTERVAL", "1"))
    days = {_DAYS.index(day) for day in rule.get("BYDAY", "").split(",") if day} or {first.weekday()}
    month_day = int(rule.get("BYMONTHDAY", first.day))
    monday = first.date() - timedelta(days=first.weekday())
    at = first
    while at <= until:
        weeks = (at.date() - monday).days // 7
        months = (at.year - first.year) * 12 + at.month - first.month
        matches = {
            "DAILY": (at - first).days % interval == 0 and ("BYDAY" not in rule or at.weekday() in days),
            "WEEKLY": weeks % interval == 0 and at.weekday() in days,
            "MONTHLY": months % interval == 0 and at.day == month_day,
        }
        if matches[rule["FREQ"]]:
            yield at
        at += timedelta(days=1)


def merged(spans: list[Span]) -> list[Span]:
    """Overlapping and touching spans as one, in order."""
    found: list[Span] = []
    for low, high in sorted(spans):
        if found and low <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], high))
        else:
            found.append((low, high))
    return found
