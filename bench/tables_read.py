"""Usage tables read and checked, rows per second on one core: ``python bench/tables_read.py [ROWS]``.

The peer is what one would write first: ``csv.DictReader``, ``Decimal``, ``datetime`` and the same checks, row by row.
"""

from __future__ import annotations

import csv
import io
import re
import sys
import time
from datetime import datetime
from decimal import Decimal

from collectors.tables import read_usage

_PLAIN = re.compile(r"[0-9]{1,12}(\.[0-9]{1,9})?")
_COLUMNS = "source,event_id,tenant,resource,meter,quantity,unit,start,end,attr.class,attr.flavor"


def table(rows: int) -> bytes:
    lines = [_COLUMNS]
    for nth in range(rows):
        hour = nth % 720
        start, end = (
            f"2026-{10 + at // 744:02d}-{1 + at % 744 // 24:02d}T{at % 24:02d}:00:00Z" for at in (hour, hour + 1)
        )
        lines.append(
            f"prov,{nth:064x},t{nth % 40},server-{nth % 277},{('vcpu', 'memory', 'disk')[nth % 3]},"
            f"{nth % 64}.{nth % 1000:03d},GB*h,{start},{end},std,std.{nth % 3}c"
        )
    return "\n".join(lines).encode()


def naive(data: bytes, tenants: set[str]) -> int:
    kept = []
    for row in csv.DictReader(io.StringIO(data.decode("utf-8-sig"))):
        start, end = (datetime.fromisoformat(row[name]) for name in ("start", "end"))
        if row["tenant"] in tenants and _PLAIN.fullmatch(row["quantity"]) and end > start and start.tzinfo:
            kept.append((row["event_id"], Decimal(row["quantity"]), start, end, row["attr.class"]))
    return len(kept)


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 300_000
    data, tenants = table(rows), {f"t{nth}" for nth in range(40)}
    best = {"ours": 1e9, "naive": 1e9}
    for _ in range(3):
        for name, call in (
            ("ours", lambda: read_usage(data, "t.csv", None, tenants).rows.num_rows),
            ("naive", lambda: naive(data, tenants)),
        ):
            begin = time.process_time()
            assert call() == rows
            best[name] = min(best[name], time.process_time() - begin)
    ours, theirs = rows / best["ours"], rows / best["naive"]
    print(f"usage table, {rows} rows: {ours:,.0f} rows/s, row by row {theirs:,.0f} rows/s, ratio {ours / theirs:.1f}")


if __name__ == "__main__":
    main()
