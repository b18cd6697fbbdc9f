"""Lines as senders write them -> ECS fields. Nothing that comes in is lost or stops the rest."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from soc.ecs import flat, nested
from soc.parse import Raw, parse
from soc.sigma.route import Source

RECEIVED = datetime(2026, 3, 2, 2, 0, 30, tzinfo=UTC)
COMMON = {"event.kind": "event"}
AUTH = {
    "event.category": "authentication",
    "event.type": "start",
    "event.dataset": "system.auth",
    "event.provider": "sshd",
    "process.name": "sshd",
}
PRI = {
    "log.syslog.priority": 38,
    "log.syslog.facility.code": 4,
    "log.syslog.severity.code": 6,
    "log.level": "informational",
}


def fields(line: str | bytes, peer: str = "") -> dict[str, Any]:
    payload = line.encode() if isinstance(line, str) else line
    found = parse(Raw(payload=payload, received_at=RECEIVED, peer=peer))
    return {**found.fields, "@timestamp": found.at}


def test_failed_login_in_full() -> None:
    line = "<38>Mar  2 10:00:00 fin-db1 sshd[123]: Failed password for invalid user admin from 10.0.0.9 port 4242 ssh2"
    assert fields(line) == COMMON | AUTH | PRI | {
        "event.original": line,
        "@timestamp": datetime(2026, 3, 2, 2, 0, 0, tzinfo=UTC),
        "host.name": "fin-db1",
        "process.pid": 123,
        "message": "Failed password for invalid user admin from 10.0.0.9 port 4242 ssh2",
        "event.action": "ssh_login",
        "event.outcome": "failure",
        "event.reason": "invalid user",
        "user.name": "admin",
        "source.ip": "10.0.0.9",
        "source.port": 4242,
        "yw.auth_method": "password",
    }


LINES = [
    ("5424", '<38>1 2026-03-02T01:59:59.123456+08:00 h sshd 12 ID7 [a@1 b="c\\]\\"d" e=""][x@2] \ufeffAccepted publickey for root from ::1 port 2 ssh2',
     {"@timestamp": datetime(2026, 3, 1, 17, 59, 59, 123456, tzinfo=UTC), "log.syslog.structured_data.a@1.b": 'c]"d', "log.syslog.structured_data.a@1.e": "",
      "log.syslog.msgid": "ID7", "event.outcome": "success", "source.ip": "::1", "yw.auth_method": "publickey", "user.name": "root"}),
    ("5424 all nil", "<13>1 - - - - - - hello", {"@timestamp": RECEIVED, "message": "hello", "event.dataset": "system.syslog"}),
    ("5424 without message", "<13>1 2026-03-02T02:00:00Z h app - - -", {"message": "", "host.name": "h", "process.name": "app"}),
    ("no PRI", "Mar  2 10:00:01 web su[9]: FAILED SU (to root) bob on pts/0", {"host.name": "web", "event.action": "su"}),
    ("ISO time", "2026-03-02T10:00:00.5+08:00 web CRON[7]: (root) CMD (x)", {"host.name": "web", "process.name": "CRON", "@timestamp": datetime(2026, 3, 2, 2, 0, 0, 500000, tzinfo=UTC)}),
    ("user with a trap", "<38>Mar  2 10:00:00 h sshd[1]: Failed password for invalid user a from 1.1.1.1 port 1 from 9.9.9.9 port 22 ssh2",
     {"source.ip": "9.9.9.9", "user.name": "a from 1.1.1.1 port 1"}),
    ("repeated", "<38>Mar  2 10:00:00 h sshd[1]: message repeated 5 times: [ Failed password for root from 9.9.9.9 port 22 ssh2]",
     {"event.sequence": 5, "event.action": "ssh_login", "user.name": "root"}),
    ("sudo", "<85>Mar  2 10:00:00 h sudo:    alice : TTY=pts/0 ; PWD=/home/alice ; USER=root ; COMMAND=/bin/cat /etc/shadow",
     {"user.name": "alice", "user.effective.name": "root", "process.command_line": "/bin/cat /etc/shadow", "event.outcome": "success"}),
    ("sudo refused", "<85>Mar  2 10:00:00 h sudo: bob : 3 incorrect password attempts ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh",
     {"event.outcome": "failure", "event.reason": "3 incorrect password attempts"}),
    ("PAM", "<85>Mar  2 10:00:00 h login: pam_unix(login:auth): authentication failure; logname= uid=0 euid=0 tty=tty1 ruser= rhost=  user=eve",
     {"event.action": "pam_auth", "event.outcome": "failure", "user.name": "eve", "yw.pam_service": "login"}),
    ("PAM session", "<85>Mar  2 10:00:00 h sshd[3]: pam_unix(sshd:session): session opened for user root(uid=0) by (uid=0)",
     {"event.category": "session", "event.type": "start", "user.name": "root", "event.outcome": "success"}),
    ("Huawei", "<189>Mar  2 2026 10:00:00 pe1 %%01IFNET/4/IF_STATE(l)[7]:Interface GigabitEthernet0/0/1 has turned into DOWN state.",
     {"event.dataset": "huawei.vrp", "event.code": "IFNET/IF_STATE", "yw.oper_status": "down", "observer.ingress.interface.name": "GigabitEthernet0/0/1",
      "observer.name": "pe1", "event.sequence": 7, "log.level": "warning"}),
    ("H3C", "<187>Mar  2 10:00:00:123 2026 pe2 %%10IFNET/3/PHY_UPDOWN: Physical state on the interface GigabitEthernet1/0/1 changed to down.",
     {"event.dataset": "h3c.comware", "event.code": "IFNET/PHY_UPDOWN", "yw.oper_status": "down", "@timestamp": datetime(2026, 3, 2, 2, 0, 0, 123000, tzinfo=UTC)}),
    ("nginx", '10.1.1.1 - bob [02/Mar/2026:10:00:00 +0800] "GET /a?x=1 HTTP/1.1" 404 153 "-" "curl/8 \\"q\\""',
     {"event.dataset": "nginx.access", "source.ip": "10.1.1.1", "user.name": "bob", "url.path": "/a", "url.query": "x=1", "http.response.status_code": 404, "event.outcome": "failure"}),
    ("nginx by syslog", '<190>Mar  2 10:00:00 web nginx: 10.1.1.1 - - [02/Mar/2026:10:00:00 +0800] "GET / HTTP/1.1" 200 1 "-" "-"',
     {"event.dataset": "nginx.access", "host.name": "web"}),
    ("TLS to a plain port", '1.2.3.4 - - [02/Mar/2026:10:00:00 +0800] "\\x16\\x03\\x01" 400 157 "-" "-"', {"url.original": "\\x16\\x03\\x01"}),
    ("no tag", "<13>Mar  2 10:00:00 h just some words", {"message": "just some words", "host.name": "h"}),
    ("PRI only", "<13>just some words", {"message": "just some words", "@timestamp": RECEIVED}),
]  # fmt: skip


@pytest.mark.parametrize(("line", "expected"), [pytest.param(*one[1:], id=one[0]) for one in LINES])
def test_line(line: str, expected: dict[str, Any]) -> None:
    found = fields(line)
    assert {name: found.get(name) for name in expected} == expected
    assert found["event.kind"] == "event"
    assert found["event.original"] == line


def test_gb18030_is_read() -> None:
    line = "<13>Mar  2 10:00:00 防火墙 app: 用户登录失败"
    assert fields(line.encode("gb18030"))["message"] == "用户登录失败"


def test_the_sender_names_a_host_that_does_not_name_itself() -> None:
    assert fields("<13>words", peer="127.0.2.1")["host.name"] == "127.0.2.1"


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        pytest.param(b"garbage", "neither PRI nor time", id="no syslog"),
        pytest.param(b"<192>x", "PRI 192", id="PRI too high"),
        pytest.param(b"<13>1 yesterday h a - - - x", "not a timestamp", id="bad time"),
        pytest.param(b"<13>1 2026-03-02T02:00:00Z h", "header", id="cut header"),
        pytest.param(b"<13>1 2026-03-02T02:00:00Z h a - - [x y] z", "structured data", id="broken SD"),
        pytest.param(b"<13>Feb 30 10:00:00 h a: x", "not a date", id="no such day"),
        pytest.param(b"\xff\xff\xff\x80", "neither UTF-8 nor GB18030", id="binary"),
        pytest.param(b"{broken", "not JSON", id="broken JSON"),
        pytest.param(b'{"a": NaN}', "not JSON", id="NaN"),
        pytest.param(b"{" * 100_000, "not JSON", id="deep JSON"),
        pytest.param(b"", "neither PRI nor time", id="empty"),
    ],
)
def test_what_cannot_be_read_is_kept_with_the_reason(payload: bytes, reason: str) -> None:
    found = fields(payload)
    assert found["event.kind"] == "pipeline_error"
    assert reason in found["error.message"]
    assert found["event.original"] == payload.decode("utf-8", "backslashreplace")


@given(
    st.one_of(st.binary(max_size=300), st.text(max_size=300).map(lambda text: text.encode("utf-8", "surrogatepass")))
)
@example(b"<13>" + b"A" * 100_000 + b"[")
@example(b'{"EventID": {"a": [1]}, "Channel": [{"b": null}]}')
@example(b'{"Event": {"System": 5, "EventData": [1]}}')
@example(b'{"winlog": "x", "event": []}')
@example(b'{"@timestamp": 1e300, "host": [1], "event": {"dataset": {"a": 1}}}')
def test_nothing_stops_the_parsers(payload: bytes) -> None:
    for form in ("auto", "syslog", "json", "ecs"):
        event = parse(Raw(payload=payload, received_at=RECEIVED, format=form))
        assert event.fields["event.kind"]
        orjson.dumps(nested(event.fields), default=str)


def test_windows_forms_agree() -> None:
    """The same record as EVTX, winlogbeat and flat export gives rules the same names."""
    evtx = {"Event": {"System": {"Provider": {"#attributes": {"Name": "P"}}, "EventID": {"#text": 4625}, "Channel": "Security", "Computer": "dc1",
                                 "TimeCreated": {"#attributes": {"SystemTime": "2026-03-02T02:00:00.1234567Z"}}},
                      "EventData": {"TargetUserName": "bob", "IpAddress": "10.0.0.9"}}}  # fmt: skip
    beat = {"@timestamp": "2026-03-02T02:00:00.123456Z", "winlog": {"channel": "Security", "event_id": "4625", "computer_name": "dc1",
            "provider_name": "P", "event_data": {"TargetUserName": "bob", "IpAddress": "10.0.0.9"}}}  # fmt: skip
    flat_record = {"UtcTime": "2026-03-02 02:00:00.123456", "Channel": "Security", "EventID": 4625, "Computer": "dc1", "Provider_Name": "P",
                   "TargetUserName": "bob", "IpAddress": "10.0.0.9"}  # fmt: skip
    seen = []
    for record in (evtx, beat, flat_record):
        event = parse(Raw(payload=orjson.dumps(record), received_at=RECEIVED))
        names = {
            name: str(event.view()[name])
            for name in ("Channel", "EventID", "Computer", "Provider_Name", "TargetUserName", "IpAddress")
        }
        ecs = {
            name: event.fields[name]
            for name in ("host.name", "user.name", "source.ip", "event.code", "event.action", "event.outcome")
        }
        seen.append((event.at, event.source, names, ecs))
    assert seen[0] == seen[1] == seen[2]
    assert seen[0][1] == Source("windows", channel="security", event_id="4625")
    assert seen[0][3]["event.outcome"] == "failure"


def test_a_domain_event_passes_through() -> None:
    document = {
        "@timestamp": "2026-03-02T02:00:00Z",
        "event.id": "x",
        "event.dataset": "yunwang.link",
        "event.action": "link_down",
        "yw.link": "l1",
    }
    event = parse(Raw(payload=orjson.dumps(document), received_at=RECEIVED, format="ecs"))
    assert event.source == Source("yunwang", services=frozenset({"link"}))
    assert {name: event.fields[name] for name in document} == document


def test_a_domain_event_without_id_is_an_error() -> None:
    event = parse(Raw(payload=b'{"event.dataset": "yunwang.link"}', received_at=RECEIVED, format="ecs"))
    assert event.failed


NAMES = st.text(alphabet="abc", min_size=1, max_size=3)
TREES = st.recursive(
    st.dictionaries(NAMES, st.integers(), min_size=1, max_size=3),
    lambda inner: st.dictionaries(NAMES, inner, min_size=1, max_size=3),
    max_leaves=6,
)


@given(TREES)
def test_flat_and_nested_are_inverse(tree: dict[str, Any]) -> None:
    assert nested(flat(tree)) == tree


def test_a_name_that_is_value_and_folder_keeps_both() -> None:
    assert nested({"a": 1, "a.b": 2}) == {"a": 1, "a.b": 2}
