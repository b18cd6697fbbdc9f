"""Anchors: signed bundles of audit records that show what the table alone cannot."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import sqlalchemy as sa

from access import anchors, audit
from crypto.bundle import verify_bundle, write_bundle
from crypto.identity import SiteIdentity
from crypto.pki.site import issue_signer, make_ca
from crypto.sm2 import generate
from storage.state import writing
from tests.access.conftest import AT
from tests.access.test_audit import rewrite

RULES = {anchors.KIND: anchors.verify_records}


def identity(organisation: str = "省数据局") -> SiteIdentity:
    ca_key, key = generate(), generate()
    ca = make_ca(ca_key, organisation, AT)
    return SiteIdentity(key=key, chain=(issue_signer(key.public, ca_key, ca, organisation, AT), ca))


SITE = identity()


def recorded(engine: sa.Engine, count: int) -> None:
    with writing(engine) as connection:
        for number in range(count):
            audit.record(connection, "admin", "user.lock", f"u{number}", "success", {"why": "离职\n", "n": number}, AT)


def anchored(engine: sa.Engine, folder: Path, by: SiteIdentity = SITE) -> anchors.Anchor | None:
    return anchors.write(engine, folder, by, AT, "yunwang test")


def problems(engine: sa.Engine, folder: Path) -> list[str]:
    found = anchors.compare(engine, folder, lambda path: verify_bundle(path, [SITE.anchor], RULES))
    return [one.text() for one in found]


@pytest.fixture
def folder(engine: sa.Engine, tmp_path: Path) -> Path:
    """Anchors of records 1 to 3 and 4 to 5."""
    for count in (3, 2):
        recorded(engine, count)
        assert anchored(engine, tmp_path / "audit-log") is not None
    return tmp_path / "audit-log"


def test_each_anchor_takes_the_records_since_the_one_before(engine: sa.Engine, folder: Path) -> None:
    assert [(one.first, one.last) for one in anchors.anchors(folder)] == [(1, 3), (4, 5)]
    assert anchored(engine, folder) is None
    assert problems(engine, folder) == []
    assert [verify_bundle(one.path, [SITE.anchor], RULES).accepted for one in anchors.anchors(folder)] == [True, True]


def test_an_empty_log_has_no_anchor(engine: sa.Engine, tmp_path: Path) -> None:
    assert anchored(engine, tmp_path) is None
    assert anchors.newest(tmp_path) is None
    assert problems(engine, tmp_path) == []


def test_records_cut_off_the_end_are_named(engine: sa.Engine, folder: Path) -> None:
    rewrite(engine, "DELETE FROM audit_log WHERE number > 3")

    assert audit.verify(engine) == []  # the shorter chain is sound in itself
    assert problems(engine, folder) == ["audit records 4 to 5 are missing"]


def test_a_log_written_anew_from_the_start_is_found(engine: sa.Engine, folder: Path) -> None:
    rewrite(engine, "DELETE FROM audit_log")
    recorded(engine, 1)
    with writing(engine) as connection:
        for number in range(4):
            audit.record(connection, "nobody", "user.unlock", f"u{number}", "success", {}, AT)

    assert audit.verify(engine) == []
    assert problems(engine, folder) == [
        "audit record 3 does not fit the chain",
        "audit record 5 does not fit the chain",
    ]


@pytest.mark.parametrize("name", ["records.ndjson", "chain.json", "manifest.json"])
def test_a_changed_bundle_does_not_hold(engine: sa.Engine, folder: Path, name: str) -> None:
    path = anchors.anchors(folder)[0].path / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)

    assert problems(engine, folder) == ["the anchor of audit records 1 to 3 does not hold"]


def test_a_bundle_of_another_ca_and_a_missing_one_are_found(engine: sa.Engine, folder: Path) -> None:
    first, second = anchors.anchors(folder)
    shutil.rmtree(second.path)
    assert anchored(engine, folder, identity()) is not None
    assert problems(engine, folder) == ["the anchor of audit records 4 to 5 does not hold"]
    shutil.rmtree(first.path)
    assert problems(engine, folder) == ["the anchor of audit records 4 to 5 does not hold"]


def test_the_rule_recomputes_under_the_right_key(engine: sa.Engine, folder: Path, tmp_path: Path) -> None:
    """Signed again by the right key with another record: the chain ends elsewhere."""

    first = anchors.anchors(folder)[0].path
    files = {name: (first / name).read_bytes() for name in (anchors.RECORDS, anchors.CHAIN)}
    changed = files | {anchors.RECORDS: files[anchors.RECORDS].replace(b"admin", b"wang1")}
    fewer = files | {anchors.RECORDS: files[anchors.RECORDS].split(b"\n", 1)[1]}
    found = {}
    for name, content in {"same": files, "changed": changed, "fewer": fewer}.items():
        write_bundle(tmp_path / name, anchors.KIND, content, SITE, created=AT, producer="yunwang test")
        found[name] = [one.what for one in verify_bundle(tmp_path / name, [SITE.anchor], RULES).problems]

    assert found == {
        "same": [],
        "changed": ["the chain of the records ends elsewhere"],
        "fewer": ["the records are not those that the chain names"],
    }
    assert problems(engine, folder) == []


def test_what_to_keep_elsewhere(folder: Path) -> None:
    newest = anchors.newest(folder)

    assert newest is not None
    assert (newest["last"], len(str(newest["head"])), len(str(newest["digest"]))) == (5, 64, 64)
