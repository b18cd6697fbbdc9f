"""SM2 through our API against ``openssl speed sm2``, interleaved; in CPU seconds, so that neighbours count little.

    python bench/crypto_sm2.py [rounds]

Bar: sign and verify at least 0.85 of the peer (DESIGN §12).
"""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

from crypto.sm2 import generate

MESSAGE = bytes(256)
CALLS = 700
BAR = 0.85


def per_second(call: Callable[[], object]) -> float:
    start = time.process_time()
    for _ in range(CALLS):
        call()
    return CALLS / (time.process_time() - start)


def peer() -> tuple[float, float]:
    """Signatures and verifications per CPU second of the ``openssl`` command (it measures user time)."""
    found = subprocess.run(["openssl", "speed", "-seconds", "1", "sm2"], capture_output=True, text=True, check=True)
    counts = re.findall(r"(\d+) 256 bits CurveSM2 (?:signs|verify) in ([\d.]+)s", found.stderr)
    sign, verify = (int(count) / float(seconds) for count, seconds in counts)
    return sign, verify


def main(rounds: int) -> None:
    key = generate()
    signature = key.sign(MESSAGE)
    sign, verify = [], []
    for _ in range(rounds):
        ours = per_second(lambda: key.sign(MESSAGE)), per_second(lambda: key.public.verify(signature, MESSAGE))
        theirs = peer()
        sign.append((ours[0] / theirs[0], *ours[:1], theirs[0]))
        verify.append((ours[1] / theirs[1], ours[1], theirs[1]))
    for name, rows in (("sign", sign), ("verify", verify)):
        ratio, ours_, theirs_ = (statistics.median(column) for column in zip(*rows, strict=True))
        verdict = "ok" if ratio >= BAR else "below"
        print(f"sm2 {name}: {ours_:.0f}/s, openssl speed {theirs_:.0f}/s, ratio {ratio:.2f} (bar {BAR}: {verdict})")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
