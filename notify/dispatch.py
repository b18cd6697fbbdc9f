"""The dispatcher: one thread routes, one thread a channel sends, so that a channel that hangs holds up no other."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

import sqlalchemy as sa

from notify import claims, outbox
from notify.notice import Channel, Receipt, Retry, Why
from notify.pace import Policy
from notify.rosters import Roster
from notify.routing import Route
from records.errors import UserError
from storage.state import reading, writing

IDLE_SECONDS = 0.5

Acknowledged = Callable[[sa.Connection, Collection[str]], Collection[str]]
Clock = Callable[[], datetime]
_SURROUNDINGS = (UserError, OSError, sa.exc.OperationalError, sa.exc.InterfaceError)  # time or a person heals these
_log = logging.getLogger(__name__)


def nobody(_connection: sa.Connection, _alerts: Collection[str]) -> Collection[str]:
    """No alert is ever acknowledged."""
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All that the engine follows.

    Attributes:
        acknowledged: Port: which of these alerts somebody has taken.
    """

    routes: Sequence[Route]
    rosters: Mapping[str, Roster] = field(default_factory=dict)
    policy: Policy = field(default_factory=Policy)
    acknowledged: Acknowledged = nobody


class Dispatcher:
    """Sends what is in the outbox of one state database, as the only process that does.

    Args:
        state: The state database.
        channels: By name.
        plan: Routes, rosters, figures.
        clock: Now, aware UTC.
    """

    def __init__(self, state: sa.Engine, channels: Mapping[str, Channel], plan: Plan, clock: Clock) -> None:
        self._state, self._channels, self._plan, self._clock = state, channels, plan, clock
        self._stop = threading.Event()
        self._recovered = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Deal with what a dead process left, then work in threads of its own."""
        self._forever("notify-routes", self._route_after_recovery)
        for name in self._channels:
            self._forever(f"notify-{name}", partial(self._send_after_recovery, name))

    def _route_after_recovery(self) -> bool:
        if not self._recovered.is_set():
            self.recover()
        return self.route_pending()

    def _send_after_recovery(self, name: str) -> bool:
        """A claim made before the recovery would be taken for one of the dead."""
        return self._recovered.is_set() and self.send_next(name)

    def _forever(self, name: str, step: Callable[[], bool]) -> None:
        thread = threading.Thread(target=self._loop, args=(step,), name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _loop(self, step: Callable[[], bool]) -> None:
        while not self._stop.is_set():
            try:
                moved = step()
            except _SURROUNDINGS as error:
                _log.warning("notices wait: %s", error)
                moved = False
            if not moved:
                self._stop.wait(IDLE_SECONDS)

    def stop(self, seconds: float = 5.0) -> None:
        """End after the message in hand; what does not end in time is found by the next start."""
        self._stop.set()
        for thread in self._threads:
            thread.join(seconds / len(self._threads))

    def recover(self) -> None:
        """Deal with claims of the process before this one."""
        with writing(self._state) as connection:
            lost = claims.recover(connection, self._channels, self._clock(), alone=True)
        for message in lost:
            _log.warning("message %s may not have arrived: the process ended while it was sent", message)
        self._recovered.set()

    def route_pending(self) -> bool:
        """Route new notices and drop steps that an acknowledgement made needless; whether there were new ones."""
        with reading(self._state) as connection:
            found = outbox.pending(connection)
            taken = self._taken(connection)
        if not found and not taken:
            return False
        with writing(self._state) as connection:
            at = self._clock()
            outbox.route(connection, found, self._plan.routes, self._plan.policy, at)
            outbox.acknowledge(connection, taken, at)
        return bool(found)

    def _taken(self, connection: sa.Connection) -> Collection[str]:
        waiting = outbox.awaiting_acknowledgement(connection)
        return self._plan.acknowledged(connection, waiting) if waiting else ()

    def send_next(self, name: str) -> bool:
        """Claim, send and record one message of a channel; whether there was one."""
        channel = self._channels[name]
        with reading(self._state) as connection:
            if not claims.due(connection, name, self._clock()):
                return False
        with writing(self._state) as connection:
            one = claims.claim(
                connection, name, channel.per_minute, self._plan.rosters, self._plan.policy, self._clock()
            )
        if one is None:
            return False
        self._record(one, _send(channel, one))
        return True

    def _record(self, one: claims.Claim, receipt: Receipt) -> None:
        """Until it is written: the message must not be sent again for want of a note that it was."""
        while True:
            try:
                with writing(self._state) as connection:
                    chance = random.random()  # noqa: S311 - jitter, no secret
                    claims.record(connection, one, receipt, self._plan.policy, self._clock(), chance)
            except _SURROUNDINGS as error:
                _log.warning("message %s: its outcome cannot be written down yet: %s", one.message.id, error)
                if self._stop.wait(IDLE_SECONDS):
                    return
            else:
                return


def _send(channel: Channel, one: claims.Claim) -> Receipt:
    """A defect of a channel loses nothing either: it is logged with its traceback and tried again."""
    try:
        return channel.send(one.message)
    except Exception as error:  # noqa: BLE001 - the border to foreign code; a thread that dies would be silence
        _log.exception("channel %s", one.channel)
        return Retry(why=Why("a defect of the channel: {what}", {"what": repr(error)}))
