"""Records of Windows event logs: EVTX as JSON, winlogbeat, and flat exports. Rules see the record's own names."""

from __future__ import annotations

from typing import Any

import orjson

from soc.ecs import flat
from soc.event import Event
from soc.parse.raw import Raw
from soc.parse.times import any_instant
from soc.sigma.route import windows_source
from soc.sigma.text import text

PARSER = "windows/1"
_TIMES = ("@timestamp", "UtcTimeCreated", "TimeCreated", "UtcTime", "EventTime")
_ECS = {  # ours -> the record's
    "host.name": ("Computer", "Hostname"),
    "event.provider": ("Provider_Name", "SourceName"),
    "user.name": ("TargetUserName", "User", "SubjectUserName", "AccountName"),
    "source.ip": ("IpAddress", "SourceIp"),
    "destination.ip": ("DestinationIp",),
    "process.command_line": ("CommandLine",),
    "process.executable": ("Image", "NewProcessName"),
    "process.parent.executable": ("ParentImage", "ParentProcessName"),
    "file.path": ("TargetFilename",),
    "registry.path": ("TargetObject",),
    "message": ("Message", "message"),
}
_SIMPLE = frozenset({str, int, float, bool})
_EMPTY = (None, "", "-")
_ACTIONS = {  # Microsoft Learn "Appendix L: Events to Monitor"; category, action, outcome
    "4624": ("authentication", "logged-in", "success"),
    "4625": ("authentication", "logon-failed", "failure"),
    "4634": ("authentication", "logged-out", "success"),
    "4648": ("authentication", "logged-in-explicit", "success"),
    "4688": ("process", "created-process", "success"),
    "4720": ("iam", "added-user-account", "success"),
    "4726": ("iam", "deleted-user-account", "success"),
    "4740": ("iam", "locked-out-user-account", "success"),
    "1102": ("iam", "audit-log-cleared", "success"),
}


def is_windows(record: dict[str, Any]) -> bool:
    """Whether a JSON object is such a record."""
    return (
        ("EventID" in record and "Channel" in record)
        or "winlog" in record
        or "winlog.channel" in record
        or isinstance(record.get("Event"), dict)
    )


def windows_event(record: dict[str, Any], raw: Raw) -> Event:
    """The event of a record in any of the forms."""
    names = _names(record)
    at = next((found for name in _TIMES if (found := any_instant(names.get(name))) is not None), raw.received_at)
    source = windows_source(_scalar(names.get("Channel")), _scalar(names.get("EventID")))
    payload, channel = raw.payload, source.channel or ""
    return Event(lambda: _fields(names, channel, payload), at, source, PARSER, names, standalone=True)


def _names(record: dict[str, Any]) -> dict[str, Any]:
    """The record's own names; a flat export as it is."""
    if isinstance(record.get("Event"), dict):
        return from_evtx(record["Event"])
    if "winlog" in record or "winlog.channel" in record:
        return from_winlogbeat(flat(record))
    plain = _SIMPLE.issuperset(map(type, record.values()))
    return record if plain else flat(record)


def _scalar(value: Any) -> Any:
    return text(value) if isinstance(value, (list, dict)) else value


def _fields(names: dict[str, Any], channel: str, payload: bytes) -> dict[str, Any]:
    original = payload.decode("utf-8", "backslashreplace").strip()
    code = str(names.get("EventID", ""))
    dataset = channel.removeprefix("microsoft-windows-").replace("/", "_").replace(" ", "_")
    fields: dict[str, Any] = {
        "event.kind": "event",
        "event.original": original,
        "event.dataset": f"windows.{dataset or 'unknown'}",
        "event.code": code,
        "winlog.channel": names.get("Channel"),
        "winlog.event_id": code,
    }
    for name, theirs in _ECS.items():
        value = next((names[one] for one in theirs if names.get(one) not in _EMPTY), None)
        if value is not None:
            fields[name] = value
    if code in _ACTIONS and channel == "security":
        fields["event.category"], fields["event.action"], fields["event.outcome"] = _ACTIONS[code]
    return {name: value for name, value in fields.items() if value is not None}


def from_evtx(event: dict[str, Any]) -> dict[str, Any]:
    """``System``, ``EventData`` and ``UserData`` of an EVTX record, each value under its own name."""
    found: dict[str, Any] = {}
    system = event.get("System")
    for name, value in (system if isinstance(system, dict) else {}).items():
        _system(found, name, value)
    for section in ("EventData", "UserData"):
        data = event.get(section)
        if isinstance(data, dict):
            _data(found, data)
        elif isinstance(data, str):
            found["Data"] = data
    return found


def _system(found: dict[str, Any], name: str, value: Any) -> None:
    if not isinstance(value, dict):
        if value is not None:
            found[name] = value
        return
    attributes = value.get("#attributes") or {}
    if name == "Provider":
        found["Provider_Name"] = attributes.get("Name")
    elif name == "TimeCreated":
        found["UtcTimeCreated"] = attributes.get("SystemTime")
    elif "#text" in value:
        found[name] = value["#text"]
    else:
        for inner, one in attributes.items():
            found[inner if inner not in found else f"{name}_{inner}"] = one


def _data(found: dict[str, Any], data: dict[str, Any]) -> None:
    waiting = [data]
    while waiting:
        for name, value in waiting.pop().items():
            if name == "#attributes" or value is None:
                continue
            if not isinstance(value, dict):
                found[name] = _joined(value) if isinstance(value, list) else value
            elif "#text" in value:
                found[name] = _joined(value["#text"]) if isinstance(value["#text"], list) else value["#text"]
            elif set(value) != {"#attributes"}:
                waiting.append(value)


def _joined(values: list[Any]) -> str:
    return ", ".join(one if isinstance(one, str) else orjson.dumps(one).decode() for one in values)


def from_winlogbeat(names: dict[str, Any]) -> dict[str, Any]:
    """Winlogbeat's fields under the record's own names."""
    own = {
        "winlog.channel": "Channel",
        "winlog.event_id": "EventID",
        "winlog.computer_name": "Computer",
        "winlog.provider_name": "Provider_Name",
    }
    found = {mine: names[theirs] for theirs, mine in own.items() if theirs in names}
    if "EventID" not in found and "event.code" in names:
        found["EventID"] = names["event.code"]
    for prefix in ("winlog.event_data.", "winlog.user_data."):
        found |= {name.removeprefix(prefix): value for name, value in names.items() if name.startswith(prefix)}
    return found | {name: names[name] for name in ("@timestamp", "message") if name in names}
