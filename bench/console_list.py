"""A list page at any depth of a million rows: our cursor against LIMIT/OFFSET on the same table, interleaved.

    python bench/console_list.py [--rows 1000000] [--pages 60]

Prints one JSON line, p50 and p95 in ms: CPU of the whole HTML page, and of the rows alone by cursor and by offset.
``ratio`` is offset p95 / cursor p95. Bar (DESIGN §12): page p95 at most 150 ms.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from fastapi.testclient import TestClient

from access import users
from access.tables import audit_log
from console import cursors
from console.app import create_app
from console.cursors import Place
from console.deps import ConsoleDeps
from console.lists.system import AUDIT_LOG, audit_source
from console.ports import KeyViews, Views
from console.table import parse_query
from inventory.model import Inventory
from records.instants import format_instant
from storage.state import metadata, open_state, reading, writing

AT = datetime(2026, 1, 1, tzinfo=UTC)
PASSWORD = "Frost-River-2026"  # noqa: S105 - of a database that lives for this run


def fill(engine: sa.Engine, count: int) -> None:
    """Rows as an audit log has them; the chain is not what is measured."""
    actions = ("session.login", "table.export", "user.lock", "bill.issue")
    with writing(engine) as connection:
        for start in range(1, count + 1, 50_000):
            rows = [
                {
                    "number": number,
                    "at": AT + timedelta(seconds=number),
                    "actor": f"user{number % 300}",
                    "action": actions[number % 4],
                    "object": f"object{number % 5000}",
                    "outcome": "success",
                    "detail": '{"address":"10.0.0.1"}',
                    "chain": f"{number:064x}",
                }
                for number in range(start, min(start + 50_000, count + 1))
            ]
            connection.execute(sa.insert(audit_log), rows)


def client_of(engine: sa.Engine) -> TestClient:
    with writing(engine) as connection:
        users.add_user(connection, "bench", "admin", PASSWORD, AT, must_change=False)
        connection.execute(sa.text("INSERT INTO user_role VALUES ('admin', 'auditor', 1)"))
    nothing: Any = lambda *_: []  # noqa: E731 - no other page is asked
    names = list(Views.__dataclass_fields__)
    deps = ConsoleDeps(
        engine=engine,
        inventory=Inventory,
        views=Views(**dict.fromkeys(names, nothing)),
        keyring=KeyViews(**dict.fromkeys(KeyViews.__dataclass_fields__, nothing)),
        status=dict,
        versions=dict,
        ready=dict,
        clock=lambda: AT,
    )
    client = TestClient(create_app(deps), base_url="http://127.0.0.1", follow_redirects=False)
    token = re.search(r'name="csrf" value="([^"]+)"', client.get("/login").text)
    assert token is not None
    client.post("/login", data={"name": "admin", "password": PASSWORD, "csrf": token[1]})
    return client


def timed(call: Callable[[], object]) -> float:
    started = time.process_time()
    call()
    return (time.process_time() - started) * 1000


def by_offset(engine: sa.Engine, offset: int) -> list[Any]:
    statement = sa.select(audit_log).order_by(audit_log.c.at.desc(), audit_log.c.number).limit(50).offset(offset)
    with reading(engine) as connection:
        return list(connection.execute(statement))


def quantiles(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    return {"p50": round(ordered[len(ordered) // 2], 1), "p95": round(ordered[int(len(ordered) * 0.95)], 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--pages", type=int, default=60)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        engine = open_state(f"sqlite:///{Path(folder)}/state.db")
        metadata.create_all(engine)
        fill(engine, asked.rows)
        print(json.dumps(measure(engine, asked.rows, asked.pages)))


def measure(engine: sa.Engine, rows: int, pages: int) -> dict[str, Any]:
    client, source, dice = client_of(engine), audit_source(engine), random.Random(7)
    page, cursor, offset = [], [], []
    for _ in range(pages):
        number = dice.randrange(1, rows)
        place = cursors.encode(Place("after", format_instant(AT + timedelta(seconds=number)), str(number)))
        address = f"/audit-log?sort=-at&cursor={place}"
        query = parse_query(AUDIT_LOG, {"sort": "-at", "cursor": place})
        page.append(timed(lambda address=address: client.get(address)))
        cursor.append(timed(lambda query=query: source.page(query)))
        offset.append(timed(lambda number=number: by_offset(engine, rows - number)))
    found = {"rows": rows, "page_ms": quantiles(page), "cursor_ms": quantiles(cursor), "offset_ms": quantiles(offset)}
    return {**found, "ratio": round(found["offset_ms"]["p95"] / found["cursor_ms"]["p95"], 1)}


if __name__ == "__main__":
    main()
