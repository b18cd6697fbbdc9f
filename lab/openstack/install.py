"""The servers' own environment, kept in the cache folder: ``python -m lab.openstack.install``, 7 s to 6 min, once."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

RELEASES = ("keystone==30.0.0", "nova==34.0.0", "openstack-placement==16.0.0")
_COMPANIONS = ("waitress==3.0.2", "psycopg2-binary>=2.9.10")


def cache_folder() -> Path:
    """``$XDG_CACHE_HOME/yunwang``, or ``~/.cache/yunwang``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "yunwang"


def environment() -> Path:
    """Where the environment stands, whether it is there or not."""
    return cache_folder() / "openstack-keystone30-nova34"


def install() -> Path:
    """The environment, made if it is missing; raises CalledProcessError if the package index does not have it all.

    A marker is written last, so that a broken attempt is never taken for it (a virtual environment cannot be renamed).
    """
    done = environment() / "complete"
    if done.exists():
        return environment()
    shutil.rmtree(environment(), ignore_errors=True)
    wanted = [*RELEASES, *_COMPANIONS]
    if shutil.which("uv"):
        _run("uv", "venv", "--quiet", "--python", sys.executable, str(environment()))
        _run("uv", "pip", "install", "--quiet", "--python", str(environment() / "bin/python"), *wanted)
    else:
        _run(sys.executable, "-m", "venv", str(environment()))
        _run(str(environment() / "bin/pip"), "install", "--quiet", *wanted)
    done.write_text("\n".join(wanted) + "\n")
    return environment()


def _run(*command: str) -> None:
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


if __name__ == "__main__":
    sys.stdout.write(f"{install()}\n")
