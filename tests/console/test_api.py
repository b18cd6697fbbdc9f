"""``/api/v1``: tokens, cursor pages, problems, its own description."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from access import tokens, users
from access.roles import Capability, Role
from console.app import create_app
from records.errors import UserError
from storage.state import writing

RESOURCES = ("links", "devices", "tenants", "usage", "bills", "alerts", "incidents", "rules", "keys", "audit-log")


@pytest.fixture
def token(engine: sa.Engine, add_user: Callable[..., None], clock: Any) -> Callable[..., str]:
    add_user("robot", {Role.AUDITOR: None})

    def make(*scopes: Capability) -> str:
        with writing(engine) as connection:
            return tokens.new_token(connection, "admin", "robot", clock(), lifetime=timedelta(days=1), scopes=scopes)[0]

    return make


def bearer(text: str) -> Mapping[str, str]:
    return {"authorization": f"Bearer {text}"}


@pytest.mark.parametrize("name", RESOURCES)
def test_resource_is_a_cursor_page(client: TestClient, token: Callable[..., str], name: str) -> None:
    answer = client.get(f"/api/v1/{name}?limit=1", headers=bearer(token()))
    assert (answer.status_code, set(answer.json())) == (200, {"items", "next", "total"})
    assert len(answer.json()["items"]) == 1


def test_values_are_written_as_the_contract_says(client: TestClient, token: Callable[..., str]) -> None:
    head = bearer(token())
    link = client.get("/api/v1/links?state=up&limit=1", headers=head).json()["items"][0]
    assert set(link) >= {
        "link",
        "group",
        "state",
        "protection",
        "in_bps",
        "out_bps",
        "contract_bps",
        "utilisation",
        "as_of",
        "completeness",
    }
    assert link["as_of"].endswith("Z")
    unknown = client.get("/api/v1/links?state=unknown&limit=1", headers=head).json()["items"][0]
    assert (unknown["in_bps"], unknown["utilisation"]) == (None, None)
    bill = client.get("/api/v1/bills?month=2026-10&limit=1", headers=head).json()["items"][0]
    assert isinstance(bill["amount"], str)
    assert bill["month"] == "2026-10"
    alert = client.get("/api/v1/alerts?limit=1", headers=head).json()["items"][0]
    names = "id key rule_id rule_title level attack first_at last_at entities events count root incident state"
    assert set(alert) >= set(names.split())


def test_a_narrowed_token_opens_its_resources_only(client: TestClient, token: Callable[..., str]) -> None:
    head = bearer(token(Capability.LINKS_READ))
    codes = {name: client.get(f"/api/v1/{name}", headers=head).status_code for name in RESOURCES}
    assert codes == {name: 200 if name in {"links", "devices"} else 403 for name in RESOURCES}


def test_a_token_is_refused_from_another_address(
    client: TestClient, engine: sa.Engine, add_user: Any, clock: Any
) -> None:
    add_user("robot", {Role.AUDITOR: None})
    answers = []
    for network in ("10.0.0.0/8", "127.0.0.0/8"):
        with writing(engine) as connection:
            life = timedelta(days=1)
            text, _ = tokens.new_token(connection, "admin", "robot", clock(), lifetime=life, addresses=[network])
        answers.append(client.get("/api/v1/links", headers=bearer(text)).status_code)
    assert answers == [403, 200]


def test_a_token_gives_no_more_than_its_user_has(
    client: TestClient, engine: sa.Engine, token: Callable[..., str], clock: Any
) -> None:
    text = token()
    with writing(engine) as connection:
        users.revoke(connection, "admin", "robot", Role.AUDITOR, clock())
    assert client.get("/api/v1/links", headers=bearer(text)).status_code == 403
    with writing(engine) as connection:
        users.set_locked(connection, "admin", "robot", clock(), locked=True)
    assert client.get("/api/v1/links", headers=bearer(text)).status_code == 401


@pytest.mark.parametrize("spoil", ["", "yw_x_y", "yw_000000000000_" + "A" * 40])
def test_a_bad_token_is_refused_even_beside_a_session(admin: TestClient, spoil: str) -> None:
    answer = admin.get("/api/v1/links", headers=bearer(spoil))
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


def test_a_token_ends(client: TestClient, token: Callable[..., str], clock: Any) -> None:
    head = bearer(token())
    clock.at += timedelta(days=1)
    assert client.get("/api/v1/links", headers=head).status_code == 401


def test_a_token_opens_no_page(client: TestClient, token: Callable[..., str]) -> None:
    assert client.get("/links", headers=bearer(token())).status_code == 303


@pytest.mark.parametrize(
    ("address", "status", "where"),
    [
        ("links?limit=500", 400, "limit"),
        ("links?sort=x", 400, "sort"),
        ("links?x=1", 400, "x"),
        ("links?cursor=zzz", 400, "cursor"),
        ("usage?month=2026-13", 422, "query.month"),
        ("bills?month=x", 422, "query.month"),
    ],
)
def test_problems(admin: TestClient, address: str, status: int, where: str) -> None:
    answer = admin.get(f"/api/v1/{address}")
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    body = answer.json()
    assert set(body) == {"type", "title", "status", "detail", "instance", "errors"}
    assert (body["status"], body["errors"][0]["where"]) == (status, where)


def test_unknown_address_and_method(admin: TestClient) -> None:
    for answer, status in ((admin.get("/api/v1/nothing"), 404), (admin.post("/api/v1/links"), 405)):
        assert (answer.status_code, answer.json()["status"]) == (status, status)
        assert answer.headers["content-type"] == "application/problem+json"


def test_problem_speaks_the_callers_language(admin: TestClient) -> None:
    told = [
        admin.get("/api/v1/links?sort=x", headers={"accept-language": one}).json()["detail"] for one in ("zh-CN", "en")
    ]
    assert told == ["不能按“x”排序", "cannot sort by 'x'"]


def test_an_error_that_the_console_does_not_know_is_told_by_the_platform(deps: Any, admin: TestClient) -> None:
    def damaged() -> Any:
        raise UserError("the records of {day} are gone", "restore a backup of {day}", where="records", day="Monday")

    def foreign(language: str, message: str) -> str:
        return f"{language}: {message}"

    app = create_app(replace(deps, views=replace(deps.views, links=damaged), messages=foreign))
    with TestClient(app, base_url="http://127.0.0.1", cookies=admin.cookies) as client:
        asked = client.get("/api/v1/links", headers={"accept-language": "zh-CN"})
        page = client.get("/links", headers={"accept-language": "zh-CN"})

    told = {"where": "records", "what": "zh: the records of Monday are gone", "next": "zh: restore a backup of Monday"}
    assert (asked.status_code, asked.json()["errors"]) == (400, [told])
    assert "zh: restore a backup of Monday" in page.text


def test_openapi_describes_every_resource(admin: TestClient) -> None:
    described = admin.get("/api/v1/openapi.json").json()
    assert described["openapi"].startswith("3.1")
    assert set(described["paths"]) == {f"/{name}" for name in RESOURCES} | {"/approvals", "/approvals/{name}/decision"}
    assert described["servers"] == [{"url": "/api/v1"}]
    assert described["components"]["securitySchemes"] == {"bearer": {"type": "http", "scheme": "bearer"}}
    for operation in (path["get"] for path in described["paths"].values() if "get" in path):
        assert {"limit", "cursor", "sort", "q"} <= {one["name"] for one in operation["parameters"]}
        assert set(operation["responses"]) >= {"200", "400", "401", "403"}
        schema = operation["responses"]["400"]["content"]["application/problem+json"]["schema"]["$ref"]
        assert schema.rsplit("/", 1)[1] in described["components"]["schemas"]


def test_a_defect_is_a_problem_without_details(deps: Any, add_user: Callable[..., None]) -> None:
    def broken() -> Any:
        raise RuntimeError("secret inside")

    views = replace(deps.views, links=broken)
    app = create_app(replace(deps, views=views))
    add_user("wang", {Role.AUDITOR: None})
    with TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False, follow_redirects=False) as client:
        token = re.search(r'name="csrf" value="([^"]+)"', client.get("/login").text)
        assert token is not None
        client.post("/login", data={"name": "wang", "password": "Frost-River-2026", "csrf": token[1]})
        for path in ("/api/v1/links", "/links"):
            answer = client.get(path)
            assert (answer.status_code, "secret" in answer.text) == (500, False)
            assert "content-security-policy" in answer.headers
