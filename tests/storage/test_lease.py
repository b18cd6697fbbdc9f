"""Only one worker, and one can see which."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from records.errors import UserError
from storage.lease import WorkLease, held_by
from storage.unavailable import UnavailableError

HOLD = """
import sys
from pathlib import Path
from storage.lease import WorkLease
with WorkLease(Path(sys.argv[1])):
    print(1, flush=True)
    sys.stdin.read()
"""


def test_a_second_worker_is_refused_and_told_who(tmp_path: Path) -> None:
    assert held_by(tmp_path) is None
    with WorkLease(tmp_path):
        assert held_by(tmp_path) == os.getpid()
        with pytest.raises(UserError, match=f"process {os.getpid()}"), WorkLease(tmp_path):
            pass
    assert held_by(tmp_path) is None
    with WorkLease(tmp_path):
        pass


def test_a_killed_worker_gives_the_lease_back(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, stdin=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert held_by(tmp_path) == process.pid
        process.kill()
        process.wait()
    with WorkLease(tmp_path):
        assert held_by(tmp_path) == os.getpid()


def test_a_run_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file")
    with pytest.raises(UnavailableError, match="lease"), WorkLease(tmp_path / "run"):
        pass
