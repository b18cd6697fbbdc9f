"""What the embedded engine promises beyond the contract: crashes anywhere, full disks, many readers."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb  # noqa: F401 - loaded once, not in each of hundreds of children
import pyarrow as pa
import pyarrow.parquet
import pytest

from records.errors import UserError
from records.schemas import EVENTS, RATES, Table
from storage.embedded import EmbeddedStore
from storage.port import Where
from storage.unavailable import UnavailableError

DAY = datetime(2026, 10, 5, tzinfo=UTC)
SOURCES = str(Path(__file__).parents[2] / "storage" / "embedded")


def rates(*minutes: int, device: str = "a") -> pa.Table:
    blank = dict.fromkeys(RATES.schema.names)
    rows = [
        blank | {"device": device, "interface": "x", "at": DAY + timedelta(minutes=n), "in_bps": n} for n in minutes
    ]
    return pa.Table.from_pylist(rows, schema=RATES.schema)


def events(*numbers: int) -> pa.Table:
    blank = dict.fromkeys(EVENTS.schema.names)
    rows = [blank | {"id": f"e{n}", "at": DAY + timedelta(minutes=n)} for n in numbers]
    return pa.Table.from_pylist(rows, schema=EVENTS.schema)


def in_child(work: Callable[[], None]) -> int:
    """Run in a forked process; its exit code."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:  # noqa: BLE001 - the parent is told by the code
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def dying_after(lines: int, work: Callable[[], None]) -> Callable[[], None]:
    """``work``, whose process vanishes as by kill -9 when it comes to the n-th line of the engine."""

    def run() -> None:
        left = lines

        def trace(frame, event, _argument):
            nonlocal left
            if not frame.f_code.co_filename.startswith(SOURCES):
                return None
            if event == "line":
                left -= 1
                if left < 0:
                    os._exit(9)
            return trace

        sys.settrace(trace)
        work()

    return run


def seal_once(folder: Path) -> None:
    store = EmbeddedStore(folder, writer=True)
    store.seal(DAY + timedelta(days=2))


def check_whole(folder: Path) -> None:
    """Each row once for a plain reader; then for the next writer, which seals to the end."""
    expected = [0, 1, 2, 1441, 1442]
    for writer in (False, True):
        store = EmbeddedStore(folder, writer=writer)
        assert store.read(RATES)["in_bps"].to_pylist() == expected
        assert sorted(store.read(EVENTS, columns=["id"])["id"].to_pylist()) == ["e1", "e2"]
        if writer:
            store.seal(DAY + timedelta(days=2))
            assert store.append(RATES, rates(0, 1, 2, 1441, 1442)) == store.append(EVENTS, events(1, 2)) == 0
            assert store.read(RATES)["in_bps"].to_pylist() == expected
            assert len(list(folder.glob("rates/*"))) == 2
        store.close()


def crash_everywhere(tmp_path: Path, step: int) -> int:
    """Kill a sealing process at every ``step``-th line; how many kills there were."""
    origin = tmp_path / "origin"
    assert in_child(lambda: prepare(origin)) == 0
    kills = 0
    while True:
        folder = tmp_path / f"at{kills}"
        shutil.copytree(origin, folder)
        code = in_child(dying_after(kills * step, lambda folder=folder: seal_once(folder)))
        assert in_child(lambda folder=folder: check_whole(folder)) == 0, f"after a kill at line {kills * step}"
        shutil.rmtree(folder)
        if code == 0:
            return kills
        assert code == 9
        kills += 1


def prepare(folder: Path) -> None:
    store = EmbeddedStore(folder, writer=True)
    store.append(RATES, rates(0, 1, 2, 1441, 1442))
    store.append(EVENTS, events(1, 2))
    store.close()


def test_a_crash_while_sealing_leaves_every_row_once(tmp_path: Path) -> None:
    assert crash_everywhere(tmp_path, 131) > 4


@pytest.mark.long
def test_a_crash_at_every_third_line_of_sealing_leaves_every_row_once(tmp_path: Path) -> None:
    assert crash_everywhere(tmp_path, 3) > 130


LOAD = """
import sys
from pathlib import Path
import pyarrow as pa
from datetime import datetime, timedelta, UTC
from records.schemas import RATES
from storage.embedded import EmbeddedStore
store = EmbeddedStore(Path(sys.argv[1]), writer=True)
number = store.count(RATES)
blank = dict.fromkeys(RATES.schema.names)
while True:
    blank |= {"device": "a", "interface": "x"}
    start = datetime(2026, 10, 5, tzinfo=UTC)
    rows = [blank | {"at": start + timedelta(minutes=n), "in_bps": n} for n in range(number, number + 200)]
    assert store.append(RATES, pa.Table.from_pylist(rows, schema=RATES.schema)) == 200
    number += 200
    print(number, flush=True)
    if number % 2000 == 0:
        store.seal(rows[-1]["at"])
"""


def check_kills(folder: Path, rounds: Sequence[int]) -> None:
    reader = EmbeddedStore(folder)
    for batches in rounds:
        with subprocess.Popen([sys.executable, "-c", LOAD, str(folder)], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            reported = [int(process.stdout.readline()) for _ in range(batches)][-1]
            process.kill()
        found = reader.read(RATES, columns=["in_bps"])["in_bps"].to_pylist()
        assert found == list(range(len(found)))
        assert len(found) >= reported
    reader.close()


def test_kill_under_load_keeps_what_append_returned(tmp_path: Path) -> None:
    check_kills(tmp_path, [3, 25, 40])


@pytest.mark.long
def test_kill_under_load_many_times(tmp_path: Path) -> None:
    check_kills(tmp_path, [1 + n % 13 for n in range(25)])


def test_readers_of_other_threads_see_each_row_once_while_days_are_sealed(tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path, writer=True)
    minutes = range(0, 1440 * 6, 7)
    store.append(RATES, rates(*minutes))
    reader, seen, done = EmbeddedStore(tmp_path), [], threading.Event()

    def look() -> None:
        while not done.is_set():
            seen.append(reader.read(RATES, columns=["in_bps"])["in_bps"].to_pylist())

    threads = [threading.Thread(target=look) for _ in "12"]
    for thread in threads:
        thread.start()
    for day in range(1, 7):
        store.seal(DAY + timedelta(days=day))
    done.set()
    for thread in threads:
        thread.join()
    assert len(seen) > 2
    assert all(found == list(minutes) for found in seen)
    reader.close()
    store.close()


def test_hot_reads_do_not_load_duckdb(tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path, writer=True)
    store.append(RATES, rates(0, 1441))
    store.seal(DAY + timedelta(days=1))
    store.close()
    code = (
        "import sys; from datetime import *; from pathlib import Path\n"
        "from records.schemas import RATES; from storage.embedded import EmbeddedStore\n"
        f"s = EmbeddedStore(Path('{tmp_path}')); hot = datetime(2026, 10, 6, tzinfo=UTC)\n"
        "page = s.page(RATES, limit=1, start=hot)\n"
        "print(len(s.read(RATES, start=hot)), s.count(RATES), len(page.rows), 'duckdb' in sys.modules)\n"
        "print(len(s.read(RATES)), 'duckdb' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "1 2 1 False\n2 True\n"


def test_the_next_writer_removes_what_no_transaction_listed(tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path, writer=True)
    store.append(EVENTS, events(1))
    store.seal(DAY + timedelta(days=1))
    store.close()
    listed = sorted((tmp_path / "events").iterdir())
    for name in ("2026-10-04-0.parquet", "2026-10-04-0.keys", "2026-10-03-0.parquet.part", "notes.txt"):
        (tmp_path / "events" / name).write_bytes(b"half")
    EmbeddedStore(tmp_path).close()
    assert len(list((tmp_path / "events").iterdir())) == 6
    EmbeddedStore(tmp_path, writer=True).close()
    assert sorted((tmp_path / "events").iterdir()) == [*listed, tmp_path / "events" / "notes.txt"]


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path, writer=True)
    with pytest.raises(UserError, match="another process writes"):
        EmbeddedStore(tmp_path, writer=True)
    store.close()
    EmbeddedStore(tmp_path, writer=True).close()


def test_a_folder_that_cannot_be_written_and_a_damaged_file_are_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UnavailableError, match="cannot write the record store"):
        EmbeddedStore(tmp_path / "file" / "records", writer=True)
    (tmp_path / "hot.db").write_bytes(b"garbage " * 1000)
    with pytest.raises(UserError, match="damaged") as caught:
        EmbeddedStore(tmp_path, writer=True)
    assert caught.value.problems[0].where == str(tmp_path / "hot.db")


def test_a_store_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    EmbeddedStore(tmp_path, writer=True).close()
    sqlite3.connect(tmp_path / "hot.db").execute("PRAGMA user_version=99")
    with pytest.raises(UserError, match="newer version"):
        EmbeddedStore(tmp_path, writer=True)


def test_a_full_disk_changes_nothing_and_heals(tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path, writer=True)
    store.append(RATES, rates(*range(100)))
    connection = store._hot._connect()
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count={pages + 1}")
    with pytest.raises(UnavailableError, match="full"):
        store.append(RATES, rates(*range(5000)))
    assert store.count(RATES) == 100
    connection.execute("PRAGMA max_page_count=1000000")
    assert store.append(RATES, rates(*range(5000))) == 4900
    store.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_a_file_system_that_fills_up_while_sealing_loses_nothing(tmp_path: Path) -> None:
    place = tmp_path / "small"
    place.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", place], check=False, capture_output=True
    ).returncode:
        pytest.skip("this system lets nobody mount a tmpfs")
    try:
        store = EmbeddedStore(place, writer=True)
        check_full(store, place)
    finally:
        store.close()
        subprocess.run(["umount", place], check=True)


def check_full(store: EmbeddedStore, place: Path) -> None:
    store.append(RATES, rates(*range(1000)))
    (place / "ballast").write_bytes(bytes(os.statvfs(place).f_bavail * os.statvfs(place).f_frsize))
    with pytest.raises(UnavailableError):
        store.seal(DAY + timedelta(days=1))
    assert store.count(RATES) == 1000
    (place / "ballast").unlink()
    assert store.seal(DAY + timedelta(days=1)) == 1000
    assert store.count(RATES) == 1000


def test_a_column_that_came_later_is_missing_in_old_rows(tmp_path: Path) -> None:
    old = Table(
        name="rates", key=RATES.key, time=RATES.time, series=RATES.series, schema=RATES.schema.remove(9).remove(8)
    )
    store = EmbeddedStore(tmp_path, writer=True)
    store._hot._connect().execute("DROP TABLE rates")
    store._hot.declare(old)
    for minutes in (1, 1441):
        store.append(old, rates(minutes).select(old.schema.names))
    part = store._sealed.write(
        old, rates(0).select(old.schema.names), day=(DAY - datetime(1970, 1, 1, tzinfo=UTC)).days, number=0
    )
    with store._hot.writing() as view:
        view.list_segment(part)
    store.close()
    reader = EmbeddedStore(tmp_path)
    assert reader.read(RATES).to_pylist() == rates(0, 1, 1441).to_pylist()
    reader.close()
    newer = EmbeddedStore(tmp_path, writer=True)
    newer.append(RATES, rates(1442))
    newer.append(RATES, rates(2))
    newer.seal(DAY + timedelta(days=1))
    assert newer.read(RATES).to_pylist() == rates(0, 1, 2, 1441, 1442).to_pylist()
    assert newer.count(RATES, where=[Where("raw_in_bps", "=", None)]) == 5
    newer.close()


@pytest.mark.parametrize(
    "cell",
    [
        "[]",
        '["rates", true, "text", "a", "x"]',
        '["rates", true, 1e400, "a", "x"]',
        '["rates", true, 9' + "9" * 30 + ', "a", "x"]',
        "{}",
        "\x00",
    ],
)
def test_hostile_cursors_are_refused_in_our_words(tmp_path: Path, cell: str) -> None:
    import base64  # noqa: PLC0415 - only here

    store = EmbeddedStore(tmp_path, writer=True)
    with pytest.raises(UserError, match="cursor"):
        store.page(RATES, limit=1, cursor=base64.urlsafe_b64encode(cell.encode()).decode())
    store.close()
