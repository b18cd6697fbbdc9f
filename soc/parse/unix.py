"""Bodies of Linux log lines: sshd, sudo, su, PAM, user management."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

Found = dict[str, Any]

_LOGIN = re.compile(r"(Failed|Accepted) (\S+) for (invalid user )?(.*) from (\S+) port (\d+)(?: (ssh\d))?")
_INVALID = re.compile(r"Invalid user (.*) from (\S+)(?: port (\d+))?")
_LIMIT = re.compile(
    r"(?:error: )?maximum authentication attempts exceeded for (invalid user )?(.*) from (\S+) port (\d+)"
)
_ENDED = re.compile(
    r"(?:Connection (?:closed|reset)|Disconnected|Received disconnect) (?:by|from)"
    r" (?:(?:authenticating |invalid )?user (\S*) )?(\S+) port (\d+)"
)
_REPEATED = re.compile(r"message repeated (\d+) times: \[ ?(.*?)\]?$", re.DOTALL)
_PAM = re.compile(r"pam_(\w+)\(([^:)]+)(?::([^)]+))?\): (.*)", re.DOTALL)
_PAM_USER = re.compile(r"(?:for|by)(?: user)? ([^\s(]+)")
_PAIR = re.compile(r"(\w+)=(\S*)")
_SUDO = re.compile(
    r"\s*(\S+) : (?:((?!TTY=|PWD=).*?) ; )?(?:TTY=(\S+) ; )?PWD=(.*?) ; USER=(\S+)"
    r"(?: ; GROUP=\S+)? ; (?:ENV=.*? ; )?COMMAND=(.*)",
    re.DOTALL,
)
_SU = re.compile(
    r"(?:\(to (\S+)\) (\S+) on \S+|(FAILED SU|Successful su|FAILED su) (?:\(to|for) (\S+?)\)? (?:by )?(\S+))"
)
_ACCOUNT = re.compile(
    r"(new user|new group|delete user|password changed for|changed password expiry)\W+(?:name=)?([^\s,]+)"
)


def sshd(body: str) -> Found | None:
    """A login, its failure, or the end of a connection."""
    repeated = _REPEATED.match(body)
    if repeated:
        found = sshd(repeated[2])
        return found and {**found, "event.sequence": int(repeated[1])}
    login = _LOGIN.match(body)
    if login:
        result, method, invalid, user, address, port, _ = login.groups()
        outcome = "success" if result == "Accepted" else "failure"
        reason = {"event.reason": "invalid user"} if invalid else {}
        return _access("ssh_login", outcome, user, address, port) | {"yw.auth_method": method} | reason
    invalid_user = _INVALID.match(body)
    if invalid_user:
        return _access("ssh_invalid_user", "failure", *invalid_user.groups())
    limit = _LIMIT.match(body)
    if limit:
        return _access("ssh_attempts_exceeded", "failure", *limit.groups()[1:])
    ended = _ENDED.match(body)
    return _access("ssh_disconnected", "unknown", *ended.groups()) | {"event.type": "end"} if ended else None


def _access(action: str, outcome: str, user: str | None, address: str, port: str | None) -> Found:
    found: Found = {
        "event.category": "authentication",
        "event.type": "start",
        "event.action": action,
        "event.outcome": outcome,
    }
    found |= {"user.name": user} if user else {}
    found |= {"source.ip" if _is_address(address) else "source.domain": address}
    return found | ({"source.port": int(port)} if port and len(port) < 6 else {})  # noqa: PLR2004 - 65535 has five digits


def _is_address(text: str) -> bool:
    return ":" in text or text.replace(".", "").isdigit()


def sudo(body: str) -> Found | None:
    """A command run, or refused, as another user."""
    found = _SUDO.match(body)
    if not found:
        return None
    user, problem, _, folder, effective, command = found.groups()
    refused = {"event.reason": problem} if problem else {}
    return {
        "event.category": "process",
        "event.type": "start",
        "event.action": "sudo",
        "event.outcome": "failure" if problem else "success",
        "user.name": user,
        "user.effective.name": effective,
        "process.working_directory": folder,
        "process.command_line": command,
        **refused,
    }


def su(body: str) -> Found | None:
    """A change of user."""
    found = _SU.match(body)
    if not found:
        return None
    failed = (found[3] or "").upper().startswith("FAILED")
    return {
        "event.category": "authentication",
        "event.type": "start",
        "event.action": "su",
        "event.outcome": "failure" if failed else "success",
        "user.effective.name": found[1] or found[4],
        "user.name": found[2] or found[5],
    }


def account(body: str) -> Found | None:
    """An account that is made, changed or removed."""
    found = _ACCOUNT.match(body)
    if not found:
        return None
    kind = {"new": "creation", "del": "deletion"}.get(found[1][:3], "change")
    action = found[1].split(" for")[0].replace(" ", "_")
    return {
        "event.category": "iam",
        "event.type": kind,
        "event.action": action,
        "event.outcome": "success",
        "user.target.name": found[2],
    }


def pam(body: str) -> Found | None:
    """A line of any PAM module: a session, or an authentication that failed."""
    found = _PAM.match(body)
    if not found:
        return None
    module, service, stage, text = found.groups()
    result: Found = {
        "event.category": "session" if stage == "session" else "authentication",
        "event.action": f"pam_{stage or module}",
    }
    result["yw.pam_service"] = service
    lower = text.lower()
    result["event.outcome"] = "failure" if "failure" in lower or "failed" in lower else "success"
    if stage == "session":
        result["event.type"] = "end" if "closed" in lower else "start"
    pairs = dict(_PAIR.findall(text))
    user = pairs.get("user") or next(iter(_PAM_USER.findall(text)), None)
    host = pairs.get("rhost")
    return (
        result
        | ({"user.name": user} if user else {})
        | ({"source.ip" if _is_address(host) else "source.domain": host} if host else {})
    )


BODIES: dict[str, Callable[[str], Found | None]] = {
    "sshd": sshd,
    "sshd-session": sshd,
    "sudo": sudo,
    "su": su,
    "useradd": account,
    "usermod": account,
    "userdel": account,
    "groupadd": account,
    "passwd": account,
}


def read_body(program: str, body: str) -> Found | None:
    """What a program's message says; None where nothing is known of it."""
    reader = BODIES.get(program)
    return (reader(body) if reader else None) or (pam(body) if "pam_" in body else None)
