"""``yw user``, ``yw token``, ``yw login`` through the real command, and the door of ``yw serve``."""

from __future__ import annotations

import io
import json
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from access import audit
from access.tables import api_token, audit_log, user_account, user_role
from records.errors import RefusedError
from storage.state import open_state
from yunwang.cli import main
from yunwang.serving import is_loopback, refuse_open_door
from yunwang.settings import Console

PASSWORD = "Frost-River-2026"
INVENTORY = """yunwang: 1
regions: [{code: "230000", name: 黑龙江省, level: province}]
organisations: [{id: hlj-finance, name: 省财政厅, region: "230000"}]
"""
Run = Callable[..., tuple[int, Any, str]]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site's data folder, made once."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "inventory.yaml").write_text(INVENTORY, "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("YW_PASSPHRASE_FILE", str(folder / "passphrase"))
        (folder / "passphrase").write_text("a-long-enough-passphrase\n")
        assert main(["inventory", "import", str(folder / "inventory.yaml"), "--data", str(folder / "data")]) == 0
    return folder / "data"


@pytest.fixture
def data(template: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(template, tmp_path / "data"))


@pytest.fixture
def run(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("YW_TOKEN", raising=False)
    monkeypatch.setenv("LANG", "C")

    def call(*arguments: str, typed: str = "") -> tuple[int, Any, str]:
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        capsys.readouterr()
        code = main([*arguments, "--data", str(data), "-o", "json"])
        out, err = capsys.readouterr()
        return code, json.loads(out) if out else None, err

    return call


def add(run: Run, name: str, *options: str) -> None:
    assert run("user", "add", name, *options, typed=PASSWORD + "\n")[0] == 0


def log_in(run: Run, name: str) -> None:
    """After the first password was changed, as the console's page does it."""
    code, _, err = run("login", name, typed=PASSWORD + "\n")
    assert code == 0, err


def settled(data: Path, name: str) -> None:
    engine = open_state(f"sqlite:///{data}/state.db")
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE user_account SET must_change = 0 WHERE name = ?", (name,))
    engine.dispose()


def test_add_grant_list_lock(run: Run) -> None:
    add(run, "wang", "--display-name", "王五", "--role", "bureau", "--org", "hlj-finance")
    code, shown, _ = run("user", "grant", "wang", "auditor")
    assert (code, shown["roles"]) == (0, {"bureau": ["hlj-finance"], "auditor": None})
    assert run("user", "grant", "wang", "auditor", "--revoke")[1]["roles"] == {"bureau": ["hlj-finance"]}
    assert run("user", "lock", "wang")[:2] == (0, {"name": "wang", "locked": True})
    found = {one["name"]: one for one in run("user", "ls")[1]}
    assert (found["wang"]["locked"], found["wang"]["must_change"], found["wang"]["display_name"]) == (
        True,
        True,
        "王五",
    )
    assert "password" not in json.dumps(found)


def test_changes_are_audited_under_the_name_that_acts(run: Run, data: Path) -> None:
    add(run, "wang")
    engine = open_state(f"sqlite:///{data}/state.db")
    with engine.connect() as connection:
        newest = connection.execute(sa.select(audit_log).order_by(audit_log.c.number.desc())).first()
    assert newest is not None
    assert (newest.actor.startswith("local:"), newest.action, newest.object) == (True, "user.add", "wang")
    assert audit.verify(engine) == []
    engine.dispose()


@pytest.mark.parametrize(
    "arguments",
    [
        ("user", "add", "li"),
        ("user", "lock", "wang"),
        ("user", "grant", "wang", "auditor"),
        ("user", "passwd", "wang"),
        ("token", "new", "--user", "wang"),
    ],
    ids=["add", "lock", "grant", "passwd", "token"],
)
def test_dry_run_changes_nothing(run: Run, data: Path, arguments: tuple[str, ...]) -> None:
    add(run, "wang")
    engine = open_state(f"sqlite:///{data}/state.db")

    def content() -> list[Any]:
        with engine.connect() as connection:
            return [connection.execute(sa.select(one)).all() for one in (user_account, user_role, api_token, audit_log)]

    before = content()
    code, shown, err = run(*arguments, "--dry-run", typed="Quiet-Birch-77\n")
    assert (code, content()) == (0, before), err
    assert "token" not in shown
    engine.dispose()


@pytest.mark.parametrize(
    ("arguments", "typed", "code", "said"),
    [
        (("user", "add", "Wang"), PASSWORD, 3, "'Wang' is no user name"),
        (("user", "add", "wang"), PASSWORD, 3, "user 'wang' exists already"),
        (("user", "add", "li"), "short", 3, "the password is too short or too long"),
        (("user", "lock", "nobody"), "", 3, "unknown user 'nobody'"),
        (("user", "grant", "wang", "bureau", "--org", "x", "--org", "y"), "", 3, "unknown organisation 'x'"),
        (("user", "grant", "wang", "king"), "", 2, "king"),
        (("token", "revoke", "000000000000"), "", 3, "unknown token '000000000000'"),
        (("token", "new"), "", 2, "nobody is logged in here"),
        (("login", "wang"), "wrong", 5, "wrong name or password"),
        (("login",), "", 2, "no user name"),
    ],
    ids=["name", "twice", "weak", "unknown", "organisations", "role", "token", "tokenless", "password", "nameless"],
)
def test_errors_say_what_where_next(run: Run, arguments: tuple[str, ...], typed: str, code: int, said: str) -> None:
    add(run, "wang")
    found, _, err = run(*arguments, typed=typed + "\n")
    assert (found, said in err) == (code, True), err
    assert all(f"{word}: " in err for word in ("error", "where", "next"))


def test_all_unknown_organisations_are_told_at_once(run: Run) -> None:
    add(run, "wang")
    err = run("user", "grant", "wang", "bureau", "--org", "x", "--org", "y")[2]
    assert [line for line in err.splitlines() if line.startswith("error")] == [
        "error: unknown organisation 'x'",
        "error: unknown organisation 'y'",
    ]


def test_three_administrators_need_three_people(run: Run) -> None:
    add(run, "wang", "--role", "sysadmin")
    code, _, err = run("user", "grant", "wang", "secadmin")
    assert (code, "exclude each other" in err) == (5, True)


def test_one_time_password_is_printed_once(run: Run, data: Path) -> None:
    shown = run("user", "add", "wang", "--one-time")[1]
    assert len(shown["password"]) == 19
    assert shown["password"].encode() not in (data / "state.db").read_bytes()


def test_login_acts_as_the_user_until_it_is_forgotten(run: Run, data: Path, tmp_path: Path) -> None:
    add(run, "wang", "--role", "sysadmin")
    code, _, err = run("login", "wang", typed=PASSWORD + "\n")
    assert (code, "must be changed first" in err) == (3, True)
    settled(data, "wang")
    log_in(run, "wang")
    kept = tmp_path / "config" / "yunwang" / "token"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    add(run, "li")
    engine = open_state(f"sqlite:///{data}/state.db")
    with engine.connect() as connection:
        newest = connection.execute(sa.select(audit_log).order_by(audit_log.c.number.desc())).first()
    engine.dispose()
    assert newest is not None
    assert (newest.actor, newest.object) == ("wang", "li")
    assert run("login", "--forget")[1] == {"user": None}
    assert not kept.exists()


def test_a_logged_in_user_is_held_to_the_roles(run: Run, data: Path) -> None:
    add(run, "wang", "--role", "auditor")
    add(run, "li", "--role", "sysadmin")
    settled(data, "wang")
    log_in(run, "wang")
    for arguments in (("user", "lock", "li"), ("user", "grant", "wang", "sysadmin"), ("token", "new", "--user", "li")):
        code, _, err = run(*arguments)
        assert (code, "may not" in err) == (5, True), err
    assert run("token", "new")[0] == 0


def test_a_system_administrator_makes_the_first_security_administrator_only(run: Run, data: Path) -> None:
    for name in ("wang", "li", "zhao"):
        add(run, name)
    run("user", "grant", "wang", "sysadmin")
    settled(data, "wang")
    log_in(run, "wang")
    assert run("user", "grant", "li", "secadmin")[0] == 0
    assert run("user", "grant", "zhao", "secadmin")[0] == 5


def test_token_lives_and_ends(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    add(run, "wang")
    made = run("token", "new", "--user", "wang", "--scope", "links.read", "--days", "7", "--note", "grafana")[1]
    assert (made["scopes"], made["note"], made["token"].startswith(f"yw_{made['id']}_")) == (
        ["links.read"],
        "grafana",
        True,
    )
    assert [(one["id"], "token" in one) for one in run("token", "ls")[1]] == [(made["id"], False)]
    monkeypatch.setenv("YW_TOKEN", made["token"])
    assert run("user", "ls")[0] == 0
    monkeypatch.delenv("YW_TOKEN")
    assert run("token", "revoke", made["id"])[1] == {"id": made["id"], "revoked": True}
    assert run("token", "ls")[1][0]["revoked_at"] is not None


@pytest.mark.parametrize(
    ("host", "settings", "open_"),
    [
        ("127.0.0.1", Console(), True),
        ("::1", Console(), True),
        ("192.0.2.1", Console(), False),
        ("10.1.2.3", Console(tls_certificate="c.pem"), False),
        ("10.1.2.3", Console(tls_certificate="c.pem", tls_key="k.pem"), True),
        ("192.0.2.1", Console(behind_proxy=True), True),
    ],
    ids=["loopback", "loopback v6", "all", "half a TLS", "TLS", "proxy"],
)
def test_off_loopback_wants_tls(host: str, settings: Console, *, open_: bool) -> None:
    if open_:
        refuse_open_door(settings, host)
        return
    with pytest.raises(RefusedError, match="without TLS"):
        refuse_open_door(settings, host)


def test_names_of_loopback() -> None:
    assert [is_loopback(one) for one in ("localhost", "127.9.9.9", "::1", "example.org", "::")] == [
        True,
        True,
        True,
        False,
        False,
    ]
