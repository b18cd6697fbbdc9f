"""Sealed segments: read as before, verified by recomputing, kept 180 days."""

from __future__ import annotations

import struct
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import zstandard

from crypto.bundle import verify_bundle, write_bundle
from crypto.identity import SiteIdentity
from crypto.pki.site import issue_signer, make_ca
from crypto.sm2 import generate
from records.errors import RefusedError, UserError
from records.spool import Entry, Kind
from storage.sealing import KIND, read_chain, remove_sealed, seal_closed, unpack, verify_segment
from storage.spool import SpoolReader, SpoolWriter
from storage.spool.segments import list_segments
from storage.spool.tail import frames

NOON = datetime(2026, 10, 5, 12, tzinfo=UTC)
RULES = {KIND: verify_segment}


@pytest.fixture(scope="module")
def identity() -> SiteIdentity:
    ca_key, key = generate(), generate()
    ca = make_ca(ca_key, "Test", NOON)
    return SiteIdentity(key=key, chain=(issue_signer(key.public, ca_key, ca, "Test", NOON), ca))


def lines(*numbers: int) -> list[Entry]:
    return [
        Entry(kind=Kind.RAW, source="udp", received_at=NOON + timedelta(days=n), payload=b"line %d" % n)
        for n in numbers
    ]


def payloads(spool: Path) -> list[bytes]:
    return [entry.payload for _, entry in SpoolReader(spool).read("collect", 0, 99)]


@pytest.fixture
def three(spool: Path) -> Path:
    """Three segments of two entries, the last one live when it was closed."""
    with SpoolWriter(spool, "collect") as writer:
        for number in range(0, 6, 2):
            writer.roll()
            writer.append(lines(number, number + 1))
    return spool


def test_closed_segments_are_sealed_and_read_as_before(spool: Path, identity: SiteIdentity) -> None:
    with SpoolWriter(spool, "collect") as writer:
        writer.append(lines(0, 1))
        writer.roll()
        writer.append(lines(2))
        before = SpoolReader(spool).read("collect", 0, 9)
        reader = SpoolReader(spool)
        reader.read("collect", 0, 1)
        sealed = seal_closed(spool, identity, NOON)
        assert [path.name for path in sealed] == [f"{0:020d}.bundle"]
        assert not (spool / "collect" / f"{0:020d}.seg").exists()
        assert (
            SpoolReader(spool).read("collect", 0, 9)
            == before
            == reader.read("collect", 0, 1) + reader.read("collect", 1, 9)
        )
        assert seal_closed(spool, identity, NOON) == []


def test_a_finished_partition_is_sealed_to_its_end_and_can_go_on(three: Path, identity: SiteIdentity) -> None:
    assert len(seal_closed(three, identity, NOON)) == 3
    assert [segment.sealed for segment in list_segments(three / "collect")] == [True] * 3
    head = read_chain(list_segments(three / "collect")[-1].path).head
    with SpoolWriter(three, "collect") as writer:
        assert writer.append(lines(6)) == range(6, 7)
    assert payloads(three) == [b"line %d" % n for n in range(7)]
    last = seal_closed(three, identity, NOON)[-1]
    assert read_chain(last).before == head


def test_every_bundle_verifies_and_names_the_one_before(three: Path, identity: SiteIdentity) -> None:
    verdicts = [verify_bundle(path, [identity.anchor], RULES) for path in seal_closed(three, identity, NOON)]
    assert [(one.kind, one.trusted, one.problems) for one in verdicts] == [(KIND, True, ())] * 3


def test_one_changed_byte_is_named(three: Path, identity: SiteIdentity) -> None:
    bundle = seal_closed(three, identity, NOON)[1]
    packed = bundle / "segment.zst"
    data = bytearray(packed.read_bytes())
    data[len(data) // 2] ^= 1
    packed.write_bytes(data)
    verdict = verify_bundle(bundle, [identity.anchor], RULES)
    assert [problem.path for problem in verdict.problems] == ["segment.zst"]


def test_an_entry_taken_out_and_signed_again_is_found(three: Path, identity: SiteIdentity, tmp_path: Path) -> None:
    bundle = seal_closed(three, identity, NOON)[0]
    data = unpack(bundle)
    shorter = zstandard.ZstdCompressor().compress(data[: -(len(data) - 80) // 2])
    files = {"segment.zst": shorter, "chain.json": (bundle / "chain.json").read_bytes()}
    forged = write_bundle(tmp_path / "forged", KIND, files, identity, created=NOON, producer="x")
    verdict = verify_bundle(forged, [identity.anchor], RULES)
    assert [problem.path for problem in verdict.problems] == ["chain.json"]


def test_an_entry_changed_and_signed_again_is_found(three: Path, identity: SiteIdentity, tmp_path: Path) -> None:
    bundle = seal_closed(three, identity, NOON)[0]
    data = bytearray(unpack(bundle))
    (start, end), *_ = frames(bytes(data))
    data[end - 1] ^= 1
    data[start + 4 : start + 8] = struct.pack("<I", zlib.crc32(data[start + 8 : end]))
    files = {"segment.zst": zstandard.compress(bytes(data)), "chain.json": (bundle / "chain.json").read_bytes()}
    forged = write_bundle(tmp_path / "forged", KIND, files, identity, created=NOON, producer="x")
    verdict = verify_bundle(forged, [identity.anchor], RULES)
    assert [problem.path for problem in verdict.problems] == ["chain.json"]


@pytest.mark.parametrize("junk", [b"", b"junk", b"\x28\xb5\x2f\xfd\xff\xff\xff\xff\xff\xff\xff\xff\xff"])
def test_a_bundle_that_cannot_be_unpacked_is_a_finding(
    junk: bytes, identity: SiteIdentity, three: Path, tmp_path: Path
) -> None:
    bundle = seal_closed(three, identity, NOON)[0]
    files = {"segment.zst": junk, "chain.json": (bundle / "chain.json").read_bytes()}
    forged = write_bundle(tmp_path / "forged", KIND, files, identity, created=NOON, producer="x")
    assert verify_bundle(forged, [identity.anchor], RULES).problems


def test_a_crash_between_bundle_and_removal_leaves_one_of_each(three: Path, identity: SiteIdentity) -> None:
    path = list_segments(three / "collect")[0].path
    data = path.read_bytes()
    seal_closed(three, identity, NOON)
    path.write_bytes(data)
    assert payloads(three) == [b"line %d" % n for n in range(6)]
    assert seal_closed(three, identity, NOON) == []
    assert not path.exists()


def test_a_damaged_segment_is_left_as_it_is_and_the_others_are_sealed(three: Path, identity: SiteIdentity) -> None:
    path = list_segments(three / "collect")[1].path
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert len(seal_closed(three, identity, NOON)) == 2
    assert path.read_bytes() == data


def test_logs_younger_than_180_days_are_not_deleted(three: Path, identity: SiteIdentity) -> None:
    seal_closed(three, identity, NOON)
    for days in (180, 30):
        with pytest.raises(RefusedError, match="180 days") as caught:
            remove_sealed(three, NOON + timedelta(days=4), NOON + timedelta(days=4 + 179), retention_days=days)
        assert caught.value.exit_code == 5
    removed = remove_sealed(three, NOON + timedelta(days=2), NOON + timedelta(days=182))
    assert [path.name for path in removed] == [f"{0:020d}.bundle"]
    assert [position.offset for position, _ in SpoolReader(three).read("collect", 0, 9)] == [2, 3, 4, 5]
    remove_sealed(three, NOON + timedelta(days=300), NOON + timedelta(days=999))
    with SpoolWriter(three, "collect") as writer:
        assert writer.end == 6


def test_an_unreadable_bundle_is_an_error_that_names_it(three: Path, identity: SiteIdentity) -> None:
    bundle = seal_closed(three, identity, NOON)[0]
    (bundle / "segment.zst").write_bytes(b"nothing")
    with pytest.raises(UserError, match=f"entry 0 of spool segment {bundle.name} is damaged"):
        SpoolReader(three).read("collect", 0, 9)
