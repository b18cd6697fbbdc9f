"""The trusted channel beside bare pyOpenSSL with blocking sockets, in turns in one run: handshakes/s and MB/s.

    python bench/crypto_channel.py [rounds]

Both ends authenticate, RFC 8998, each in a process of its own on loopback. Bar: 0.9 of the bare library by CPU time.
"""

from __future__ import annotations

import sys

from crypto.channel.measure import compare

BAR = 0.9


def main(rounds: int) -> None:
    found = compare(rounds=rounds)
    for one in found:
        print(
            f"{one.what}: channel {one.channel}, bare pyOpenSSL {one.bare}; "
            f"ratio by CPU time {one.ratio:.2f}, by the clock {one.clock_ratio:.2f}"
        )
    print(f"bar {BAR}: {'ok' if min(one.ratio for one in found) >= BAR else 'below'}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 7)
