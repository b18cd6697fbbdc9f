"""Changed proofs, manifests and zipped bundles: refused, or read as exactly what was signed; nothing raises untyped."""

from __future__ import annotations

import contextlib
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto import merkle
from crypto.batch import Proof, sign_batch
from crypto.bundle import verify_bundle, write_bundle
from crypto.canonical import canonical_json, parse_canonical
from crypto.cms import Signer, read_signer
from crypto.errors import CryptoError, DigestMismatch, VerificationFailed
from crypto.identity import SiteIdentity
from crypto.manifest import FileEntry, Manifest, parse_manifest
from crypto.sm2 import generate
from crypto.sm3 import DIGEST_BYTES, sm3_hex
from crypto.verification import Verification
from tests.crypto.conftest import AT
from tests.crypto.mutation import LONG, UNIT, Parser, attack

KEY = generate()
RECORDS = [b"record %d" % number for number in range(11)]
BATCH = sign_batch(RECORDS, KEY)
FILES = {"账单.json": b'{"total":"1.00"}', "usage.csv": b"a,b\n"}
MANIFEST = Manifest(
    kind="bill",
    created=AT,
    producer="yunwang",
    files=tuple(FileEntry(path=name, size=len(data), sm3=sm3_hex(data)) for name, data in sorted(FILES.items())),
    previous=None,
)


def proved(data: bytes) -> int:
    """The place that a proof shows for the record; a decoded proof has one form."""
    proof = Proof.decode(data)
    assert proof.encode() == data
    proof.verify(RECORDS[6], KEY.public)
    return proof.index


def included(data: bytes) -> None:
    """The index in one byte, then the path in a tree of this size, which whoever signs the root signs as well."""
    if len(data) % DIGEST_BYTES != 1:
        raise DigestMismatch("the path is cut", "ask for it again")
    path = [data[at : at + DIGEST_BYTES] for at in range(1, len(data), DIGEST_BYTES)]
    merkle.check_inclusion(RECORDS[6], data[0], len(RECORDS), path, BATCH.root)


def understood(data: bytes) -> bool:
    """A manifest is signed as it stands; what was understood of it is written and understood again."""
    found = parse_manifest(data)
    return parse_manifest(found.encode()) == found


PARSERS = {
    "proof of a batch": Parser(sample=BATCH.proof(6).encode(), read=proved, strict=True),
    "proof in a plain tree": Parser(
        sample=b"\6" + b"".join(merkle.inclusion_proof(RECORDS, 6)), read=included, strict=True
    ),
    "canonical JSON": Parser(sample=MANIFEST.encode(), read=lambda data: canonical_json(parse_canonical(data)) == data),
    "manifest": Parser(sample=MANIFEST.encode(), read=understood),
}


@pytest.mark.parametrize("count", [UNIT, pytest.param(LONG, marks=pytest.mark.long)])
@pytest.mark.parametrize("kind", PARSERS)
def test_a_changed_copy_is_refused_or_means_the_same(kind: str, count: int) -> None:
    attack(PARSERS[kind], count)


@pytest.mark.parametrize("kind", PARSERS)
@settings(max_examples=150, deadline=None)
@given(data=st.binary(max_size=200))
def test_any_bytes_give_a_typed_error(kind: str, data: bytes) -> None:
    with contextlib.suppress(CryptoError):
        assert PARSERS[kind].read(data) is True


@pytest.fixture
def own(tmp_path: Path, identity: SiteIdentity) -> bytes:
    """A bundle in our own form of zip."""
    out = tmp_path / "own.zip"
    return write_bundle(out, "bill", FILES, identity, created=AT, producer="yunwang", as_zip=True).read_bytes()


@pytest.fixture
def foreign(own: bytes) -> bytes:
    """The same, packed by another tool."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(own)) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for name in source.namelist():
            packed.writestr(zipfile.ZipInfo(name), source.read(name))
    return out.getvalue()


@pytest.fixture(autouse=True)
def read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A manifest and its signature that held are not checked again in each case: most changes lie elsewhere."""
    held: dict[tuple[bytes, bytes], Signer] = {}

    def read(data: bytes, p7s: bytes, *others: Any, **options: Any) -> Signer:
        if (data, p7s) not in held:
            held[data, p7s] = read_signer(data, p7s, *others, **options)
        return held[data, p7s]

    monkeypatch.setattr("crypto.bundle.read_signer", read)


@pytest.fixture
def verify(tmp_path: Path, identity: SiteIdentity) -> Callable[[bytes], Verification]:
    """The verdict on a zip that is accepted; VerificationFailed for any other, and no other error."""
    path = tmp_path / "attacked.zip"

    def run(data: bytes) -> Verification:
        path.unlink(missing_ok=True)  # a new file stays in memory; one that is written over is brought to the disk
        path.write_bytes(data)
        found = verify_bundle(path, [identity.anchor], {"bill": lambda _: []})
        if not found.accepted:
            raise VerificationFailed("refused", "ask for it again")
        return found

    return run


@pytest.mark.parametrize("count", [UNIT, pytest.param(LONG, marks=pytest.mark.long)])
def test_our_own_zip_is_refused_or_holds_the_same(own: bytes, verify: Callable[..., Verification], count: int) -> None:
    """The same: without the mark at its end it is what another tool could have packed."""
    attack(Parser(sample=own, read=verify), count)


@pytest.mark.parametrize("count", [UNIT // 20, pytest.param(LONG // 20, marks=pytest.mark.long)])
def test_a_foreign_zip_is_refused_or_holds_the_same(
    foreign: bytes, verify: Callable[..., Verification], count: int
) -> None:
    attack(Parser(sample=foreign, read=verify), count)
