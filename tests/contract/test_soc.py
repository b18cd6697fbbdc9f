"""CONTRACT §5, §6, §8: logs in, events, alerts and incidents out; rules over files without a data folder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.contract.conftest import MakePlatform
from tests.running import ROOT, Platform

AT = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
PACK = ROOT / "alert_rules" / "security" / "ssh_bruteforce"
FAILED, SUCCEEDED = "ad4099ff-538c-5949-b081-38b7648e98ac", "acfa373d-bc3b-5011-9093-9321a3606b94"
BRUTE, BROKEN_IN = "9fea985c-eabc-55af-a871-0edcd470d053", "369c880d-c61b-521d-acc9-9be083902624"
ALERT = {
    "id", "key", "rule_id", "rule_title", "level", "attack", "first_at", "last_at", "entities", "events", "count",
    "root", "incident", "state",
}  # fmt: skip
INCIDENT = {
    "id", "title", "level", "state", "opened_at", "owner", "alerts", "entities", "why", "gb20986", "clocks",
}  # fmt: skip
ODD = """title: Odd
id: 11111111-2222-4333-8444-555555555555
status: test
logsource: {product: linux, service: sshd}
detection:
  keywords|unheard_of: [x]
  condition: keywords
level: low
"""


def login(second: int, *, success: bool = False) -> str:
    at = (AT + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%SZ")
    said = "Accepted" if success else "Failed"
    return f"<38>1 {at} web1 sshd 77 - - {said} password for root from 203.0.113.9 port 4022 ssh2"


@pytest.fixture(scope="module")
def log(folder: Path) -> Path:
    """Ten failed logins within 45 seconds, then one that succeeds."""
    file = folder / "auth.log"
    file.write_text("\n".join([*(login(5 * number) for number in range(10)), login(60, success=True)]) + "\n")
    return file


@pytest.fixture(scope="module")
def ingested(site: Platform, log: Path) -> dict[str, Any]:
    """What the first ``soc ingest`` printed."""
    foreseen = site.json("soc", "ingest", str(log), "--dry-run")
    assert foreseen == {"received": 11, "stored": 0, "unparsed": 0, "alerts": 0}
    found: dict[str, Any] = site.json("soc", "ingest", str(log))
    return found


def test_twice_the_same_file_changes_nothing(site: Platform, ingested: dict[str, Any], log: Path) -> None:
    before = site.json("soc", "alerts")
    copy = str(shutil.copy(log, log.with_name("copy.log")))

    assert ingested == {"received": 11, "stored": 11, "unparsed": 0, "alerts": 2}
    assert site.json("soc", "ingest", str(log), copy) == {"received": 22, "stored": 0, "unparsed": 0, "alerts": 0}
    assert site.json("soc", "alerts") == before


def test_counters_of_status_add_up(site: Platform, ingested: dict[str, Any]) -> None:
    counters = site.json("status")["counters"]

    assert set(counters) >= {"received", "parsed", "unparsed", "stored", "dropped", "late", "alerts"}
    assert counters["received"] == counters["stored"] + sum(counters["dropped"].values())
    assert (counters["received"] >= ingested["received"], counters["received"]) == (
        True,
        counters["parsed"] + counters["unparsed"],
    )


def test_alerts_have_the_shape_of_the_contract(site: Platform, ingested: dict[str, Any]) -> None:
    assert ingested["alerts"] == 2
    rows = {one["rule_id"]: one for one in site.json("soc", "alerts")}
    brute = rows[BRUTE]

    assert set(rows) == {BRUTE, BROKEN_IN}
    assert set(brute) >= ALERT
    assert {key: brute[key] for key in ("rule_title", "level", "attack", "count", "root", "state")} == {
        "rule_title": "SSH brute force", "level": "high", "attack": ["T1110.001"], "count": 10, "root": None,
        "state": "new",
    }  # fmt: skip
    assert (brute["first_at"], brute["last_at"]) == ("2026-03-02T02:00:00Z", "2026-03-02T02:00:45Z")
    assert brute["entities"] == {"host": "web1", "org": "fin", "source_ip": "203.0.113.9", "user": "root"}
    assert (len(brute["events"]), len(set(brute["events"]))) == (10, 10)
    assert rows[BROKEN_IN]["level"] == "critical"


def test_both_alerts_are_one_incident_that_says_why(site: Platform, ingested: dict[str, Any]) -> None:
    assert ingested["alerts"] == 2
    (one,) = site.json("soc", "incidents")
    alerts = site.json("soc", "alerts")

    assert set(one) >= INCIDENT
    assert (one["level"], one["state"], one["owner"]) == ("critical", "new", None)
    assert sorted(one["alerts"]) == sorted(alert["id"] for alert in alerts)
    assert {alert["incident"] for alert in alerts} == {one["id"]}
    assert len(one["why"]) == 2
    assert one["entities"]["host"] == ["web1"]
    assert one["opened_at"].endswith("Z")


def test_filters_of_alerts_and_incidents(site: Platform, ingested: dict[str, Any]) -> None:
    assert ingested["alerts"] == 2
    assert [one["rule_id"] for one in site.json("soc", "alerts", "--level", "critical")] == [BROKEN_IN]
    assert site.json("soc", "alerts", "--state", "closed") == []
    assert len(site.json("soc", "incidents", "--entity", "org=fin")) == 1
    assert site.run("soc", "alerts", "--level", "loud").returncode == 2
    assert site.run("soc", "incidents", "--entity", "org").returncode == 2


def test_a_file_that_cannot_be_parsed_is_stored_and_counted(site: Platform, folder: Path) -> None:
    file = folder / "odd.json"
    file.write_text('{"message": "fine"}\n{"message": \n')

    assert site.json("soc", "ingest", str(file), "--format", "json") == {
        "received": 2, "stored": 2, "unparsed": 1, "alerts": 0,
    }  # fmt: skip
    assert site.run("soc", "ingest", str(folder / "none.log")).returncode == 3
    assert site.run("soc", "ingest", str(file), "--format", "xml").returncode == 2


@pytest.fixture
def nowhere(tmp_path: Path, make_platform: MakePlatform) -> Platform:
    """A machine without a data folder."""
    return make_platform(tmp_path / "none")


def test_detect_needs_no_data_folder_and_counts_each_rule(nowhere: Platform, log: Path, tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    shutil.copytree(PACK, rules / "ssh")
    (rules / "odd.yml").write_text(ODD)
    found = nowhere.json("soc", "detect", str(log), "--rules", str(rules))

    assert set(found) >= {"events", "rules", "unsupported", "hits", "seconds", "events_per_cpu_second"}
    assert found["events"] == 11
    assert [set(one) >= {"rule", "why"} for one in found["unsupported"]] == [True]
    assert {(one["rule_id"], one["level"], one["count"]) for one in found["hits"]} == {
        (FAILED, "informational", 10), (SUCCEEDED, "informational", 1), (BRUTE, "high", 1), (BROKEN_IN, "critical", 1),
    }  # fmt: skip
    assert {frozenset(one) for one in found["hits"]} == {frozenset({"rule_id", "title", "level", "count"})}
    assert not nowhere.data.exists()


def test_hits_are_streamed_one_a_line(nowhere: Platform, log: Path) -> None:
    done = nowhere.run("soc", "detect", str(log), "--rules", str(PACK), "--hits")
    lines = [json.loads(line) for line in done.stdout.splitlines()]

    assert done.returncode == 0
    assert [line["rule_id"] for line in lines].count(FAILED) == 10
    assert len(lines) == 13
    assert lines[0].items() >= {"rule_id": FAILED, "title": "Failed SSH login", "level": "informational"}.items()
    assert done.stderr.startswith("11 events")


def test_a_missing_file_or_folder_of_rules_is_bad_input(nowhere: Platform, log: Path, tmp_path: Path) -> None:
    for words in (("none.log", str(PACK)), (str(log), str(tmp_path / "none"))):
        done = nowhere.run("soc", "detect", words[0], "--rules", words[1])
        assert (done.returncode, done.stdout) == (3, "")
        assert [line.partition(": ")[0] for line in done.stderr.splitlines()] == ["error", "where", "next"]


def test_parse_gives_one_ecs_event_a_line(nowhere: Platform, log: Path) -> None:
    done = nowhere.run("soc", "parse", str(log), "-o", "ndjson")
    first = json.loads(done.stdout.splitlines()[0])
    event, source = first["event"], first["source"]

    assert (done.returncode, len(done.stdout.splitlines())) == (0, 11)
    assert first["@timestamp"] == "2026-03-02T02:00:00Z"
    assert event.items() >= {"original": login(0), "action": "ssh_login", "outcome": "failure"}.items()
    assert event["ingested"].endswith("Z")
    assert (source["ip"], first["user"]["name"], first["host"]["name"]) == ("203.0.113.9", "root", "web1")
    explained = nowhere.json("soc", "parse", str(log), "--explain")[0]["yw"]["explain"]
    assert (explained["parsed"], explained["reason"]) == (True, None)


def test_rules_of_our_own_load_and_pass_their_samples(nowhere: Platform) -> None:
    found = nowhere.json("soc", "rules", "check")
    tested = nowhere.json("soc", "rules", "test", str(PACK))

    assert (found["valid"], found["errors"]) == (True, [])
    assert found["rules"] + found["correlations"] >= 10
    assert (tested["failed"], tested["passed"]) == (0, len(tested["results"]))
    assert {frozenset(one) >= {"rule", "sample", "expected", "passed", "why"} for one in tested["results"]} == {True}


def spoil_sample(rules: Path) -> None:
    shutil.copy(rules / "tests" / "ssh_bruteforce.nine.miss.jsonl", rules / "tests" / "ssh_bruteforce.x.hit.jsonl")


def spoil_rule(rules: Path) -> None:
    (rules / "odd.yml").write_text(ODD)


@pytest.mark.parametrize(("verb", "spoil"), [("test", spoil_sample), ("check", spoil_rule)])
def test_a_spoilt_rule_or_sample_is_a_finding(
    nowhere: Platform, tmp_path: Path, verb: str, spoil: Callable[[Path], None]
) -> None:
    rules = tmp_path / "rules"
    shutil.copytree(PACK, rules)
    spoil(rules)
    found = nowhere.json("soc", "rules", verb, str(rules), code=1)

    assert found["failed"] == 1 if verb == "test" else (found["valid"], len(found["errors"])) == (False, 1)
