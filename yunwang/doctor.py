"""``yw doctor``: what on this machine or in this folder will bite, and what to do about it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from yunwang.place import Place
from yunwang.supervisor import holder, running

OURS = frozenset(
    {
        "records", "alert_rules", "crypto", "inventory", "storage", "access", "documents", "collectors", "link_health",
        "cloud_metering", "soc", "lab", "console", "yunwang",
    }
)  # fmt: skip
LEAST_FREE = 2 * 2**30
CLOCK_FLOOR = 1_760_000_000  # October 2025: before this release, so a clock that says less is wrong

Finding = dict[str, str]


def _finding(check: str, state: str, what: str, advice: str = "") -> Finding:
    return {"check": check, "state": state, "what": what, "next": advice}


def foreign_owners(owners: Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
    """Top-level names of ours that another distribution installed too: (name, distribution)."""
    return [
        (name, distribution)
        for name, distributions in sorted(owners.items())
        if name.casefold() in OURS
        for distribution in sorted(set(distributions))
        if distribution.casefold() != "yunwang"
    ]


def examine(place: Place) -> list[Finding]:
    """All checks, in order; a check that cannot run is a finding too."""
    return [finding for check in CHECKS for finding in check(place)]


def _python(_place: Place) -> Iterator[Finding]:
    version = sys.version.split()[0]
    yield _finding("python", "ok", f"Python {version}")


def _names(_place: Place) -> Iterator[Finding]:
    foreign = foreign_owners(importlib.metadata.packages_distributions())
    for name, distribution in foreign:
        what = f"'{distribution}' installed a package named '{name}', which is ours"
        yield _finding("names", "fail", what, "give Yunwang a virtual environment of its own")
    if not foreign:
        yield _finding("names", "ok", "no foreign package owns one of our names")


def _crypto(_place: Place) -> Iterator[Finding]:
    from crypto.selftest import run  # noqa: PLC0415 - loads libcrypto

    for row in run():
        yield _finding("crypto", "ok", f"{row.name} {row.library} {row.version} {row.file}".strip())


def _folder(place: Place) -> Iterator[Finding]:
    root = place.root if place.root.exists() else place.data.parent
    if not os.access(root, os.W_OK):
        yield _finding(
            "data", "fail", f"{root} is not writable", "mend its permissions, or choose another with --data DIR"
        )
    free = shutil.disk_usage(root).free
    state = "ok" if free > LEAST_FREE else "warn"
    yield _finding("disk", state, f"{free // 2**20} MiB free in {root}", "" if state == "ok" else "free at least 2 GiB")


def _keys(place: Place) -> Iterator[Finding]:
    if not place.keys.exists():
        return
    loose = [one for one in (place.keys, *place.keys.iterdir()) if one.stat().st_mode & 0o077]
    for one in loose:
        yield _finding("keys", "fail", f"{one} can be read by others", f"chmod go= {one}")
    if not loose:
        yield _finding("keys", "ok", "keystore is readable by its owner only")


def _clock(_place: Place) -> Iterator[Finding]:
    sound = time.time() > CLOCK_FLOOR
    yield _finding(
        "clock",
        "ok" if sound else "fail",
        time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "" if sound else "set the clock",
    )


def _listeners(place: Place) -> Iterator[Finding]:
    if holder(place) is None:
        yield _finding("processes", "warn", "`yw up` is not running on this folder", "start it: yw up")
        return
    found: dict[str, Any] = running(place)
    for row in found.get("processes", []):
        state = "ok" if row["state"] in {"running", "done"} else "fail"
        yield _finding(
            "processes",
            state,
            f"{row['name']} {row['state']}",
            "" if state == "ok" else f"read {place.run / row['name']}.log",
        )
    for warning in found.get("warnings", []):
        yield _finding("listeners", "warn", warning["what"], warning["next"])


def _font(_place: Place) -> Iterator[Finding]:
    spec = importlib.util.find_spec("documents")
    fonts = list((Path(spec.origin).parent / "fonts").glob("*.ttf")) if spec and spec.origin else []
    yield _finding(
        "fonts",
        "ok" if fonts else "fail",
        f"{len(fonts)} Chinese fonts for PDF",
        "" if fonts else "install Yunwang again",
    )


CHECKS: tuple[Callable[[Place], Iterator[Finding]], ...] = (
    _python,
    _names,
    _clock,
    _crypto,
    _folder,
    _keys,
    _font,
    _listeners,
)
