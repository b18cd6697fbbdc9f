"""The spool under faults: torn tails, damage, kills, a full disk. Every entry once, in order, whatever happens in between."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from records.spool import Entry
from storage.spool import SpoolCorruptError, SpoolReader, SpoolWriter
from storage.spool.framing import FRAME_BYTES, HEADER_BYTES
from storage.spool.segments import GAP, list_segments
from storage.unavailable import UnavailableError
from tests.storage.spooled import FRAME, MEMORY, bodies, frame_bytes, numbered, ordinals

Make = Callable[..., Entry]


def torn(spool: Path, cut: int, junk: bytes = b"") -> SpoolWriter:
    """A partition of three entries whose file ends after ``cut`` bytes, opened again."""
    with SpoolWriter(spool, "collect") as writer:
        writer.append(numbered(0, 1, 2))
    (spool / "collect" / "clean.json").unlink()
    path = list_segments(spool / "collect")[0].path
    path.write_bytes(path.read_bytes()[:cut] + junk)
    return SpoolWriter(spool, "collect")


@pytest.mark.parametrize("cut", range(HEADER_BYTES, HEADER_BYTES + 3 * FRAME + 1))
@pytest.mark.parametrize("junk", [b"", bytes(5000)])
def test_a_tail_torn_at_any_byte_is_repaired(spool: Path, cut: int, junk: bytes) -> None:
    whole, rest = divmod(cut - HEADER_BYTES, FRAME)
    with torn(spool, cut, junk) as writer:
        assert (writer.repaired is not None) == (rest > 0)
        if writer.repaired is not None:
            kept = writer.repaired.kept.read_bytes()
            assert kept == frame_bytes(whole)[:rest].rstrip(b"\0")
        assert writer.append(numbered(9)) == range(whole, whole + 1)
    assert bodies(SpoolReader(spool)) == [b"line %d" % n for n in (*range(whole), 9)]


def test_after_a_loss_of_power_no_ordinal_is_given_twice(spool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = SpoolReader(spool)
    with SpoolWriter(spool, "collect") as writer:
        writer.append(numbered(0, 1, 2))
        assert ordinals(reader) == [0, 1, 2]  # a consumer may have committed 3 by now
    (spool / "collect" / "clean.json").unlink()
    path = list_segments(spool / "collect")[0].path
    os.truncate(path, path.stat().st_size - FRAME)  # the disk had not got the last entry
    monkeypatch.setattr("storage.spool.writer.boot_id", lambda: b"another boot ...")
    with SpoolWriter(spool, "collect") as writer:
        writer.append(numbered(7))
    fresh = SpoolReader(spool)
    assert (ordinals(fresh), bodies(fresh)) == ([0, 1, 2 + GAP], [b"line 0", b"line 1", b"line 7"])
    assert fresh.read("collect", 3, 9) == reader.read("collect", 3, 9) == fresh.read("collect", 2 + GAP, 9)
    assert (fresh.waiting("collect", 0), fresh.waiting("collect", 3), fresh.end("collect")) == (3, 1, 3 + GAP)


def test_a_clean_end_survives_a_new_boot_without_a_gap(spool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with SpoolWriter(spool, "collect") as writer:
        writer.append(numbered(0))
    monkeypatch.setattr("storage.spool.writer.boot_id", lambda: b"another boot ...")
    with SpoolWriter(spool, "collect") as writer:
        assert writer.append(numbered(1)) == range(1, 2)


def test_damage_before_the_tail_is_kept_aside_and_its_ordinals_are_not_given_again(spool: Path) -> None:
    with SpoolWriter(spool, "collect") as writer:
        writer.append(numbered(0, 1, 2))
    (spool / "collect" / "clean.json").unlink()
    path = list_segments(spool / "collect")[0].path
    data = bytearray(path.read_bytes())
    data[HEADER_BYTES + FRAME + 30] ^= 1
    path.write_bytes(data)
    with SpoolWriter(spool, "collect") as writer:
        assert writer.repaired is not None
        assert writer.repaired.cut == 2 * FRAME
        assert writer.append(numbered(9)) == range(1 + GAP, 2 + GAP)
    assert bodies(SpoolReader(spool)) == [b"line 0", b"line 9"]


@pytest.mark.parametrize("at", range(0, FRAME, 3))
def test_damage_in_a_closed_segment_names_it_and_reading_goes_on_behind(spool: Path, at: int) -> None:
    with SpoolWriter(spool, "collect") as writer:
        writer.append(numbered(0, 1, 2))
        writer.roll()
        writer.append(numbered(3))
    path = list_segments(spool / "collect")[0].path
    data = bytearray(path.read_bytes())
    data[HEADER_BYTES + FRAME + at] ^= 0x10
    path.write_bytes(data)
    reader = SpoolReader(spool)
    assert [position.offset for position, _ in reader.read("collect", 0, 1)] == [0]
    with pytest.raises(SpoolCorruptError, match=r"entry 1 of spool segment 0{20}\.seg") as caught:
        reader.read("collect", 1, 9)
    resume = caught.value.resume
    assert resume in ({2} if at >= FRAME_BYTES else {2, 3})
    assert [position.offset for position, _ in reader.read("collect", resume, 9)] == list(range(resume, 4))
    assert [position.offset for position, _ in SpoolReader(spool).read("collect", resume, 9)] == list(range(resume, 4))


FULL_DISK = """
import resource, sys
from pathlib import Path
from datetime import datetime, UTC
from records.spool import Entry, Kind
from storage.spool import SpoolFullError, SpoolReader, SpoolWriter
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (3 * 2**20, hard))
big = Entry(kind=Kind.RAW, source="s", received_at=datetime.now(UTC), payload=b"x" * 500_000)
small = Entry(kind=Kind.RAW, source="s", received_at=datetime.now(UTC), payload=b"y")
kept = 0
with SpoolWriter(Path(sys.argv[1]), "collect") as writer:
    try:
        while kept < 100:
            kept += len(writer.append([big, small]))
    except SpoolFullError as error:
        assert "reserve" in error.problems[0].advice(), error
    assert SpoolReader(Path(sys.argv[1])).end("collect") == kept == writer.end, kept
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    kept += len(writer.append([big, small]))
entries = SpoolReader(Path(sys.argv[1])).read("collect", 0, 100)
assert [len(entry.payload) for _, entry in entries] == [500_000, 1] * (kept // 2), kept
print(kept)
"""


def test_a_full_disk_refuses_the_batch_whole_and_goes_on_when_there_is_room(spool: Path) -> None:
    done = subprocess.run([sys.executable, "-c", FULL_DISK, str(spool)], check=True, capture_output=True, text=True)
    assert 4 <= int(done.stdout) < 100


def test_the_reserve_is_left_for_the_databases(spool: Path, entry: Make) -> None:
    with SpoolWriter(spool, "collect", reserve_bytes=2**60) as writer, pytest.raises(UnavailableError, match="no room"):
        writer.append([entry()])


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("a file stands here")
    with pytest.raises(UnavailableError, match="cannot write the spool") as caught:
        SpoolWriter(tmp_path / "spool", "collect")
    assert caught.value.problems[0].where.startswith(str(tmp_path))


def test_a_failed_fsync_is_told(writer: SpoolWriter, monkeypatch: pytest.MonkeyPatch, entry: Make) -> None:
    writer.append([entry()])

    def fail(_file: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("storage.spool.live.os.fdatasync", fail)
    with pytest.raises(UnavailableError, match="did not keep"):
        writer.sync()
    with pytest.raises(UnavailableError, match="did not keep"):
        writer.append([entry()])


LOAD = """
import sys
from pathlib import Path
from datetime import datetime, UTC
from records.spool import Entry, Kind
from storage.spool import SpoolWriter
with SpoolWriter(Path(sys.argv[1]), "collect", segment_bytes=200_000) as writer:
    number = writer.end
    while True:
        at = datetime.now(UTC)
        numbers = range(number, number + 50)
        batch = [Entry(kind=Kind.RAW, source="s", received_at=at, payload=b"%d" % n) for n in numbers]
        assert writer.append(batch).start == number
        number += 50
        print(number, flush=True)
"""


def killed_while_writing(spool: Path, batches: int) -> int:
    """Start a writer, kill -9 it under load; how many entries it had reported."""
    with subprocess.Popen([sys.executable, "-c", LOAD, str(spool)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        reported = [int(process.stdout.readline()) for _ in range(batches)][-1]
        process.kill()
    return reported


def check_kill(spool: Path, rounds: Sequence[int]) -> None:
    reader = SpoolReader(spool)
    for batches in rounds:
        reported = killed_while_writing(spool, batches)
        found = bodies(reader)
        assert len(found) >= reported
        assert found == [b"%d" % n for n in range(len(found))] == bodies(SpoolReader(spool))


def test_kill_under_load_loses_nothing_that_was_reported(spool: Path) -> None:
    check_kill(spool, [1, 120, 300])


@pytest.mark.long
def test_kill_under_load_fifty_times(spool: Path) -> None:
    check_kill(spool, [1 + 7 * (n % 5) for n in range(50)])


def test_reading_beside_a_writer_in_another_process_sees_each_entry_once_and_whole(spool: Path) -> None:
    reader = SpoolReader(spool)
    seen: list[bytes] = []
    with subprocess.Popen([sys.executable, "-c", LOAD, str(spool)], stdout=subprocess.DEVNULL) as process:
        offset = 0
        while len(seen) < 20_000:
            scan = reader.scan("collect", offset, 997)
            seen += [entry.payload for _, entry in scan.entries]
            offset = scan.next
        process.kill()
    assert seen == [b"%d" % n for n in range(len(seen))]


actions = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(0, 5)),
        st.tuples(st.just("tear"), st.integers(0, 60)),
        st.tuples(st.sampled_from(["reopen", "roll", "read"]), st.just(0)),
    ),
    max_size=25,
)


@settings(max_examples=60, deadline=None)
@given(actions)
def test_any_interleaving_gives_each_entry_exactly_once(what: list[tuple[str, int]]) -> None:
    """``tear``: the process dies while it writes one more entry of which ``n`` bytes reach the file."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        spool = Path(folder)
        reader, seen, kept = SpoolReader(spool), [], []
        writer = SpoolWriter(spool, "collect", segment_bytes=400)
        for name, number in what:
            if name == "append":
                entries = numbered(*range(len(kept), len(kept) + number))
                assert writer.append(entries) == range(len(kept), len(kept) + number)
                kept += [entry.payload for entry in entries]
            elif name == "roll":
                writer.roll()
            elif name == "read":
                seen += reader.read("collect", len(seen), 3)
            else:
                writer.close()
                if name == "tear":
                    path = list_segments(spool / "collect")[-1].path
                    (spool / "collect" / "clean.json").unlink()
                    path.write_bytes(path.read_bytes() + frame_bytes(99)[: min(number, FRAME - 1)] + bytes(number))
                writer = SpoolWriter(spool, "collect", segment_bytes=400)
        seen += reader.read("collect", len(seen), 10**6)
        assert [entry.payload for _, entry in seen] == kept
        assert [position.offset for position, _ in seen] == list(range(len(kept)))
        assert reader.end("collect") == len(kept) == SpoolReader(spool).end("collect")
        writer.close()
