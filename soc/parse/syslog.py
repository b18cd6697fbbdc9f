"""Syslog: RFC 5424, RFC 3164 and its relatives without PRI, with a year (Huawei, H3C), with ISO time (rsyslog)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Any

from soc.event import Event
from soc.parse.devices import info_center
from soc.parse.raw import Raw, UnparsableError, decode
from soc.parse.sources import AUTH_PROGRAMS, dataset_source, linux_source
from soc.parse.times import MONTHS, iso_instant, yearless
from soc.parse.unix import read_body
from soc.parse.web import access

PARSER = "syslog/1"
HIGHEST_PRI = 191  # RFC 5424 §6.2.1: facility 23, severity 7
_PRI = re.compile(r"<(\d{1,3})>")
_NEW = re.compile(r"1 (\S+) (\S+) (\S+) (\S+) (\S+) ", re.ASCII)
_OLD = re.compile(
    r"\s?(?:\*?(?P<month>[A-Z][a-z]{2}) {1,2}(?P<day>\d{1,2})(?: (?P<year>\d{4}))?"
    r" (?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)"
    r"(?:[.:](?P<fraction>\d{1,6}))?(?: (?P<late_year>\d{4}))?(?P<zone>Z|[+-]\d\d:?\d\d)?"
    r"|(?P<iso>\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?)):?\s"
)
_TAG = re.compile(
    r"(?P<program>[\w./@+-]{1,64}?)(?:\((?P<module>[\w:-]+)\))?(?:\[(?P<pid>\d+)\])?: ?(?P<body>.*)", re.DOTALL
)
_SD_ELEMENT = re.compile(r'\[([^\s="\]]{1,64})((?: [^\s="\]]{1,64}="(?:[^"\\\]]|\\.)*")*)\]')
_SD_PARAM = re.compile(r' ([^\s="\]]{1,64})="((?:[^"\\\]]|\\.)*)"')
_ESCAPE = re.compile(r'\\(["\\\]])')
LEVELS = ("emergency", "alert", "critical", "error", "warning", "notice", "informational", "debug")
_PRIORITIES = tuple(
    {
        "log.syslog.priority": number,
        "log.syslog.facility.code": number >> 3,
        "log.syslog.severity.code": number & 7,
        "log.level": LEVELS[number & 7],
    }
    for number in range(HIGHEST_PRI + 1)
)


def parse_syslog(raw: Raw) -> Event:
    """One message; raises UnparsableError with the reason."""
    line = decode(raw.payload).rstrip("\r\n\x00")
    pri = _PRI.match(line)
    fields: dict[str, Any] = {"event.kind": "event", "event.original": line}
    if pri is None:
        return _old(line, raw, fields)
    number = int(pri[1])
    if number > HIGHEST_PRI:
        raise UnparsableError(f"PRI {number} is higher than {HIGHEST_PRI}")
    fields.update(_PRIORITIES[number])
    rest = line[pri.end() :]
    return _new(rest, raw, fields) if rest.startswith("1 ") else _old(rest, raw, fields)


def _new(rest: str, raw: Raw, fields: dict[str, Any]) -> Event:
    """RFC 5424 §6: header, structured data, message."""
    head = _NEW.match(rest)
    if head is None:
        raise UnparsableError("the RFC 5424 header is not complete")
    stamp, host, program, pid, message_id = head.groups()
    at = None if stamp == "-" else iso_instant(stamp, UTC)
    if at is None and stamp != "-":
        raise UnparsableError(f"not a timestamp: {stamp[:40]}")
    body = _structured(rest[head.end() :], fields).removeprefix("\ufeff")
    _name(fields, "host.name", host)
    _name(fields, "log.syslog.msgid", message_id)
    _pid(fields, pid)
    return _event(fields, program if program != "-" else "", body, at or raw.received_at, raw)


def _name(fields: dict[str, Any], name: str, value: str) -> None:
    if value != "-":
        fields[name] = value


def _pid(fields: dict[str, Any], pid: str | None) -> None:
    if pid and pid.isascii() and pid.isdigit():
        fields["process.pid"] = int(pid[:18])


def _structured(rest: str, fields: dict[str, Any]) -> str:
    """Keep the parameters as ``log.syslog.structured_data.ID.NAME``; return the message."""
    if rest.startswith("- ") or rest == "-":
        return rest[2:]
    at = 0
    while element := _SD_ELEMENT.match(rest, at):
        for name, value in _SD_PARAM.findall(element[2]):
            fields[f"log.syslog.structured_data.{element[1]}.{name}"] = _ESCAPE.sub(r"\1", value)
        at = element.end()
    if not at:
        raise UnparsableError("the structured data is broken")
    return rest[at + 1 :]


def _old(rest: str, raw: Raw, fields: dict[str, Any]) -> Event:
    """RFC 3164 §4: time, host, tag, message, each as senders really write them."""
    head = _OLD.match(rest)
    if head is None:
        return _bare(rest, raw, fields)
    at = _old_instant(head[0], raw.received_at)
    if at is None:
        raise UnparsableError(f"not a date: {head[0].strip()[:40]}")
    host, _, body = rest[head.end() :].partition(" ")
    if host.endswith(":") or "[" in host or not body:  # no host: the tag comes at once
        host, body = "", rest[head.end() :]
    if host:
        fields["host.name"] = host
    return _tagged(body, at, raw, fields)


def _bare(rest: str, raw: Raw, fields: dict[str, Any]) -> Event:
    """A message without header: with PRI it is one all the same (RFC 3164 §4.3.3), without it is none."""
    found = access(rest)
    if found is not None:
        return _web(fields, found)
    if "log.syslog.priority" not in fields and "%%" not in rest:
        raise UnparsableError("neither PRI nor time at the beginning")
    return _tagged(rest, raw.received_at, raw, fields)


@lru_cache(4096)  # lines of one second, received together, begin alike
def _old_instant(text: str, received_at: datetime) -> datetime | None:
    head = _OLD.match(text)
    if head is None:
        return None
    return iso_instant(head["iso"]) if head["iso"] else _stamp(head, received_at)


def _stamp(head: re.Match[str], received_at: datetime) -> datetime | None:
    month = MONTHS.get(head["month"])
    if month is None:
        return None
    fraction = int(f"{head['fraction'] or '0':0<6}")
    clock = (int(head["hour"]), int(head["minute"]), int(head["second"]), fraction)
    year = head["year"] or head["late_year"]
    if head["zone"] and year:
        return _zoned(int(year), month, int(head["day"]), clock, head["zone"])
    return yearless(month, int(head["day"]), clock, received_at, int(year) if year else None)


def _zoned(year: int, month: int, day: int, clock: tuple[int, int, int, int], zone: str) -> datetime | None:
    minutes = 0 if zone == "Z" else int(zone[1:3]) * 60 + int(zone[-2:])
    offset = timedelta(minutes=-minutes if zone[0] == "-" else minutes)
    try:
        return datetime(year, month, day, *clock, tzinfo=timezone(offset)).astimezone(UTC)
    except ValueError:
        return None


def _tagged(body: str, at: datetime, raw: Raw, fields: dict[str, Any]) -> Event:
    tag = None if body.startswith("%%") else _TAG.match(body)
    if tag is None:
        return _event(fields, "", body, at, raw)
    _pid(fields, tag["pid"])
    return _event(fields, tag["program"], tag["body"], at, raw)


def _event(fields: dict[str, Any], program: str, body: str, at: datetime, raw: Raw) -> Event:
    """Name what the message says, by its program or its form."""
    if "host.name" not in fields and raw.peer:
        fields["host.name"] = raw.peer
    fields["message"] = body
    device = info_center(body) if "%%" in body else None
    if device is not None:
        fields.update(device)
        fields["observer.name"] = fields.get("host.name", raw.peer)
        return Event(fields, at, dataset_source(fields["event.dataset"]), PARSER)
    name = program.rpartition("/")[2]
    if name == "nginx" and (found := access(body)) is not None:
        return _web(fields, found)
    if name:
        fields["process.name"] = fields["event.provider"] = name
    fields["event.dataset"] = "system.auth" if name in AUTH_PROGRAMS or "pam_" in body else "system.syslog"
    details = read_body(name, body)
    if details:
        fields.update(details)
    return Event(fields, at, linux_source(name), PARSER)


def _web(fields: dict[str, Any], found: tuple[dict[str, Any], dict[str, Any], datetime]) -> Event:
    details, aliases, at = found
    return Event({**fields, **details}, at, dataset_source("nginx.access"), PARSER, aliases)
