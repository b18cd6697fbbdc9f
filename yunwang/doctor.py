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

from records.errors import Problem
from yunwang.language import translate
from yunwang.place import Place
from yunwang.supervisor import holder, running, warnings

OURS = frozenset(
    {
        "records", "alert_rules", "crypto", "inventory", "storage", "access", "documents", "collectors", "link_health",
        "cloud_metering", "soc", "lab", "console", "yunwang",
    }
)  # fmt: skip
LEAST_FREE = 2 * 2**30
CLOCK_FLOOR = 1_760_000_000  # October 2025: before this release, so a clock that says less is wrong

Finding = dict[str, str]


def _finding(check: str, state: str, what: str, advice: str = "", /, **values: object) -> Finding:
    """One line of the report; both templates are told in the reader's language."""
    told = Problem(what, advice, "", values)
    return {"check": check, "state": state, "what": told.text(translate), "next": told.advice(translate)}


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
    yield _finding("python", "ok", "Python {version}", version=sys.version.split()[0])


def _names(_place: Place) -> Iterator[Finding]:
    foreign = foreign_owners(importlib.metadata.packages_distributions())
    for name, distribution in foreign:
        what = "'{distribution}' installed a package named '{name}', which is ours"
        advice = "give Yunwang a virtual environment of its own"
        yield _finding("names", "fail", what, advice, distribution=distribution, name=name)
    if not foreign:
        yield _finding("names", "ok", "no foreign package owns one of our names")


def _crypto(_place: Place) -> Iterator[Finding]:
    from crypto.selftest import run  # noqa: PLC0415 - loads libcrypto

    for row in run():
        text = f"{row.name} {row.library} {row.version} {row.file}".strip()
        yield _finding("crypto", "ok", "{library}", library=text)


def _folder(place: Place) -> Iterator[Finding]:
    root = next(one for one in (place.root, *place.root.parents) if one.exists())
    if not os.access(root, os.W_OK):
        advice = "mend its permissions, or choose another with --data DIR"
        yield _finding("data", "fail", "{folder} is not writable", advice, folder=root)
    free = shutil.disk_usage(root).free
    state, advice = ("ok", "") if free > LEAST_FREE else ("warn", "free at least 2 GiB")
    yield _finding("disk", state, "{free} MiB free in {folder}", advice, free=free // 2**20, folder=root)


def _keys(place: Place) -> Iterator[Finding]:
    if not place.keys.exists():
        return
    loose = [one for one in (place.keys, *place.keys.iterdir()) if one.stat().st_mode & 0o077]
    for one in loose:
        yield _finding("keys", "fail", "{path} can be read by others", "run `chmod go= {path}`", path=one)
    if not loose:
        yield _finding("keys", "ok", "keystore is readable by its owner only")


def _clock(_place: Place) -> Iterator[Finding]:
    state, advice = ("ok", "") if time.time() > CLOCK_FLOOR else ("fail", "set the clock")
    yield _finding("clock", state, "{time}", advice, time=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))


def _listeners(place: Place) -> Iterator[Finding]:
    if holder(place) is None:
        yield _finding("processes", "warn", "`yw up` is not running on this folder", "start it: `yw up`")
        return
    for row in running(place).get("processes", []):
        state, advice = ("ok", "") if row["state"] in {"running", "done"} else ("fail", "read {log}")
        log = place.run / f"{row['name']}.log"
        yield _finding("processes", state, "{name} {state}", advice, name=row["name"], state=row["state"], log=log)
    for warning in warnings(place):
        yield _finding("listeners", "warn", warning.what, warning.next_step, **warning.values)


def _font(_place: Place) -> Iterator[Finding]:
    spec = importlib.util.find_spec("documents")
    fonts = list((Path(spec.origin).parent / "fonts").glob("*.ttf")) if spec and spec.origin else []
    state, advice = ("ok", "") if fonts else ("fail", "install Yunwang again")
    yield _finding("fonts", state, "{count} Chinese fonts for PDF", advice, count=len(fonts))


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
