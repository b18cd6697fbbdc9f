"""SigmaHQ's rules on real events: the engine's hits are the naive evaluator's, and its regression cases are found."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
import yaml

from soc.files import read_records
from soc.parse import Raw, parse
from soc.sigma.engine import Engine
from soc.sigma.route import windows_source
from soc.sigma.rule import RuleSet

pytestmark = pytest.mark.peer  # the rules' own authors are the peer; loading them takes 10 s
RECEIVED = datetime(2026, 1, 1, tzinfo=UTC)
UNDERSTATED = {  # three of the file's records meet the rule; info.yml says one
    "0b9ad457-2554-44c1-82c2-d56a99c42377": 3,
    "8fbf3271-1ef6-4e94-8210-03c2317947f6": 3,
    "45e112d0-7759-4c2a-aa36-9f8fb79d3393": 3,
}


def test_all_rules_are_run_or_listed(sigmahq: RuleSet) -> None:
    assert len(sigmahq.rules) + len(sigmahq.unsupported) == 3754
    assert {one.why for one in sigmahq.unsupported} == {"a placeholder without values"}
    assert len(sigmahq.unsupported) == 2


def compare(rules: RuleSet, lines: list[bytes]) -> int:
    """Hits of the engine over all lines; every ``step``-th one is judged by the oracle too."""
    engine = Engine(rules.rules)
    hits = 0
    for line in lines:
        event = orjson.loads(line)
        source = windows_source(event.get("Channel"), event.get("EventID"))
        found = list(engine.match(event, source))
        assert found == list(engine.match_naive(event, source))
        hits += len(found)
    return hits


def test_hits_on_a_sample_are_the_oracles(sigmahq: RuleSet, windows_lines: list[bytes]) -> None:
    assert compare(sigmahq, windows_lines[::211]) > 0


@pytest.mark.long
def test_hits_on_all_events_are_the_oracles(sigmahq: RuleSet, windows_lines: list[bytes]) -> None:
    assert compare(sigmahq, windows_lines) == 573


def test_regression_cases(sigmahq: RuleSet, regression: Path) -> None:
    engine = Engine(sigmahq.rules)
    wrong = []
    cases = sorted(regression.rglob("info.yml"))
    for case in cases:
        info = yaml.load(case.read_text(encoding="utf-8"), yaml.CSafeLoader)
        rules = {one["id"] for one in info["rule_metadata"]}
        for test in info["regression_tests_info"]:
            found = count(engine, regression / test["path"], rules)
            known = next((UNDERSTATED[one] for one in rules if one in UNDERSTATED), test.get("match_count"))
            if found != known if known else not found:
                wrong.append((case.parent.name, found, known))
    assert (wrong, len(cases)) == ([], 106)


def count(engine: Engine, file: Path, rules: set[str]) -> int:
    events = [parse(Raw(payload=payload, received_at=RECEIVED, format=kind)) for kind, payload in read_records(file)]
    return sum(
        engine.rules[index].head.id in rules for event in events for index in engine.match(event.view(), event.source)
    )
