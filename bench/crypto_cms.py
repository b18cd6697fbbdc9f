"""Verifying a signed bundle of many small files, against plain SM3 of the same files; and messages a second.

    python bench/crypto_cms.py [files] [rounds]

Bar: 10 000 files in at most 5 s of wall time.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from crypto.bundle import verify_bundle, write_bundle
from crypto.cms import read_signer, sign_detached
from crypto.identity import SiteIdentity
from crypto.pki.site import issue_signer, make_ca
from crypto.sm2 import generate
from crypto.sm3 import sm3_file

BAR_SECONDS = 5.0
FILE_BYTES = 4096
AT = datetime(2026, 11, 22, tzinfo=UTC)


def identity() -> SiteIdentity:
    ca_key, key = generate(), generate()
    ca = make_ca(ca_key, "bench", AT)
    return SiteIdentity(key=key, chain=(issue_signer(key.public, ca_key, ca, "bench", AT), ca))


def seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def bundle_of(folder: Path, files: int, signer: SiteIdentity) -> Path:
    content = {f"{number % 100:02}/{number}.json": number.to_bytes(8) * (FILE_BYTES // 8) for number in range(files)}
    return write_bundle(folder / "bundle", "report", content, signer, created=AT, producer="bench")


def compare(path: Path, files: int, signer: SiteIdentity, rounds: int) -> float:
    """Median seconds of a verification."""

    def verify() -> None:
        found = verify_bundle(path, [signer.anchor], {"report": lambda _: []})
        if not found.accepted or found.checked != files:
            raise SystemExit(f"the bundle does not verify: {found.problems[:3]}")

    def plain() -> None:
        for one in path.rglob("*"):
            if one.is_file():
                sm3_file(one)

    pairs = [(seconds(verify), seconds(plain)) for _ in range(rounds)]
    own = statistics.median(ours for ours, _ in pairs)
    ratio = statistics.median(ours / theirs for ours, theirs in pairs)
    print(f"bundle of {files} files of {FILE_BYTES} bytes: {own:.2f} s, {ratio:.2f} of the time of plain SM3")
    return own


def messages(signer: SiteIdentity, count: int = 200) -> None:
    made = [sign_detached(b"data", signer, AT) for _ in range(count)]
    signing = seconds(lambda: [sign_detached(b"data", signer, AT) for _ in range(count)])
    reading = seconds(lambda: [read_signer(b"data", one, [signer.anchor]) for one in made])
    print(f"CMS: {count / signing:.0f} signatures/s, {count / reading:.0f} verifications/s with their chain")


def main(files: int, rounds: int) -> None:
    signer = identity()
    with tempfile.TemporaryDirectory() as folder:
        own = compare(bundle_of(Path(folder), files, signer), files, signer, rounds)
    messages(signer)
    print(f"bar {BAR_SECONDS} s for 10000 files: {'ok' if own * 10_000 / files <= BAR_SECONDS else 'above'}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000, int(sys.argv[2]) if len(sys.argv) > 2 else 5)
