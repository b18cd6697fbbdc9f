"""``yw work``: the worker alone."""

from __future__ import annotations

import signal
import threading

from yunwang import worker
from yunwang.children import die_with_supervisor
from yunwang.wiring import open_site


def command() -> None:
    """Judge what waits in the spool until SIGINT or SIGTERM."""
    die_with_supervisor()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    worker.run(open_site(), stop)
