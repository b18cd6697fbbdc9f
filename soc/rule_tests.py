"""Rules with their samples: ``tests/CASE.hit.jsonl`` must fire, ``tests/CASE.miss.jsonl`` must not (CONTRACT §6).

A line is an event in JSON, or ``{"event.original": "…"}`` with a line as it is sent. Where a folder holds several
rules, the file's first word is the rule's name. Every line of a detection's hit file must match; a correlation must
fire somewhere in its file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import orjson

from records.errors import UserError
from records.instants import microseconds
from soc.correlate import Hit
from soc.entities import entities_of
from soc.event import Event
from soc.parse import Raw, parse
from soc.pipeline import Detector
from soc.sigma.load import parse_rules, read_sources
from soc.sigma.rule import Correlation, Rule, RuleSet

RECEIVED = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)  # samples without a year are of this one


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one sample file went; ``why`` says what was wrong with it."""

    rule: str
    sample: str
    expected: str
    passed: bool
    why: str = ""


def run_tests(root: Path, pack: Path) -> list[Outcome]:
    """All samples below ``root``; rules elsewhere in ``pack`` may be referred to."""
    rules = _with_pack(root, pack)
    folders = sorted({file.parent.parent for file in root.rglob("*.jsonl") if file.parent.name == "tests"})
    found = [outcome for folder in folders for outcome in _folder(folder, rules)]
    return found + [_untested(one.head.path, one.head.id) for one in _without_samples(rules, root, folders)]


def _with_pack(root: Path, pack: Path) -> RuleSet:
    """Rules below ``root`` first, so that they win over those of the pack with the same id."""
    mine = list(read_sources(root))
    names = {Path(name).resolve() for name, _ in mine}
    return parse_rules([*mine, *(one for one in read_sources(pack) if Path(one[0]).resolve() not in names)])


def _without_samples(rules: RuleSet, root: Path, folders: Sequence[Path]) -> Iterator[Rule | Correlation]:
    tested = {folder.resolve() for folder in folders}
    for one in rules.all:
        place = Path(one.head.path).resolve()
        if place.is_relative_to(root.resolve()) and place.parent not in tested:
            yield one


def _untested(path: str, rule: str) -> Outcome:
    return Outcome(rule=rule, sample=path, expected="hit", passed=False, why="no samples beside the rule")


def _folder(folder: Path, rules: RuleSet) -> Iterator[Outcome]:
    mine = [one for one in rules.all if Path(one.head.path).resolve().parent == folder.resolve()]
    kinds: dict[str, set[str]] = {one.head.id: set() for one in mine}
    for file in sorted((folder / "tests").glob("*.jsonl")):
        *words, expected = file.stem.split(".")
        tested = [one for one in mine if one.head.name == words[0]] or (mine if len(mine) == 1 else [])
        if expected not in {"hit", "miss"} or not tested:
            why = "name it CASE.hit.jsonl or CASE.miss.jsonl, after the rule's name where there are several"
            yield Outcome(rule=folder.name, sample=str(file), expected="-", passed=False, why=why)
            continue
        for one in tested:
            kinds[one.head.id].add(expected)
            yield _run(one, file, expected, rules)
    for one in mine:
        for missing in sorted({"hit", "miss"} - kinds[one.head.id]):
            yield Outcome(
                rule=one.head.id, sample=str(folder), expected=missing, passed=False, why=f"no {missing} sample"
            )


def _run(rule: Rule | Correlation, file: Path, expected: str, rules: RuleSet) -> Outcome:
    events = list(read_samples(file))
    fired = fired_rules(events, rules)
    times = sum(rule.head.id in one for one in fired)
    every = isinstance(rule, Rule) and expected == "hit"
    passed = bool(events) and (times == len(events) if every else (times > 0) == (expected == "hit"))
    why = "" if passed else f"fired on {times} of {len(events)} events"
    return Outcome(rule=rule.head.id, sample=str(file), expected=expected, passed=passed, why=why)


def read_samples(file: Path) -> Iterator[Event]:
    """The events of a sample file; UserError names the line that is none."""
    for number, line in enumerate(file.read_bytes().splitlines(), 1):
        if not line.strip():
            continue
        try:
            found = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            where = f"{file}:{number}"
            raise UserError(
                "the sample is no JSON: {reason}", "give one JSON object a line", where=where, reason=error
            ) from error
        alone = isinstance(found, dict) and set(found) == {"event.original"}
        payload = str(found["event.original"]).encode() if alone else line
        event = parse(Raw(payload=payload, received_at=RECEIVED))
        event.id = str(event.fields.get("event.id") or f"sample-{number}")
        yield event


def fired_rules(events: Iterable[Event], rules: RuleSet) -> list[set[str]]:
    """For each event the ids of all rules that fired on it, silent ones included."""
    detector = Detector(rules)
    found: list[set[str]] = []
    for event in events:
        fired = {detector.engine.rules[index].head.id for index in detector.engine.match(event.view(), event.source)}
        names = {**event.fields, **event.aliases}
        for one in sorted(fired):
            hit = Hit(rule=one, id=event.id, at=microseconds(event.at), names=names, entities=entities_of(event.fields))
            fired |= {firing.rule.head.id for firing in detector.correlator.feed(hit)}
        found.append(fired)
    return found
