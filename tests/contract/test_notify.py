"""CONTRACT §1 ``[notify.NAME]``, §8 ``yw notify``: channels, tests, the delivery log; an alert arrives once."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.notify.story import Request, Web, web
from tests.running import Platform, free_port, wait_until

ROW = {"id", "at", "channel", "alert", "state", "tries"}
TOKEN = "verysecret"


def answer(request: Request) -> tuple[int, bytes, dict[str, str]]:
    return (403 if "closed" in request.path else 204), b"", {}


@pytest.fixture(scope="module")
def peer() -> Iterator[Web]:
    with web(answer) as found:
        yield found


def channels(peer: Web) -> str:
    return f"""
[notify.hook]
kind = "webhook"
url = "{peer.url}/hook?token={TOKEN}"
secret = "secret:env:HOME"
private = true

[notify.closed]
kind = "webhook"
url = "{peer.url}/closed"
private = true

[notify.gone]
kind = "webhook"
url = "http://127.0.0.1:{free_port()}/"
private = true

[notify.inside]
kind = "webhook"
url = "{peer.url}/inside"

[notify_routes.all]
channels = ["hook"]

[notify_policy]
wait_seconds = 0.5
"""


@pytest.fixture(scope="module")
def told(site: Platform, peer: Web) -> Platform:
    site.configure(channels(peer))
    return site


def test_channels_are_listed_without_their_tokens(told: Platform) -> None:
    rows = told.json("notify", "channels")
    shown = told.run("notify", "channels", "-o", "table").stdout + told.run("config", "show", "--origin").stdout

    assert [row["channel"] for row in rows] == ["hook", "closed", "gone", "inside"]
    assert set(rows[0]) == {"channel", "kind", "url", "per_minute", "dedupes", "verified"}
    assert TOKEN not in shown


@pytest.mark.parametrize(
    ("channel", "code", "said"),
    [
        pytest.param("closed", 3, "HTTP 403", id="refused by the peer"),
        pytest.param("gone", 4, "Connection refused", id="unreachable"),
        pytest.param("inside", 3, "private = true", id="a private address without leave"),
        pytest.param("other", 3, "known here: hook", id="unknown"),
    ],
)
def test_a_test_that_fails_tells_why(told: Platform, channel: str, code: int, said: str) -> None:
    done = told.run("notify", "test", channel, "-o", "json")
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr


def test_a_test_notice_arrives_and_stands_in_the_log(told: Platform, peer: Web) -> None:
    before = len(peer.got)
    foreseen = told.json("notify", "test", "hook", "--dry-run")
    assert (foreseen["outcome"], len(peer.got)) == (None, before)

    found = told.json("notify", "test", "hook")
    newest = told.json("notify", "ls", "--channel", "hook")[0]

    assert (found["channel"], found["outcome"], len(peer.got)) == ("hook", "delivered", before + 1)
    assert set(newest) >= ROW
    assert {name: newest[name] for name in ROW - {"id", "at"}} == {
        "channel": "hook", "alert": None, "state": "delivered", "tries": 1
    }  # fmt: skip
    assert json.loads(peer.got[-1].body)["notices"][0]["kind"] == "test"


def test_wrong_use(told: Platform) -> None:
    assert told.run("notify", "ls", "--state", "lost").returncode == 2
    assert told.run("notify", "ack", "nothing").returncode == 3


def test_a_wrong_configuration_is_told_whole(told: Platform, peer: Web, tmp_path: Path) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text(channels(peer).replace('channels = ["hook"]', 'channels = ["no"]') + '[notify.x]\nkind = "fax"\n')
    done = told.run("config", "check", "--config", str(file))
    assert done.returncode == 3
    assert "fax" in done.stderr
    file.write_text(channels(peer).replace('channels = ["hook"]', 'channels = ["no"]'))
    assert "there is no channel 'no'" in told.run("config", "check", "--config", str(file)).stderr


@pytest.fixture
def running(tmp_path: Path, copy_site: Callable[[Path], None]) -> Iterator[Platform]:
    copy_site(tmp_path)
    one = Platform(tmp_path / "data")
    yield one
    one.stop()


@pytest.mark.system
def test_a_rule_fires_and_the_receiver_gets_exactly_one_notice(running: Platform) -> None:
    with web(answer) as own:
        running.configure(channels(own))
        running.up(seconds=120)
        begun = datetime.now(UTC) - timedelta(seconds=100)
        lines = [said(begun + timedelta(seconds=5 * number), "Failed") for number in range(10)]
        lines.append(said(begun + timedelta(seconds=60), "Accepted"))
        with socket.create_connection(("127.0.0.1", running.syslog), timeout=10) as connection:
            connection.sendall("".join(lines).encode())
        wait_until(lambda: own.got, 60, "a notice", 0.2)
        alerts = {row["id"]: row for row in running.json("soc", "alerts")}
        wanted = {name for name, row in alerts.items() if row["level"] in {"high", "critical"}}
        wait_until(lambda: wanted <= {row["alert"] for row in running.json("notify", "ls")}, 30, "all alerts", 0.5)
        time.sleep(3)
        rows = running.json("notify", "ls")
        sent = [json.loads(one.body) for one in own.got]

    assert wanted
    notices = [one["alert"] for message in sent for one in message["notices"]]
    assert (sorted(notices), {len(set(notices)) == len(notices)}) == (sorted(wanted), {True})
    assert {(row["alert"], row["channel"], row["state"], row["tries"]) for row in rows} == {
        (name, "hook", "delivered", 1) for name in wanted
    }
    assert {one["organisation"] for message in sent for one in message["notices"]} == {"fin"}
    acknowledged = running.json("notify", "ack", *sorted(wanted))
    assert acknowledged["stopped"] == 0


def said(at: datetime, what: str) -> str:
    stamp = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"<38>1 {stamp} web1 sshd 77 - - {what} password for root from 203.0.113.9 port 4022 ssh2\n"
