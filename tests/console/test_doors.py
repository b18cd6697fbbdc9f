"""Who gets in, and what a stranger or another site can do."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from fastapi.testclient import TestClient

from access.roles import Role
from access.tables import audit_log, user_session
from console import csrf, health, live, pages
from console.api import routes as api
from console.app import create_app
from console.deps import ConsoleDeps

PASSWORD = "Frost-River-2026"
Login = Callable[..., Any]


def form_token(page: str) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found is not None
    return found[1]


def test_login_leads_to_the_page_that_was_asked_for(
    client: TestClient, add_user: Callable[..., None], log_in: Login
) -> None:
    add_user("wang", {Role.AUDITOR: None})
    asked = client.get("/links?state=down")
    assert (asked.status_code, asked.headers["location"]) == (303, "/login?next=%2Flinks%3Fstate%3Ddown")
    entered = log_in("wang", after="/links?state=down")
    assert (entered.status_code, entered.headers["location"]) == (303, "/links?state=down")
    assert client.get("/links").status_code == 200


@pytest.mark.parametrize(
    "after", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/\nx"]
)
def test_login_never_leads_to_another_site(
    client: TestClient, add_user: Callable[..., None], log_in: Login, after: str
) -> None:
    add_user("wang", {Role.AUDITOR: None})
    assert client.get("/login", params={"next": after}).status_code == 200
    assert log_in("wang", after=after).headers["location"] == "/"


def test_wrong_password_and_lock(client: TestClient, add_user: Callable[..., None], log_in: Login) -> None:
    add_user("wang", {Role.AUDITOR: None})
    answers = [log_in("wang", "wrong") for _ in range(5)]
    assert [one.status_code for one in answers] == [401] * 5
    assert "用户名或口令不正确" in answers[0].text
    locked = log_in("wang")
    assert (locked.status_code, "2026-11-22 11:15:00 之前不能登录" in locked.text) == (429, True)
    assert client.get("/links").status_code == 303


def test_cookie_cannot_be_read_by_scripts(add_user: Callable[..., None], log_in: Login) -> None:
    add_user("wang", {Role.AUDITOR: None})
    set_cookie = log_in("wang").headers.get_list("set-cookie")[0]
    assert re.fullmatch(r"yunwang=[\w-]{43}; HttpOnly; Path=/; SameSite=lax", set_cookie)


def test_cookie_over_tls_is_bound_to_the_host(deps: ConsoleDeps, add_user: Callable[..., None]) -> None:
    add_user("wang", {Role.AUDITOR: None})
    with TestClient(
        create_app(replace(deps, secure=True)), base_url="https://console.test", follow_redirects=False
    ) as client:
        token = form_token(client.get("/login").text)
        answer = client.post("/login", data={"name": "wang", "password": PASSWORD, "csrf": token})
    assert re.search(r"__Host-yunwang=[\w-]{43}; HttpOnly; Path=/; SameSite=lax; Secure", str(answer.headers))
    assert answer.headers["strict-transport-security"] == "max-age=31536000"


def test_login_rotates_the_session(client: TestClient, add_user: Callable[..., None], log_in: Login) -> None:
    add_user("wang", {Role.AUDITOR: None})
    cookies = []
    for _ in range(2):
        log_in("wang")
        cookies.append(client.cookies["yunwang"])
    assert cookies[0] != cookies[1]


def test_one_time_password_must_be_changed_first(
    client: TestClient, add_user: Callable[..., None], log_in: Login
) -> None:
    add_user("wang", {Role.AUDITOR: None}, must_change=True)
    assert log_in("wang").headers["location"] == "/account/password"
    assert client.get("/links").headers["location"] == "/account/password"
    assert client.get("/api/v1/links").status_code == 403
    form = client.get("/account/password")
    fields = {"old": PASSWORD, "new": "Quiet-Birch-77", "again": "Quiet-Birch-77", "csrf": form_token(form.text)}
    assert client.post("/account/password", data=fields).headers["location"] == "/login"
    assert client.get("/links").headers["location"].startswith("/login")
    assert log_in("wang", "Quiet-Birch-77").headers["location"] == "/"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        pytest.param({"again": "Other-Birch-77"}, "两次输入的新口令不一致", id="not the same"),
        pytest.param({"new": "short", "again": "short"}, "口令太短或太长", id="weak"),
        pytest.param({"old": "wrong"}, "用户名或口令不正确", id="wrong old"),
        pytest.param({"new": PASSWORD, "again": PASSWORD}, "这个口令以前用过", id="the same again"),
    ],
)
def test_password_page_says_what_is_wrong(admin: TestClient, fields: dict[str, str], said: str) -> None:
    form = admin.get("/account/password")
    good = {"old": PASSWORD, "new": "Quiet-Birch-77", "again": "Quiet-Birch-77", "csrf": form_token(form.text)}
    answer = admin.post("/account/password", data={**good, **fields})
    assert (answer.status_code, said in answer.text) == (400, True)


def test_logout_ends_the_session_on_the_server(admin: TestClient, engine: sa.Engine) -> None:
    cookie = admin.cookies["yunwang"]
    answer = admin.post("/logout", data={"csrf": form_token(admin.get("/help").text)})
    assert answer.headers["location"] == "/login"
    admin.cookies.set("yunwang", cookie)
    assert admin.get("/links").status_code == 303
    with engine.connect() as connection:
        assert connection.execute(sa.select(user_session)).all() == []


def test_background_refresh_does_not_keep_a_session_alive(admin: TestClient, clock: Any) -> None:
    for _ in range(4):
        clock.at += timedelta(minutes=4)
        answer = admin.get("/links", headers={"X-Live": "1", "HX-Request": "true"})
    assert answer.status_code == 401
    assert "links" not in answer.text


def test_use_keeps_a_session_alive_until_the_absolute_limit(admin: TestClient, clock: Any) -> None:
    answers = []
    for _ in range(50):
        clock.at += timedelta(minutes=10)
        answers.append(admin.get("/livez") and admin.get("/help").status_code)
    assert answers == [200] * 47 + [303] * 3


@pytest.mark.parametrize("path", ["/logout", "/account/password", "/crypto/verify"])
@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"sec-fetch-site": "cross-site"}, id="fetch metadata"),
        pytest.param({"sec-fetch-site": "same-site"}, id="sister host"),
        pytest.param({"origin": "https://evil.example"}, id="origin"),
        pytest.param({"origin": "null"}, id="opaque origin"),
    ],
)
def test_another_site_changes_nothing(admin: TestClient, path: str, headers: dict[str, str]) -> None:
    token = form_token(admin.get("/help").text)
    assert admin.post(path, data={"csrf": token}, headers=headers).status_code == 403
    assert admin.get("/help").status_code == 200


@pytest.mark.parametrize("token", ["", "x", pytest.param(csrf.masked("guess"), id="another session"), "é"])
@pytest.mark.parametrize("path", ["/logout", "/account/password", "/login", "/crypto/verify"])
def test_a_change_needs_the_token_of_its_session(admin: TestClient, path: str, token: str) -> None:
    assert admin.post(path, data={"csrf": token}).status_code == 403


def test_every_change_route_checks_origin_and_token(admin: TestClient) -> None:
    """A new POST route without the checks shows here."""
    posts = [route.path for route in routes() if route.methods - {"GET", "HEAD"}]
    expected = ["/account/password", "/approvals/{name}/decision", "/crypto/verify", "/login", "/logout"]
    assert sorted(posts) == expected
    assert [admin.post(path).status_code for path in posts] == [403] * len(posts)


def routes() -> list[Any]:
    return [one for router in (health.router, live.router, *pages.ROUTERS, api.router) for one in router.routes]


def test_masked_tokens_differ_and_unmask(admin: TestClient) -> None:
    shown = [form_token(admin.get("/help").text) for _ in range(2)]
    assert shown[0] != shown[1]
    assert csrf.unmasked(shown[0]) == csrf.unmasked(shown[1]) != ""


@pytest.mark.parametrize(
    "path",
    ["/login", "/", "/nope", "/static/console.css", "/livez", "/api/v1/links", "/links?sort=x", "/links?format=csv"],
)
def test_every_answer_has_the_security_headers(admin: TestClient, path: str) -> None:
    headers = admin.get(path).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == policy["form-action"] == "'self'"
    assert policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert "unsafe" not in headers["content-security-policy"]
    assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "same-origin")
    assert headers["cache-control"] == "no-store"


def test_named_static_files_are_kept_for_good(client: TestClient) -> None:
    page = client.get("/login").text
    for address in re.findall(r'(?:src|href)="(/static/[^"]+)"', page):
        answer = client.get(address)
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "public, max-age=31536000, immutable")


def test_no_page_holds_inline_code(admin: TestClient) -> None:
    for path in (
        "/",
        "/screen",
        "/links",
        "/usage/2026-11",
        "/bills/2026-11",
        "/incidents/in-001",
        "/collectors",
        "/users",
        "/crypto",
        "/help",
    ):
        page = admin.get(path).text
        assert re.findall(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)", page) == []
        assert re.findall(r"\s(?:style|on[a-z]+)=", page) == []


def test_log_text_is_shown_not_run(admin: TestClient) -> None:
    page = admin.get("/incidents/in-001").text
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page


def test_export_is_audited(admin: TestClient, engine: sa.Engine) -> None:
    admin.get("/links?state=down&format=csv")
    with engine.connect() as connection:
        newest = connection.execute(sa.select(audit_log).order_by(audit_log.c.number.desc())).first()
    assert newest is not None
    assert (newest.actor, newest.action, newest.object, newest.detail) == (
        "admin",
        "table.export",
        "/links",
        '{"query":"state=down"}',
    )


def test_health(client: TestClient, deps: ConsoleDeps) -> None:
    assert client.get("/livez").json() == {"live": True}
    assert client.get("/readyz").json() == {"ready": True, "checks": {"state": True, "records": True}}
    with TestClient(create_app(replace(deps, ready=lambda: {"state": True, "records": False}))) as other:
        answer = other.get("/readyz")
    assert (answer.status_code, answer.json()["ready"]) == (503, False)


def test_a_big_form_is_refused(client: TestClient) -> None:
    assert client.post("/login", data={"name": "x" * 100_000}).status_code == 413


@pytest.mark.parametrize(
    ("cookie", "accept", "said"),
    [
        pytest.param("", "en-GB,en;q=0.9", "Log in", id="English browser"),
        pytest.param("", "zh-CN", "登录", id="Chinese browser"),
        pytest.param("", "", "登录", id="nothing known"),
        pytest.param("", "fr, en", "Log in", id="first that we have"),
        pytest.param("zh", "en", "登录", id="chose Chinese"),
        pytest.param("en", "zh", "Log in", id="chose English"),
    ],
)
def test_language(client: TestClient, cookie: str, accept: str, said: str) -> None:
    if cookie:
        client.cookies.set("lang", cookie)
    assert f"<title>{said}" in client.get("/login", headers={"accept-language": accept}).text


def test_preferences_come_back_where_they_were(client: TestClient) -> None:
    answer = client.get("/preferences?lang=en&theme=dark&next=/login")
    assert answer.headers["location"] == "/login"
    page = client.get("/login").text
    assert ('lang="en"' in page, 'data-theme="dark"' in page) == (True, True)


def test_every_page_says_that_its_data_are_the_demo(admin: TestClient) -> None:
    pages = (
        "/",
        "/screen",
        "/links",
        "/usage/2026-11",
        "/bills/2026-11",
        "/alerts",
        "/incidents",
        "/collectors",
        "/users",
        "/audit-log",
        "/crypto",
        "/help",
    )
    assert [path for path in pages if 'class="demo"' not in admin.get(path).text] == []


def test_every_page_with_figures_says_as_of_when(admin: TestClient) -> None:
    pages = (
        "/",
        "/screen",
        "/links",
        "/links/230100-1",
        "/usage/2026-11",
        "/bills/2026-11",
        "/alerts",
        "/incidents",
        "/collectors",
        "/users",
        "/audit-log",
        "/crypto",
    )
    assert [path for path in pages if "数据截至" not in admin.get(path).text] == []


def test_metrics_count_by_route_not_by_address(app: FastAPI, admin: TestClient) -> None:
    admin.get("/links/230100-1")
    text = TestClient(app.state.metrics.app()).get("/metrics").text
    assert 'yunwang_http_seconds_count{method="GET",route="/links/{name}",status="200"} 1.0' in text
    assert "230100-1" not in text
    assert "yunwang_received_total 1.204551e+06" in text
    assert 'yunwang_process_running{name="work"} 1.0' in text
    assert 'yunwang_logins_total{outcome="success"} 1.0' in text
