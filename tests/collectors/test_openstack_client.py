"""The collector through openstacksdk against the simulated cloud, over real HTTP; and how to log in."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from collectors.openstack import client, collect, connect, parse_credentials
from lab.simulator.cloud import CloudServer, SimulatedCloud
from records.errors import UnreachableError, UserError
from records.secret import Secret
from tests.collectors.clouds import CLOUD, PASSWORD, bureaus, credentials, instant, inventory

NOW = instant("11-22T08:30")
KNOWN = inventory(*bureaus(40))


@pytest.fixture
def server():
    cloud = CloudServer(SimulatedCloud(KNOWN, CLOUD, clock=lambda: NOW), password=PASSWORD)
    cloud.start()
    yield cloud
    cloud.stop()


def opened(server: CloudServer, **more):
    cloud = replace(KNOWN.cloud[CLOUD], url=server.url)
    return connect(cloud, credentials(**more), timeout_seconds=1)


def collected(api):
    return collect(api, CLOUD, KNOWN, NOW - timedelta(days=2), NOW, now=NOW)


def test_rows_come_over_the_wire_as_they_are(server):
    over_the_wire = collected(opened(server))
    assert over_the_wire == collected(SimulatedCloud(KNOWN, CLOUD, clock=lambda: NOW))
    assert over_the_wire.rows.num_rows > 10_000
    assert over_the_wire.rejected == over_the_wire.gaps == ()
    assert over_the_wire.complete_until == instant("11-22T08:00")


def test_pages_make_a_whole(server, monkeypatch):
    whole = collected(opened(server))
    monkeypatch.setattr(client, "PAGE_SIZE", 7)
    assert collected(opened(server)).rows.equals(whole.rows)


def test_an_expired_token_is_renewed(server):
    api = opened(server)
    first = collected(api)
    server.expire_tokens()
    assert collected(api).rows.equals(first.rows)


FAULTS = [
    pytest.param({"status": 500}, "answered 500|HTTP 500", id="500"),
    pytest.param({"html": True}, "no JSON with a list|does not answer", id="a web page"),
    pytest.param({"cut": True}, "no JSON with a list|does not answer", id="JSON cut in the middle"),
    pytest.param({"delay_seconds": 1.3}, "timed out", id="slow"),
    pytest.param({"status": 503, "where": "os-simple-tenant-usage"}, "answered 503: Internal", id="usage fails"),
    pytest.param({"status": 500, "where": "marker="}, "answered 500", id="the second page fails"),
    pytest.param({"status": 500, "where": "projects"}, "answered 500|HTTP 500", id="keystone fails later"),
]


@pytest.mark.parametrize(("faults", "message"), FAULTS)
def test_a_cloud_that_fails_gives_nothing_and_recovers(server, monkeypatch, faults, message):
    monkeypatch.setattr(client, "PAGE_SIZE", 20)
    api = opened(server)
    whole = collected(api)
    sound = replace(server.faults)
    server.faults = replace(server.faults, **faults)
    with pytest.raises(UnreachableError, match=message):
        collected(api)
    if "where" not in faults:
        with pytest.raises(UnreachableError, match=message):
            collected(opened(server))
    server.faults = sound
    assert collected(api).rows.equals(whole.rows)


def test_a_cloud_that_is_gone(server):
    api = opened(server)
    collected(api)
    server.stop()
    for one in (api, opened(server)):
        with pytest.raises(UnreachableError, match="does not answer"):
            collected(one)


@pytest.mark.parametrize(
    ("more", "kind", "message"),
    [
        pytest.param({"password": "wrong"}, UserError, "refuses the login", id="password"),
        pytest.param({"username": "nobody"}, UserError, "refuses the login", id="user"),
        pytest.param({"region_name": "Nowhere"}, UnreachableError, "endpoint", id="region"),
    ],
)
def test_wrong_credentials(server, more, kind, message):
    with pytest.raises(UserError, match=message) as caught:
        collected(opened(server, **more))
    assert (type(caught.value), PASSWORD in str(caught.value.__cause__)) == (kind, False)


def test_an_old_nova_is_told(server):
    server.faults.newest = (2, 60)
    with pytest.raises(UserError, match=r"older than microversion 2\.61"):
        collected(opened(server))


def test_an_account_without_the_right(server):
    server.faults = replace(server.faults, status=403, where="servers/detail")
    with pytest.raises(UserError, match=r"may not read /compute/v2\.1/servers/detail"):
        collected(opened(server))


def test_settings_of_this_machine_do_not_count(server, monkeypatch):
    monkeypatch.setenv("OS_REGION_NAME", "Nowhere")
    monkeypatch.setenv("OS_CLOUD", "another")
    assert collected(opened(server)).rows.num_rows


def problems(text: str) -> list[str]:
    with pytest.raises(UserError) as caught:
        parse_credentials(Secret(text), "clouds[c].credentials")
    assert {one.where for one in caught.value.problems} == {"clouds[c].credentials"}
    return [one.text() for one in caught.value.problems]


@pytest.mark.parametrize("text", ["", "secret words", "[]", '{"username": "a"', '"text"'])
def test_credentials_that_are_no_object(text):
    assert problems(text) == ["the credentials are not a JSON object"]


def test_all_that_is_wrong_with_credentials_at_once():
    text = json.dumps({"username": 7, "password": "", "project": "x", "user_domain_name": "d", "interface": "side"})
    assert problems(text) == [
        "the credentials have no 'password'",
        "the credentials have no 'project_name'",
        "the credentials have no 'project_domain_name'",
        "the credentials have an unknown field 'project'",
        "field 'username' of the credentials is no text",
        "field 'interface' of the credentials is none of public, internal, admin",
    ]


def test_a_secret_is_never_shown():
    whole = credentials(interface="internal", region_name="R")
    assert PASSWORD not in repr(whole)
    assert (whole.interface, whole.region_name, whole.password.reveal()) == ("internal", "R", PASSWORD)
    assert "hunter2" not in problems('{"password": "hunter2"')[0]
