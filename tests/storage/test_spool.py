"""The spool's format and its reading: every entry comes back once, in order, chained as documented."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from crypto.chain import GENESIS, head
from crypto.sm3 import sm3_hex
from records.errors import UserError
from records.spool import Entry, Kind, Position
from storage.spool import SpoolReader, SpoolWriter, event_id
from storage.spool.framing import FRAME_BYTES, HEADER_BYTES
from storage.spool.segments import list_segments, read_header
from storage.spool.tail import frames
from tests.storage.spooled import FRAME, NOON, bodies, frame_bytes, numbered, ordinals

Make = Callable[..., Entry]


def test_entries_come_back_as_they_were(writer: SpoolWriter, reader: SpoolReader) -> None:
    entries = [
        Entry(
            kind=kind,
            source="防火墙",
            received_at=NOON + timedelta(microseconds=i),
            payload=bytes(range(256)) * i,
            peer="::1",
            format="syslog",
        )
        for i, kind in enumerate(Kind)
    ]
    assert writer.append(entries[:2]) == range(2)
    assert writer.append(entries[2:]) == range(2, 5)
    assert writer.append([]) == range(5, 5)
    assert reader.read("collect", 0, 9) == [(Position("collect", i), entry) for i, entry in enumerate(entries)]
    assert reader.read("collect", 3, 1) == [(Position("collect", 3), entries[3])]
    assert (reader.end("collect"), writer.end, reader.partitions()) == (5, 5, ["collect"])


def test_kinds_are_chosen_and_the_others_passed(writer: SpoolWriter, reader: SpoolReader, entry: Make) -> None:
    writer.append([entry(b"%d" % i, Kind.USAGE if i % 100 == 7 else Kind.RAW) for i in range(1000)])
    found = reader.read("collect", 100, 3, frozenset({Kind.USAGE}))
    assert [position.offset for position, _ in found] == [107, 207, 307]
    scan = reader.scan("collect", 908, 5, frozenset({Kind.USAGE}))
    assert (scan.entries, scan.next) == ([], 1000)


def test_one_read_goes_on_in_segments_that_began_since_the_last(writer: SpoolWriter, reader: SpoolReader) -> None:
    writer.append(numbered(0))
    assert ordinals(reader) == [0]
    writer.roll()
    writer.append(numbered(1))
    writer.roll()
    writer.append(numbered(2))
    assert [position.offset for position, _ in reader.read("collect", 1, 9)] == [1, 2]


def test_an_empty_or_absent_spool_is_no_error(reader: SpoolReader, spool: Path) -> None:
    assert (reader.partitions(), reader.read("collect", 0, 1), reader.end("collect"), reader.waiting("collect", 0)) == (
        [],
        [],
        0,
        0,
    )
    SpoolWriter(spool, "collect").close()
    assert (reader.partitions(), reader.read("collect", 0, 1), reader.end("collect")) == (["collect"], [], 0)


def test_segments_roll_by_size_and_age_and_are_chained(spool: Path, reader: SpoolReader) -> None:
    clock = iter([NOON, *[NOON + timedelta(hours=hour) for hour in range(99)]])
    with SpoolWriter(spool, "collect", segment_bytes=500, segment_seconds=7200, clock=lambda: next(clock)) as writer:
        for number in range(20):
            writer.append(numbered(number))
    segments = list_segments(spool / "collect")
    assert len(segments) > 5
    assert bodies(reader) == [b"line %d" % n for n in range(20)]
    before = GENESIS
    for segment in segments:
        data = segment.path.read_bytes()
        assert read_header(segment.path).head == before
        before = head((data[start + FRAME_BYTES : end] for start, end in frames(data)), before)


def test_the_header_and_frame_are_as_documented(spool: Path) -> None:
    with SpoolWriter(spool, "collect", clock=lambda: NOON) as writer:
        writer.append([Entry(kind=Kind.RAW, source="s1", received_at=NOON, payload=b"hello", peer="p", format="f")])
    data = (spool / "collect" / f"{0:020d}.seg").read_bytes()
    micros = int(NOON.timestamp() * 1e6)
    assert data[:24] == b"YWSPOOL\x01" + struct.pack("<Qq", 0, micros)
    assert data[40:76] == bytes(36)
    length, _, received, kind, *names = struct.unpack_from("<IIqBHHH", data, 80)
    assert (length, received, kind, names) == (len(data) - 88, micros, 4, [2, 1, 1])
    assert data[103:] == b"s1pfhello"


def test_event_ids_tell_apart_what_joins_to_the_same_bytes() -> None:
    assert event_id("ab", 1, b"c") == sm3_hex(struct.pack(">I", 2) + b"ab" + struct.pack(">Q", 1) + b"c")
    assert (
        len({event_id("ab", 1, b"c"), event_id("a", 1, b"bc"), event_id("ab", 1, b"c\0"), event_id("ab", 256, b"c")})
        == 4
    )


@pytest.mark.usefixtures("writer")
def test_a_second_writer_is_refused_and_told_who(spool: Path) -> None:
    with pytest.raises(UserError, match=f"written by process {os.getpid()}"):
        SpoolWriter(spool, "collect")
    SpoolWriter(spool, "other").close()


def test_an_entry_that_the_format_cannot_hold_is_refused_whole(
    writer: SpoolWriter, reader: SpoolReader, entry: Make
) -> None:
    naive = Entry(kind=Kind.RAW, source="s", received_at=datetime(2026, 1, 1), payload=b"")
    for wrong in (entry(source="x" * 70_000), naive):
        with pytest.raises((ValueError, TypeError)):
            writer.append([entry(b"good"), wrong])
    writer.append([entry(b"next")])
    assert bodies(reader) == [b"next"]


def test_garbage_in_the_folder_disturbs_nobody(spool: Path, reader: SpoolReader) -> None:
    (spool / "collect" / "123.seg").mkdir(parents=True)
    (spool / "collect" / "notes.txt").write_text("x")
    (spool / "collect" / "clean.json").write_text("{broken")
    (spool / "collect" / f"{7:020d}.seg.tmp").write_bytes(b"half")
    (spool / "file").write_text("no folder")
    (spool / "empty").mkdir()
    with SpoolWriter(spool, "collect") as writer:
        writer.append(numbered(1))
    assert (reader.partitions(), bodies(reader)) == (["collect"], [b"line 1"])


def test_a_segment_without_a_header_is_named(spool: Path, reader: SpoolReader) -> None:
    with SpoolWriter(spool, "collect") as writer:
        writer.append(numbered(1))
    path = list_segments(spool / "collect")[0].path
    path.write_bytes(b"garbage" * 100)
    uses = {"does not begin with a header": lambda: SpoolWriter(spool, "collect"), "entry 0 of": lambda: bodies(reader)}
    for words, use in uses.items():
        with pytest.raises(UserError, match=words) as caught:
            use()
        assert caught.value.problems[0].where == str(path)


def test_a_live_tail_that_is_being_written_is_waited_for(spool: Path, writer: SpoolWriter, reader: SpoolReader) -> None:
    writer.append(numbered(0))
    path = list_segments(spool / "collect")[0].path
    with path.open("r+b") as file:
        file.seek(HEADER_BYTES + FRAME)
        file.write(frame_bytes(1)[:-1])
    assert (bodies(reader), reader.end("collect")) == ([b"line 0"], 1)
    writer.append(numbered(1))
    assert (bodies(reader), reader.end("collect")) == ([b"line 0", b"line 1"], 2)
