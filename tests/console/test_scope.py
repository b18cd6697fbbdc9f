"""Nobody sees what belongs to another organisation: walked over every route, so that a new one is tested by itself."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from access.roles import CAPABILITIES, Capability, Role
from access.scope import Scope
from console import pages
from console.api import routes as api
from inventory.model import Inventory

OWN = "hlj-finance"
FIELDS = {"month": "2026-11", "organisation": "hlj-police"}
Login = Callable[..., Any]


def capability_of(route: Any) -> Capability | None:
    found = [one.call.capability for one in route.dependant.dependencies if hasattr(one.call, "capability")]
    return found[0] if found else None


PAGES = [
    (route.path, capability_of(route)) for router in pages.ROUTERS for route in router.routes if "GET" in route.methods
]
API = [(f"/api/v1{route.path}", capability_of(route)) for route in api.router.routes]
ROUTES = PAGES + API
GUARDED = [(path, capability) for path, capability in ROUTES if capability is not None]
OPEN = {"/login", "/preferences"}
EVERYBODY = {"/", "/screen", "/help", "/ca.pem", "/account/password"}


def address(path: str, name: str = "nothing") -> str:
    return re.sub(r"\{(\w+)\}", lambda field: FIELDS.get(field[1], name), path)


def test_every_route_has_a_guard_or_is_known_to_need_none() -> None:
    assert {path for path, capability in ROUTES if capability is None} == OPEN | EVERYBODY


@pytest.mark.parametrize("path", sorted({path for path, _ in ROUTES} - OPEN))
def test_a_stranger_sees_nothing(client: TestClient, path: str) -> None:
    answer = client.get(address(path))
    if path.startswith("/api/"):
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert answer.headers["content-type"] == "application/problem+json"
    else:
        assert (answer.status_code, answer.content) == (303, b"")
        assert answer.headers["location"].startswith("/login")


@pytest.mark.parametrize("role", list(Role))
def test_route_and_role(client: TestClient, add_user: Callable[..., None], log_in: Login, role: Role) -> None:
    add_user("wang", {role: None})
    log_in("wang")
    for path, capability in GUARDED:
        permitted = capability in CAPABILITIES[role]
        assert (client.get(address(path)).status_code != 403) is permitted, path


def foreign_names(inventory: Inventory) -> set[str]:
    """Names that only other organisations' rows hold: their tenants, and the links that they alone sit behind."""
    tenants = {one.id for one in inventory.tenants if one.organisation != OWN}
    behind = inventory.organisations_behind_group
    links = {one.id for one in inventory.links if OWN not in behind.get(one.group or "", ())}
    organisations = {one.id for one in inventory.organisations} - {OWN}
    return tenants | links | organisations


@pytest.mark.parametrize("path", [path for path, _ in ROUTES if path not in OPEN and "{name}" not in path])
@pytest.mark.parametrize("suffix", ["", "?format=csv"])
def test_a_bureau_sees_its_own_rows_only(
    client: TestClient, add_user: Callable[..., None], log_in: Login, inventory: Inventory, path: str, suffix: str
) -> None:
    if suffix and path.startswith("/api/"):
        suffix = "?limit=200"
    add_user("wang", {Role.BUREAU: [OWN]})
    log_in("wang")
    text = client.get(address(path) + suffix).text
    text = text.replace("hlj-police", "") if "{organisation}" in path else text  # the address itself
    words = set(re.findall(r"[a-z0-9][a-z0-9-]+[a-z0-9]", text))
    assert words & foreign_names(inventory) == set()


def test_a_bureau_does_see_its_own(
    client: TestClient, add_user: Callable[..., None], log_in: Login, inventory: Inventory
) -> None:
    """The test above would pass on empty pages."""
    add_user("wang", {Role.BUREAU: [OWN]})
    log_in("wang")
    mine = {one.id for one in inventory.tenants if one.organisation == OWN}
    found = client.get("/api/v1/usage?limit=200").json()["items"]
    assert {one["tenant"] for one in found} == mine
    for path in ("/api/v1/links", "/api/v1/devices", "/api/v1/bills", "/api/v1/alerts", "/api/v1/incidents"):
        assert client.get(path).json()["total"] > 0, path


def test_single_things_of_others_are_not_there(
    client: TestClient, add_user: Callable[..., None], log_in: Login, deps: Any
) -> None:
    add_user("wang", {Role.BUREAU: [OWN]})
    log_in("wang")
    everything = deps.views
    mine = {row["id"] for row in everything.alerts(Scope(frozenset({OWN})), "zh")._rows}
    for path, rows in (
        ("/alerts", everything.alerts(Scope(None), "zh")._rows),
        ("/incidents", everything.incidents(Scope(None), "zh")._rows),
    ):
        for row in rows[:30]:
            own = row["id"] in mine if path == "/alerts" else OWN in row["organisations"]
            assert (client.get(f"{path}/{row['id']}").status_code == 200) is own, row["id"]
    assert client.get("/bills/2026-11/hlj-police").status_code == 404
    assert client.get(f"/bills/2026-11/{OWN}").status_code == 200


def test_a_user_without_a_role_sees_an_empty_overview(
    client: TestClient, add_user: Callable[..., None], log_in: Login
) -> None:
    add_user("wang", {})
    log_in("wang")
    page = client.get("/").text
    assert ('class="card' in page, 'href="/links' in page) == (False, False)
