"""Views and ``yw link`` over a data folder that the consumer filled."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa
from province import PROVINCE, START, T, batch_of, link, poll, when

from inventory.model import Maintenance
from inventory.writing import to_json
from link_health import views
from link_health.consumer import LinkConsumer
from records.errors import UserError
from records.instants import now
from records.schemas import RATES
from storage import inventory as kept
from storage.embedded import EmbeddedStore
from storage.migrate import migrate
from storage.state import open_state, writing
from yunwang.cli import main


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "records").mkdir()
    return tmp_path


@pytest.fixture
def state(data: Path) -> Iterator[sa.Engine]:
    engine = open_state(f"sqlite:///{data}/state.db")
    migrate(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def store(data: Path) -> Iterator[EmbeddedStore]:
    one = EmbeddedStore(data / "records", writer=True)
    yield one
    one.close()


def run(state: sa.Engine, store: EmbeddedStore, first: int, last: int, **changes: Any) -> None:
    consumer = LinkConsumer(state, lambda: PROVINCE, interval_seconds=T)
    rounds = [poll(step, **changes) for step in range(first, last + 1)]
    step = consumer.process(batch_of(*rounds), when(last))
    for table, rows in step.rows:
        store.append(table, rows)
    with writing(state) as connection:
        for apply in step.apply:
            apply(connection)


def rows(state: sa.Engine, at: float, **choice: Any) -> list[dict[str, Any]]:
    return views.link_rows(state, PROVINCE, interval_seconds=T, now=when(at), **choice)


CUT = [("core", "up1"), ("city", "up1")]


def test_one_row_in_full(state: sa.Engine, store: EmbeddedStore) -> None:
    run(state, store, 0, 20)
    assert rows(state, 20.5)[0] == {
        "link": "up1", "group": "core-city", "state": "up", "protection": "normal", "in_bps": 40_000_000,
        "out_bps": 80_000_000, "contract_bps": 10**9, "utilisation": 0.08, "as_of": when(20), "completeness": 1.0,
        "since": START, "flapping": False, "root": None,
    }  # fmt: skip


def test_a_cut_link_and_the_protection_of_its_group(state: sa.Engine, store: EmbeddedStore) -> None:
    run(state, store, 0, 5)
    run(state, store, 6, 6, down=CUT)
    assert [(row["link"], row["state"], row["protection"], row["since"]) for row in rows(state, 6.1)] == [
        ("up1", "down", "degraded", when(6)),
        ("up2", "up", "degraded", START),
        ("down1", "up", "normal", START),
    ]


def test_with_a_dead_worker_every_link_is_unknown_and_no_figure_claims_to_be_current(
    state: sa.Engine, store: EmbeddedStore
) -> None:
    run(state, store, 0, 5)
    patience = 2 + 1 / T
    assert {row["state"] for row in rows(state, 5 + patience)} == {"up"}
    late = rows(state, 5 + patience + 0.01)
    assert [(row["state"], row["in_bps"], row["out_bps"], row["utilisation"], row["protection"]) for row in late] == [
        ("unknown", None, None, None, "unknown")
    ] * 3
    assert late[0]["as_of"] == when(5)
    assert late[0]["since"] == when(7) + timedelta(seconds=1)


def test_completeness_counts_what_was_due(state: sa.Engine, store: EmbeddedStore) -> None:
    run(state, store, 0, 10)
    run(state, store, 11, 13, mute=["core", "city", "county"])
    run(state, store, 14, 20)
    assert rows(state, 20)[0]["completeness"] == round((10 + 6) / 20, 6)


def test_never_polled_is_unknown_and_null(state: sa.Engine) -> None:
    assert rows(state, 0)[0] | {"link": ""} == {
        "link": "", "group": "core-city", "state": "unknown", "protection": "unknown", "in_bps": None, "out_bps": None,
        "contract_bps": 10**9, "utilisation": None, "as_of": None, "completeness": 0.0, "since": None,
        "flapping": False, "root": None,
    }  # fmt: skip


def test_filters(state: sa.Engine, store: EmbeddedStore) -> None:
    run(state, store, 0, 1)
    run(state, store, 2, 2, down=CUT)
    assert [row["link"] for row in rows(state, 2, wanted="down")] == ["up1"]
    assert [row["link"] for row in rows(state, 2, region="230109")] == ["down1"]
    assert len(rows(state, 2, region="230000")) == 3
    with pytest.raises(UserError, match="unknown region"):
        rows(state, 2, region="990000")


def test_samples_of_a_silent_end_are_completed_by_the_far_end(state: sa.Engine, store: EmbeddedStore) -> None:
    run(state, store, 0, 3)
    run(state, store, 4, 9, mute=["core"])
    found = views.link_samples(store, PROVINCE, "up1", START, when(10), interval_seconds=T)
    told = [(row["at"], row["status"], row["end"], row["in_bps"]) for row in found]
    assert told[:4] == [(when(0), "first", "a", None), *[(when(step), "ok", "a", 40_000_000) for step in (1, 2, 3)]]
    assert (when(5), "missing", "a", None) in told
    assert (when(6), "ok", "b", 40_000_000) in told
    assert not [one for one in told if one[0] < when(5) and one[2] == "b"]
    with pytest.raises(UserError, match="unknown link"):
        views.link_samples(store, PROVINCE, "nowhere", START, when(10), interval_seconds=T)


def test_percentiles_of_a_link_a_group_and_all(state: sa.Engine, store: EmbeddedStore) -> None:
    run(state, store, 0, 65)
    at = {"month": "2026-03", "now": when(62), "bin_seconds": 300}
    start = views.month_of_report("2026-03", when(62))[0]
    lost = int((START - start).total_seconds()) // 300
    whole = {
        "p95_in_bps": 40_000_000, "p95_out_bps": 80_000_000, "billed_bps": 80_000_000, "samples": 12, "interpolated": 0,
        "missing": lost, "completeness": round(12 / (12 + lost), 6), "provisional": True,
    }  # fmt: skip
    assert views.p95_rows(store, PROVINCE, **at, link="up1") == [{"link": "up1"} | whole]
    assert views.p95_rows(store, PROVINCE, **at, group="core-city") == [
        {"link": None, "group": "core-city"}
        | whole
        | {"p95_in_bps": 80_000_000, "p95_out_bps": 160_000_000, "billed_bps": 160_000_000}
    ]
    assert [(row["link"], row["samples"]) for row in views.p95_rows(store, PROVINCE, **at)] == [
        ("up1", 12),
        ("up2", 12),
        ("down1", 12),
    ]
    empty = views.p95_rows(store, PROVINCE, month="2026-02", now=when(62), bin_seconds=300, link="up1")[0]
    assert (empty["samples"], empty["billed_bps"], empty["provisional"]) == (0, None, True)


def test_percentile_takes_the_far_end_where_the_near_one_is_silent(state: sa.Engine, store: EmbeddedStore) -> None:
    run(state, store, 0, 65, mute=["core"])
    row = views.p95_rows(store, PROVINCE, month="2026-03", now=when(62), bin_seconds=300, link="up1")[0]
    assert (row["samples"], row["p95_in_bps"], row["p95_out_bps"]) == (12, 40_000_000, 80_000_000)


@pytest.mark.parametrize(
    ("choice", "what"),
    [
        ({"month": "2026-13"}, "not a month"),
        ({"month": "2030-01"}, "not begun"),
        ({"month": "2026-02", "link": "x"}, "unknown link"),
        ({"month": "2026-02", "group": "x"}, "no links in group"),
    ],
)
def test_wrong_choices_say_so(store: EmbeddedStore, choice: dict[str, str], what: str) -> None:
    with pytest.raises(UserError, match=what):
        views.p95_rows(store, PROVINCE, now=when(0), bin_seconds=300, **choice)  # type: ignore[arg-type]


def test_availability_of_the_month_so_far(state: sa.Engine, store: EmbeddedStore) -> None:
    run(state, store, 0, 9)
    run(state, store, 10, 19, down=CUT)
    run(state, store, 20, 30)
    agreed = Maintenance(id="m", scope={"links": ("up1",)}, start=when(15), end=when(25), agreed=True)
    inventory = replace(PROVINCE, maintenance=(agreed,))
    found = views.sla_rows(state, inventory, month="2026-03", now=when(30), interval_seconds=T)
    first = found[0]
    shown = ("link", "availability", "down_seconds", "excluded_seconds", "outages")
    assert tuple(first[name] for name in shown) == (
        "up1", 0.75, 300, 600, 1,
    )  # fmt: skip
    assert first["spans"] == [{"from": when(10), "to": when(15)}]
    assert first["provisional"]
    assert (found[1]["availability"], found[1]["down_seconds"]) == (1.0, 0)


def test_a_link_that_is_polled_no_more_is_known_only_so_far(state: sa.Engine, store: EmbeddedStore) -> None:
    run(state, store, 0, 9)
    row = views.sla_rows(state, PROVINCE, month="2026-03", now=when(100), interval_seconds=T)[0]
    assert (
        row["unknown_seconds"]
        == (when(100) - START).total_seconds()
        - 9 * T
        - 121
        + (START - views.month_of_report("2026-03", START)[0]).total_seconds()
    )


@pytest.fixture
def site(data: Path, state: sa.Engine) -> Path:
    """A data folder whose newest reading is of now."""
    with writing(state) as connection:
        kept.save(connection, to_json(PROVINCE), "test", START)
    (data / "ca.pem").write_text("", encoding="ascii")
    return data


def call(site: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Any, str]:
    code = main(["link", *arguments, "--data", str(site), "-o", "json"])
    shown = capsys.readouterr()
    return code, json.loads(shown.out) if shown.out else None, shown.err


def test_cli_ls(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, found, _ = call(site, capsys, "ls", "--region", "230109")
    assert (code, [(row["link"], row["state"], row["as_of"]) for row in found]) == (0, [("down1", "unknown", None)])
    assert call(site, capsys, "ls", "--state", "upside")[0] == 2
    code, found, error = call(site, capsys, "ls", "--region", "1")
    assert (code, found, error.splitlines()) == (
        3, None, ["error: unknown region '1'", "where: --region", "next: use a code from the inventory's regions"],
    )  # fmt: skip


def test_cli_p95(site: Path, store: EmbeddedStore, capsys: pytest.CaptureFixture[str]) -> None:
    assert store.count(RATES) == 0
    month = f"{now():%Y-%m}" if now().day > 1 else "2026-01"
    code, found, _ = call(site, capsys, "p95", "--month", month, "--group", "core-city")
    assert (code, len(found), found[0]["group"], found[0]["samples"], found[0]["billed_bps"]) == (
        0,
        1,
        "core-city",
        0,
        None,
    )
    assert len(call(site, capsys, "p95", "--month", month)[1]) == 3
    assert call(site, capsys, "p95", "--month", month, "--link", "a", "--group", "b")[0] == 2
    assert call(site, capsys, "p95", "--month", "1999")[0] == 2
    assert call(site, capsys, "p95")[0] == 2


def test_cli_report_and_show(site: Path, store: EmbeddedStore, capsys: pytest.CaptureFixture[str]) -> None:
    store.append(
        RATES,
        pa.Table.from_pylist([{"device": "core", "interface": "to-up1", "at": START, "status": "first"}], RATES.schema),
    )
    code, found, _ = call(site, capsys, "report", "--month", "2026-03")
    assert (code, [row["link"] for row in found], found[0]["availability"]) == (0, ["up1", "up2", "down1"], None)
    span = ("--from", "2026-03-01T08:00:00+08:00", "--to", "2026-03-01T08:00:01+08:00")
    code, found, _ = call(site, capsys, "show", "up1", *span)
    assert (code, [(row["at"], row["in_bps"], row["status"]) for row in found]) == (
        0,
        [("2026-03-01T00:00:00Z", None, "first")],
    )
    assert call(site, capsys, "show", "nowhere")[0] == 3
    assert call(site, capsys, "show", "up1", "--from", "yesterday")[0] == 2
    assert call(site, capsys, "show", "up1", "--from", "2026-03-02T00:00:00Z", "--to", "2026-03-01T00:00:00Z")[0] == 2


def test_listing_links_loads_neither_numpy_nor_pyarrow_nor_duckdb() -> None:
    heavy = "import link_health.views, sys; print(sorted({'numpy', 'pyarrow', 'duckdb'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_lone_links_protect_themselves(state: sa.Engine, store: EmbeddedStore) -> None:
    run(state, store, 0, 1)
    lone = replace(PROVINCE, links=(replace(PROVINCE.links[0], group=None), link("x", "core", None)))
    found = views.link_rows(state, lone, interval_seconds=T, now=when(1))
    assert [(row["group"], row["protection"]) for row in found] == [(None, "normal"), (None, "unknown")]
