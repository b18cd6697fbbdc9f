from __future__ import annotations

import io
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
import sqlalchemy as sa

from cloud_metering.consumer import MeteringConsumer
from cloud_metering.ledger import ledger_head, watermarks
from inventory.loading import parse
from records.spool import Entry, Kind, Position
from storage.counting import counters
from storage.state import reading, writing
from tests.cloud_metering.conftest import AT, row, usage

INVENTORY = parse(
    """
yunwang: 1
regions: [{code: "230000", name: 黑龙江省, level: province}]
organisations: [{id: fin, name: 省财政厅, region: "230000"}]
clouds: [{id: prov-cloud, name: 云, kind: openstack, url: "http://127.0.0.1:1/v3"}]
systems: [{id: sys, name: 财政核心系统, organisation: fin, level: 3}]
tenants: [{id: fin-core, cloud: prov-cloud, project: f, organisation: fin, system: sys}]
"""
)
START = datetime(2026, 7, 10, tzinfo=UTC)


def hour(number: int, vcpus: str, resource: str = "vm-1") -> dict:
    start = START + timedelta(hours=number)
    return row(
        event_id=f"{resource}-{number}", resource=resource, quantity=vcpus, start=start, end=start + timedelta(hours=1)
    )


def entry(*rows: dict, until: str | None = None) -> Entry:
    table = usage(*rows).replace_schema_metadata({"complete_until": until} if until else None)
    stream = io.BytesIO()
    with pa.ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table)
    return Entry(kind=Kind.USAGE, source="prov-cloud", received_at=AT, payload=stream.getvalue(), format="arrow")


def work(state: sa.Engine, *entries: Entry) -> Sequence[dict]:
    """One batch as the worker does it; the events that it led to."""
    consumer = MeteringConsumer(state, lambda: INVENTORY)
    step = consumer.process([(Position("collect", n), one) for n, one in enumerate(entries)], AT)
    with writing(state) as connection:
        for apply in step.apply:
            apply(connection)
    return [json.loads(one.payload) for one in step.events]


def test_usage_goes_into_the_ledger_with_its_watermark(state: sa.Engine) -> None:
    assert work(state, entry(hour(0, "4"), hour(1, "4"), until="2026-07-10T02:00:00Z")) == []
    assert work(state, entry(hour(1, "4"))) == []
    with reading(state) as connection:
        assert ledger_head(connection)[0] == 2
        assert watermarks(connection) == {"prov-cloud": START + timedelta(hours=2)}
    assert counters(state) == {"received": {"usage": 3}, "stored": {"usage": 2}, "dropped": {"usage_duplicate": 1}}


def test_a_conflict_is_told_with_an_id_of_its_cause(state: sa.Engine) -> None:
    work(state, entry(hour(0, "4")))
    (first,) = work(state, entry(hour(0, "5")))
    (again,) = work(state, entry(hour(0, "5")))
    assert first == again
    wanted = {
        "event.dataset": "yunwang.cloud",
        "event.action": "usage_conflict",
        "yw.tenant": "fin-core",
        "yw.org": "fin",
        "yw.system": "sys",
    }
    assert first.items() >= wanted.items()
    assert first["labels.event_id"] == "vm-1-0"


@pytest.mark.parametrize(
    ("history", "now", "fires"),
    [
        pytest.param(24, "6", False, id="1.5 times is no burst"),
        pytest.param(24, "6.000000001", True, id="above it is"),
        pytest.param(6, "7", True, id="six hours are enough to compare with"),
        pytest.param(5, "99", False, id="a tenant that just began"),
        pytest.param(0, "99", False, id="the first window"),
    ],
)
def test_burst(state: sa.Engine, history: int, now: str, fires: bool) -> None:
    if history:
        work(state, entry(*(hour(n, "4") for n in range(24 - history, 24))))
    found = work(state, entry(hour(24, now)))
    assert [one["event.action"] for one in found] == ["usage_burst"] * fires


def test_a_burst_counts_all_of_the_tenants_servers_and_repeats_under_one_id(state: sa.Engine) -> None:
    work(state, entry(*(hour(n, "4") for n in range(24))))
    batch = entry(hour(24, "4"), *(hour(24, "8", f"vm-{n}") for n in range(2, 4)))
    (found,) = work(state, batch)
    assert [found] == work(state, batch)
    assert (found["labels.vcpu"], found["labels.trailing_mean"]) == ("20.000000", "4.000000")
    assert (found["@timestamp"], found["yw.org"]) == ("2026-07-11T01:00:00Z", "fin")


def test_one_batch_of_history_is_judged_window_by_window(state: sa.Engine) -> None:
    rows = [hour(n, "4") for n in range(24)] + [hour(24, "40"), hour(25, "4")]
    found = work(state, entry(*rows))
    assert [one["@timestamp"] for one in found] == ["2026-07-11T01:00:00Z"]


def test_what_is_no_arrow_stream_is_refused(state: sa.Engine) -> None:
    broken = Entry(kind=Kind.USAGE, source="c", received_at=AT, payload=b"{}", format="arrow")
    with pytest.raises(pa.ArrowInvalid):
        work(state, broken)
