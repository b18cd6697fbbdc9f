"""What the metering tests share: a state database of their own, and short ways to write usage and prices."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa

import cloud_metering.tables  # noqa: F401 - declares the tables
from records.instants import parse_instant
from records.schemas import USAGE
from storage.state import metadata, open_state

AT = datetime(2026, 8, 1, tzinfo=UTC)


def row(**given: Any) -> dict[str, Any]:
    """One usage record: 4 vCPU for the first hour of July unless told otherwise; start and end as texts."""
    values = {
        "source": "prov-cloud",
        "event_id": "e1",
        "tenant": "fin-core",
        "resource": "vm-1",
        "meter": "vcpu",
        "quantity": "4",
        "unit": "vcpu*h",
        "start": "2026-07-01T00:00:00+08:00",
        "end": "2026-07-01T01:00:00+08:00",
        "attributes": "{}",
    } | given
    values |= {name: parse_instant(values[name]) for name in ("start", "end") if isinstance(values[name], str)}
    return values | {"quantity": Decimal(values["quantity"])}


def usage(*rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=USAGE.schema)


@pytest.fixture
def state(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = open_state(f"sqlite:///{tmp_path / 'state.db'}")
    metadata.create_all(engine)
    yield engine
    engine.dispose()
