"""Jobs of this platform: what each kind does, which of them have times, and the thread that carries them out."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from records.errors import UserError
from records.instants import now
from yunwang import __version__

if TYPE_CHECKING:
    from workflow.running import Handler, Outcome, Running
    from workflow.schedules import Schedule
    from yunwang.wiring import Site

IDLE_SECONDS = 1.0


def handlers(site: Site) -> Mapping[str, Handler]:
    """Kind of job to what carries it out."""
    return {
        "audit_log.anchor": lambda running: _anchor(site, running),
        "ticket.reopen": _reopen,
    }


def schedules() -> Sequence[Schedule]:
    """What is done at times, in Asia/Shanghai."""
    from workflow.schedules import Misfire, Schedule  # noqa: PLC0415 - the worker's own weight

    return (
        Schedule(name="audit-log-anchor", cron="5 * * * *", kind="audit_log.anchor", misfire=Misfire.ONCE),
        Schedule(name="ticket-reopen", cron="*/10 * * * *", kind="ticket.reopen", misfire=Misfire.ONCE),
    )


def _anchor(site: Site, running: Running) -> Outcome:
    """Sign the newest audit records; a second time signs nothing twice."""
    from access import anchors  # noqa: PLC0415 - beside its only use
    from workflow.running import Outcome  # noqa: PLC0415

    made = 0
    while one := anchors.write(site.state, site.place.audit_log, site.identity, now(), f"yunwang {__version__}"):
        made += 1
        with running.step() as step:
            step.done, step.message = one.last, one.path.name
    return Outcome(result={"bundles": made})


def _reopen(running: Running) -> Outcome:
    """Open tickets again whose exception is over."""
    from workflow.running import Outcome  # noqa: PLC0415 - beside its only use
    from workflow.tickets import reopen_ended  # noqa: PLC0415

    with running.step() as step:
        opened = reopen_ended(step.connection, now())
        step.done = len(opened)
    return Outcome(result={"reopened": [one.id for one in opened]})


def keep_working(site: Site, stop: threading.Event) -> None:
    """Order what is due and carry out what waits, until told to stop; a fault of the database is waited out."""
    from workflow.running import run_next  # noqa: PLC0415 - the worker's own weight
    from workflow.schedules import tick  # noqa: PLC0415

    known, plans = handlers(site), schedules()
    while not stop.is_set():
        try:
            tick(site.state, plans, now())
            done = run_next(site.state, known, now)
        except UserError:
            done = None
        if done is None:
            stop.wait(IDLE_SECONDS)


def start(site: Site, stop: threading.Event) -> threading.Thread:
    """``keep_working`` beside the worker's own round, so that a long job holds up no event."""
    thread = threading.Thread(target=keep_working, args=(site, stop), name="jobs", daemon=True)
    thread.start()
    return thread
