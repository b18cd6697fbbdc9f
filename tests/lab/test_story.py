"""The story: one organisation, three parts, always the same for the same inventory and epoch."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from inventory.loading import load
from inventory.model import Inventory
from lab.province import FILE
from lab.simulator.logs import story_lines
from lab.story import tell
from lab.traffic import Traffic
from tests.provinces import small_province

EPOCH = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)


def test_all_three_parts_hit_one_organisation() -> None:
    inventory = load(FILE)
    story = tell(inventory, EPOCH)
    assert story.cut.start == EPOCH + timedelta(seconds=60)
    assert story.cut.end is None
    assert inventory.link[story.cut.link].group == story.group
    assert story.organisation in inventory.organisations_behind_group[story.group]
    assert inventory.host[story.storm.host].organisation == story.organisation
    assert {one.organisation for one in inventory.memberships[story.burst.tenant]} == {story.organisation}


def test_the_same_story_again_and_old_outages_are_over() -> None:
    inventory = load(FILE)
    story = tell(inventory, EPOCH)
    assert tell(inventory, EPOCH) == story
    assert len(story.past) > 3
    assert all(cut.end < EPOCH - timedelta(days=1) for cut in story.past)
    Traffic(inventory, story.cuts)


def test_an_inventory_without_sites_has_no_story() -> None:
    story = tell(Inventory(), EPOCH)
    assert (story.cut, story.storm, story.burst, story.past) == (None, None, None, ())
    hostless = tell(replace(small_province(), hosts=()), EPOCH)
    assert hostless.cut.link == "north-1"
    assert hostless.storm is None


def test_a_naive_epoch_is_refused() -> None:
    with pytest.raises(ValueError, match="naive"):
        tell(Inventory(), EPOCH.replace(tzinfo=None))


def test_storms_come_again_and_each_window_gets_its_own() -> None:
    story = tell(small_province(), EPOCH)
    storm = story.storm
    day = list(storm.starts(EPOCH, EPOCH + timedelta(days=1)))
    assert [at - storm.start for at in day] == [timedelta(hours=6 * n) for n in range(4)]
    assert list(storm.starts(EPOCH - timedelta(days=3), EPOCH)) == []
    assert list(storm.starts(storm.start + timedelta(seconds=1), storm.start + timedelta(hours=6))) == []


def test_the_lines_of_a_window_are_the_same_however_it_is_cut() -> None:
    inventory = small_province()
    story = tell(inventory, EPOCH)
    end = EPOCH + timedelta(seconds=200)
    whole = story_lines(inventory, story, EPOCH, end)
    parts = [
        line
        for at in range(200)
        for line in story_lines(inventory, story, EPOCH + timedelta(seconds=at), EPOCH + timedelta(seconds=at + 1))
    ]
    assert parts == whole
    messages = [line.message.decode() for line in whole]
    assert sum("Failed password" in text for text in messages) == story.storm.attempts
    assert sum("Accepted password for root from 203.0.113.77" in text for text in messages) == 1
    assert sum("ge1/0/1" in text or "ge0/0/1" in text for text in messages) == 2
