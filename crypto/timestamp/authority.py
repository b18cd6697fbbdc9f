"""The time-stamp authority (时间戳服务机构): grants or refuses, and never answers with anything but a TimeStampResp."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from crypto import asn1
from crypto.cms.signing import encode_signed, signer_info, signing_time
from crypto.cms.token import VERSION, TimeInfo, certificate_name, encode_info
from crypto.errors import CryptoError
from crypto.identity import SiteIdentity
from crypto.sm3 import sm3
from crypto.timestamp.request import NO_POLICY, NO_TIME, BadRequest, Request, parse_request
from crypto.timestamp.response import granted, rejected
from crypto.timestamp.serials import Serials
from crypto.x509 import TIME_STAMPING
from records.instants import now

POLICY = "2.25.147690549121082799521462093775040838161"  # ours; a UUID's arc needs no registration (X.667)
ACCURACY = timedelta(seconds=1)
SYSTEM_FAILURE = 25
_OID = re.compile(r"[0-2](\.(0|[1-9]\d*))+")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """Answers requests; thread safe.

    Attributes:
        identity: Its certificate has time stamping as only purpose, critical (RFC 3161 §2.3).
        policy: The OID that it works by; a request for another is refused.
        accuracy: How far its clock may be off, as its operator knows.
    """

    identity: SiteIdentity
    serials: Serials
    policy: str = POLICY
    accuracy: timedelta = ACCURACY
    clock: Callable[[], datetime] = now

    def __post_init__(self) -> None:
        leaf = self.identity.certificate
        if not leaf.purposes_critical or leaf.purposes != frozenset({TIME_STAMPING}):
            raise CryptoError(
                "certificate {name} is not for time stamping alone",
                "give a certificate whose only extended key usage is timeStamping, critical",
                name=leaf.subject_text,
            )
        if not _OID.fullmatch(self.policy):
            raise CryptoError("'{policy}' is no OID", "write it as 1.2.3", policy=self.policy)

    def answer(self, request: bytes) -> bytes:
        """The response to a request, DER; a refusal where no token can be given."""
        try:
            return granted(self.grant(parse_request(request)))
        except BadRequest as refused:
            return rejected(refused.failure, str(refused.problems[0].text()))
        except (CryptoError, OSError):
            _log.exception("no time stamp could be given")
            return rejected(SYSTEM_FAILURE, "the authority cannot give time stamps now")

    def grant(self, request: Request) -> bytes:
        """The token for a request; raises BadRequest."""
        if request.policy not in {None, self.policy}:
            raise BadRequest("the policy is not one of this authority", failure=NO_POLICY)
        at, leaf = self.clock().replace(microsecond=0), self.identity.certificate
        if not leaf.not_before <= at <= leaf.not_after:
            raise BadRequest("the authority's certificate is not valid now", failure=NO_TIME)
        info = TimeInfo(
            policy=self.policy,
            digest=request.digest,
            serial=self.serials.take(),
            at=at,
            accuracy=self.accuracy,
            nonce=request.nonce,
            null_parameters=request.null_parameters,
        )
        return self._sign(encode_info(info, leaf), at, whole=request.with_certificate)

    def _sign(self, content: bytes, at: datetime, *, whole: bool) -> bytes:
        identity = replace(self.identity, stamp=None)  # a token carries no token
        attributes = {
            asn1.SIGNING_TIME: signing_time(at),
            asn1.SIGNING_CERTIFICATE: certificate_name(identity.certificate),
        }
        signer = signer_info(identity, asn1.TST_INFO, sm3(content), attributes)
        chains = [identity.chain] if whole else []
        return encode_signed(asn1.PKCS7_SIGNED, asn1.TST_INFO, content, chains, [signer], version=VERSION)

    def stamp(self, signature: bytes) -> bytes:
        """The token for a signature value: what a ``SiteIdentity`` takes as its source."""
        return self.grant(Request(digest=sm3(signature)))
