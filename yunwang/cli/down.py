"""``yw down``: stop what ``yw up --detach`` started."""

from __future__ import annotations

import os
import signal
import time

from records.errors import UserError
from yunwang.cli.call import current
from yunwang.cli.output import emit
from yunwang.place import Place, data_folder
from yunwang.supervisor import holder

WAIT_SECONDS = 12.0


def command() -> None:
    """Ask the supervisor of this data folder to end, and wait until it has."""
    folder = data_folder(current().data)
    stopped = [pid for demo in (False, True) if (pid := _stop(Place(folder, demo=demo))) is not None]
    emit({"stopped": stopped})


def _stop(place: Place) -> int | None:
    pid = holder(place)
    if pid is None:
        return None
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + WAIT_SECONDS
    while holder(place) == pid:
        if time.monotonic() > deadline:
            advice = "look at it with `ps`, then end it with `kill -9 {pid}`"
            raise UserError(
                "pid {pid} did not end in {seconds} s", advice, where=str(place.root), pid=pid, seconds=WAIT_SECONDS
            )
        time.sleep(0.1)
    return pid
