"""The configuration (CONTRACT §1): environment ``YW_SECTION__KEY``, then ``yunwang.toml``, then defaults."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from records.errors import Problem, UserError
from records.validation import problem_of
from yunwang.notify_settings import NotifyChannel, NotifyPolicy, NotifyRoster, NotifyRoute, placed, problems

PART_OF_AN_HOUR, SIX_MONTHS, STAMPED_BY = TEMPLATES = (
    "it must divide an hour: 3600, 1800, 900, 600, 300, 120, 60 …",
    "at least 180, for the law asks for six months",
    "site, the URL of a time-stamp authority, or empty",
)
TABLES = frozenset({"notify", "notify_routes", "notify_rosters"})  # sections of named sections
_ENVIRONMENT = re.compile(r"YW_([A-Z_]+?)__([A-Z_]+)")


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Collect(_Section):
    """What the collectors do; addresses are ``HOST:PORT``, an empty one switches the listener off."""

    snmp_interval_seconds: int = Field(default=60, ge=1, le=3600)
    snmp_timeout_seconds: float = Field(default=2.0, gt=0, le=60)
    syslog_udp: str = "127.0.0.1:5514"
    syslog_tcp: str = "127.0.0.1:5514"
    syslog_tls: Literal[""] = ""
    usage_window_seconds: int = Field(default=3600, ge=60, le=3600)

    @field_validator("usage_window_seconds")
    @classmethod
    def _part_of_an_hour(cls, seconds: int) -> int:
        if 3600 % seconds:
            raise ValueError(PART_OF_AN_HOUR)
        return seconds


class LinkHealth(_Section):
    """How rates become figures."""

    bin_seconds: int = Field(default=300, ge=60, le=3600)


class Store(_Section):
    """The record store's engine."""

    kind: Literal["embedded"] = "embedded"
    url: str = ""


class State(_Section):
    """The state database; empty means SQLite in the data folder."""

    url: str = ""


class Spool(_Section):
    """What waits between collecting and judging."""

    kind: Literal["local"] = "local"
    url: str = ""
    fsync_seconds: float = Field(default=1.0, ge=0, le=60)


class Console(_Section):
    """Where the console listens; off loopback it wants TLS, or a proxy in front that gives it."""

    listen: str = "127.0.0.1:8080"
    behind_proxy: bool = False
    tls_certificate: str = ""
    tls_key: str = ""
    metrics: str = "127.0.0.1:0"


class Access(_Section):
    """What a password must be, and how long a session lives; ``breached_passwords`` is a file of lost ones.

    ``password_days`` 0 means that passwords do not end.
    """

    password_length: int = Field(default=10, ge=8, le=128)
    password_classes: int = Field(default=3, ge=1, le=4)
    passwords_remembered: int = Field(default=5, ge=0, le=50)
    password_days: int = Field(default=90, ge=0, le=3650)
    breached_passwords: str = ""
    idle_minutes: int = Field(default=15, ge=1, le=1440)
    session_hours: int = Field(default=8, ge=1, le=24)
    sessions: int = Field(default=3, ge=1, le=100)


class Crypto(_Section):
    """Providers in the order in which they are asked; ``ca`` is a trust anchor beside ``--ca`` and ``YW_CA``.

    ``gmssl`` serves only where ``allow_slow_reference`` says so; the libraries are paths of shared objects.
    ``tsa`` says who time-stamps signatures: nobody, the ``site`` itself, or the authority at a URL.
    """

    providers: tuple[str, ...] = ("hashlib", "pyca", "openssl")
    ca: str = ""
    tsa: str = ""
    allow_slow_reference: bool = False
    sdf_library: str = ""
    sdf_decrypt: Literal["", "algorithm", "plain"] = ""
    accelerator_library: str = ""

    @field_validator("tsa")
    @classmethod
    def _who_stamps(cls, tsa: str) -> str:
        if not re.fullmatch(r"(site|https?://\S+)?", tsa):
            raise ValueError(STAMPED_BY)
        return tsa


class Retention(_Section):
    """How long sealed logs are kept; the law's floor is six months (网络安全法)."""

    log_days: int = Field(default=180, le=36_500)

    @field_validator("log_days")
    @classmethod
    def _floor(cls, days: int) -> int:
        if days < 180:  # noqa: PLR2004 - the floor itself
            raise ValueError(SIX_MONTHS)
        return days


class Settings(_Section):
    """All sections; unknown keys are errors."""

    collect: Collect = Collect()
    link_health: LinkHealth = LinkHealth()
    store: Store = Store()
    state: State = State()
    spool: Spool = Spool()
    console: Console = Console()
    access: Access = Access()
    crypto: Crypto = Crypto()
    retention: Retention = Retention()
    notify: dict[str, NotifyChannel] = Field(default_factory=dict)
    notify_routes: dict[str, NotifyRoute] = Field(default_factory=dict)
    notify_rosters: dict[str, NotifyRoster] = Field(default_factory=dict)
    notify_policy: NotifyPolicy = NotifyPolicy()


def load(
    file: Path,
    environment: Mapping[str, str] | None = None,
    *,
    required: bool = False,
    base: Mapping[str, Mapping[str, Any]] | None = None,
) -> Settings:
    """The settings in force.

    Args:
        file: ``yunwang.toml``; a missing one means defaults unless ``required``.
        environment: Where ``YW_SECTION__KEY`` is looked up; the process's own by default.
        required: The user named the file, so it must be there.
        base: Other defaults than ours, by section: the demo's.

    Raises:
        UserError: Unknown keys and bad values, all at once, each with ``FILE:LINE``.
    """
    text = _text(file, required=required)
    outer = _from_environment(os.environ if environment is None else environment)
    written = _merge({name: dict(keys) for name, keys in (base or {}).items()}, _parse(text, file))
    merged = _merge(written, outer)
    try:
        settings = Settings.model_validate(merged)
    except ValidationError as error:
        raise UserError.of(_problem(one, _where(one["loc"], text, file, outer)) for one in error.errors()) from error
    wrong = list(problems(settings.notify, settings.notify_routes, settings.notify_rosters))
    if wrong:
        raise UserError.of(placed(problem, _where(place, text, file, outer)) for place, problem in wrong)
    return settings


def origins(file: Path, settings: Settings, environment: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """Every key with its value and where that comes from: ``default``, the file's line or the environment."""
    text = _text(file, required=False)
    written = _parse(text, file)
    outer = _from_environment(os.environ if environment is None else environment)
    rows = []
    for section, keys in settings.model_dump().items():
        for key, value in keys.items():
            origin = "default"
            if key in written.get(section, {}):
                origin = f"{file}:{_line(text, section, key)}"
            if key in outer.get(section, {}):
                origin = f"YW_{section.upper()}__{key.upper()}"
            rows.append({"key": f"{section}.{key}", "value": value, "origin": origin})
    return rows


def _text(file: Path, *, required: bool) -> str:
    if not file.exists() and not required:
        return ""
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            "cannot read the configuration: {reason}", "check the file", where=str(file), reason=error
        ) from error


def _parse(text: str, file: Path) -> dict[str, dict[str, Any]]:
    try:
        found: dict[str, dict[str, Any]] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"line (\d+)", str(error))
        where = f"{file}:{line[1]}" if line else str(file)
        raise UserError(
            "not valid TOML: {reason}", "mend the syntax at this line", where=where, reason=error
        ) from error
    return found


def _from_environment(environment: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for name, value in environment.items():
        match = _ENVIRONMENT.fullmatch(name)
        if match:
            found.setdefault(match[1].lower(), {})[match[2].lower()] = value
    return found


def _merge(inner: dict[str, Any], outer: dict[str, dict[str, Any]]) -> dict[str, Any]:
    merged = dict(inner)
    for section, keys in outer.items():
        merged[section] = {**merged.get(section, {}), **keys} if isinstance(keys, dict) else keys
    return merged


def _line(text: str, section: str, key: str) -> int:
    """The line of a key, else of the header of its section or of the section that it names itself."""
    current, header_at = "", 1
    for number, line in enumerate(text.splitlines(), 1):
        header = re.match(r"\s*\[([^\]]+)\]", line)
        current = re.sub(r"[\s\"']", "", header[1]) if header else current
        header_at = number if header and current == section else header_at
        named = bool(header) and current == f"{section}.{key}"
        if named or (current == section and (not key or re.match(rf"\s*{re.escape(key)}\s*=", line))):
            return number
    return header_at


def _where(place: tuple[int | str, ...], text: str, file: Path, outer: Mapping[str, Mapping[str, Any]]) -> str:
    """The variable that set a value, else the line of the file."""
    section, key, *deeper = (*map(str, place), "")
    if section in TABLES and deeper and deeper[0]:
        section, key = f"{section}.{key}", deeper[0]
    set_outside = outer.get(section, {})
    if key in set_outside or (not key and set_outside):
        return f"YW_{section.upper()}__{(key or next(iter(set_outside))).upper()}"
    return f"{file}:{_line(text, section, key)}"


def _problem(error: Any, where: str) -> Problem:
    place = [str(part) for part in error["loc"]]
    if error["type"] == "extra_forbidden":
        known = ", ".join(_known(place))
        return problem_of(error, where, next_step="known here: {known}", known=known)
    return problem_of(error, where)


def _known(place: Sequence[str]) -> Iterable[str]:
    """The keys that may stand where an unknown one does."""
    found: Any = Settings
    for name in place[:-1]:
        if hasattr(found, "model_fields"):
            found = found.model_fields[name].annotation
        else:  # a table or a list: the name is a key or a number in it
            found = next(one for one in get_args(found) if hasattr(one, "model_fields"))
    return found.model_fields if hasattr(found, "model_fields") else ()
