"""Sigma engine: events per CPU-second, all SigmaHQ rules on 50 220 real Windows events, against the naive evaluator.

Run: ``python bench/soc_detect.py``. Cold counts everything but the loading of rules and JSON: buckets, prefilters,
compiling. The naive evaluator judges a slice of the same events between the two runs; its hits are compared.
``orjson`` is a yardstick of the machine.
"""

from __future__ import annotations

import lzma
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import orjson

from soc.sigma.engine import Engine
from soc.sigma.load import load_rules
from soc.sigma.route import windows_source
from soc.sigma.text import View

SHARED = Path(__file__).parents[2] / "shared" / "data"
RULES, EVENTS = SHARED / "sigma" / "sigmahq-rules.tar.xz", SHARED / "events" / "windows-50k.jsonl.xz"
NAIVE_EVERY = 251


def judge(engine: Engine, events: list[View]) -> tuple[float, list[tuple[int, int]]]:
    """CPU seconds and hits."""
    start = time.process_time()
    hits: list[tuple[int, int]] = []
    for number, event in enumerate(events):
        matched = engine.match(event, windows_source(event.get("Channel"), event.get("EventID")))
        if matched:
            hits += [(number, rule) for rule in matched]
    return time.process_time() - start, hits


def oracle(engine: Engine, event: View) -> Sequence[int]:
    return engine.match_naive(event, windows_source(event.get("Channel"), event.get("EventID")))


def main() -> None:
    missing = [str(one) for one in (RULES, EVENTS) if not one.exists()]
    if missing:
        sys.exit(f"skipped: {', '.join(missing)} not here")
    start = time.process_time()
    rules = load_rules([RULES]).rules
    loading = time.process_time() - start
    with lzma.open(EVENTS) as file:
        lines = file.readlines()
    start = time.process_time()
    events: list[View] = [orjson.loads(line) for line in lines]
    yardstick = len(lines) / (time.process_time() - start)

    engine = Engine(rules)
    cold, hits = judge(engine, events)
    sample = range(0, len(events), NAIVE_EVERY)
    start = time.process_time()
    naive = [(number, rule) for number in sample for rule in oracle(engine, events[number])]
    slow = len(sample) / (time.process_time() - start)
    warm, again = judge(engine, events)
    chosen = set(sample)
    assert again == hits
    assert naive == [one for one in hits if one[0] in chosen]
    fast = len(events) / cold
    print(
        f"{len(rules)} rules, {len(hits)} hits, events per CPU-second: cold {fast:,.0f}, "
        f"warm {len(events) / warm:,.0f}, naive {slow:,.0f}; ratio {fast / slow:,.0f}; "
        f"orjson.loads {yardstick:,.0f}/s; rules loaded in {loading:.1f} CPU-s"
    )


if __name__ == "__main__":
    main()
