"""``yw work``: judges what waits in the spool, keeps the stores in order; one at a time by lease (DESIGN §6)."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from records.errors import UserError
from records.instants import now
from yunwang.wiring import Site

if TYPE_CHECKING:
    from inventory.model import Inventory
    from storage.consumer import Consumer
    from storage.port import RecordStore
    from storage.spool import SpoolWriter

BATCH = 5000
IDLE_SECONDS = 0.2
TICK_SECONDS = 1.0
HEARTBEAT_SECONDS = 1.0
HOUSEKEEPING_SECONDS = 300.0
HOT_DAYS = 2

YOUNG_OBJECTS = 1_000_000  # a batch makes some 100 000 objects, none of them in a cycle

Factory = Callable[[], "Consumer"]


def factories(site: Site) -> Sequence[Factory]:
    """One maker for each judging package; a consumer is made again from its snapshot after an exception."""
    from cloud_metering.consumer import MeteringConsumer  # noqa: PLC0415 - the worker's own weight
    from link_health.consumer import LinkConsumer  # noqa: PLC0415
    from soc.consumer import SocConsumer  # noqa: PLC0415
    from yunwang.notifying import tell_of  # noqa: PLC0415

    def inventory() -> Inventory:
        return site.inventory

    interval = site.settings.collect.snmp_interval_seconds
    tell = tell_of(site)
    return (
        lambda: LinkConsumer(site.state, inventory, interval_seconds=interval),
        lambda: MeteringConsumer(site.state, inventory),
        lambda: SocConsumer(site.state, inventory, tell=tell),
    )


class Work:
    """One worker: its lease, its stores, its consumers."""

    def __init__(self, site: Site, store: RecordStore, writer: SpoolWriter) -> None:
        from storage.driver import Driver  # noqa: PLC0415 - the worker's own weight

        self.site = site
        self.store = store
        self.drivers = [Driver(make, site.spool, writer, store, site.state) for make in factories(site)]
        self._ticked = 0.0
        self._kept = time.monotonic()

    def round(self, at: datetime) -> int:
        """One batch of each partition for each consumer, and what time alone brings; how many entries were judged."""
        moved = sum(driver.drain(at, BATCH) for driver in self.drivers)
        if time.monotonic() - self._ticked >= TICK_SECONDS:
            self._ticked = time.monotonic()
            for driver in self.drivers:
                driver.tick(at)
        if time.monotonic() - self._kept >= HOUSEKEEPING_SECONDS:
            self._kept = time.monotonic()
            self.keep_order(at)
        return moved

    def keep_order(self, at: datetime) -> None:
        """Seal old days of the record store and closed segments of the spool; drop logs past their retention."""
        from storage.sealing import remove_sealed, seal_closed  # noqa: PLC0415 - rarely needed

        days = self.site.settings.retention.log_days
        self.store.seal(at - timedelta(days=HOT_DAYS))
        seal_closed(self.site.place.spool, self.site.identity, at)
        remove_sealed(self.site.place.spool, at - timedelta(days=days), at, retention_days=days)


def calm_collector() -> None:
    """Look for cycles seldom: what a batch makes is freed by its reference counts, looking at it costs a tenth."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS)


def run(site: Site, stop: threading.Event) -> None:
    """Work until told to stop; UserError if another worker has the lease."""
    calm_collector()
    _with_work(site, lambda work: _loop(site, work, stop))


def _loop(site: Site, work: Work, stop: threading.Event) -> None:
    from yunwang import work_orders  # noqa: PLC0415 - the worker's own weight
    from yunwang.notifying import dispatching  # noqa: PLC0415

    work_orders.start(site, stop)
    heartbeat = site.place.run / "work.heartbeat"
    with dispatching(site):
        while not stop.is_set():
            moved = work.round(now())
            heartbeat.touch()
            if not moved:
                stop.wait(IDLE_SECONDS)


def _with_work(site: Site, use: Callable[[Work], None]) -> None:
    from storage.lease import WorkLease  # noqa: PLC0415 - the worker's own weight
    from storage.spool import SpoolWriter  # noqa: PLC0415

    with WorkLease(site.place.run):
        store = site.open_store(writer=True)
        try:
            with SpoolWriter(site.place.spool, "work", fsync_seconds=site.settings.spool.fsync_seconds) as writer:
                use(Work(site, store, writer))
        finally:
            store.close()


def drain(site: Site, partitions: Collection[str], *, timeout_seconds: float = 600.0) -> None:
    """Return when these partitions are judged to their present end: by the running worker, else by this process.

    Raises:
        UserError: The running worker did not get there in time.
    """
    from storage.lease import held_by  # noqa: PLC0415 - beside its only use

    deadline = time.monotonic() + timeout_seconds
    goals = {name: site.spool.end(name) for name in partitions}
    while not _reached(site, goals):
        if time.monotonic() > deadline:
            advice = "look at `yw status`; what was read is kept in the spool and will be judged"
            raise UserError(
                "the worker did not judge it within {seconds} s", advice, where="yw work", seconds=timeout_seconds
            )
        if held_by(site.place.run) is not None:
            time.sleep(IDLE_SECONDS)
            continue
        _with_work(site, lambda work: _until(site, work, goals))


def _until(site: Site, work: Work, goals: dict[str, int]) -> None:
    while not _reached(site, goals):
        work.round(now())


def _reached(site: Site, goals: dict[str, int]) -> bool:
    from storage.driver import offsets  # noqa: PLC0415 - beside its only use

    done = offsets(site.state)
    consumers = ("soc", "link_health", "cloud_metering")
    return all(done.get((consumer, name), 0) >= end for consumer in consumers for name, end in goals.items())
