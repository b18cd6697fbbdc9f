"""Files -> records -> spool, each once."""

from __future__ import annotations

import gzip
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest

from inventory.model import Inventory
from records.errors import UserError
from records.spool import Kind
from soc.detect import detect, parsed_events
from soc.enrich import Enricher
from soc.files import check_readable, read_records
from soc.ingest import spool_file
from soc.pack import own_rules
from soc.parse import Raw, parse
from storage.spool import SpoolReader
from tests.soc.pipeline import NOW, login, storm


def payloads(path: Path, form: str = "auto") -> list[bytes]:
    return [payload for _, payload in read_records(path, form)]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(b"a\n\nb\r\n \nc", [b"a", b"b", b"c"], id="lines, blank ones left out"),
        pytest.param(b'{"a":1}\n{"a":2}\n', [b'{"a":1}', b'{"a":2}'], id="JSON lines"),
        pytest.param(b'[{"a": 1},\n {"a": 2}]', [b'{"a":1}', b'{"a":2}'], id="JSON array"),
        pytest.param(b'{\n "a": 1\n}\n', [b'{"a":1}'], id="one JSON object over lines"),
        pytest.param(b'{"a":1\n{"a":2}\n', [b'{"a":1', b'{"a":2}'], id="a broken line does not stop the next"),
        pytest.param(b"\xef\xbb\xbf<13>x\n", [b"\xef\xbb\xbf<13>x"], id="BOM"),
        pytest.param(b"", [], id="empty"),
    ],
)
def test_records(tmp_path: Path, content: bytes, expected: list[bytes]) -> None:
    (tmp_path / "f").write_bytes(content)
    assert payloads(tmp_path / "f") == expected


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress], ids=["gzip", "xz"])
def test_packed_files_are_unpacked(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    (tmp_path / "f").write_bytes(pack(b"one\ntwo\n"))
    assert payloads(tmp_path / "f") == [b"one", b"two"]


def test_a_packed_file_cut_short_is_told(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(gzip.compress(b"one\n" * 10_000)[:40])
    with pytest.raises(UserError, match="cannot read"):
        payloads(tmp_path / "f")


def test_an_endless_line_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("soc.files.LONGEST_RECORD", 10)
    (tmp_path / "f").write_bytes(b"x" * 25)
    assert payloads(tmp_path / "f") == [b"x" * 10, b"x" * 10, b"x" * 5]


def test_a_file_that_only_begins_like_evtx_is_told(tmp_path: Path) -> None:
    (tmp_path / "f.evtx").write_bytes(b"ElfFile\x00" + b"\xff" * 100)
    with pytest.raises(UserError, match=r"f\.evtx"):
        payloads(tmp_path / "f.evtx")


def test_missing_files_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        check_readable([tmp_path / "a", tmp_path / "b", tmp_path])
    assert len(caught.value.problems) == 3


def spooled(folder: Path) -> list[tuple[str, bytes]]:
    reader = SpoolReader(folder)
    found = [entry for name in reader.partitions() for _, entry in reader.read(name, 0, 10_000, {Kind.RAW})]
    return [(entry.source.rpartition(":")[2], entry.payload) for entry in found]


def test_a_file_is_spooled_once(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("a\nb\nc\n")
    first = spool_file(tmp_path / "f", tmp_path / "spool", NOW)
    again = spool_file(tmp_path / "f", tmp_path / "spool", NOW)
    assert (first.received, first.added, again.received, again.added) == (3, 3, 3, 0)
    assert spooled(tmp_path / "spool") == [("0", b"a"), ("1", b"b"), ("2", b"c")]


def test_what_a_crash_left_out_is_added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("soc.ingest.BATCH", 2)
    (tmp_path / "f").write_text("".join(f"{number}\n" for number in range(7)))

    def failing(path: Path, form: str) -> object:
        for number, record in enumerate(read_records(path, form)):
            if number == 5:
                raise KeyboardInterrupt
            yield record

    with monkeypatch.context() as patched:
        patched.setattr("soc.ingest.read_records", failing)
        with pytest.raises(KeyboardInterrupt):
            spool_file(tmp_path / "f", tmp_path / "spool", NOW)
    assert len(spooled(tmp_path / "spool")) == 4
    assert spool_file(tmp_path / "f", tmp_path / "spool", NOW).added == 3
    assert spooled(tmp_path / "spool") == [(str(number), str(number).encode()) for number in range(7)]


def test_detect_counts_what_fired(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("\n".join([*storm(20), "garbage"]) + "\n")
    told: list[object] = []
    found = detect([tmp_path / "f"], own_rules(), tell=told.append).as_json()
    counts = {one["title"]: one["count"] for one in found["hits"]}
    assert counts == {
        "Failed SSH login": 20,
        "SSH brute force": 11,
        "Successful SSH login": 1,
        "SSH login after brute force": 1,
    }
    assert (found["events"], found["unparsed"], found["unsupported"], len(told)) == (22, 1, [], 33)
    assert found["events_per_cpu_second"] > 0


def test_parse_explains(tmp_path: Path) -> None:
    (tmp_path / "f").write_text(f"{login(NOW)}\ngarbage\n")
    good, bad = parsed_events(tmp_path / "f", explain=True)
    assert (good["yw"]["explain"]["parser"], good["yw"]["explain"]["parsed"]) == ("syslog/1", True)
    assert bad["yw"]["explain"]["reason"] == "neither PRI nor time at the beginning"
    assert (good["event"]["action"], good["event"]["category"], bad["event"]["original"]) == (
        "ssh_login",
        ["authentication"],
        "garbage",
    )


@pytest.mark.parametrize(
    ("line", "peer", "expected"),
    [
        pytest.param(
            "<13>Mar  2 10:00:00 fin-db1 a: x",
            "",
            {"yw.asset": "fin-db1", "yw.org": "hlj-finance", "yw.region": "230000"},
            id="by name",
        ),
        pytest.param("<13>Mar  2 10:00:00 127.0.2.1 a: x", "", {"yw.asset": "fin-db1"}, id="by address in the line"),
        pytest.param("<13>x", "127.0.2.1", {"yw.asset": "fin-db1"}, id="by the sender, where the line names none"),
        pytest.param("<13>Mar  2 10:00:00 other a: x", "127.0.2.1", {"yw.asset": None}, id="a server may be a relay"),
        pytest.param("<13>Mar  2 10:00:00 sysname a: x", "127.0.1.1", {"yw.device": "pe1"}, id="a device is none"),
        pytest.param('{"yw.tenant": "fin-core"}', "", {"yw.org": "hlj-finance", "yw.region": "230000"}, id="tenant"),
        pytest.param('{"yw.link": "l1"}', "", {"yw.group": "g1", "yw.org": "hlj-finance"}, id="link"),
        pytest.param('{"yw.link": "l1", "yw.org": "own"}', "", {"yw.org": "own"}, id="what an event brings stays"),
    ],
)
def test_enrichment(inventory: Inventory, line: str, peer: str, expected: dict[str, str | None]) -> None:
    event = parse(Raw(payload=line.encode(), received_at=NOW, peer=peer))
    Enricher(inventory).enrich(event, peer)
    assert {name: event.fields.get(name) for name in expected} == expected
