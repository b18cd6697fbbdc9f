"""Bulk lines of ``bench/crypto.py``: SM3 and SM4-GCM at 1 MiB against raw ``cryptography``, short calls, the accelerator.

The short calls decide the order of the providers.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from crypto import chain, sm3, sm4
from crypto.providers.registry import Options, Registry

MEBIBYTE = bytes(1 << 20)
SHORT = bytes(200)
KEY, NONCE = bytes(16), bytes(12)


def seconds(call: Callable[[bytes], object], data: bytes, calls: int) -> float:
    start = time.process_time()
    for _ in range(calls):
        call(data)
    return (time.process_time() - start) / calls


def raw_sm3(data: bytes) -> bytes:
    running = hashes.Hash(hashes.SM3())
    running.update(data)
    return running.finalize()


def raw_gcm(data: bytes) -> bytes:
    running = Cipher(algorithms.SM4(KEY), modes.GCM(NONCE)).encryptor()
    return running.update(data) + running.finalize() + running.tag


def our_gcm(data: bytes) -> bytes:
    return sm4.seal(KEY, NONCE, data)


def compare(
    name: str,
    ours: Callable[[bytes], object],
    raw: Callable[[bytes], object],
    data: bytes,
    calls: int,
    rounds: int,
    bar: float | None = None,
) -> bool:
    pairs = [(seconds(ours, data, calls), seconds(raw, data, calls)) for _ in range(rounds)]
    ratio = statistics.median(theirs / own for own, theirs in pairs)
    own = statistics.median(own for own, _ in pairs)
    size = f"{len(data) / own / 1e6:.0f} MB/s" if len(data) >= 1 << 20 else f"{own * 1e6:.2f} us a call"
    verdict = "" if bar is None else f" (bar {bar}: {'ok' if ratio >= bar else 'below'})"
    print(f"{name}: {size}, ratio to raw cryptography {ratio:.2f}{verdict}")
    return bar is None or ratio >= bar


def bulk(rounds: int, bar: float = 0.95) -> bool:
    return all(
        [
            compare("sm3 1 MiB", sm3.sm3, raw_sm3, MEBIBYTE, 20, rounds, bar),
            compare("sm4-gcm 1 MiB", our_gcm, raw_gcm, MEBIBYTE, 10, rounds, bar),
        ]
    )


def short(rounds: int) -> bool:
    compare("sm3 200 bytes", sm3.sm3, raw_sm3, SHORT, 10_000, rounds)
    compare("sm4-gcm 200 bytes", our_gcm, raw_gcm, SHORT, 5000, rounds)
    link = min(seconds(lambda data: chain.link(chain.GENESIS, data), SHORT, 10_000) for _ in range(rounds))
    print(f"chain link of 200 bytes: {link * 1e6:.2f} us")
    return True


def accelerator(library: str, rounds: int) -> bool:
    fast = Registry(["accelerator"], Options(accelerator_library=library)).provider("accelerator")
    return compare(
        "accelerator sm4-gcm 1 MiB",
        lambda data: fast.gcm_seal(KEY, NONCE, data, b""),
        raw_gcm,
        MEBIBYTE,
        10,
        rounds,
        2.0,
    )
