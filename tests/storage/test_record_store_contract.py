"""What every engine of ``storage.port.RecordStore`` does, compared with a list of rows in memory."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from records.errors import UserError
from records.schemas import EVENTS, RATES, READINGS, USAGE, Table
from storage.embedded import EmbeddedStore
from storage.port import RecordStore, Where

DAY = datetime(2026, 10, 5, tzinfo=UTC)
Row = dict[str, object]


def rate(device: str, interface: str, minutes: float, bps: int | None = 1000, status: str = "ok") -> Row:
    return {
        "device": device,
        "interface": interface,
        "at": DAY + timedelta(minutes=minutes),
        "seconds": 60.0,
        "in_bps": bps,
        "out_bps": None,
        "oper_status": 1,
        "status": status,
        "raw_in_bps": None,
        "raw_out_bps": None,
    }


def event(number: int, minutes: float, message: str | None = "", host: str | None = "fin-db1") -> Row:
    row: Row = dict.fromkeys(EVENTS.schema.names)
    at = DAY + timedelta(minutes=minutes)
    return row | {
        "id": f"id{number}",
        "at": at,
        "ingested": at,
        "dataset": "linux.auth",
        "host": host,
        "message": message,
    }


def rows_of(table: Table, rows: Sequence[Row]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=table.schema)


def test_rows_come_back_as_they_were_in_order_of_series_and_time(store: RecordStore) -> None:
    rows = [rate("b", "ge1", 1), rate("a", "ge2", 2), rate("a", "ge1", 3), rate("a", "ge1", 0)]
    assert store.append(RATES, rows_of(RATES, rows)) == 4
    assert store.read(RATES).to_pylist() == [rows[3], rows[2], rows[1], rows[0]]


@pytest.mark.parametrize("sealed", [False, True])
def test_rows_without_a_series_come_first(store: RecordStore, *, sealed: bool) -> None:
    rows = [event(1, 1, host="b"), event(2, 2, host=None), event(3, 3, host="a"), event(4, 0, host="a")]
    store.append(EVENTS, rows_of(EVENTS, rows))
    if sealed:
        store.seal(DAY + timedelta(days=1))
    assert [row["id"] for row in store.read(EVENTS, columns=["id"]).to_pylist()] == ["id2", "id4", "id3", "id1"]


def test_a_known_key_changes_nothing_hot_or_sealed(store: RecordStore) -> None:
    first = rate("a", "ge1", 1, bps=1)
    again = rows_of(RATES, [rate("a", "ge1", 1, bps=2), rate("a", "ge1", 2, bps=3)])
    store.append(RATES, rows_of(RATES, [first]))
    assert store.append(RATES, again) == 1
    assert store.seal(DAY + timedelta(days=1)) == 2
    assert store.append(RATES, again) == 0
    assert store.read(RATES, where=[Where("in_bps", "=", 1)]).to_pylist() == [first]


def test_a_known_event_id_changes_nothing_although_its_time_differs(store: RecordStore) -> None:
    store.append(EVENTS, rows_of(EVENTS, [event(1, 1), event(2, 60 * 30)]))
    store.seal(DAY + timedelta(days=1))
    assert store.append(EVENTS, rows_of(EVENTS, [event(1, 60 * 40), event(2, 2), event(3, 3)])) == 1
    assert [row["id"] for row in store.read(EVENTS, columns=["id"]).to_pylist()] == ["id1", "id3", "id2"]


def test_one_batch_with_the_same_key_twice_keeps_the_first(store: RecordStore) -> None:
    assert store.append(RATES, rows_of(RATES, [rate("a", "x", 1, bps=1), rate("a", "x", 1, bps=2)])) == 1
    assert store.load_sealed(RATES, rows_of(RATES, [rate("b", "x", 1, bps=1), rate("b", "x", 1, bps=2)])) == 1
    assert store.read(RATES)["in_bps"].to_pylist() == [1, 1]


@pytest.mark.parametrize("sealed", [False, True])
def test_counters_and_decimals_are_exact(store: RecordStore, *, sealed: bool) -> None:
    reading: Row = dict.fromkeys(READINGS.schema.names)
    keys = {"device": "a", "interface": "x", "run": "r", "status": "ok"}
    numbers = [0, 1, 2**63 - 1, 2**63, 2**64 - 1, None]
    rows = [reading | keys | {"at": DAY + timedelta(seconds=i), "in_octets": n} for i, n in enumerate(numbers)]
    usage: Row = dict.fromkeys(USAGE.schema.names)
    span = {"source": "os", "tenant": "t", "start": DAY, "end": DAY + timedelta(hours=1)}
    amounts = [Decimal("0.000000001"), Decimal("999999999999.999999999"), Decimal("12.500000000"), None]
    used = [usage | span | {"event_id": f"e{i}", "quantity": amount} for i, amount in enumerate(amounts)]
    store.append(READINGS, rows_of(READINGS, rows))
    store.append(USAGE, rows_of(USAGE, used))
    if sealed:
        assert store.seal(DAY + timedelta(days=1)) >= 6
    assert store.read(READINGS)["in_octets"].to_pylist() == numbers
    assert store.read(READINGS, where=[Where("in_octets", ">=", 2**63)]).num_rows == 2
    assert sorted(store.read(USAGE)["quantity"].to_pylist(), key=str) == sorted(amounts, key=str)
    assert store.count(USAGE, where=[Where("quantity", ">", Decimal("12.5"))]) == 1


@pytest.mark.parametrize("sealed", [False, True])
@pytest.mark.parametrize(
    ("where", "ids"),
    [
        pytest.param(Where("host", "=", "b"), "2", id="equal"),
        pytest.param(Where("host", "=", None), "3", id="missing"),
        pytest.param(Where("host", "!=", None), "124", id="not missing"),
        pytest.param(Where("host", "!=", "a"), "234", id="unequal meets missing"),
        pytest.param(Where("host", ">", "a"), "24", id="greater"),
        pytest.param(Where("host", "in", ("a", "b", None)), "12", id="in"),
        pytest.param(Where("host", "in", ()), "", id="in nothing"),
        pytest.param(Where("at", "<=", DAY + timedelta(minutes=2)), "12", id="time"),
        pytest.param(Where("message", "contains", "LOGIN"), "14", id="contains folds case"),
        pytest.param(Where("message", "contains", "登录"), "2", id="contains Chinese"),
        pytest.param(Where("message", "contains", "é"), "3", id="contains folds beyond ASCII"),
        pytest.param(Where("message", "contains", "100%_'"), "4", id="no wildcards, no quoting"),
        pytest.param(Where("id", "=", "id1' OR 1=1 --"), "", id="a value is no SQL"),
    ],
)
def test_conditions_mean_the_same_hot_and_sealed(store: RecordStore, where: Where, ids: str, *, sealed: bool) -> None:
    messages = [(1, "Failed login", "a"), (2, "用户登录失败", "b"), (3, "CAFÉ", None), (4, "login 100%_' done", "č")]
    store.append(EVENTS, rows_of(EVENTS, [event(number, number, text, host) for number, text, host in messages]))
    if sealed:
        store.seal(DAY + timedelta(days=1))
    assert (
        "".join(
            row["id"][2:] for row in store.page(EVENTS, limit=9, where=[where], newest_first=False).rows.to_pylist()
        )
        == ids
    )
    assert store.count(EVENTS, where=[where]) == len(ids)


def test_columns_are_chosen_and_the_window_is_half_open(store: RecordStore) -> None:
    store.append(RATES, rows_of(RATES, [rate("a", "x", minute, bps=minute) for minute in range(4)]))
    found = store.read(RATES, start=DAY + timedelta(minutes=1), end=DAY + timedelta(minutes=3), columns=["in_bps"])
    assert found.to_pydict() == {"in_bps": [1, 2]}


def test_an_unknown_column_or_operator_or_a_naive_instant_is_refused(store: RecordStore) -> None:
    for where in (
        Where("nope", "=", 1),
        Where("at", "~", 1),
        Where("at", "<", datetime(2026, 1, 1)),
        Where("id", "in", "x"),
    ):
        with pytest.raises(ValueError, match=r"\w"):
            store.read(EVENTS, where=[where])


def test_rows_of_another_table_or_without_key_are_refused(store: RecordStore) -> None:
    with pytest.raises(ValueError, match="columns"):
        store.append(RATES, rows_of(EVENTS, []))
    with pytest.raises(ValueError, match="no device"):
        store.append(RATES, rows_of(RATES, [rate("a", "x", 1) | {"device": None}]))


def test_a_reader_sees_what_was_appended_and_sealed_at_once(open_store: Callable[..., RecordStore]) -> None:
    reader = open_store()
    assert reader.read(RATES).num_rows == 0
    assert reader.page(RATES, limit=5).rows.num_rows == 0
    writer = open_store(writer=True)
    writer.append(RATES, rows_of(RATES, [rate("a", "x", 1)]))
    assert reader.count(RATES) == 1
    writer.seal(DAY + timedelta(days=1))
    assert reader.read(RATES).num_rows == 1


def test_sealing_takes_whole_days_only(store: RecordStore) -> None:
    store.append(RATES, rows_of(RATES, [rate("a", "x", 1), rate("a", "x", 60 * 25), rate("a", "x", 60 * 49)]))
    assert store.seal(DAY + timedelta(days=1, hours=23)) == 1
    assert store.seal(DAY + timedelta(days=2)) == 1
    assert store.seal(DAY + timedelta(days=2)) == 0
    assert store.count(RATES) == 3


def test_late_rows_of_a_sealed_day_are_kept_and_sealed_again(store: RecordStore) -> None:
    store.append(RATES, rows_of(RATES, [rate("a", "x", 1)]))
    store.seal(DAY + timedelta(days=1))
    assert store.append(RATES, rows_of(RATES, [rate("a", "x", 1), rate("a", "x", 2)])) == 1
    assert store.seal(DAY + timedelta(days=1)) == 1
    assert [row["at"] for row in store.read(RATES).to_pylist()] == [DAY + timedelta(minutes=n) for n in (1, 2)]


def test_history_goes_straight_into_segments_once(store: RecordStore) -> None:
    store.append(RATES, rows_of(RATES, [rate("a", "x", 0, bps=7)]))
    history = [rate(device, "x", minute) for device in "ba" for minute in range(-2880, 60, 30)]
    loaded = rows_of(RATES, history)
    assert store.load_sealed(RATES, loaded) == len(history) - 1
    assert store.load_sealed(RATES, loaded) == 0
    assert store.count(RATES) == len(history)
    assert store.read(RATES, where=[Where("in_bps", "=", 7)]).num_rows == 1


def test_pages_hold_every_row_once_while_rows_arrive_and_are_sealed(store: RecordStore) -> None:
    rows = [rate(device, "x", minute * 7) for minute in range(400) for device in "ab"]
    store.append(RATES, rows_of(RATES, rows))
    found: list[Row] = []
    cursor = None
    for step in range(1000):
        page = store.page(RATES, limit=7, cursor=cursor)
        found += page.rows.to_pylist()
        if page.next is None:
            break
        cursor = page.next
        if step == 20:
            store.seal(DAY + timedelta(days=1))
        if step == 40:
            store.append(RATES, rows_of(RATES, [rate("new", "x", 99_999)]))
            store.seal(DAY + timedelta(days=2))
    assert found == sorted(rows, key=lambda row: (row["at"], row["device"]), reverse=True)


def test_a_foreign_cursor_is_refused(store: RecordStore) -> None:
    store.append(RATES, rows_of(RATES, [rate("a", "x", 1), rate("a", "x", 2)]))
    cursor = store.page(RATES, limit=1).next
    for wrong in ("", "x", "bm9uc2Vuc2U", "W10", cursor):
        with pytest.raises(UserError, match="cursor"):
            store.page(EVENTS if wrong == cursor else RATES, limit=1, cursor=wrong)
    with pytest.raises(UserError, match="cursor"):
        store.page(RATES, limit=1, cursor=cursor, newest_first=False)


minutes = st.integers(-3000, 3000)
some_rates = st.lists(
    st.builds(rate, st.sampled_from("abc"), st.sampled_from("xy"), minutes, st.one_of(st.none(), st.integers(0, 5))),
    max_size=12,
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("append"), some_rates),
        st.tuples(st.just("load"), some_rates),
        st.tuples(st.just("seal"), minutes),
    ),
    max_size=6,
)


def in_order(rows: Sequence[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (str(row["device"]), str(row["interface"]), row["at"]))


@settings(max_examples=40, deadline=None)
@given(what=steps, start=minutes, end=minutes, limit=st.integers(1, 5), newest=st.booleans())
def test_any_history_reads_like_a_dictionary(what: list, start: int, end: int, limit: int, *, newest: bool) -> None:
    kept: dict[tuple, Row] = {}
    sealed_days: set[object] = set()
    with tempfile.TemporaryDirectory() as folder:
        store = EmbeddedStore(Path(folder), writer=True)
        for name, argument in what:
            if name == "seal":
                edge = (DAY + timedelta(minutes=argument)).replace(hour=0, minute=0)
                sealed_days |= {key[2].date() for key in kept if key[2] < edge}
                store.seal(DAY + timedelta(minutes=argument))
                continue
            fresh = {}
            for row in argument:
                key = (row["device"], row["interface"], row["at"])
                if key not in kept and not (name == "load" and row["at"].date() in sealed_days):
                    fresh.setdefault(key, row)
            done = (store.append if name == "append" else store.load_sealed)(RATES, rows_of(RATES, argument))
            assert done == len(fresh)
            kept |= fresh
            sealed_days |= {key[2].date() for key in fresh} if name == "load" else set()
        low, high = DAY + timedelta(minutes=min(start, end)), DAY + timedelta(minutes=max(start, end))
        inside = [row for row in kept.values() if low <= row["at"] < high]
        assert store.read(RATES, start=low, end=high).to_pylist() == in_order(inside)
        chosen = [row for row in kept.values() if row["in_bps"] is not None and row["in_bps"] > 2]
        assert store.read(RATES, where=[Where("in_bps", ">", 2)]).to_pylist() == in_order(chosen)
        assert store.count(RATES, start=low, end=high) == len(inside)
        paged: list[Row] = []
        page = store.page(RATES, limit=limit, newest_first=newest)
        while True:
            paged += page.rows.to_pylist()
            if page.next is None:
                break
            page = store.page(RATES, limit=limit, cursor=page.next, newest_first=newest)
        assert paged == sorted(
            kept.values(), key=lambda row: (row["at"], row["device"], row["interface"]), reverse=newest
        )
        store.close()
