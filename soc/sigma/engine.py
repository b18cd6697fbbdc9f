"""The engine: events of one source go to one bucket of rules, prefiltered, then judged exactly by compiled code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from soc.sigma.compile import Matcher, compile_condition
from soc.sigma.ir import Node, Test
from soc.sigma.naive import matches
from soc.sigma.necessary import necessary_tests
from soc.sigma.prefilter import Prefilter
from soc.sigma.route import Router, Source, route_of
from soc.sigma.rule import Rule
from soc.sigma.sampling import frequencies
from soc.sigma.text import ListMetError, Lowered, View

LEARN_FROM = 300  # first events of a bucket from which its necessary tests are chosen again


class Bucket:
    """The rules for events of one source; necessary tests are chosen anew once enough of its events were seen."""

    def __init__(self, conditions: Sequence[tuple[int, Node]], necessary: Mapping[int, Sequence[Test]]) -> None:
        self.conditions = conditions
        self.learning = True
        self.prefilter = Prefilter((index, necessary[index]) for index, _ in conditions)
        self._sample: list[View] = []

    def learn(self, view: View) -> None:
        """Keep an event until there are enough."""
        self._sample.append(view)
        if len(self._sample) == LEARN_FROM:
            seen = frequencies(self._sample, (node for _, node in self.conditions))
            self.prefilter = Prefilter((index, necessary_tests(node, seen)) for index, node in self.conditions)
            self._sample, self.learning = [], False


class Engine:
    """All rules at work. ``match`` gives the indexes of ``rules`` that an event meets, rising."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = tuple(rules)
        self._router = Router(self.rules)
        self._matchers: dict[int, Matcher] = {}
        self._buckets: dict[Source, Bucket] = {}
        self._necessary: dict[int, tuple[Test, ...]] = {}
        self._routes = [route_of(rule) for rule in self.rules]

    def bucket(self, source: Source) -> Bucket:
        """The bucket of a source, built when its first event comes."""
        found = self._buckets.get(source)
        if found is None:
            conditions = [(index, self.rules[index].condition) for index in self._router.admitted(source)]
            for index, node in conditions:
                if index not in self._necessary:
                    self._necessary[index] = necessary_tests(node, {})
            found = self._buckets[source] = Bucket(conditions, self._necessary)
        return found

    def match(self, view: View, source: Source) -> Sequence[int]:
        """Rules that this event meets: what the naive evaluator says, only sooner."""
        bucket = self._buckets.get(source) or self.bucket(source)
        if not bucket.conditions:
            return ()
        if bucket.learning:
            bucket.learn(view)
        candidates = bucket.prefilter.candidates(view)
        if not candidates:
            return ()
        low = Lowered(view)
        try:
            return [index for index in sorted(candidates) if self._matcher(index)(low, view)]
        except ListMetError:
            return [index for index in sorted(candidates) if matches(self.rules[index].condition, view)]

    def _matcher(self, index: int) -> Matcher:
        found = self._matchers.get(index)
        if found is None:
            found = self._matchers[index] = compile_condition(self.rules[index].condition)
        return found

    def match_naive(self, view: View, source: Source) -> Sequence[int]:
        """The oracle: every rule whose log source admits the event, evaluated the obvious way."""
        admitted = (index for index, route in enumerate(self._routes) if route.admits(source))
        return [index for index in admitted if matches(self.rules[index].condition, view)]
