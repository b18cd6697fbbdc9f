"""Audit log: CPU of one appended record, and how many records a second the whole chain is recomputed at.

Bars: an append <= 50 us of CPU inside a transaction, >= 200 000 records verified a second.
"""

from __future__ import annotations

import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import access.tables  # noqa: F401 - declares the table
from access import audit
from storage.state import metadata, open_state, writing

RECORDS = 50_000
ROUNDS = 5


def main() -> None:
    """Append and verify, best of five rounds each."""
    with tempfile.TemporaryDirectory() as folder:
        engine = open_state(f"sqlite:///{Path(folder) / 'state.db'}")
        metadata.create_all(engine)
        at = datetime.now(UTC)
        appends = []
        for _ in range(ROUNDS):
            with writing(engine) as connection:
                began = time.process_time()
                for number in range(RECORDS // ROUNDS):
                    audit.record(connection, "wang", "user.lock", f"user-{number}", "success", {"why": "离职"}, at)
                appends.append((time.process_time() - began) / (RECORDS // ROUNDS))
        verified = []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            if audit.verify(engine):
                raise SystemExit("the chain does not hold")
            verified.append(RECORDS / (time.perf_counter() - began))
        engine.dispose()
    append, rate = min(appends) * 1e6, max(verified)
    print(f"audit append: {append:.1f} us of CPU, {50 / append:.2f} x the bar (50 us)")
    print(f"audit verify: {rate:,.0f} records/s, {rate / 200_000:.2f} x the bar (200 000)")


if __name__ == "__main__":
    main()
