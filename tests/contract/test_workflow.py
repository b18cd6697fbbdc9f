"""Jobs, tickets and the audit log through the CLI: shapes, exit codes, and what one person cannot do."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from tests.running import Platform

PASSWORD = "Frost-River-2026"


def acting(site: Platform, token: str, *arguments: str, code: int = 0) -> Any:
    done = site.run(*arguments, "-o", "json", more={"YW_TOKEN": token})
    assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return json.loads(done.stdout) if done.stdout else done.stderr


def test_a_ticket_closes_by_a_check_or_by_two_persons(site: Platform) -> None:
    for name, role in (("li", "netadmin"), ("zhang", "secadmin")):
        site.json("user", "add", name, "--role", role, stdin=PASSWORD)
    li, zhang = (str(site.json("token", "new", "--user", name)["token"]) for name in ("li", "zhang"))
    link = "hrb-1"  # not in the small inventory: nothing can be told of it
    first = acting(
        site, li, "ticket", "open", "--title", "断了", "--kind", "link", "--subject", link, "--level", "high"
    )
    again = acting(site, zhang, "ticket", "open", "--title", "断了", "--kind", "link", "--subject", link)
    task = acting(site, li, "ticket", "open", "--title", "换光模块", "--org", "fin")
    assert (first["id"] == again["id"], first["state"], task["organisation"]) == (True, "open", "fin")

    seen = acting(site, li, "ticket", "recheck", first["id"], code=1)  # what cannot be told is not in order
    assert (seen["state"], seen["passed"]) == ("open", None)
    assert "nothing can check" in acting(site, li, "ticket", "recheck", task["id"], code=5)
    acting(site, li, "ticket", "assign", task["id"], "zhang", "--due", "2030-01-01T00:00:00+08:00")
    acting(site, zhang, "ticket", "comment", task["id"], "备件下周到")

    rest = ("ticket", "except", task["id"], "--until", "2030-02-01T00:00:00+08:00", "--reason", "no spare part")
    asked = acting(site, li, *rest, code=5)["approval"]
    assert "your own" in acting(site, li, "approve", asked, code=5)
    acting(site, zhang, "approve", asked)
    closed = acting(site, li, *rest)
    shown = site.json("ticket", "show", task["id"])

    assert (closed["state"], closed["closing"], closed["until"]) == ("closed", "exception", "2030-01-31T16:00:00Z")
    assert closed["proof"]["approvals"] == [{"id": asked, "requested_by": "li", "approved_by": "zhang"}]
    assert [one["action"] for one in shown["notes"]] == ["open", "assign", "due", "comment", "close"]
    assert [one["id"] for one in site.json("ticket", "ls")] == [first["id"], task["id"]]
    assert [one["id"] for one in site.json("ticket", "ls", "--state", "closed")] == [task["id"]]
    assert site.run("ticket", "comment", "tk-none", "x").returncode == 3


def test_the_audit_log_is_anchored_verified_and_a_change_is_named(site: Platform) -> None:
    site.json("user", "add", "sun", stdin=PASSWORD)
    made = site.json("audit-log", "anchor")
    whole = site.json("audit-log", "verify")
    newest = site.json("audit-log", "ls", "--limit", "1")

    assert len(made["paths"]) == 1
    assert site.json("verify", made["paths"][0])["kind"] == "audit-log"
    assert (whole["valid"], whole["anchors"], whole["newest"]["last"]) == (True, 1, newest[0]["number"])
    assert site.json("audit-log", "anchor")["paths"] == []

    with sqlite3.connect(site.data / "state.db") as database:
        database.execute("DROP TRIGGER audit_log_refuses_delete")
        database.execute("DELETE FROM audit_log WHERE number = ?", (newest[0]["number"],))
    cut = site.json("audit-log", "verify", code=1)
    assert cut["valid"] is False
    assert "missing" in cut["problems"][0]["what"]


def test_jobs_and_schedules_are_listed(site: Platform) -> None:
    assert site.json("job", "ls") == []
    names = {one["name"]: one["next_at"] for one in site.json("job", "schedules")}

    assert names == {"audit-log-anchor": None, "ticket-reopen": None}  # nobody works here
    assert site.run("job", "show", "job-none").returncode == 3
    assert site.run("job", "cancel", "job-none").returncode == 3
