"""The one table: a page, its neighbours, its order and its file come from one question, in memory and in SQL alike."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from console.export import csv_chunks
from console.language import Translator
from console.sources import MemorySource, Source
from console.statements import StatementSource
from console.table import Column, Query, Table, parse_query, query_string
from records.errors import UserError
from storage.state import Instant

AT = datetime(2026, 1, 1, tzinfo=UTC)
TABLE = Table(
    name="things",
    title="东西",
    key="id",
    sort="id",
    empty="",
    columns=(
        Column(key="id", title="编号", kind="code", searched=True),
        Column(key="size", title="大小", kind="number"),
        Column(key="at", title="时间", kind="instant"),
        Column(key="name", title="名称", searched=True),
        Column(key="state", title="状态", choices=(("a", "甲"), ("b", "乙"))),
    ),
)
THING = sa.Table(
    "thing",
    sa.MetaData(),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("size", sa.Integer),
    sa.Column("at", Instant),
    sa.Column("name", sa.Text),
    sa.Column("state", sa.Text),
)
Row = Mapping[str, Any]

ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "id": st.text("abcdef", min_size=1, max_size=4),
            "size": st.none() | st.integers(0, 3),
            "at": st.none() | st.integers(0, 3).map(lambda hours: AT + timedelta(hours=hours)),
            "name": st.none() | st.text("xy%_\\", max_size=3),
            "state": st.sampled_from("ab"),
        }
    ),
    max_size=25,
    unique_by=lambda row: row["id"],
)
QUERIES = st.builds(
    Query,
    sort=st.sampled_from([one.key for one in TABLE.columns]),
    descending=st.booleans(),
    filters=st.dictionaries(st.sampled_from(["state"]), st.sampled_from("ab"), max_size=1),
    q=st.sampled_from(["", "x", "%", "_", "\\", "A"]),
    limit=st.integers(1, 7),
)


@pytest.fixture(scope="module")
def database() -> Iterator[sa.Engine]:
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool, connect_args={"check_same_thread": False})
    THING.create(engine)
    yield engine
    engine.dispose()


def in_sql(engine: sa.Engine, rows: Sequence[Row]) -> StatementSource:
    with engine.begin() as connection:
        connection.execute(sa.delete(THING))
        if rows:
            connection.execute(sa.insert(THING), list(rows))
    columns = {one.name: one for one in THING.columns}
    return StatementSource(
        TABLE, engine, sa.select(THING), columns, lambda _, found: [dict(one._mapping) for one in found]
    )


def naive(rows: Sequence[Row], query: Query) -> list[Row]:
    """What the list means, without any cleverness: unknown values last, ties by key."""
    kept = [row for row in rows if all(row[key] == wanted for key, wanted in query.filters.items())]
    kept = [row for row in kept if any(query.q.lower() in (row[key] or "").lower() for key in ("id", "name"))]
    kept.sort(key=lambda row: row["id"])
    known = sorted(
        (row for row in kept if row[query.sort] is not None), key=lambda row: row[query.sort], reverse=query.descending
    )
    return known + [row for row in kept if row[query.sort] is None]


def walk(source: Source, query: Query) -> tuple[list[Row], list[list[Row]]]:
    """All pages forwards, then back again to the first."""
    forwards, page = [], source.page(query)
    forwards.append(list(page.rows))
    while page.next:
        page = source.page(replace(query, cursor=page.next))
        forwards.append(list(page.rows))
        assert len(forwards) < 30, "a cursor that leads nowhere"
    backwards = [list(page.rows)]
    while page.previous:
        page = source.page(replace(query, cursor=page.previous))
        backwards.append(list(page.rows))
        assert len(backwards) < 30, "a cursor that leads nowhere"
    return [row for rows in forwards for row in rows], backwards


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(rows=ROWS, query=QUERIES)
def test_pages_put_together_are_the_list(database: sa.Engine, rows: list[Row], query: Query) -> None:
    expected = naive(rows, query)
    for source in (MemorySource(TABLE, rows), in_sql(database, rows)):
        forwards, backwards = walk(source, query)
        assert forwards == expected
        assert list(source.rows(query.whole())) == expected
        assert source.page(query).total == len(expected)
        seen = [row for page in reversed(backwards) for row in page]
        assert seen[-len(expected) :] == expected[-len(seen) :]


@pytest.mark.parametrize("kind", ["memory", "sql"])
def test_a_cursor_stays_valid_while_rows_come_and_go(database: sa.Engine, kind: str) -> None:
    def source(rows: Sequence[Row]) -> Source:
        return MemorySource(TABLE, rows) if kind == "memory" else in_sql(database, rows)

    def row(name: str) -> Row:
        return {"id": name, "size": 1, "at": AT, "name": name, "state": "a"}

    query = Query(sort="id", descending=False, filters={}, limit=2)
    cursor = source([row("b"), row("d"), row("f"), row("h")]).page(query).next
    later = [row("a"), row("b"), row("c"), row("f"), row("g"), row("h")]  # d is gone, three arrived
    page = source(later).page(Query(sort="id", descending=False, filters={}, limit=2, cursor=cursor))
    assert [one["id"] for one in page.rows] == ["f", "g"]


@pytest.mark.parametrize("cursor", ["x", "W10", "eyJhIjoxfQ", "WyJ4IiwxLCJhIl0", "WyJhIixbXSwiYSJd", "é", "WyJhIiwxXQ"])
@pytest.mark.parametrize("kind", ["memory", "sql"])
def test_a_made_up_cursor_is_told(database: sa.Engine, kind: str, cursor: str) -> None:
    rows = [{"id": "a", "size": 1, "at": AT, "name": "n", "state": "a"}]
    source: Source = MemorySource(TABLE, rows) if kind == "memory" else in_sql(database, rows)
    with pytest.raises(UserError, match="cursor"):
        source.page(Query(sort="id", descending=False, filters={}, limit=2, cursor=cursor))


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"sort": "nope"}, "cannot sort by 'nope'"),
        ({"sort": "-nope"}, "cannot sort by 'nope'"),
        ({"nope": "1"}, "no filter 'nope' here"),
        ({"size": "1"}, "no filter 'size' here"),
        ({"limit": "0"}, "'0' is no page size"),
        ({"limit": "201"}, "'201' is no page size"),
        ({"limit": "٣"}, "'٣' is no page size"),
        ({"limit": "1e2"}, "'1e2' is no page size"),
    ],
    ids=["order", "falling order", "column", "column without filter", "zero", "too many", "other digits", "float"],
)
def test_a_bad_question_is_told(params: dict[str, str], said: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_query(TABLE, params)
    assert str(caught.value) == said


@given(query=QUERIES)
def test_query_string_asks_the_same_question_again(query: Query) -> None:
    again = parse_query(TABLE, dict(parse_qsl(query_string(TABLE, query))))
    assert again == query


def exported(text: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text.decode("utf-8-sig"))))


LISTS = (
    "/links",
    "/links?state=up&sort=-utilisation",
    "/links?q=哈尔滨&sort=region",
    "/alerts?level=high&sort=rule_title",
    "/incidents",
    "/usage/2026-11",
    "/bills/2026-11",
    "/bills/2026-11/hlj-finance",
    "/rules",
    "/users",
    "/audit-log",
)


@pytest.mark.parametrize("path", LISTS)
def test_the_file_holds_the_very_rows_of_the_pages(admin: TestClient, path: str) -> None:
    joint = "&" if "?" in path else "?"
    rows = exported(admin.get(f"{path}{joint}format=csv").content)[1:]
    page = admin.get(path).text
    assert f"共 {len(rows)} 条" in page
    api = {"/links": "links", "/alerts": "alerts", "/incidents": "incidents", "/rules": "rules"}.get(
        path.partition("?")[0]
    )
    if api:
        key = {"links": "link", "alerts": "rule_id", "incidents": "id", "rules": "id"}[api]
        column = {"links": 0, "alerts": 7, "incidents": 7, "rules": 5}[api]
        assert [row[column] for row in rows] == [
            one[key] for one in all_of(admin, f"/api/v1/{api}{path[len(api) + 1 :]}")
        ]


def all_of(client: TestClient, path: str) -> list[Row]:
    found, cursor = [], ""
    while True:
        joint = "&" if "?" in path else "?"
        answer = client.get(f"{path}{joint}limit=37" + (f"&cursor={cursor}" if cursor else "")).json()
        found += answer["items"]
        if answer["next"] is None:
            return found
        cursor = answer["next"]


def test_the_file_says_what_excel_must_not_run() -> None:
    rows = [
        {"id": "=1+1", "size": -1, "at": AT, "name": "@x", "state": "a"},
        {"id": "b", "size": None, "at": None, "name": None, "state": "b"},
    ]
    text = b"".join(csv_chunks(TABLE, rows, Translator("zh")))
    assert text.startswith(b"\xef\xbb\xbf")
    assert exported(text) == [
        ["编号", "大小", "时间", "名称", "状态"],
        ["'=1+1", "-1", "2026-01-01 08:00:00+08:00", "'@x", "a"],
        ["b", "", "", "", "b"],
    ]


def test_the_file_is_streamed() -> None:
    asked = 0

    def many() -> Iterator[Row]:
        nonlocal asked
        for number in range(5000):
            asked += 1
            yield {"id": f"{number}", "size": 1, "at": AT, "name": "", "state": "a"}

    chunks = csv_chunks(TABLE, many(), Translator("zh"))
    next(chunks)
    next(chunks)
    assert asked == 500


def test_a_list_page_costs_a_constant_number_of_statements(
    admin: TestClient, engine: sa.Engine, add_user: Callable[..., None]
) -> None:
    def statements(path: str) -> int:
        seen: list[str] = []

        def count(*details: Any) -> None:
            seen.append(str(details[2]))

        sa.event.listen(engine, "before_cursor_execute", count)
        admin.get(path)
        sa.event.remove(engine, "before_cursor_execute", count)
        return len(seen)

    before = {path: statements(path) for path in ("/users", "/audit-log")}
    for number in range(30):
        add_user(f"user{number}", {})
    assert {path: statements(path) for path in before} == before


def test_empty_lists_say_what_to_do(admin: TestClient) -> None:
    assert "用 yw meter import 导入" in admin.get("/usage/2025-01").text
    assert "没有符合条件的记录" in admin.get("/links?q=no-such-thing").text
