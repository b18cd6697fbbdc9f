"""SM3 and SM4-GCM at 1 MiB through our API against raw ``cryptography``, interleaved; and SM3 per short call.

    python bench/crypto_bulk.py [rounds]

Bar: at least 0.95 of the peer at 1 MiB (DESIGN §12). The short calls decide the order of the providers.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from crypto import chain, sm3, sm4

MEBIBYTE = bytes(1 << 20)
SHORT = bytes(200)
KEY, NONCE = bytes(16), bytes(12)
BAR = 0.95


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
    name: str, ours: Callable[[bytes], object], raw: Callable[[bytes], object], data: bytes, *, calls: int, rounds: int
) -> float:
    pairs = [(seconds(ours, data, calls), seconds(raw, data, calls)) for _ in range(rounds)]
    ratio = statistics.median(theirs / own for own, theirs in pairs)
    own = statistics.median(own for own, _ in pairs)
    size = f"{len(data) / own / 1e6:.0f} MB/s" if len(data) >= 1 << 20 else f"{own * 1e6:.2f} us a call"
    print(f"{name}: {size}, ratio to raw cryptography {ratio:.2f}")
    return ratio


def main(rounds: int) -> None:
    bulk = [
        compare("sm3 1 MiB", sm3.sm3, raw_sm3, MEBIBYTE, calls=20, rounds=rounds),
        compare("sm4-gcm 1 MiB", our_gcm, raw_gcm, MEBIBYTE, calls=10, rounds=rounds),
    ]
    compare("sm3 200 bytes", sm3.sm3, raw_sm3, SHORT, calls=20_000, rounds=rounds)
    link = min(seconds(lambda data: chain.link(chain.GENESIS, data), SHORT, 20_000) for _ in range(rounds))
    print(f"chain link of 200 bytes: {link * 1e6:.2f} us")
    print(f"bar {BAR} at 1 MiB: {'ok' if min(bulk) >= BAR else 'below'}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 9)
