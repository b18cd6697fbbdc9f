"""The lines of ``bench/crypto.py``, each a function that prints its figures and tells whether its bar holds.

``openssl`` must be there. With the psycopg-binary wheel the SM2 lines are measured once more on the libcrypto it brings,
as on a machine whose own is too old.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import crypto_bulk
import crypto_sm2

from crypto.providers import libcrypto
from crypto.providers.registry import Registry
from crypto.selftest import run


def self_test(rounds: int, bar_ms: float = 50.0) -> bool:
    """All known answers of the default providers, loading of the libraries included the first time."""
    taken = []
    for _ in range(rounds):
        start = time.process_time()
        run(Registry())
        taken.append((time.process_time() - start) * 1000)
    middle = statistics.median(taken)
    verdict = "ok" if taken[0] <= bar_ms else "above"
    print(f"self-test: first {taken[0]:.1f} ms, then {middle:.1f} ms CPU (bar {bar_ms:.0f}: {verdict})")
    return taken[0] <= bar_ms


def fallback(rounds: int) -> bool:
    """The SM2 lines in a process that has only the wheel's libcrypto."""
    wheel = next((name for name in libcrypto.candidates() if "psycopg_binary" in name), None)
    if wheel is None:
        print("fallback: no psycopg-binary wheel here, not measured")
        return True
    code = f"import crypto_sm2; raise SystemExit(not crypto_sm2.signatures({rounds}, title='fallback sm2'))"
    environment = os.environ | {"YW_LIBCRYPTO": wheel, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0


def lines(rounds: int, library: str) -> dict[str, Callable[[], bool]]:
    """What there is to measure, in order."""
    found: dict[str, Callable[[], bool]] = {
        "self-test": lambda: self_test(rounds),
        "sm2": lambda: crypto_sm2.signatures(rounds),
        "overhead": lambda: crypto_sm2.overhead(rounds),
        "encryption": crypto_sm2.encryption,
        "batch": lambda: crypto_sm2.batch(rounds),
        "bulk": lambda: crypto_bulk.bulk(rounds),
        "short": lambda: crypto_bulk.short(rounds),
        "fallback": lambda: fallback(rounds),
    }
    if library:
        found["accelerator"] = lambda: (
            crypto_sm2.accelerator(library, rounds) & crypto_bulk.accelerator(library, rounds)
        )
    return found


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--accelerator", default="")
    parser.add_argument("--only", default="")
    given = parser.parse_args()
    results = []
    for name, line in lines(given.rounds, given.accelerator).items():
        if given.only in {"", name}:
            results.append(line())
            sys.stdout.flush()
    return 0 if all(results) else 1
