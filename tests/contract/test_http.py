"""CONTRACT §9, §10: health, the reading API under a bearer token, its description; people and tokens by CLI."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from http.client import HTTPResponse
from typing import Any

import pytest

from tests.running import Platform

RESOURCES = ("links", "devices", "tenants", "usage", "bills", "alerts", "incidents", "rules", "keys", "audit-log")


def fetch(url: str, head: Mapping[str, str] | None = None) -> HTTPResponse:
    """A GET of one of our own addresses; HTTPError from 400 on."""
    request = urllib.request.Request(url, headers=dict(head or {}))  # noqa: S310 - our own http address
    return urllib.request.urlopen(request, timeout=30)  # type: ignore[no-any-return]  # noqa: S310 - the same


class Api:
    """Reads a platform's API as one user."""

    def __init__(self, url: str, token: str) -> None:
        self.url, self.token = url, token

    def get(self, path: str, token: str | None = "") -> tuple[int, str, Any]:
        """Status, content type and JSON of a GET below ``/api/v1/``."""
        chosen = self.token if token == "" else token
        head = {} if chosen is None else {"authorization": f"Bearer {chosen}"}
        try:
            with fetch(f"{self.url}api/v1/{path}", head) as answer:
                return answer.status, answer.headers["content-type"], json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, error.headers["content-type"], json.load(error)

    def page(self, path: str) -> dict[str, Any]:
        status, kind, body = self.get(path)
        assert (status, kind) == (200, "application/json"), body
        assert set(body) >= {"items", "next"}
        return dict(body)


@pytest.fixture(scope="module")
def api(site: Platform) -> Iterator[Api]:
    url = site.up(seconds=120)
    added = site.json("user", "add", "robot", "--role", "auditor", "--one-time")
    assert (added["name"], added["must_change"], set(added["roles"])) == ("robot", True, {"auditor"})
    made = site.json("token", "new", "--user", "robot", "--note", "contract")
    yield Api(url, made["token"])
    site.stop()


def test_tokens_look_as_the_contract_says(site: Platform, api: Api) -> None:
    rows = site.json("token", "ls")
    (row,) = (one for one in rows if one["note"] == "contract")

    assert re.fullmatch(r"yw_[0-9A-Za-z]+_[0-9A-Za-z_-]+", api.token)
    assert (row["id"], row["user"], row["scopes"]) == (api.token.split("_")[1], "robot", None)
    assert api.token not in json.dumps(rows)


@pytest.mark.parametrize("name", RESOURCES)
def test_every_resource_is_a_cursor_page(api: Api, name: str) -> None:
    page = api.page(f"{name}?limit=2")

    assert len(page["items"]) <= 2
    assert page["next"] is None or isinstance(page["next"], str)


@pytest.mark.parametrize("name", ["rules", "audit-log", "tenants"])
def test_following_next_gives_each_item_once(api: Api, name: str) -> None:
    whole = api.page(f"{name}?limit=200")
    assert whole["next"] is None
    items: list[Any] = []
    cursor = ""
    while cursor is not None:
        page = api.page(f"{name}?limit=2" + (f"&cursor={cursor}" if cursor else ""))
        items += page["items"]
        cursor = page["next"]

    assert len(items) > 2
    assert [json.dumps(one) for one in items] == [json.dumps(one) for one in whole["items"]]


def test_items_are_those_of_the_command_line(site: Platform, api: Api) -> None:
    devices = api.page("devices")["items"]
    log = api.page("audit-log")["items"]

    assert [one.get("device", one.get("id")) for one in devices] == ["pe1"]
    assert {one["action"] for one in log} >= {"inventory.import"}
    assert site.json("link", "ls") == api.page("links")["items"] == []


def problem(answer: tuple[int, str, Any], status: int) -> dict[str, Any]:
    """The body of a problem (RFC 9457), whose status is the expected one."""
    code, kind, body = answer
    assert (code, kind.partition(";")[0]) == (status, "application/problem+json"), body
    assert body["status"] == status
    assert set(body) >= {"type", "title", "status", "detail"}
    return dict(body)


@pytest.mark.parametrize("token", [None, "yw_none_none", "x"])
def test_without_a_good_token_nothing_is_told(api: Api, token: str | None) -> None:
    for name in RESOURCES:
        problem(api.get(name, token), 401)


@pytest.mark.parametrize("query", ["limit=201", "limit=0", "cursor=zzz", "unheard=1"])
def test_a_wrong_query_is_a_problem(api: Api, query: str) -> None:
    answer = api.get(f"links?{query}")

    assert answer[0] in {400, 422}
    problem(answer, answer[0])


def test_an_unknown_resource_is_a_problem(api: Api) -> None:
    problem(api.get("nothing"), 404)


def test_the_api_describes_itself(api: Api) -> None:
    status, _, body = api.get("openapi.json")

    assert (status, body["openapi"].rpartition(".")[0]) == (200, "3.1")
    assert {path.rpartition("/")[2] for path in body["paths"]} >= set(RESOURCES)
    assert any(one.get("scheme") == "bearer" for one in body["components"]["securitySchemes"].values())


def test_health_and_metrics_need_no_token(site: Platform, api: Api) -> None:
    address = (site.data / "run" / "metrics.address").read_text().strip()
    for url in (f"{api.url}livez", f"{api.url}readyz", f"http://{address}/metrics"):
        with fetch(url) as answer:
            assert answer.status == 200
    assert address.startswith("127.0.0.1:")
    with pytest.raises(urllib.error.HTTPError, match="404"):
        fetch(f"{api.url}metrics")


def test_pages_ask_for_a_login(api: Api) -> None:
    with fetch(api.url) as answer:
        assert answer.url.startswith(f"{api.url}login")


def test_a_call_with_a_token_acts_as_its_user_and_a_revoked_one_as_nobody(site: Platform, api: Api) -> None:
    made = site.json("token", "new", "--user", "robot", "--scope", "links.read")
    text = made["token"]
    afar = site.json("token", "new", "--user", "robot", "--address", "10.0.0.0/8")

    problem(api.get("links", afar["token"]), 403)
    assert afar["addresses"] == ["10.0.0.0/8"]
    assert site.run("token", "new", more={"YW_TOKEN": afar["token"]}).returncode == 5
    assert api.get("links", text)[0] == 200
    problem(api.get("bills", text), 403)
    denied = site.run("user", "grant", "robot", "billing", more={"YW_TOKEN": text})
    assert (denied.returncode, denied.stdout) == (5, "")
    assert site.json("token", "revoke", made["id"]) == {"id": made["id"], "revoked": True}
    problem(api.get("links", text), 401)
    assert site.run("user", "grant", "robot", "billing", "--dry-run", more={"YW_TOKEN": text}).returncode == 5


def test_the_three_administrators_exclude_each_other(site: Platform, api: Api) -> None:
    assert api.url
    admin = site.json("token", "new", "--user", "admin")["token"]

    def by_two(*arguments: str) -> Any:
        asked = site.json(*arguments, code=5)
        assert site.run("approve", asked["approval"], more={"YW_TOKEN": admin}).returncode == 0
        return site.json(*arguments)

    by_two("user", "add", "sys", "--role", "sysadmin", "--one-time")
    refused = site.run("user", "grant", "sys", "auditadmin")
    unknown = site.run("user", "add", "b", "--role", "bureau", "--org", "nobody", "--one-time")
    granted = by_two("user", "grant", "robot", "bureau", "--org", "fin")

    assert (refused.returncode, unknown.returncode) == (5, 3)
    assert granted["roles"] == {"auditor": None, "bureau": ["fin"]}
    assert {one["name"]: set(one["roles"]) for one in site.json("user", "ls")}["sys"] == {"sysadmin"}
