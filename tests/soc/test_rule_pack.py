"""Our own rules: each fires on its samples and keeps quiet on the others."""

from __future__ import annotations

from pathlib import Path

import pytest

from soc.pack import FOLDER, own_rules
from soc.rule_tests import Outcome, run_tests

DOMAINS = {"network", "cloud", "security", "compliance", "platform"}


def test_all_rules_run() -> None:
    found = own_rules()
    assert found.unsupported == ()
    assert len(found.rules) + len(found.correlations) >= 10
    assert {Path(one.head.path).relative_to(FOLDER).parts[0] for one in found.all} == DOMAINS
    assert [one.head.id for one in found.all if not one.head.title_zh] == []


@pytest.mark.parametrize("outcome", run_tests(FOLDER, FOLDER), ids=lambda one: "/".join(Path(one.sample).parts[-4:]))
def test_samples(outcome: Outcome) -> None:
    assert outcome.passed, outcome.why


RULE = "title: t\nlogsource: {product: a}\ndetection: {s: {x: y}, condition: s}\n"
MATCH = '{"logsource.product": "a", "x": "y"}\n'
OTHER = '{"logsource.product": "a", "x": "z"}\n'


def write(folder: Path, **samples: str) -> Path:
    (folder / "r" / "tests").mkdir(parents=True)
    (folder / "r" / "rule.yml").write_text(RULE)
    for name, text in samples.items():
        (folder / "r" / "tests" / f"{name.replace('_', '.')}.jsonl").write_text(text)
    return folder


@pytest.mark.parametrize(
    ("samples", "why"),
    [
        pytest.param({"a_hit": MATCH, "b_miss": OTHER}, [], id="good"),
        pytest.param({"a_hit": OTHER, "b_miss": OTHER}, ["fired on 0 of 1 events"], id="hit does not fire"),
        pytest.param({"a_hit": MATCH + OTHER, "b_miss": OTHER}, ["fired on 1 of 2 events"], id="half of a hit file"),
        pytest.param({"a_hit": MATCH, "b_miss": OTHER + MATCH}, ["fired on 1 of 2 events"], id="miss fires"),
        pytest.param({"a_hit": MATCH}, ["no miss sample"], id="no miss"),
        pytest.param({"a_hit": MATCH, "b_miss": ""}, ["fired on 0 of 0 events"], id="empty"),
        pytest.param({}, ["no samples beside the rule"], id="none"),
    ],
)
def test_samples_are_judged(tmp_path: Path, samples: dict[str, str], why: list[str]) -> None:
    assert [one.why for one in run_tests(write(tmp_path, **samples), FOLDER) if not one.passed] == why
