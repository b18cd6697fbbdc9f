"""Anchors of the audit log: every hour the new records become a signed bundle of kind ``audit-log`` (CONTRACT §7).

The table alone cannot show that its newest records were cut off, nor that all of it was written anew by somebody with
the file in hand. The bundles can: each holds its records, where the chain stood before and after them, and names the
bundle before it. A copy of the newest one, kept elsewhere, pins everything before it.
"""

from __future__ import annotations

import fcntl
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from access.audit import altered, missing, read_payloads
from access.tables import audit_log
from crypto.bundle import BundleReader, manifest_digest, write_bundle
from crypto.canonical import canonical_json, parse_canonical
from crypto.chain import GENESIS, head
from crypto.identity import SiteIdentity
from crypto.verification import BundleProblem, Verification
from records.errors import Problem
from storage.state import reading

KIND = "audit-log"
RECORDS, CHAIN = "records.ndjson", "chain.json"
MOST = 100_000  # records of one bundle; the next hour takes more
_NAME = re.compile(r"(\d{10})-(\d{10})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """One bundle: its records, numbered from ``first`` to ``last``, and the chain around them."""

    path: Path
    first: int
    last: int


def anchors(folder: Path) -> list[Anchor]:
    """The bundles of a folder in order; what another name has is not ours."""
    found = ((path, _NAME.fullmatch(path.name)) for path in sorted(folder.glob("*-*")))
    return [Anchor(path=path, first=int(name[1]), last=int(name[2])) for path, name in found if name]


def write(engine: sa.Engine, folder: Path, identity: SiteIdentity, at: datetime, producer: str) -> Anchor | None:
    """Sign the records since the newest bundle; None if there are none. What a crash left unfinished is made anew."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("a") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)  # the worker and a person may both be at it
        return _write(engine, folder, identity, at, producer)


def _write(engine: sa.Engine, folder: Path, identity: SiteIdentity, at: datetime, producer: str) -> Anchor | None:
    before = anchors(folder)[-1:]
    last = before[0].last if before else 0
    start = bytes.fromhex(_read(before[0].path)["head"]) if before else GENESIS
    with reading(engine) as connection:
        lines = read_payloads(connection, last, MOST)
    if not lines:
        return None
    end = last + len(lines)
    made = Anchor(path=folder / f"{last + 1:010}-{end:010}", first=last + 1, last=end)
    chain = {"first": made.first, "last": made.last, "before": start.hex(), "head": head(lines, start).hex()}
    files = {RECORDS: b"".join(line + b"\n" for line in lines), CHAIN: canonical_json(chain)}
    previous = manifest_digest(before[0].path) if before else None
    write_bundle(made.path, KIND, files, identity, created=at, producer=producer, previous=previous)
    return made


def _read(bundle: Path) -> dict[str, str]:
    found: dict[str, str] = parse_canonical((bundle / CHAIN).read_bytes())
    return found


def verify_records(reader: BundleReader) -> list[BundleProblem]:
    """The rule of kind ``audit-log``: recompute the chain over the records, and count them."""
    said = parse_canonical(reader.read(CHAIN))
    lines = reader.read(RECORDS).splitlines()
    if [json.loads(line)["number"] for line in lines] != list(range(said["first"], said["last"] + 1)):
        return [BundleProblem(path=RECORDS, what="the records are not those that the chain names")]
    if head(lines, bytes.fromhex(said["before"])).hex() != said["head"]:
        return [BundleProblem(path=CHAIN, what="the chain of the records ends elsewhere")]
    return []


Verify = Callable[[Path], Verification]


def compare(engine: sa.Engine, folder: Path, verify: Verify) -> Iterator[Problem]:
    """What the table says otherwise than the bundles; each bundle is verified first and must follow the one before.

    A missing newest bundle is not seen here: keep its digest elsewhere.
    """
    last, head_before = 0, GENESIS.hex()
    for one in anchors(folder):
        found = verify(one.path)
        if not (found.valid and found.trusted):
            yield _broken(one)
            return
        said = _read(one.path)
        if one.first != last + 1 or said["before"] != head_before:
            yield _broken(one)
            return
        yield from _differing(engine, one, said["head"])
        last, head_before = one.last, said["head"]


def _differing(engine: sa.Engine, one: Anchor, anchored: str) -> Iterator[Problem]:
    with reading(engine) as connection:
        found = connection.execute(sa.select(audit_log.c.chain).where(audit_log.c.number == one.last)).scalar()
    if found is None:
        yield missing(one.first, one.last)
    elif found != anchored:
        yield altered(one.last)


def _broken(one: Anchor) -> Problem:
    return Problem(
        "the anchor of audit records {first} to {last} does not hold",
        "verify it by itself: `yw verify {path}`",
        str(one.path),
        {"first": one.first, "last": one.last, "path": one.path},
    )


def newest(folder: Path) -> dict[str, str | int] | None:
    """What to keep elsewhere: number, chain and digest of the newest bundle; None before the first."""
    found = anchors(folder)
    if not found:
        return None
    one = found[-1]
    return {
        "last": one.last,
        "head": _read(one.path)["head"],
        "digest": manifest_digest(one.path),
        "path": str(one.path),
    }
