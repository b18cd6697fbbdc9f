"""Sealed days as Parquet files, sorted by series and time; DuckDB is imported when the first one is read."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from records.schemas import Table
from storage.embedded.cells import DAY
from storage.embedded.conditions import Clause, quoted
from storage.embedded.order import instants_of
from storage.embedded.view import Segment

KEYS = ".keys"
_ROW_GROUP = 32_768  # a series' rows stand together, so that a reader of one series skips nearly all groups
_PART = ".part"


class SealedFiles:
    """Reads and writes the segment files of one store."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._guard = threading.Lock()
        self._engine: Any = None
        self._hashes: dict[str, npt.NDArray[np.uint64]] = {}

    def write(self, table: Table, rows: pa.Table, *, day: int, number: int) -> Segment:
        """Write one segment; when it returns the file is whole, synced and under its name, but not listed yet.

        ``rows`` are of that day (days since 1970) and sorted by series and time.
        """
        import pyarrow.parquet as pq  # noqa: PLC0415 - only the writer seals

        name = f"{table.name}/{datetime.fromtimestamp(day * DAY // 1_000_000, UTC):%Y-%m-%d}-{number}.parquet"
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        texts = [field.name for field in table.schema if pa.types.is_string(field.type)]
        _write_whole(
            path,
            lambda part: pq.write_table(
                rows, part, compression="zstd", row_group_size=_ROW_GROUP, use_dictionary=texts
            ),
        )
        if table.time not in table.key:
            hashes = np.sort(hash_keys(rows, table.key))
            _write_whole(path.with_suffix(KEYS), hashes.tofile)
        instants = instants_of(table, rows)
        return Segment(
            table=table.name,
            day=day,
            number=number,
            file=name,
            rows=len(rows),
            least=int(instants.min()),
            most=int(instants.max()),
            columns=tuple(rows.schema.names),
        )

    def remove_unlisted(self, listed: set[str]) -> None:
        """Remove what a crash left behind: files that no transaction made part of the store."""
        for path in self._folder.glob("*/*"):
            name = path.with_suffix(".parquet").relative_to(self._folder).as_posix()
            if path.suffix == _PART or (path.suffix in {".parquet", KEYS} and name not in listed):
                path.unlink()

    def select(
        self, table: Table, segments: Sequence[Segment], columns: Sequence[str], clause: Clause, tail: str = ""
    ) -> pa.Table:
        """Rows of these segments that meet the clause."""
        schema = pa.schema([table.schema.field(name) for name in columns])
        sql = (
            f"SELECT {', '.join(map(quoted, columns))} FROM ({self._union(table, segments)}) WHERE {clause.sql} {tail}"  # noqa: S608
        )
        return self._cursor().sql(sql, params=list(clause.values)).to_arrow_table().cast(schema)

    def count(self, table: Table, segments: Sequence[Segment], clause: Clause) -> int:
        """How many rows of these segments meet the clause."""
        sql = f"SELECT count(*) FROM ({self._union(table, segments)}) WHERE {clause.sql}"  # noqa: S608 - quoted names, bound values
        return int(self._cursor().execute(sql, list(clause.values)).fetchone()[0])

    def known(self, table: Table, segments: Sequence[Segment], rows: pa.Table) -> npt.NDArray[np.bool_]:
        """For each row, whether these segments hold its key."""
        found = np.zeros(len(rows), np.bool_)
        if not segments or not len(rows):
            return found
        cursor = self._cursor()
        cursor.register(
            "candidate", rows.select(table.key).append_column("row_number_", pa.array(np.arange(len(rows))))
        )
        names = ", ".join(map(quoted, table.key))
        sql = f"SELECT row_number_ FROM candidate SEMI JOIN ({self._union(table, segments)}) USING ({names})"  # noqa: S608 - quoted names
        found[cursor.sql(sql).to_arrow_table()["row_number_"].to_numpy()] = True
        cursor.unregister("candidate")
        return found

    def suspects(self, segments: Iterable[Segment], hashes: npt.NDArray[np.uint64]) -> list[Segment]:
        """Segments that may hold one of these keys, by the sorted key hashes beside each file."""
        return [segment for segment in segments if _holds_any(self._hashes_of(segment), hashes)]

    def _hashes_of(self, segment: Segment) -> npt.NDArray[np.uint64]:
        found = self._hashes.get(segment.file)
        if found is None:
            path = (self._folder / segment.file).with_suffix(KEYS)
            found = self._hashes[segment.file] = np.memmap(path, dtype=np.uint64, mode="r")
        return found

    def _union(self, table: Table, segments: Sequence[Segment]) -> str:
        """One SELECT for each set of columns that files have; a column that came later is NULL in the older ones."""
        kinds: dict[tuple[str, ...], list[str]] = {}
        for segment in segments:
            kinds.setdefault(segment.columns, []).append(str(self._folder / segment.file))
        return " UNION ALL ".join(_select_files(table, names, files) for names, files in kinds.items())

    def _cursor(self) -> Any:
        with self._guard:
            if self._engine is None:
                self._engine = _open_engine()
            return self._engine.cursor()

    def close(self) -> None:
        with self._guard:
            if self._engine is not None:
                self._engine.close()
                self._engine = None
            self._hashes.clear()


def _open_engine() -> Any:
    import duckdb  # noqa: PLC0415 - 0.1 s that hot reads do not pay

    settings: dict[str, Any] = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}
    engine = duckdb.connect(":memory:", config=settings)
    engine.execute("SET TimeZone = 'UTC'")
    engine.execute("SET default_null_order = 'nulls_first'")  # as SQLite and Arrow codes sort
    return engine


def _select_files(table: Table, names: Sequence[str], files: Sequence[str]) -> str:
    present = set(names)
    columns = ", ".join(quoted(name) if name in present else f"NULL AS {quoted(name)}" for name in table.schema.names)
    listed = ", ".join("'" + file.replace("'", "''") + "'" for file in files)
    return f"SELECT {columns} FROM read_parquet([{listed}])"  # noqa: S608 - our own file names, quoted


def _holds_any(segment: npt.NDArray[np.uint64], hashes: npt.NDArray[np.uint64]) -> bool:
    places = np.searchsorted(segment, hashes)
    inside = places < len(segment)
    return bool(np.any(segment[places[inside]] == hashes[inside]))


def hash_keys(rows: pa.Table, key: Sequence[str]) -> npt.NDArray[np.uint64]:
    """64-bit hashes of the keys; equal hashes only make a suspect."""
    columns = [rows[name].cast(pa.string()).to_pylist() for name in key]
    texts = columns[0] if len(columns) == 1 else ["\0".join(parts) for parts in zip(*columns, strict=True)]
    digests = b"".join(hashlib.blake2b(text.encode(), digest_size=8).digest() for text in texts)
    return np.frombuffer(digests, np.uint64).copy()


def _write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Write, fsync, rename, fsync the folder: under its name the file is whole or not there."""
    part = path.with_name(path.name + _PART)
    try:
        write(part)
        _sync(part)
    except OSError:
        part.unlink(missing_ok=True)  # it would keep space that is needed
        raise
    part.rename(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
