"""A worker in small: batches through the consumer, its state changes in one transaction each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import sqlalchemy as sa

from inventory.model import Inventory
from records.instants import format_instant
from records.spool import Entry, Kind, Position
from soc import tables
from soc.consumer import SocConsumer
from soc.sigma.rule import RuleSet
from storage.counting import counters
from storage.state import reading, writing

NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
Batch = Sequence[tuple[Position, Entry]]


@dataclass
class Worker:
    state: sa.Engine
    inventory: Inventory
    rules: RuleSet | None = None
    now: datetime = NOW
    documents: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self.consumer = SocConsumer(self.state, lambda: self.inventory, self.rules)

    def judge(self, batch: Batch) -> None:
        step = self.consumer.process(batch, self.now)
        for _, rows in step.rows:
            self.documents |= {row["id"]: orjson.loads(row["doc"]) for row in rows.to_pylist()}
        with writing(self.state) as connection:
            for apply in step.apply:
                apply(connection)

    def told(self) -> dict[str, list[Any]]:
        """All that alerts and incidents say, for comparison; counters apart."""
        wanted = (tables.alert, tables.alert_event, tables.alert_entity, tables.incident, tables.incident_alert)
        with reading(self.state) as connection:
            return {one.name: sorted(map(str, connection.execute(sa.select(one)))) for one in wanted}

    def counted(self) -> dict[str, int]:
        return {name: sum(labels.values()) for name, labels in counters(self.state).items()}


def lines(
    texts: Sequence[str], *, partition: str = "syslog", start: int = 0, received: datetime = NOW
) -> list[tuple[Position, Entry]]:
    return [
        (
            Position(partition, start + number),
            Entry(kind=Kind.RAW, source="udp", received_at=received, payload=text.encode(), peer="127.0.2.1:514"),
        )
        for number, text in enumerate(texts)
    ]


def domain(action: str, dataset: str, at: datetime, number: int = 0, **fields: Any) -> tuple[Position, Entry]:
    document = {
        "@timestamp": format_instant(at),
        "event.id": f"{action}-{number}",
        "event.dataset": f"yunwang.{dataset}",
        "event.action": action,
    }
    document |= {name.replace("__", "."): value for name, value in fields.items()}
    return Position("work", number), Entry(
        kind=Kind.EVENT, source="x", received_at=at, payload=orjson.dumps(document), format="ecs"
    )


def login(
    at: datetime,
    number: int = 0,
    *,
    success: bool = False,
    ip: str = "203.0.113.9",
    user: str = "root",
    host: str = "fin-db1",
) -> str:
    said = "Accepted" if success else "Failed"
    return f"<38>1 {format_instant(at)} {host} sshd {number + 1} - - {said} password for {user} from {ip} port {1024 + number} ssh2"


def storm(count: int, *, seconds: float = 240, end: datetime = NOW) -> list[str]:
    """So many failures, then a success."""
    start = end - timedelta(seconds=seconds)
    failures = [login(start + timedelta(seconds=seconds * number / count), number) for number in range(count)]
    return [*failures, login(end, count, success=True)]
