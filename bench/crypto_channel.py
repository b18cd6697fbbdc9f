"""The trusted channel beside bare pyOpenSSL with blocking sockets, in turns in one run, on loopback.

    python bench/crypto_channel.py [rounds]

Handshakes (mutual, RFC 8998) and megabytes per CPU second of both ends together. Bar: 0.9 of the bare library.
"""

from __future__ import annotations

import sys

from crypto.channel.measure import compare

BAR = 0.9


def main(rounds: int) -> None:
    found = compare(rounds=rounds)
    for one in found:
        print(f"{one.what} per CPU second: channel {one.channel}, bare pyOpenSSL {one.bare}, ratio {one.ratio:.2f}")
    print(f"bar {BAR}: {'ok' if min(one.ratio for one in found) >= BAR else 'below'}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 7)
