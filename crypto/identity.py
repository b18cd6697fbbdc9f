"""Who signs: a private key with its certificate chain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from crypto.sm2 import PrivateKey
from crypto.x509 import Certificate


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteIdentity:
    """A signing key and the chain that vouches for it.

    Attributes:
        key: Belongs to ``chain[0]``.
        chain: The signing certificate first, the CA last.
        stamp: Gets a time-stamp token (RFC 3161) for a signature value; None signs without.
    """

    key: PrivateKey
    chain: tuple[Certificate, ...]
    stamp: Callable[[bytes], bytes] | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.chain or self.key.public != self.chain[0].public_key:
            raise ValueError("the key does not belong to the first certificate of the chain")

    @property
    def certificate(self) -> Certificate:
        """The signing certificate."""
        return self.chain[0]

    @property
    def anchor(self) -> Certificate:
        """The CA that others trust."""
        return self.chain[-1]
