from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pyarrow as pa
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from cloud_metering.draft import month_usage
from cloud_metering.ledger import Posted, advance_watermark, ledger_head, post, preview, verify_chain, watermarks
from cloud_metering.payload import crossing, split_quantity
from cloud_metering.tables import usage_conflict
from crypto.chain import GENESIS
from crypto.sm3 import sm3
from records.schemas import USAGE
from storage.state import reading, writing
from tests.cloud_metering.conftest import AT, row, usage


def posted(state: sa.Engine, *rows: dict) -> tuple[int, int, int]:
    with writing(state) as connection:
        found = post(connection, usage(*rows), AT)
    return found.stored, found.duplicates, found.conflicts


def test_the_same_payload_again_is_a_duplicate(state: sa.Engine) -> None:
    assert posted(state, row(), row(event_id="e2")) == (2, 0, 0)
    same_instant = row(start="2026-06-30T16:00:00Z", quantity="4.000")
    assert posted(state, same_instant, row(), row(source="other")) == (1, 2, 0)


@pytest.mark.parametrize(
    "changed",
    [
        {"quantity": "4.000000001"}, {"tenant": "x"}, {"resource": "x"}, {"meter": "x"}, {"unit": "x"},
        {"attributes": '{"a":"b"}'},
        {"start": "2026-06-30T15:59:59Z"}, {"end": "2026-07-01T01:00:01+08:00"},
    ],
)  # fmt: skip
def test_another_payload_is_quarantined_and_the_first_stays(state: sa.Engine, changed: dict) -> None:
    posted(state, row())
    assert posted(state, row(**changed)) == (0, 0, 1)
    assert posted(state, row(**changed)) == (0, 0, 1)
    with reading(state) as connection:
        assert month_usage(connection, "2026-07")[0].to_pylist() == usage(row()).to_pylist()
        assert connection.scalar(sa.select(sa.func.count()).select_from(usage_conflict)) == 1


def test_within_one_batch_the_first_of_an_id_stays(state: sa.Engine) -> None:
    assert posted(state, row(), row(), row(quantity="5"), row(event_id="e2")) == (2, 1, 1)


def test_preview_writes_nothing(state: sa.Engine) -> None:
    posted(state, row())
    with writing(state) as connection:
        found = preview(connection, usage(row(), row(quantity="5"), row(event_id="e2")))
        assert (found.stored, found.duplicates, found.conflicts) == (1, 1, 1)
        assert ledger_head(connection)[0] == 1


def test_an_empty_batch_is_nothing(state: sa.Engine) -> None:
    with writing(state) as connection:
        assert post(connection, USAGE.schema.empty_table(), AT) == Posted(stored=0, duplicates=0, conflicts=0)
        assert ledger_head(connection) == (0, GENESIS)


def test_the_chain_is_that_of_the_contract(state: sa.Engine) -> None:
    posted(state, row())
    payload = b'["prov-cloud","e1","fin-core","vm-1","vcpu",4,0,"vcpu*h",1782835200,1782838800,"{}"]'  # RFC 8785
    with reading(state) as connection:
        assert ledger_head(connection) == (1, sm3(bytes(32) + sm3(payload)))
        assert verify_chain(connection) == []


@pytest.mark.parametrize(
    "verb", ["UPDATE usage_event SET whole = 5", "DELETE FROM usage_event", "DELETE FROM usage_conflict"]
)
def test_the_database_refuses_changes(state: sa.Engine, verb: str) -> None:
    posted(state, row(), row(quantity="5"))
    with pytest.raises(sa.exc.IntegrityError, match="append-only"), writing(state) as connection:
        connection.exec_driver_sql(verb)


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        pytest.param("UPDATE usage_event SET whole = 5 WHERE seq = 2", [2], id="payload"),
        pytest.param("UPDATE usage_event SET chain = zeroblob(32) WHERE seq = 2", [2, 3], id="link"),
        pytest.param("DELETE FROM usage_event WHERE seq = 2", [3], id="removed"),
        pytest.param("UPDATE usage_event SET seq = -seq WHERE seq > 1", [-3, -2, 1], id="reordered"),
    ],
)
def test_a_change_behind_the_trigger_is_found(state: sa.Engine, change: str, broken: list[int]) -> None:
    posted(state, row(), row(event_id="e2"), row(event_id="e3"))
    with writing(state) as connection:
        for verb in ("update", "delete"):
            connection.exec_driver_sql(f"DROP TRIGGER usage_event_refuses_{verb}")
        connection.exec_driver_sql(change)
        assert verify_chain(connection) == broken


def test_a_month_has_what_touches_it_once(state: sa.Engine) -> None:
    rows = [
        row(event_id="before", start="2026-06-30T22:00:00+08:00", end="2026-07-01T00:00:00+08:00"),
        row(event_id="into", start="2026-06-30T23:00:00+08:00", end="2026-07-01T01:00:00+08:00"),
        row(event_id="inside"),
        row(event_id="over", start="2026-06-01T00:00:00+08:00", end="2026-08-02T00:00:00+08:00"),
        row(event_id="out", start="2026-07-31T23:00:00+08:00", end="2026-08-01T01:00:00+08:00"),
        row(event_id="after", start="2026-08-01T00:00:00+08:00", end="2026-08-01T01:00:00+08:00"),
    ]
    posted(state, *rows)
    with reading(state) as connection:
        found, marks = month_usage(connection, "2026-07")
    assert found.column("event_id").to_pylist() == ["into", "inside", "over", "out"]
    assert len(marks) == 4


def test_a_watermark_never_goes_back(state: sa.Engine) -> None:
    later, earlier = datetime(2026, 7, 2, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)
    with writing(state) as connection:
        for until in (earlier, later, earlier):
            advance_watermark(connection, "prov-cloud", until)
        assert watermarks(connection) == {"prov-cloud": later}


@given(st.lists(st.integers(0, 10**21 - 1), max_size=20), st.integers(0, 3))
def test_quantities_are_split_exactly(nano: list[int], skip: int) -> None:
    column = pa.array([Decimal(one).scaleb(-9) for one in nano], pa.decimal128(21, 9)).slice(skip)
    whole, rest = split_quantity(pa.chunked_array([column, column]))
    assert [w * 10**9 + n for w, n in zip(whole.tolist(), rest.tolist(), strict=True)] == nano[skip:] * 2


def test_large_and_small_quantities_come_back(state: sa.Engine) -> None:
    rows = [row(event_id=one, quantity=one) for one in ("999999999999.999999999", "0.000000001", "0", "9300000000.5")]
    posted(state, *rows)
    with reading(state) as connection:
        assert month_usage(connection, "2026-07")[0].to_pylist() == usage(*rows).to_pylist()


@pytest.mark.parametrize(
    ("start", "end", "over"),
    [
        ("2026-07-01T00:00:00+08:00", "2026-08-01T00:00:00+08:00", False),
        ("2026-07-01T00:00:00+08:00", "2026-08-01T00:00:01+08:00", True),
    ],
)
def test_crossing_months(start: str, end: str, over: bool) -> None:
    one = row(start=start, end=end)
    assert crossing([int(one["start"].timestamp())], [int(one["end"].timestamp())]) == [over]
