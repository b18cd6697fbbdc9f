"""``soc detect``: rules over files, without a data folder and without keeping anything."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from records.instants import format_instant, microseconds, now
from soc.correlate import Hit
from soc.ecs import nested
from soc.entities import entities_of
from soc.event import Event
from soc.files import read_records
from soc.parse import Raw, parse
from soc.pipeline import Detector
from soc.sigma.rule import Head, RuleSet


@dataclass(slots=True)
class Detection:
    """What a run came to; ``seconds`` and the CPU seconds leave out the loading of rules.

    Attributes:
        events: Records read, unparsable ones included.
        hits: Rule id to how often it fired.
    """

    rules: RuleSet
    events: int = 0
    unparsed: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    hits: Counter[str] = field(default_factory=Counter)

    def as_json(self) -> dict[str, Any]:
        """The shape of CONTRACT §8."""
        heads = {one.head.id: one.head for one in self.rules.all}
        found = [
            {"rule_id": name, "title": heads[name].title, "level": heads[name].level.value, "count": count}
            for name, count in sorted(self.hits.items(), key=lambda pair: (-pair[1], pair[0]))
        ]
        return {
            "events": self.events,
            "rules": len(self.rules.rules) + len(self.rules.correlations),
            "unsupported": [{"rule": one.rule, "why": one.why, "path": one.path} for one in self.rules.unsupported],
            "hits": found,
            "unparsed": self.unparsed,
            "seconds": round(self.seconds, 3),
            "events_per_cpu_second": round(self.events / self.cpu_seconds) if self.cpu_seconds > 0 else None,
        }


Tell = Callable[[Mapping[str, Any]], None]


def detect(files: Iterable[Path], rules: RuleSet, form: str = "auto", tell: Tell | None = None) -> Detection:
    """Run all rules over all records, in file order; ``tell`` gets one mapping for each hit."""
    found = Detection(rules)
    detector = Detector(rules)
    received = now()
    wall, cpu = time.perf_counter(), time.process_time()
    for path in files:
        name = str(path)
        for number, (kind, payload) in enumerate(read_records(path, form), 1):
            event = parse(Raw(payload=payload, received_at=received, format=kind))
            event.id = f"{name}:{number}"
            found.events += 1
            found.unparsed += event.failed
            _judge(detector, event, found, tell)
    found.seconds, found.cpu_seconds = time.perf_counter() - wall, time.process_time() - cpu
    return found


def _judge(detector: Detector, event: Event, found: Detection, tell: Tell | None) -> None:
    matched = detector.engine.match(event.view(), event.source)
    if not matched:
        return
    heads = [detector.engine.rules[index].head for index in matched]
    wanted = detector.correlator.wanted
    for head in heads:
        _count(found, tell, head, event, ())
        if head.id in wanted:
            names = {**event.fields, **event.aliases}
            hit = Hit(
                rule=head.id, id=event.id, at=microseconds(event.at), names=names, entities=entities_of(event.fields)
            )
            for firing in detector.correlator.feed(hit):
                _count(found, tell, firing.rule.head, event, tuple(mark.event for mark in firing.marks))


def _count(found: Detection, tell: Tell | None, head: Head, event: Event, events: tuple[str, ...]) -> None:
    found.hits[head.id] += 1
    if tell is not None:
        tell(
            {
                "rule_id": head.id,
                "title": head.title,
                "level": head.level.value,
                "event": event.id,
                "at": format_instant(event.at),
                "entities": entities_of(event.fields),
                **({"events": list(events)} if events else {}),
            }
        )


def parsed_events(path: Path, form: str = "auto", *, explain: bool = False) -> Iterator[dict[str, Any]]:
    """The ECS event of each record, nested; ``explain`` adds which parser read it, or why none could."""
    received = now()
    for kind, payload in read_records(path, form):
        event = parse(Raw(payload=payload, received_at=received, format=kind))
        fields = {
            **event.fields,
            "yw.parser": event.parser,
            "@timestamp": format_instant(event.at),
            "event.ingested": format_instant(received),
        }
        if explain:
            fields |= _explained(event, kind)
        yield nested(fields)


def _explained(event: Event, kind: str) -> dict[str, Any]:
    source = event.source
    return {
        "yw.explain.format": kind,
        "yw.explain.parser": event.parser,
        "yw.explain.parsed": not event.failed,
        "yw.explain.reason": event.fields.get("error.message"),
        "yw.explain.logsource.product": source.product,
        "yw.explain.logsource.category": sorted(source.categories),
        "yw.explain.logsource.service": sorted(source.services),
    }


def parsed_counts(paths: Iterable[Path], form: str = "auto") -> tuple[int, int]:
    """Records of files, and how many of them no parser reads."""
    received = now()
    failed = [
        parse(Raw(payload=payload, received_at=received, format=kind)).failed
        for path in paths
        for kind, payload in read_records(path, form)
    ]
    return len(failed), sum(failed)
