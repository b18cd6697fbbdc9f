"""CONTRACT §1: data folders, configuration, secrets, formats, errors, exit codes, dry runs."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import shutil
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.contract.conftest import INVENTORY, MakePlatform
from tests.running import ROOT, Platform, free_port

CATALOGUE = """yunwang_catalogue: 1
currency: CNY
prices: [{sku: vcpu-std, meter: vcpu, unit: vcpu*month, model: flat, price: "48.91"}]
"""
USAGE = """event_id,tenant,resource,meter,quantity,unit,start,end
e1,fin-core,vm-1,vcpu,1,vcpu*h,2026-07-01T00:00:00Z,2026-07-01T01:00:00Z
"""
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def read(data: Path) -> str:
    """What ``config show --origin`` says of a key that the data folder's file sets."""
    return f"{data / 'yunwang.toml'}:2"


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("--data", "OTHER", "config", "show", "--origin"), id="before the verb"),
        pytest.param(("config", "--data=OTHER", "show", "--origin"), id="between"),
        pytest.param(("config", "show", "--origin", "--data", "OTHER"), id="after the verb"),
    ],
)
def test_data_folder_of_the_option_wins_over_the_environment(
    bare: Platform, folder: Path, arguments: tuple[str, ...]
) -> None:
    other = folder / "other"
    other.mkdir(exist_ok=True)
    (other / "yunwang.toml").write_text("[console]\nlisten = '127.0.0.1:8181'\n")
    rows = bare.json(*(word.replace("OTHER", str(other)) for word in arguments))

    assert [row for row in rows if row["origin"] != "default"] == [
        {"key": "console.listen", "value": "127.0.0.1:8181", "origin": read(other)}
    ]


def test_without_an_option_the_environment_names_the_folder(bare: Platform) -> None:
    assert bare.json("config", "check") == {"valid": True, "file": str(bare.data / "yunwang.toml")}


def test_config_names_another_file_and_must_exist(bare: Platform, folder: Path) -> None:
    file = folder / "mine.toml"
    file.write_text("[collect]\nsnmp_interval_seconds = 30\n")
    found = bare.run("config", "check", "--config", str(folder / "none.toml"))

    assert bare.json("--config", str(file), "config", "show")["collect"]["snmp_interval_seconds"] == 30
    assert (found.returncode, found.stdout) == (3, "")
    assert f"where: {folder / 'none.toml'}\n" in found.stderr


def test_keys_that_stand_have_these_defaults(bare: Platform, folder: Path) -> None:
    empty = folder / "empty.toml"
    empty.touch()
    found = bare.json("config", "show", "--config", str(empty))
    collect = found["collect"]

    assert set(found) >= {"collect", "link_health", "store", "state", "spool", "console", "crypto", "retention"}
    assert set(collect) >= {"snmp_timeout_seconds", "syslog_udp", "syslog_tcp", "syslog_tls"}
    assert set(found["console"]) >= {"listen", "behind_proxy", "tls_certificate", "tls_key"}
    assert (collect["snmp_interval_seconds"], found["link_health"]["bin_seconds"]) == (60, 300)
    assert (found["store"]["kind"], found["spool"]["kind"]) == ("embedded", "local")
    assert found["retention"]["log_days"] == 180
    assert set(found["crypto"]) >= {"providers", "ca"}


def test_every_fault_of_the_configuration_is_told_at_once(bare: Platform, folder: Path) -> None:
    file = folder / "wrong.toml"
    file.write_text("[collect]\nsnmp_intervall = 1\n[retention]\nlog_days = 30\n[colour]\nx = 1\n")
    found = bare.run("config", "check", "--config", str(file))
    lines = found.stderr.splitlines()

    assert (found.returncode, found.stdout) == (3, "")
    assert [line.split(":")[0] for line in lines] == ["error", "where", "next"] * 3
    assert sorted(line for line in lines if line.startswith("where")) == [
        f"where: {file}:{number}" for number in (2, 4, 5)
    ]


def test_formats(bare: Platform) -> None:
    shown = {form: bare.run("config", "show", "--origin", "-o", form).stdout for form in ("csv", "ndjson", "table")}
    rows = bare.json("config", "show", "--origin")
    lines = shown["csv"].splitlines()

    assert (lines[0], len(lines)) == ("key,value,origin", len(rows) + 1)
    assert [json.loads(line) for line in shown["ndjson"].splitlines()] == rows
    assert shown["table"].split()[:3] == ["key", "value", "origin"]
    assert json.loads(bare.run("config", "show", "--origin").stdout) == rows


def on_a_terminal(platform: Platform, *arguments: str) -> str:
    """What a call prints to a terminal."""
    mine, its = pty.openpty()
    command = [sys.executable, "-m", "yunwang", *arguments]
    with subprocess.Popen(
        command, cwd=ROOT, env=platform.environment | {"TERM": "dumb"}, stdin=its, stdout=its, stderr=its
    ) as process:
        os.close(its)
        text = b""
        while select.select([mine], [], [], 60)[0]:
            try:
                text += os.read(mine, 4096)
            except OSError:  # the other side is closed
                break
        assert process.wait(60) == 0
    os.close(mine)
    return text.decode()


def test_a_terminal_gets_a_table(bare: Platform) -> None:
    assert on_a_terminal(bare, "config", "check").split()[:2] == ["valid", "file"]


@pytest.mark.parametrize("words", [("config", "show", "-o", "csv"), ("bill", "draft"), ("inventory", "check", "/none")])
def test_a_cold_call_says_what_a_warm_one_does(bare: Platform, words: tuple[str, ...]) -> None:
    cold, warm = Platform.run(bare, *words), bare.run(*words)

    assert (warm.returncode, warm.stdout, warm.stderr) == (cold.returncode, cold.stdout, cold.stderr)


def test_an_unknown_format_is_a_usage_error_of_three_lines(bare: Platform) -> None:
    found = bare.run("config", "check", "-o", "xml")

    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr == "error: unknown output format 'xml'\nwhere: -o\nnext: use one of table, json, csv, ndjson\n"


def test_errors_speak_chinese_by_lang(bare: Platform) -> None:
    calls = [("config", "check", "-o", "xml"), ("inventory", "check", "/none")]
    for arguments in calls:
        english = bare.run(*arguments).stderr.splitlines()
        chinese = bare.run(*arguments, more={"LANG": "zh_CN.UTF-8"}).stderr.splitlines()
        assert not any(map(CHINESE.search, english))
        assert len(chinese) == len(english)
        assert all(CHINESE.search(line) for line in chinese if not line.startswith("where: "))


def test_the_demo_is_acted_on_until_a_site_is_set_up_and_that_is_said(tmp_path: Path) -> None:
    one = Platform(tmp_path / "data")
    told = one.run("secret", "set", "snmp-core", stdin="public", more={"YW_PASSPHRASE_FILE": ""})
    file = one.data / "demo" / "passphrase"

    assert json.loads(told.stdout) == {"name": "snmp-core", "stored": True}
    assert f"no site in {one.data}" in told.stderr
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials" / "yw-passphrase").write_text(file.read_text())
    more = {"YW_PASSPHRASE_FILE": "", "CREDENTIALS_DIRECTORY": str(tmp_path / "credentials")}
    file.unlink()
    assert one.run("secret", "rm", "snmp-core", "--dry-run", more=more).returncode == 0
    assert not file.exists()


def test_secrets_come_from_stdin_and_are_never_shown(site: Platform) -> None:
    said = [site.run("secret", "set", name, stdin=text) for name, text in (("cli-core", "S3cret-北\n"), ("b", "x"))]
    dry = [site.run("secret", "set", "c", "--dry-run", stdin="x"), site.run("secret", "rm", "b", "--dry-run")]
    listed = site.json("secret", "ls")
    empty = site.run("secret", "set", "d", stdin="")

    assert listed == [{"name": "b"}, {"name": "cli-core"}]
    assert [json.loads(one.stdout)["stored"] for one in said] == [True, True]
    assert [one.returncode for one in dry] == [0, 0]
    assert (empty.returncode, empty.stderr.splitlines()[1]) == (2, "where: stdin")
    assert site.json("secret", "rm", "b") == {"name": "b", "removed": True}
    assert site.json("secret", "ls") == [{"name": "cli-core"}]
    assert site.run("secret", "rm", "b").returncode == 3
    kept = [one for one in site.data.rglob("*") if one.is_file()]
    assert kept
    assert not any(b"S3cret" in one.read_bytes() for one in kept)
    assert "S3cret" not in "".join(one.stdout + one.stderr for one in said)


def test_each_exit_code_by_a_real_command(site: Platform, folder: Path) -> None:
    signed = folder / "signed.txt"
    signed.write_text("text")
    (folder / "standing.yaml").write_text(CATALOGUE)
    site.json("crypto", "cms", "sign", "--key", "site", "--out", f"{signed}.p7s", str(signed))
    changed = folder / "changed.txt"
    changed.write_text("texT")
    (folder / "changed.txt.p7s").write_bytes(Path(f"{signed}.p7s").read_bytes())
    calls = {
        0: ("verify", str(signed)),
        1: ("verify", str(changed)),
        2: ("bill", "draft", "--month", "2026-13"),
        3: ("inventory", "check", str(folder / "none.yaml")),
        4: ("collect", "once", "--device", "pe1"),
        5: ("bill", "close", "--month", "2026-07", "--catalogue", str(folder / "standing.yaml")),
    }
    found = {code: site.run(*arguments) for code, arguments in calls.items()}

    assert {code: one.returncode for code, one in found.items()} == {code: code for code in calls}
    for code in (2, 3, 4, 5):
        lines = found[code].stderr.splitlines()
        assert found[code].stdout == ""
        assert [line.partition(": ")[0] for line in lines[:3]] == ["error", "where", "next"]
        assert len(lines) % 3 == 0
    assert found[4].stderr.splitlines()[1] == "where: pe1"


@pytest.mark.parametrize(
    "words", [("nothing",), ("bill", "draft"), ("bill", "draft", "--mont", "2026-07"), ("up", "--port", "x")]
)
def test_a_wrong_command_line_is_three_lines_and_2(bare: Platform, words: tuple[str, ...]) -> None:
    found = bare.run(*words)

    assert (found.returncode, found.stdout) == (2, "")
    assert [line.partition(": ")[0] for line in found.stderr.splitlines()] == ["error", "where", "next"]


def state_of(platform: Platform) -> list[str]:
    """All that the state database holds."""
    with closing(sqlite3.connect(platform.data / "state.db")) as database:
        return list(database.iterdump())


def test_a_dry_run_tells_and_changes_nothing(site: Platform, folder: Path) -> None:
    inventory, usage, prices = folder / "more.yaml", folder / "usage.csv", folder / "prices.yaml"
    inventory.write_text(INVENTORY.replace("省税务局", "国家税务局"), "utf-8")
    usage.write_text(USAGE)
    prices.write_text(CATALOGUE)
    before = state_of(site)
    told = [
        site.json("inventory", "import", str(inventory), "--dry-run"),
        site.json("meter", "import", str(usage), "--source", "csv", "--dry-run"),
        site.json("catalogue", "load", str(prices), "--dry-run"),
    ]

    assert (told[0]["applied"], told[0]["changed"]) == (False, {"organisations": ["tax"]})
    assert told[1] == {"received": 1, "stored": 1, "duplicates": 0, "conflicts": 0, "rejected": []}
    assert told[2]["version"] is None
    assert state_of(site) == before


def test_a_dry_run_of_the_simulation_leaves_it_alone(site: Platform, folder: Path, make_platform: MakePlatform) -> None:
    one = make_platform(folder / "simulated" / "data")
    shutil.copytree(site.data, one.data / "demo")
    paused = one.data / "demo" / "run" / "snmp.paused"

    assert one.json("lab", "pause", "snmp", "--dry-run") == {"part": "snmp", "state": "paused"}
    assert not paused.exists()
    one.json("lab", "pause", "snmp")
    assert one.json("lab", "resume", "snmp", "--dry-run") == {"part": "snmp", "state": "running"}
    assert paused.exists()
    one.json("lab", "resume", "snmp")
    assert not paused.exists()


def test_a_dry_run_of_login_keeps_nothing_and_asks_no_password(site: Platform) -> None:
    kept = Path(site.environment["HOME"]) / ".config" / "yunwang" / "token"
    password = "Frost-River-2026\n"
    site.json("user", "add", "wang", stdin=password)
    refused = site.run("login", "wang", "--dry-run")
    with closing(sqlite3.connect(site.data / "state.db")) as database:
        database.execute("UPDATE user_account SET must_change = 0")
        database.commit()
    before = state_of(site)
    told = site.json("login", "wang", "--dry-run")

    assert (refused.returncode, site.run("login", "li", "--dry-run").returncode) == (3, 3)
    assert (told["user"], state_of(site), kept.exists()) == ("wang", before, False)
    assert site.json("login", "wang", stdin=password)["until"] >= told["until"]
    assert site.json("login", "--forget", "--dry-run") == {"user": None}
    assert kept.exists()
    site.json("login", "--forget")
    assert not kept.exists()


def test_two_folders_share_nothing(site: Platform, tmp_path: Path) -> None:
    other = Platform(tmp_path / "data", syslog=free_port())
    other.configure()
    found = other.run("--data", str(other.data), "inventory", "export")

    assert (found.returncode, found.stdout) == (3, "")
    assert site.run("inventory", "export").returncode == 0
