"""Revocation of who signed something earlier (撤销): what still holds, and by whose word.

A revocation refuses whatever was signed, whenever: a stolen key states any time. Only the word of a trusted time-stamp
authority that the signature existed before the revocation saves it (RFC 5280 §5.3.2, RFC 5126 §5.4).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from crypto.errors import RevocationUnknown
from crypto.pki.crl import Reason, RevocationList, Revoked, check_dates, check_signed, lists_of, refused
from crypto.x509 import Certificate, Path

RETIRED = frozenset({Reason.AFFILIATION_CHANGED, Reason.SUPERSEDED, Reason.CESSATION_OF_OPERATION})
"""Why an authority may be revoked whose key nobody else had: its older tokens hold (RFC 3161 §4, 1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocations:
    """What a verifier knows of revocations.

    Attributes:
        lists: Revocation lists; without any, nothing is asked.
        at: The verifier's clock; a list must hold at this time, or where a time stamp saves, at that time or later.
        complete: Whether each CA below the anchor, and the anchor, must have such a list. If not, what the lists name
            is refused however old they are, and nothing is asked about other CAs: the data folder's own lists.
    """

    lists: tuple[RevocationList, ...] = ()
    at: datetime | None = None
    complete: bool = True

    def __post_init__(self) -> None:
        if self.lists and self.at is None:
            raise ValueError("lists are looked at at a time")

    def check_signer(self, path: Path, stamped: datetime | None) -> None:
        """Return quietly if no certificate of the signer's chain was revoked by the time of a trusted time stamp.

        Args:
            path: The chain.
            stamped: The latest instant that the time stamp allows; None without one: any revocation refuses.

        Raises:
            CertificateRevoked: By name.
            RevocationUnknown: A list is missing, forged or not of that time.
        """
        self._check(path, stamped, lambda one: stamped is not None and one.at > stamped)

    def check_authority(self, path: Path, stamped: datetime) -> None:
        """The same for the authority that gave a time stamp: its own word is nothing once its key may be stolen."""
        self._check(path, None, lambda one: one.at > stamped and one.reason in RETIRED)

    def _check(self, path: Path, since: datetime | None, spared: Callable[[Revoked], bool]) -> None:
        if self.at is None:
            return
        for certificate, issuer in pairwise(path.certificates):
            own = lists_of(issuer, self.lists)
            for one in own:
                check_signed(one, issuer)
                revoked = one.revoked.get(certificate.serial)
                if revoked is not None and not spared(revoked):
                    raise refused(certificate, revoked)
            if self.complete:
                _check_current(own, issuer, since or self.at, self.at)


NOTHING_KNOWN = Revocations()


def _check_current(own: Sequence[RevocationList], issuer: Certificate, since: datetime, at: datetime) -> None:
    """One of the lists holds at ``since`` or was made later, as far as ``at`` knows."""
    if not own:
        raise RevocationUnknown(
            "no revocation list of {issuer} is given", "pass its list with --crl FILE", issuer=issuer.subject_text
        )
    if not any(one.this_update <= at and since <= one.next_update for one in own):
        check_dates(own[-1], since)
