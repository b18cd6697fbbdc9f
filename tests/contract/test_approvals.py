"""CONTRACT §10: actions for two answer exit 5 with an approval id; another person approves; one user suffices alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.running import Platform

MONTH = "2026-03"
USAGE = """source,event_id,tenant,resource,meter,quantity,unit,start,end
c,e1,fin-core,vm-1,vcpu,2976,vcpu*h,2026-03-01T00:00:00+08:00,2026-04-01T00:00:00+08:00
"""
PRICES = """yunwang_catalogue: 1
currency: CNY
prices: [{sku: vcpu-std, meter: vcpu, unit: vcpu*month, model: flat, price: "48.91", approved_by: 省财政厅, demo: false}]
"""
PASSWORD = "Frost-River-2026"


def acting(site: Platform, token: str, *arguments: str, code: int = 0, stdin: str = "") -> Any:
    """One call as the owner of a token."""
    done = site.run(*arguments, "-o", "json", stdin=stdin, more={"YW_TOKEN": token})
    assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return json.loads(done.stdout) if done.stdout else done.stderr


@pytest.fixture(scope="module")
def tokens(site: Platform) -> dict[str, str]:
    """Two people of billing and one of security, made one after the other as on a first day; each with a token."""
    site.json("user", "add", "li", "--role", "billing", stdin=PASSWORD)
    site.json("user", "add", "zhang", "--role", "secadmin", stdin=PASSWORD)  # who could agree to it? nobody yet
    made = {name: str(site.json("token", "new", "--user", name)["token"]) for name in ("li", "zhang")}
    asked = site.json("user", "add", "wang", "--role", "billing", "--reason", "first day", code=5, stdin=PASSWORD)
    assert {one["name"] for one in site.json("user", "ls")} == {"li", "zhang"}
    acting(site, made["zhang"], "approve", asked["approval"])
    assert set(site.json("user", "add", "wang", "--role", "billing", stdin=PASSWORD)["roles"]) == {"billing"}
    return made | {"wang": str(site.json("token", "new", "--user", "wang")["token"])}


@pytest.fixture(scope="module")
def priced(site: Platform, tokens: dict[str, str], folder: Path) -> Platform:
    """The site with prices in force."""
    file = folder / "first.yaml"
    file.write_text(PRICES, "utf-8")
    asked = acting(site, tokens["li"], "catalogue", "load", str(file), code=5)
    acting(site, tokens["wang"], "approve", asked["approval"])
    acting(site, tokens["li"], "catalogue", "load", str(file))
    return site


def test_a_catalogue_takes_two_and_one_person_is_not_two(site: Platform, tokens: dict[str, str], folder: Path) -> None:
    file = folder / "prices.yaml"
    file.write_text(PRICES.replace("48.91", "50.00"), "utf-8")
    asked = acting(site, tokens["li"], "catalogue", "load", str(file), "--reason", "prices of 2026", code=5)
    again = acting(site, tokens["li"], "catalogue", "load", str(file), code=5)

    assert set(asked) >= {"approval", "state", "action", "object", "expires_at"}
    assert (asked["state"], asked["action"], again["approval"]) == ("pending", "catalogue.load", asked["approval"])
    assert "your own" in acting(site, tokens["li"], "approve", asked["approval"], code=5)
    assert site.run("approve", asked["approval"]).returncode == 5  # local: never approves
    (waiting,) = (one for one in acting(site, tokens["wang"], "approve") if one["id"] == asked["approval"])
    assert (waiting["id"], waiting["requested_by"], waiting["reason"]) == (asked["approval"], "li", "prices of 2026")
    assert waiting["particulars"]["first"][0]["key"]

    assert acting(site, tokens["wang"], "approve", asked["approval"])["state"] == "approved"
    assert acting(site, tokens["wang"], "catalogue", "load", str(file), code=5)["approval"] != asked["approval"]
    loaded = acting(site, tokens["li"], "catalogue", "load", str(file))
    assert loaded["new"] is True
    assert loaded["approvals"] == [{"id": asked["approval"], "requested_by": "li", "approved_by": "wang"}]
    assert acting(site, tokens["li"], "catalogue", "load", str(file))["new"] is False


def test_a_month_is_closed_and_issued_by_two_and_the_bill_says_who(
    priced: Platform, tokens: dict[str, str], folder: Path
) -> None:
    (folder / "usage.csv").write_text(USAGE)
    priced.json("meter", "import", str(folder / "usage.csv"))
    close = ("bill", "close", "--month", MONTH, "--waive", "by table")
    issue = ("bill", "issue", "--month", MONTH)
    assert acting(priced, tokens["li"], *close, "--dry-run")["applied"] is False
    first = acting(priced, tokens["li"], *close, code=5)
    changed = acting(priced, tokens["li"], *close[:-1], "another reason", code=5)
    assert changed["approval"] != first["approval"]  # another waiver is another question
    assert acting(priced, tokens["wang"], "approve", first["approval"], "--dry-run")["state"] == "approved"
    acting(priced, tokens["wang"], "approve", first["approval"], "--reason", "sums checked")
    closed = acting(priced, tokens["li"], *close)
    second = acting(priced, tokens["wang"], *issue, code=5)
    acting(priced, tokens["zhang"], "approve", second["approval"])
    issued = acting(priced, tokens["wang"], *issue)
    bill = json.loads((Path(issued["paths"][0]) / "bill.json").read_text("utf-8"))

    assert closed["approvals"] == [{"id": first["approval"], "requested_by": "li", "approved_by": "wang"}]
    proof = [{"id": second["approval"], "requested_by": "wang", "approved_by": "zhang"}]
    assert (issued["approvals"], bill["approvals"]) == (proof, proof)
    assert priced.json("verify", issued["paths"][0])["valid"] is True
    assert acting(priced, tokens["li"], *issue)["paths"] == issued["paths"]  # what stands asks nobody
    assert acting(priced, tokens["li"], *close)["applied"] is True


def test_a_rejected_request_and_one_taken_back_open_nothing(
    site: Platform, tokens: dict[str, str], folder: Path
) -> None:
    file = folder / "dearer.yaml"
    file.write_text(PRICES.replace("48.91", "58.91"), "utf-8")
    load = ("catalogue", "load", str(file))
    asked = acting(site, tokens["li"], *load, code=5)["approval"]
    assert "needs a reason" in acting(site, tokens["wang"], "approve", asked, "--reject", code=3)
    rejected = acting(site, tokens["wang"], "approve", asked, "--reject", "--reason", "too dear")
    other = acting(site, tokens["li"], *load, code=5)["approval"]
    taken = acting(site, tokens["li"], "approve", other, "--withdraw")

    assert (rejected["state"], rejected["decision"], taken["state"]) == ("rejected", "too dear", "withdrawn")
    assert "withdrawn already" in acting(site, tokens["wang"], "approve", other, code=5)
    assert "unknown approval" in acting(site, tokens["wang"], "approve", "ap-none", code=3)


def test_roles_are_given_by_two_and_only_by_those_who_may(site: Platform, tokens: dict[str, str]) -> None:
    denied = acting(site, tokens["li"], "user", "grant", "li", "auditor", code=5)
    asked = site.json("user", "grant", "li", "auditor", code=5)["approval"]

    assert "roles.grant" in denied
    assert "may not decide" in acting(site, tokens["wang"], "approve", asked, code=5)
    acting(site, tokens["zhang"], "approve", asked)
    assert set(site.json("user", "grant", "li", "auditor")["roles"]) == {"auditor", "billing"}
    assert "exclude each other" in site.run("user", "grant", "zhang", "sysadmin").stderr
