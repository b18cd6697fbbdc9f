"""The worker's part: what was collected -> stored events, alerts, incidents (CONTRACT §5, DESIGN §4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache

import sqlalchemy as sa

from inventory.model import Inventory
from records.instants import format_instant, microseconds
from records.schemas import EVENTS
from records.spool import Entry, Kind, Position
from soc import incidents
from soc.alerts import Finding, record
from soc.correlate import DOMAIN_LATENESS_SECONDS, FILE_LATENESS_SECONDS, LATENESS_SECONDS, SECOND, Counts
from soc.enrich import Enricher
from soc.event import Event
from soc.pack import own_rules
from soc.parse import Raw, parse
from soc.pipeline import Detector
from soc.rows import event_rows
from soc.sigma.rule import RuleSet
from storage.consumer import Apply, Step
from storage.counting import bump
from storage.snapshot import load, save
from storage.spool import event_id

Tell = Callable[[sa.Connection, Sequence[str]], None]

AHEAD_SECONDS = 300
INGEST = "ingest-"  # partitions of files; their counts are also kept by partition, for the one who ingests
FILE = "file:"  # source of an entry that was read from a file: ``file:DIGEST:RECORD``


class SocConsumer:
    """Parses, enriches, detects, correlates. Its memory is the correlations' windows, committed with the offset.

    Args:
        state: The state database, for the snapshot.
        inventory: Gives the inventory in force; asked once a batch.
        rules: Our own rules if absent.
        tell: Port: hears the ids of new alerts, inside the transaction that opens them.
    """

    name = "soc"
    kinds = frozenset({Kind.RAW, Kind.EVENT})

    def __init__(
        self,
        state: sa.Engine,
        inventory: Callable[[], Inventory],
        rules: RuleSet | None = None,
        tell: Tell | None = None,
    ) -> None:
        self._inventory = inventory
        self._tell = tell
        self._detector = Detector(own_rules() if rules is None else rules)
        self._enricher = Enricher(Inventory())
        self._known: Inventory | None = None
        snapshot = load(state, self.name)
        if snapshot is not None:
            self._detector.correlator.restore(snapshot)

    def process(self, batch: Sequence[tuple[Position, Entry]], now: datetime) -> Step:
        """Judge entries of one partition, in order."""
        self._follow_inventory()
        events = [self._event(position, entry) for position, entry in batch]
        findings = [
            finding
            for (position, entry), event in zip(batch, events, strict=True)
            for finding in self._judge(position, entry, event)
        ]
        correlator = self._detector.correlator
        correlator.forget(microseconds(now))
        counts = self._counts(events)
        rows = event_rows(events, [entry.received_at for _, entry in batch])
        partition = batch[0][0].partition if batch else ""
        return Step(rows=[(EVENTS, rows)], apply=self._apply(partition, findings, counts, correlator.snapshot()))

    def tick(self, now: datetime) -> Step:  # noqa: ARG002 - the port's signature; correlations follow event time only
        """Nothing follows from time alone."""
        return Step()

    def _counts(self, events: Sequence[Event]) -> dict[tuple[str, str], int]:
        """What a batch adds to the counters."""
        failed = sum(event.failed for event in events)
        gone, self._detector.correlator.counts = self._detector.correlator.counts, Counts()
        return {
            ("received", ""): len(events),
            ("parsed", ""): len(events) - failed,
            ("unparsed", ""): failed,
            ("stored", ""): len(events),
            ("late", ""): gone.late,
            ("correlation_evicted", ""): gone.evicted,
        }

    def _follow_inventory(self) -> None:
        found = self._inventory()
        if found is not self._known:
            self._known, self._enricher = found, Enricher(found)

    def _event(self, position: Position, entry: Entry) -> Event:
        """The parsed and enriched event of an entry, with its id."""
        peer = peer_address(entry.peer)
        own = entry.kind is Kind.EVENT
        event = parse(
            Raw(payload=entry.payload, received_at=entry.received_at, format="ecs" if own else entry.format, peer=peer)
        )
        event.id = event.fields["event.id"] if own and not event.failed else entry_id(position, entry)
        self._enricher.enrich(event, peer)
        fields = event.fields
        fields["yw.parser"] = event.parser
        fields["event.id"] = event.id
        fields["@timestamp"] = _told(event.at)
        fields["event.ingested"] = _told(entry.received_at)
        return event

    def _judge(self, position: Position, entry: Entry, event: Event) -> Sequence[Finding]:
        domain = entry.kind is Kind.EVENT
        stream = f"{position.partition}/{entry.source}" if domain else position.partition
        file = entry.source.startswith(FILE)
        lateness = DOMAIN_LATENESS_SECONDS if domain else FILE_LATENESS_SECONDS if file else LATENESS_SECONDS
        seen = microseconds(entry.received_at)
        at = min(microseconds(event.at), seen + AHEAD_SECONDS * SECOND)  # one clock ahead makes nobody else late
        late = self._detector.correlator.advance(stream, at, seen, lateness_seconds=lateness, domain=domain)
        return self._detector.judge(event, late=late)

    def _apply(
        self, partition: str, findings: Sequence[Finding], counts: Mapping[tuple[str, str], int], snapshot: bytes
    ) -> Sequence[Apply]:
        def write(connection: sa.Connection) -> None:
            fresh = record(connection, findings)
            incidents.group(connection, fresh)
            if self._tell is not None and fresh:
                self._tell(connection, [one.id for one in fresh])
            for (name, label), number in {**counts, ("alerts", ""): len(fresh)}.items():
                bump(connection, name, label, number)
                if partition.startswith(INGEST):
                    bump(connection, f"ingest.{name}", partition, number)
            save(connection, self.name, snapshot)

        return (write,)


_told = lru_cache(4096)(format_instant)  # lines of one second say the same


@lru_cache(4096)
def peer_address(peer: str) -> str:
    """An address without its port: ``127.0.0.1:514``, ``[::1]:514`` or ``::1``."""
    if peer.startswith("["):
        return peer[1:].partition("]")[0]
    host, _, port = peer.rpartition(":")
    return host if host and port.isdigit() and ":" not in host else peer


def entry_id(position: Position, entry: Entry) -> str:
    """SM3(source, offset, payload): for files their digest and record number, for streams partition and ordinal."""
    if entry.source.startswith(FILE):
        digest, _, number = entry.source.removeprefix(FILE).partition(":")
        if number.isdigit():
            return event_id(digest, int(number), entry.payload)
    return event_id(position.partition, position.offset, entry.payload)
