"""How to log in to a cloud: the JSON text that ``clouds[].credentials`` resolves to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from records.errors import Problem, UserError
from records.secret import Secret

_NEEDED = ("username", "password", "project_name", "user_domain_name", "project_domain_name")
_INTERFACES = ("public", "internal", "admin")


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """A cloud account that may list servers and usage of all projects.

    Attributes:
        interface: Which endpoints of the catalog are used: ``public``, ``internal`` or ``admin``.
    """

    username: str
    password: Secret
    project_name: str
    user_domain_name: str
    project_domain_name: str
    region_name: str | None = None
    interface: str = "public"


def parse_credentials(secret: Secret, where: str = "") -> Credentials:
    """Read the secret's JSON object strictly; UserError names every wrong field and no value.

    Args:
        secret: The resolved text.
        where: What the error is about, e.g. ``clouds[prov-cloud].credentials``.
    """
    found = _json_object(secret, where)
    problems = [*_missing(found, where), *_unknown(found, where), *_not_text(found, where), *_interface(found, where)]
    if problems:
        raise UserError.of(problems)
    texts: dict[str, Any] = {name: value for name, value in found.items() if name != "password" and value is not None}
    return Credentials(password=Secret(str(found["password"])), **texts)


def _json_object(secret: Secret, where: str) -> Mapping[str, object]:
    try:
        found = json.loads(secret.reveal())
    except ValueError:
        found = None  # the decoder's message would show a part of the secret
    if not isinstance(found, dict):
        raise UserError(
            "the credentials are not a JSON object",
            'store {{"username": …, "password": …, "project_name": …, "user_domain_name": …, "project_domain_name": …}}'
            " with `yw secret set NAME`",
            where=where,
        )
    return found


def _missing(found: Mapping[str, object], where: str) -> list[Problem]:
    return [
        Problem("the credentials have no '{field}'", "add it with `yw secret set NAME`", where, {"field": name})
        for name in _NEEDED
        if found.get(name) is None or found[name] == ""
    ]


def _unknown(found: Mapping[str, object], where: str) -> list[Problem]:
    known = [field.name for field in fields(Credentials)]
    values = {"known": ", ".join(known)}
    return [
        Problem("the credentials have an unknown field '{field}'", "use only {known}", where, {"field": name, **values})
        for name in found
        if name not in known
    ]


def _not_text(found: Mapping[str, object], where: str) -> list[Problem]:
    return [
        Problem("field '{field}' of the credentials is no text", "put it in quotes", where, {"field": name})
        for name, value in found.items()
        if value is not None and not isinstance(value, str)
    ]


def _interface(found: Mapping[str, object], where: str) -> list[Problem]:
    if found.get("interface") in {None, *_INTERFACES}:
        return []
    known = {"known": ", ".join(_INTERFACES)}
    return [Problem("field 'interface' of the credentials is none of {known}", "use one of them", where, known)]
