"""SM2 lines of ``bench/crypto.py``: the API against ``openssl speed sm2``, encryption, batch signing, the accelerator.

CPU seconds, so that neighbours count little; each round measures both sides one after the other.
"""

from __future__ import annotations

import re
import statistics
import subprocess
import time
from collections.abc import Callable

from crypto import sm2
from crypto.batch import sign_batch
from crypto.providers.base import Capability
from crypto.providers.registry import Options, Registry

MESSAGE, KEY_TEXT = bytes(256), bytes(64)
CALLS = 400
RECORDS = 100_000


def per_second(call: Callable[[], object], calls: int = CALLS) -> float:
    start = time.process_time()
    for _ in range(calls):
        call()
    return calls / (time.process_time() - start)


def peer() -> tuple[float, float]:
    """Signatures and verifications per CPU second of the ``openssl`` command (it measures user time)."""
    found = subprocess.run(["openssl", "speed", "-seconds", "1", "sm2"], capture_output=True, text=True, check=True)
    counts = re.findall(r"(\d+) 256 bits CurveSM2 (?:signs|verify) in ([\d.]+)s", found.stderr)
    sign, verify = (int(count) / float(seconds) for count, seconds in counts)
    return sign, verify


def line(name: str, ours: float, theirs: float, ratio: float, bar: float) -> bool:
    verdict = "ok" if ratio >= bar else "below"
    print(f"{name}: {ours:.0f}/s, peer {theirs:.0f}/s, ratio {ratio:.2f} (bar {bar}: {verdict})")
    return ratio >= bar


def signatures(rounds: int, bar: float = 0.85, title: str = "sm2") -> bool:
    """Sign and verify 256 bytes through ``crypto.sm2`` against the ``openssl`` command."""
    key = sm2.generate()
    signature = key.sign(MESSAGE)
    rows = []
    for _ in range(rounds):
        ours = per_second(lambda: key.sign(MESSAGE)), per_second(lambda: key.public.verify(signature, MESSAGE))
        rows.append((*ours, *peer()))
    good = []
    for name, own, other in (("sign", 0, 2), ("verify", 1, 3)):
        ratio = statistics.median(row[own] / row[other] for row in rows)
        ours_, theirs = (statistics.median(row[column] for row in rows) for column in (own, other))
        good.append(line(f"{title} {name}, peer openssl speed", ours_, theirs, ratio, bar))
    return all(good)


def encryption() -> bool:
    """64 bytes: for the record, there is no peer command that measures it."""
    key = sm2.generate()
    sealed = key.public.encrypt(KEY_TEXT)
    seal, unseal = per_second(lambda: key.public.encrypt(KEY_TEXT)), per_second(lambda: key.decrypt(sealed))
    print(f"sm2 encrypt 64 bytes: {seal:.0f}/s, decrypt {unseal:.0f}/s")
    return True


def overhead(rounds: int, bar_us: float = 15.0) -> bool:
    """What the front adds to one call of the provider: hashing of ZA and 32 bytes, strict DER, dispatch."""
    key = sm2.generate()
    key.public.verify(key.sign(b"x" * 32), b"x" * 32)
    digest, signature = key.public.digest(b"x" * 32), key.sign(b"x" * 32)
    engine, handle = key._use(Capability.SM2_SIGN)  # noqa: SLF001 - what stands behind the front
    judge, public = key.public._use(Capability.SM2_VERIFY)  # noqa: SLF001
    pairs = [
        (lambda: key.sign(b"x" * 32), lambda: engine.sign(handle, digest)),
        (lambda: key.public.verify(signature, b"x" * 32), lambda: judge.verify(public, digest, signature)),
    ]
    real = engine.sign, judge.verify
    engine.sign, judge.verify = (lambda *_: signature), (lambda *_: True)  # without the arithmetic, its noise is gone
    try:
        worst = max(
            statistics.median(1e6 / per_second(full, 5000) - 1e6 / per_second(bare, 5000) for _ in range(rounds))
            for full, bare in pairs
        )
    finally:
        engine.sign, judge.verify = real
    print(f"sm2 front: {worst:.1f} us a call (bar {bar_us:.0f}: {'ok' if worst <= bar_us else 'above'})")
    return worst <= bar_us


def batch(rounds: int, bar: float = 100_000) -> bool:
    """100 000 records of 200 bytes signed, each with its proof object."""
    key, records = sm2.generate(), [b"%0200d" % number for number in range(RECORDS)]
    signed, proved = [], []
    for _ in range(max(1, rounds // 2)):
        start = time.process_time()
        made = sign_batch(records, key)
        signed.append(RECORDS / (time.process_time() - start))
        for _proof in made.proofs():
            pass
        proved.append(RECORDS / (time.process_time() - start))
    rate = statistics.median(signed)
    verdict = "ok" if rate >= bar else "below"
    print(
        f"batch: {rate:.0f} records/s signed (bar {bar:.0f}: {verdict}), {statistics.median(proved):.0f}/s with proofs"
    )
    return rate >= bar


def accelerator(library: str, rounds: int) -> bool:
    """The optional accelerator behind the same front."""
    fast = Registry(["accelerator"], Options(accelerator_library=library)).provider("accelerator")
    key = sm2.generate()
    key._loaded[Capability.SM2_SIGN] = (fast, fast.load_private(key.scalar(), key.public.point))  # noqa: SLF001
    key.public._loaded[Capability.SM2_VERIFY] = (fast, fast.load_public(key.public.point))  # noqa: SLF001 - the default stays
    signature = key.sign(MESSAGE)
    rows = [
        (per_second(lambda: key.sign(MESSAGE)), per_second(lambda: key.public.verify(signature, MESSAGE)), *peer())
        for _ in range(rounds)
    ]
    middle = [statistics.median(column) for column in zip(*rows, strict=True)]
    good = line(
        "accelerator sign, peer openssl speed", middle[0], middle[2], statistics.median(r[0] / r[2] for r in rows), 5
    )
    line(
        "accelerator verify, peer openssl speed", middle[1], middle[3], statistics.median(r[1] / r[3] for r in rows), 1
    )
    return good
