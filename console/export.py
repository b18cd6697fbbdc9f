"""CSV of a table: the same question as the page, all rows, streamed, UTF-8 with BOM for the office programs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from console.language import Translator
from console.table import Column, Table
from records.instants import SHANGHAI

_CHUNK_ROWS = 500
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_chunks(table: Table, rows: Iterable[Mapping[str, Any]], translate: Translator) -> Iterator[bytes]:
    """The file in pieces of some hundred rows."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow([translate(one.title) for one in table.columns])
    yield b"\xef\xbb\xbf"
    for number, row in enumerate(rows, 1):
        writer.writerow([_cell(one, row.get(one.key)) for one in table.columns])
        if number % _CHUNK_ROWS == 0:
            yield _taken(buffer)
    yield _taken(buffer)


def _taken(buffer: io.StringIO) -> bytes:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text.encode()


def _cell(column: Column, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(SHANGHAI).isoformat(sep=" ", timespec="seconds")
    if isinstance(value, Mapping):
        value = json.dumps(value, ensure_ascii=False)
    if isinstance(value, (list, tuple, set, frozenset)):
        value = " ".join(map(str, value))
    text = str(value)
    harmless = column.numeric or column.kind in {"bar", "instant", "due", "date"}
    return text if harmless or not text.startswith(_FORMULA) else "'" + text
