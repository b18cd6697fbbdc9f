"""CONTRACT §1: what a person reads is in their language; identifiers, keys and paths stay as they are."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.running import Platform
from yunwang.cli import tree

CHINESE = {"LANG": "zh_CN.UTF-8"}
HAN = re.compile(r"[\u4e00-\u9fff]")
SENTENCE = re.compile(r"(?<![\w./`<-])[A-Za-z']{2,}(?: [a-z']{2,}){2,}(?![\w./>-])")
"""Three English words in a row; `yw bill draft` in backticks is a command."""


def english_in(text: str) -> list[str]:
    """Sentences that stayed English; ``where:`` lines hold places, backticks commands, values stand in quotes."""
    lines = [one for one in text.splitlines() if not one.startswith("where: ")]
    return [found[0] for one in lines for found in SENTENCE.finditer(re.sub(r"`[^`]*`|“[^”]*”", "", one))]


@pytest.fixture(scope="module")
def files(folder: Path) -> Path:
    """Inputs, each wrong in its own way."""
    (folder / "broken.toml").write_text("[collect\n")
    (folder / "wrong.toml").write_text(
        "[collect]\nsnmp_interval_seconds = 0\nsyslog_udp = 3\n[store]\nkind = 'oracle'\n[spool]\nfsync_seconds = 'x'\n"
        "[console]\nbehind_proxy = 'perhaps'\n[retention]\nlog_days = 3\n[x]\ny = 1\n[crypto]\nproviders = 1\n"
    )
    (folder / "tab.yaml").write_text("yunwang: 1\n\tregions: []\n")
    (folder / "open.yaml").write_text('regions: [{code: "1"\n')
    (folder / "binary").write_bytes(b"\xff\xfe\0")
    (folder / "rule.yml").write_text(
        "title: x\nlogsource: {product: windows}\ndetection: {a: {b: c}, condition: nope}\n"
    )
    (folder / "text").write_text("hello")
    return folder


@pytest.mark.parametrize(
    "words",
    [
        "", "bill", "nothing", "bill draf", "bill draft", "bill draft --mont x", "bill draft --month", "version x",
        "up --port x", "up --port 0", "up --detach=1", "user add", "user grant wang king", "soc alerts --state odd",
        "config check --config DIR/none", "config check --config DIR/broken.toml", "config check --config DIR/wrong.toml",
        "inventory check DIR/none", "inventory check DIR/tab.yaml", "inventory check DIR/open.yaml",
        "inventory check DIR/binary", "inventory export --out /proc/none", "meter import DIR/none --source a",
        "soc ingest DIR", "soc ingest DIR/binary --format evtx", "soc rules check DIR/rule.yml", "crypto hash DIR",
        "crypto sign --key DIR/text --out DIR/sig DIR/text", "crypto cert show DIR/text", "doctor", "token new",
        "secret rm none", "collect once --device pe1", "link show none", "verify DIR/text", "login --dry-run nobody",
    ],
)  # fmt: skip
def test_no_line_is_an_english_sentence(site: Platform, files: Path, words: str) -> None:
    done = site.run(*words.replace("DIR", str(files)).split(), more=CHINESE)
    said = done.stdout + done.stderr

    assert HAN.search(said), said
    assert english_in(said.replace(str(files), "DIR")) == []
    assert "Traceback" not in said


@pytest.mark.parametrize("name", [*tree.COMMANDS, *tree.GROUPS])
def test_help_is_chinese(bare: Platform, name: str) -> None:
    assert english_in(bare.run(name, "--help", more=CHINESE).stdout) == []


def test_english_stays_english(bare: Platform, files: Path) -> None:
    for words in (("bill",), ("config", "check", "--config", str(files / "wrong.toml")), ("doctor",)):
        done = bare.run(*words, more={"LANG": "en_US.UTF-8"})
        assert not HAN.search(done.stdout + done.stderr)


def test_what_the_environment_sets_wrongly_is_named_by_its_variable(bare: Platform) -> None:
    told = bare.run(
        "config", "check", more={"YW_COLLECT__SNMP_INTERVAL_SECONDS": "soon", "YW_COLOUR__BLUE": "1"}
    ).stderr

    assert [line for line in told.splitlines() if line.startswith("where: ")] == [
        "where: YW_COLLECT__SNMP_INTERVAL_SECONDS",
        "where: YW_COLOUR__BLUE",
    ]
    assert "'collect.snmp_interval_seconds' must be a whole number, not 'soon'" in told


def test_an_error_about_bytes_names_the_file(bare: Platform, files: Path) -> None:
    for words in (("crypto", "cert", "show"), ("crypto", "cert", "verify")):
        assert f"where: {files / 'text'}\n" in bare.run(*words, str(files / "text")).stderr


def test_values_in_json_are_not_translated(site: Platform) -> None:
    plain, chinese = (json.loads(site.run("config", "show", more=more).stdout) for more in ({}, CHINESE))
    assert plain == chinese
