"""Who signed a message, and what to do where nobody vouches for them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from crypto.cms.token import Timestamp
from crypto.errors import VerificationFailed
from crypto.x509 import Certificate


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """Who signed, and when.

    Attributes:
        path: The signer's certificate first.
        trusted: Whether the chain ends in an anchor.
        signed_at: The time of the timestamp if one is trusted, else the one that the signer states; None if neither.
        timestamp: The token that came along; its time counts only if its own chain ends in an anchor.
    """

    path: tuple[Certificate, ...]
    trusted: bool
    signed_at: datetime | None
    timestamp: Timestamp | None = None

    @property
    def certificate(self) -> Certificate:
        return self.path[0]

    @property
    def name(self) -> str:
        """The subject for people, ``CN=…, O=…``."""
        return self.path[0].subject_text

    @property
    def root(self) -> str:
        """The subject of the last certificate of the chain."""
        return self.path[-1].subject_text

    @property
    def timestamped(self) -> bool:
        """Whether a trusted timestamp vouches for the time."""
        return self.timestamp is not None and self.timestamp.trusted


class NotTrusted(VerificationFailed):
    """The signature holds, but its chain ends in no anchor."""

    def __init__(self, signer: Signer) -> None:
        super().__init__(
            "the signature is valid, but its chain ends in '{root}', which is not trusted here",
            "pass --ca FILE with the signer's CA if you trust it",
            root=signer.root,
        )
        self.signer = signer
