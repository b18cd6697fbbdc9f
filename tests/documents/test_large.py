"""A million rows in the memory of a few."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROWS = 1_000_000
GROWTH_KIB = 30 * 1024
SCRIPT = """
import resource, sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from documents.model import Column, Kind, Listing
from documents.rows import Tally, csv_chunks
from documents.sheet import write_xlsx

AT, OUT, ROWS = datetime(2026, 8, 1, tzinfo=UTC), Path(sys.argv[2]), int(sys.argv[3])
COLUMNS = tuple(Column(title=kind.value, kind=kind) for kind in Kind)

def listing(rows):
    made = ((f"省财政厅 {number}", number, Decimal(number) / 100, AT) for number in range(rows))
    return Listing(title="单", columns=COLUMNS, rows=made, created=AT)

def write_csv(rows):
    tally = Tally()
    with OUT.open("wb") as file:
        for chunk in csv_chunks(listing(rows), tally):
            file.write(chunk)
    return tally

write = {"csv": write_csv, "xlsx": lambda rows: write_xlsx(listing(rows), OUT)}[sys.argv[1]]
write(2000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
tally = write(ROWS)
print(tally.rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.long
@pytest.mark.parametrize(("kind", "rows"), [("csv", ROWS), ("xlsx", ROWS)])
def test_a_million_rows_grow_by_thirty_megabytes_at_most(kind: str, rows: int, tmp_path: Path) -> None:
    order = [sys.executable, "-c", SCRIPT, kind, str(tmp_path / "out"), str(rows)]
    run = subprocess.run(order, cwd=ROOT, check=True, capture_output=True, text=True)
    written, growth = map(int, run.stdout.split())
    assert written == rows
    assert growth <= GROWTH_KIB
