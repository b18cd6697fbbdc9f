"""One span of a cloud: what becomes of lives, projects, memberships, failures."""

from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal

import pytest

from collectors.openstack import Memory, collect
from collectors.openstack.lives import parse_time
from records.errors import UnreachableError
from records.instants import midnight
from tests.collectors.clouds import CLOUD, FakeCloud, RecordedCloud, bureaus, instant, inventory, tenant, usage

NOW = instant("11-22T08:00")


def fake(*told: dict, **more) -> FakeCloud:
    return FakeCloud(at=NOW, told=list(told), **more)


def span(api: FakeCloud, start: str = "11-22T02:00", end: str = "11-22T06:00", **more):
    return collect(api, CLOUD, more.pop("known", inventory(*bureaus(1))), instant(start), instant(end), now=NOW, **more)


def quantities(found, meter: str = "vcpu") -> dict[str, Decimal]:
    return {f"{row['start']:%H:%M}": row["quantity"] for row in found.rows.to_pylist() if row["meter"] == meter}


def test_one_row_for_each_server_meter_and_window():
    found = span(fake(usage()), end="11-22T04:00")
    names = ("tenant", "resource", "meter", "quantity", "unit", "source")
    assert [tuple(row[name] for name in names) for row in found.rows.to_pylist()] == [
        ("t01", "s1", "vcpu", Decimal(2), "vcpu*h", CLOUD),
        ("t01", "s1", "memory", Decimal(4), "GB*h", CLOUD),
        ("t01", "s1", "disk", Decimal(40), "GB*h", CLOUD),
    ]
    assert (found.rejected, found.gaps, found.complete_until) == ((), (), instant("11-22T04:00"))


def test_attributes_are_canonical_and_the_class_comes_from_the_server_first():
    own = {"id": "s1", "flavor": {"original_name": "std.2c4g", "extra_specs": {"class": "old"}}}
    listed = [{**own, "OS-SRV-USG:launched_at": "2026-11-22T03:00:00.000000"}]
    kinds = [{"name": "std.2c4g", "extra_specs": {"class": "new"}}]
    row = span(fake(usage(), listed=listed, kinds=kinds)).rows.to_pylist()[0]
    assert row["attributes"] == '{"class":"old","flavor":"std.2c4g","name":"s1-name"}'
    deleted = span(fake(usage(), kinds=kinds)).rows.to_pylist()[0]
    assert json.loads(deleted["attributes"])["class"] == "new"
    assert "class" not in json.loads(span(fake(usage())).rows.to_pylist()[0]["attributes"])


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        pytest.param({}, {"03:00": 2, "04:00": 2, "05:00": 2}, id="lives on"),
        pytest.param({"started_at": "2026-11-22T04:15:00.000000"}, {"04:00": "1.5", "05:00": 2}, id="launched within"),
        pytest.param({"ended_at": "2026-11-22T04:30:00"}, {"03:00": 2, "04:00": 1}, id="deleted, kept until its end"),
        pytest.param({"started_at": None, "state": "building"}, {}, id="BUILD: never launched, no usage"),
        pytest.param({"started_at": None, "state": "error"}, {}, id="ERROR before launch, no usage"),
        pytest.param({"state": "error"}, {"03:00": 2, "04:00": 2, "05:00": 2}, id="ERROR later stays allocated"),
        pytest.param({"state": "stopped"}, {"03:00": 2, "04:00": 2, "05:00": 2}, id="stopped stays allocated"),
        pytest.param(
            {"started_at": "2026-11-22T03:59:59.999999", "ended_at": "2026-11-22T04:00:00"},
            {"03:00": "1E-9"},
            id="a microsecond",
        ),
    ],
)
def test_lives(more, expected):
    assert quantities(span(fake(usage(**more)))) == {at: Decimal(value) for at, value in expected.items()}


def test_a_meter_of_size_nothing_has_no_rows():
    assert {row["meter"] for row in span(fake(usage(local_gb=0))).rows.to_pylist()} == {"vcpu", "memory"}


def test_twice_gives_the_same_rows():
    api = fake(usage(), usage("s2"))
    assert span(api).rows.equals(span(api).rows)


def test_parts_give_the_same_rows_as_the_whole():
    api = fake(usage(), usage("s2", started_at="2026-11-22T03:20:10.5"))
    parts = [span(api, "11-22T02:00", "11-22T04:00"), span(api, "11-22T04:00", "11-22T06:00")]
    ids = {row["event_id"]: row for part in parts for row in part.rows.to_pylist()}
    assert ids == {row["event_id"]: row for row in span(api).rows.to_pylist()}


def test_only_windows_wholly_past_by_both_clocks():
    api = FakeCloud(at=NOW - timedelta(seconds=30), told=[usage()])
    late = collect(api, CLOUD, inventory(*bureaus(1)), instant("11-22T06:00"), instant("11-22T12:00"), now=NOW)
    assert late.complete_until == instant("11-22T07:00")
    none = collect(api, CLOUD, inventory(*bureaus(1)), instant("11-22T07:00"), instant("11-22T12:00"), now=NOW)
    assert (none.rows.num_rows, none.complete_until) == (0, instant("11-22T07:00"))


def test_a_clock_that_is_off_gives_nothing():
    with pytest.raises(UnreachableError, match="differs from ours by -300 s"):
        span(FakeCloud(at=NOW - timedelta(minutes=5), told=[usage()]))


def test_an_unknown_project_is_told_row_by_row():
    found = span(fake(usage(), usage("s2", "stranger")), end="11-22T04:00")
    assert found.rows.num_rows == 3
    assert [(one.text(), one.where) for one in found.rejected] == [
        ("no tenant of the inventory has project 'stranger'", f"{CLOUD}/s2/{meter}/2026-11-22T03:00:00Z")
        for meter in ("vcpu", "memory", "disk")
    ]


def test_a_project_is_known_by_id_before_name():
    known = inventory(tenant("by-id", "p1"), tenant("by-name", "project-01"))
    assert {row["tenant"] for row in span(fake(usage()), known=known).rows.to_pylist()} == {"by-id"}


def test_memberships_in_time():
    """Windows before, at and after the edge of two memberships, and outside of both."""
    edge = midnight(date(2026, 11, 20))
    known = inventory(
        tenant("old", "project-01", start=date(2026, 11, 1), end=date(2026, 11, 20)),
        tenant("new", "project-01", start=date(2026, 11, 20), end=date(2026, 11, 21)),
    )
    api = fake(usage(started_at="2026-01-01T00:00:00"))
    found = collect(api, CLOUD, known, edge - timedelta(hours=1), edge + timedelta(hours=1), now=NOW)
    assert [row["tenant"] for row in found.rows.to_pylist() if row["meter"] == "vcpu"] == ["old", "new"]
    after = span(api, known=known)
    assert {row["tenant"] for row in after.rows.to_pylist()} == {"new"}
    before = collect(api, CLOUD, known, instant("10-01T00:00"), instant("10-01T01:00"), now=NOW)
    assert {row["tenant"] for row in before.rows.to_pylist()} == {"old"}


def test_half_an_answer_is_no_answer():
    listed = [{"id": "s9", "OS-SRV-USG:launched_at": "2026-11-22T03:00:00.000000", "flavor": {}}]
    with pytest.raises(UnreachableError, match="not whole: 1 servers are missing"):
        span(fake(usage(), listed=listed))
    with pytest.raises(UnreachableError, match="1 stand twice"):
        span(fake(usage(), usage()))


@pytest.mark.parametrize(
    "broken",
    [{"vcpus": -1}, {"vcpus": 2.5}, {"memory_mb": None}, {"started_at": "yesterday"}, {"name": 7}, {"ended_at": 12}],
)
def test_a_strange_usage_is_refused_whole(broken):
    with pytest.raises(UnreachableError, match="has not the shape of nova"):
        span(fake(usage(), usage("s2", **broken)))


def test_naive_times_are_utc():
    assert parse_time("2026-11-22T03:00:00.000000") == parse_time("2026-11-22T03:00:00Z") == instant("11-22T03:00")


def test_a_resized_server_keeps_what_was_seen_before():
    """Nova moves launched_at to the resize; the collector that saw the server before still charges its old size."""
    memory = Memory()
    span(fake(usage()), "11-22T03:00", "11-22T04:00", memory=memory)
    resized = fake(usage(vcpus=8, started_at="2026-11-22T04:15:00.000000"))
    found = span(resized, "11-22T04:00", "11-22T06:00", memory=memory)
    assert quantities(found) == {"04:00": Decimal("6.5"), "05:00": Decimal(8)}
    assert found.gaps == ()


def test_a_resize_that_nobody_saw_is_a_gap_not_zero():
    done = [
        {"action": "resize", "start_time": "2026-11-22T04:14:50.1"},
        {"action": "create", "start_time": "2026-11-22T01:00:00.0"},
    ]
    resized = fake(usage(started_at="2026-11-22T04:15:00.000000"), done={"s1": done})
    found = span(resized)
    assert quantities(found) == {"04:00": Decimal("1.5"), "05:00": Decimal(2)}
    told = [(one.values["since"], one.values["until"], one.where) for one in found.gaps]
    assert told == [("2026-11-22T02:00:00Z", "2026-11-22T04:15:00Z", f"{CLOUD}/s1")]


def test_a_failed_pass_leaves_the_memory_as_it_was():
    class Failing(FakeCloud):
        def flavors(self):
            raise UnreachableError("gone", "wait")

    memory = Memory()
    with pytest.raises(UnreachableError):
        span(Failing(at=NOW, told=[usage()]), memory=memory)
    assert memory == Memory()


def test_recorded_answers_of_a_real_cloud():
    """18 launched servers, 3 of them deleted; the one in ERROR has no usage; nova's own hours agree."""
    api = RecordedCloud()
    known = inventory(*(tenant(f"t{nth}", f"bureau-{nth:02d}") for nth in range(1, 7)))
    found = collect(api, CLOUD, known, instant("11-22T03:00"), instant("11-22T04:00"), now=instant("11-22T05:00"))
    rows = [row for row in found.rows.to_pylist() if row["meter"] == "vcpu"]
    assert len(rows) == len(api.told) == 18
    assert (found.rejected, {json.loads(row["attributes"])["class"] for row in rows}) == ((), {"std", "mem"})
    ended = {one["instance_id"]: one for one in api.told if one["ended_at"]}
    assert len(ended) == 3
    for row in rows:
        if row["resource"] in ended:
            one = ended[row["resource"]]
            assert abs(float(row["quantity"]) - one["hours"] * one["vcpus"]) < 1e-9
    assert [one.where for one in found.gaps] == [f"{CLOUD}/{server}" for server in api.done]
