"""Access logs of web servers, the combined form of nginx and Apache, with Sigma's names of category ``webserver``."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from soc.parse.times import MONTHS, iso_instant

_LINE = re.compile(
    r'(\S+) \S+ (\S+) \[(\d\d)/(\w{3})/(\d{4}):(\d\d:\d\d:\d\d) ([+-]\d{4})\] "([^"\\]*(?:\\.[^"\\]*)*)"'
    r" (\d{3}) (\d+|-)"
    r'(?: "([^"\\]*(?:\\.[^"\\]*)*)" "([^"\\]*(?:\\.[^"\\]*)*)")?'
)


def access(line: str) -> tuple[dict[str, Any], dict[str, Any], datetime] | None:
    """ECS fields, Sigma's names for them, and the instant; None if the line is no access record."""
    found = _LINE.match(line)
    if not found or found[4] not in MONTHS:
        return None
    at = iso_instant(f"{found[5]}-{MONTHS[found[4]]:02}-{found[3]}T{found[6]}{found[7]}", UTC)
    if at is None:
        return None
    method, url, version = _request(found[8])
    status, size = int(found[9]), None if found[10] == "-" else int(found[10])
    path, _, query = (url or "").partition("?")
    fields: dict[str, Any] = {
        "event.dataset": "nginx.access",
        "event.category": "web",
        "event.type": "access",
        "event.outcome": "failure" if status >= 400 else "success",  # noqa: PLR2004 - RFC 9110: 4xx and 5xx are errors
        "source.ip": found[1],
        "user.name": None if found[2] == "-" else found[2],
        "http.request.method": method,
        "http.version": version,
        "url.original": url,
        "url.path": path or None,
        "url.query": query or None,
        "http.response.status_code": status,
        "http.response.body.bytes": size,
        "http.request.referrer": None if found[11] in {None, "-"} else found[11],
        "user_agent.original": None if found[12] in {None, "-"} else found[12],
        "message": found[8],
    }
    present = {name: value for name, value in fields.items() if value is not None}
    return present, _aliases(present), at


def _request(text: str) -> tuple[str | None, str | None, str | None]:
    """Method, target and version; a request line that is none of HTTP is all target."""
    words = text.split(" ")
    if len(words) < 2 or not words[0].isalpha():  # noqa: PLR2004 - METHOD target [HTTP/x]
        return None, text or None, None
    has_version = words[-1].startswith("HTTP/")
    return words[0], " ".join(words[1:-1] if has_version else words[1:]), words[-1][5:] if has_version else None


def _aliases(fields: dict[str, Any]) -> dict[str, Any]:
    names = {
        "c-ip": "source.ip",
        "cs-username": "user.name",
        "cs-method": "http.request.method",
        "cs-uri": "url.original",
        "cs-uri-query": "url.original",  # SigmaHQ's web rules look for paths here too
        "cs-uri-stem": "url.path",
        "sc-status": "http.response.status_code",
        "sc-bytes": "http.response.body.bytes",
        "cs-referer": "http.request.referrer",
        "cs-user-agent": "user_agent.original",
    }
    return {alias: fields[name] for alias, name in names.items() if name in fields}
