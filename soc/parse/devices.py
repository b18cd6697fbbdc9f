"""Information centre (信息中心) of network devices.

Huawei VRP writes ``%%01MODULE/4/NAME(l)[7]:text``, H3C Comware ``%%10MODULE/3/NAME: text``.
"""

from __future__ import annotations

import re
from typing import Any

_HEAD = re.compile(
    r"%%(\d\d)([A-Z0-9_]+)/(\d)/([A-Za-z0-9_]+)(?:\((\w)\))?(?:\[(\d+)\])?(?:;[^:]*)?:\s?(.*)", re.DOTALL
)
_INTERFACE = re.compile(r"[Ii]nterface (?:\w+=)?([A-Za-z][\w./:-]*\d)")
_STATE = re.compile(r"(?:state to|turned into|is now|changed to|entered the)\s*(UP|DOWN|up|down)\b")
_USER = re.compile(r"[Uu]ser(?:Name|name)?\s?[=: ]\s?\"?([\w.@-]+)")
_ADDRESS = re.compile(r"(?:IP(?:Address|addr)?|[Aa]ddress|from)\s?[=: ]\s?(\d{1,3}(?:\.\d{1,3}){3})")
VENDORS = {"01": "huawei", "10": "h3c"}
DATASETS = {"huawei": "huawei.vrp", "h3c": "h3c.comware"}
LEVELS = ("emergency", "alert", "critical", "error", "warning", "notice", "informational", "debug")


def info_center(body: str) -> dict[str, Any] | None:
    """Module, mnemonic and what is readable of the text; None if the body is no such record."""
    found = _HEAD.search(body)
    if not found:
        return None
    version, module, severity, mnemonic, _, sequence, text = found.groups()
    vendor = VENDORS.get(version, "unknown")
    fields: dict[str, Any] = {
        "observer.vendor": vendor,
        "event.dataset": DATASETS.get(vendor, "network.device"),
        "event.provider": module,
        "event.code": f"{module}/{mnemonic}",
        "event.action": mnemonic.lower(),
        "log.level": LEVELS[int(severity)] if int(severity) < len(LEVELS) else "debug",
        "event.category": "network",
        "message": text.strip(),
    }
    if sequence:
        fields["event.sequence"] = int(sequence)
    return fields | _details(text)


def _details(text: str) -> dict[str, Any]:
    wanted = {"observer.ingress.interface.name": _INTERFACE, "user.name": _USER, "source.ip": _ADDRESS}
    found = {name: hit[1] for name, pattern in wanted.items() if (hit := pattern.search(text))}
    state = _STATE.search(text)
    return found | ({"yw.oper_status": state[1].lower()} if state else {})
