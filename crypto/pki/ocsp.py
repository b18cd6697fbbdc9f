"""OCSP (在线证书状态, RFC 6960) on SM2 with SM3: the responder's answer and the client's check, nonce included."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from asn1crypto import core, ocsp, x509

from crypto import asn1, der
from crypto.errors import CryptoError, InvalidEncoding, RevocationUnknown, VerificationFailed
from crypto.pki import building
from crypto.pki.crl import Reason, Revoked, refused
from crypto.pki.profiles import OCSP_SIGNING
from crypto.sm2 import PrivateKey
from crypto.sm3 import sm3
from crypto.x509 import Certificate, check_path, parse_certificate

BASIC = "1.3.6.1.5.5.7.48.1.1"
NONCE = "1.3.6.1.5.5.7.48.1.2"
NONCE_BYTES, MAX_NONCE_BYTES = 32, 128  # RFC 9654
MAX_BYTES, MAX_REQUESTS = 1 << 16, 50
SKEW = timedelta(minutes=5)
_NEXT = "ask the responder again, or pass the CA's list with --crl FILE"

Look = Callable[[int], Revoked | bool]
"""Serial number to its revocation, or whether the CA issued it at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CertId:
    """How OCSP names a certificate; the hashes are of the issuer's name and key, by SM3 or by what the client chose."""

    algorithm: str
    name_hash: bytes
    key_hash: bytes
    serial: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A request as the responder understands it.

    Attributes:
        ids: As they came, for the answer repeats them.
        nonce: Repeated in the answer; None where the client sent none.
    """

    ids: tuple[CertId, ...]
    nonce: bytes | None


def new_nonce() -> bytes:
    """Random, 32 bytes."""
    return secrets.token_bytes(NONCE_BYTES)


def id_of(certificate: Certificate, issuer: Certificate) -> CertId:
    """The name of a certificate, with SM3."""
    key = issuer.public_key.point
    return CertId(algorithm=asn1.SM3, name_hash=sm3(issuer.subject), key_hash=sm3(key), serial=certificate.serial)


def make_request(certificate: Certificate, issuer: Certificate, nonce: bytes | None) -> bytes:
    """A DER request about one certificate."""
    body: dict[str, Any] = {"request_list": [{"req_cert": _cert_id(id_of(certificate, issuer))}]}
    if nonce is not None:
        body["request_extensions"] = [_nonce(nonce)]
    return bytes(ocsp.OCSPRequest({"tbs_request": body}).dump())


def _cert_id(one: CertId) -> dict[str, Any]:
    return {
        "hash_algorithm": asn1.algorithm(one.algorithm),
        "issuer_name_hash": one.name_hash,
        "issuer_key_hash": one.key_hash,
        "serial_number": one.serial,
    }


def _nonce(nonce: bytes) -> dict[str, Any]:
    return {"extn_id": "nonce", "critical": False, "extn_value": core.OctetString(nonce)}


def read_request(data: bytes) -> Question:
    """A request; raises InvalidEncoding. A signature on it is not asked for and not looked at."""
    if len(data) > MAX_BYTES:
        raise InvalidEncoding("it is longer than {limit} bytes", _NEXT, limit=MAX_BYTES)
    try:
        der.check(data)
        body = asn1.load(ocsp.OCSPRequest, data)["tbs_request"]
        ids = tuple(_read_id(one["req_cert"]) for one in body["request_list"])
        nonce = _read_nonce(body["request_extensions"])
    except CryptoError:
        raise
    except asn1.MALFORMED as error:
        raise InvalidEncoding("not an OCSP request ({error})", _NEXT, error=error) from None
    if not 1 <= len(ids) <= MAX_REQUESTS:
        raise InvalidEncoding("an OCSP request for {count} certificates", _NEXT, count=len(ids))
    return Question(ids=ids, nonce=nonce)


def _read_id(one: Any) -> CertId:
    return CertId(
        algorithm=one["hash_algorithm"]["algorithm"].dotted,
        name_hash=one["issuer_name_hash"].native,
        key_hash=one["issuer_key_hash"].native,
        serial=one["serial_number"].native,
    )


def _read_nonce(extensions: Any) -> bytes | None:
    """The nonce; an extension that is critical and unknown refuses the message."""
    found: bytes | None = None
    for one in extensions or ():
        name = one["extn_id"].native
        if name == "nonce" and found is None:
            found = one["extn_value"].parsed.native
        elif name == "nonce" or one["critical"].native:
            raise InvalidEncoding("OCSP extension {name} is repeated, or critical and unknown", _NEXT, name=name)
    if found is not None and not 1 <= len(found) <= MAX_NONCE_BYTES:
        raise InvalidEncoding("an OCSP nonce of {count} bytes", _NEXT, count=len(found))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Responder:
    """Who answers for a CA: with the CA's own key, or one that the CA issued for this.

    Attributes:
        key, certificate: Belong together.
        issuer: The CA.
        valid: How long an answer may be kept.
    """

    key: PrivateKey
    certificate: Certificate
    issuer: Certificate
    valid: timedelta = timedelta(hours=1)

    def answer(self, request: bytes, look: Look, now: datetime) -> bytes:
        """A DER response, also for what is no request (RFC 6960 §2.3); never raises for what a client sends."""
        try:
            question = read_request(request)
        except CryptoError:
            return failure("malformed_request")
        return self._signed(question, look, now)

    def _signed(self, question: Question, look: Look, now: datetime) -> bytes:
        body: dict[str, Any] = {
            "responder_id": ocsp.ResponderId("by_name", x509.Name.load(self.certificate.subject)),
            "produced_at": building.whole(now),
            "responses": [self._single(one, look, now) for one in question.ids],
        }
        if question.nonce is not None:
            body["response_extensions"] = [_nonce(question.nonce)]
        data = ocsp.ResponseData(body)
        basic: dict[str, Any] = {
            "tbs_response_data": data,
            "signature_algorithm": asn1.algorithm(asn1.SM2_WITH_SM3),
            "signature": self.key.sign(data.dump()),
        }
        if self.certificate.der != self.issuer.der:
            basic["certs"] = [x509.Certificate.load(self.certificate.der)]
        inner = {"response_type": BASIC, "response": ocsp.BasicOCSPResponse(basic)}
        return bytes(ocsp.OCSPResponse({"response_status": "successful", "response_bytes": inner}).dump())

    def _single(self, one: CertId, look: Look, now: datetime) -> dict[str, Any]:
        return {
            "cert_id": _cert_id(one),
            "cert_status": self._status(one, look),
            "this_update": building.whole(now),
            "next_update": building.whole(now + self.valid),
        }

    def _status(self, one: CertId, look: Look) -> Any:
        """Unknown for certificates of another CA, for other digests than SM3, and for serials never issued."""
        ours = id_of(self.certificate, self.issuer)
        if (one.algorithm, one.name_hash, one.key_hash) != (ours.algorithm, ours.name_hash, ours.key_hash):
            return ocsp.CertStatus("unknown")
        found = look(one.serial)
        if isinstance(found, bool):
            return ocsp.CertStatus("good" if found else "unknown")
        info: dict[str, Any] = {"revocation_time": building.whole(found.at)}
        if found.reason is not Reason.UNSPECIFIED:
            info["revocation_reason"] = found.reason.value
        return ocsp.CertStatus("revoked", ocsp.RevokedInfo(info))


def failure(status: str) -> bytes:
    """An unsigned error response: ``malformed_request``, ``internal_error``, ``try_later``."""
    return bytes(ocsp.OCSPResponse({"response_status": status}).dump())


def check_response(
    data: bytes, certificate: Certificate, issuer: Certificate, nonce: bytes | None, at: datetime
) -> None:
    """Return quietly if the CA, or who it named for this, says now that the certificate is good.

    Raises CertificateRevoked; RevocationUnknown for any answer that is unsigned, stale, about another certificate,
    without our nonce, or undecided; InvalidEncoding for what is no response.
    """
    basic = _basic(data)
    body = basic["tbs_response_data"]
    _check_signer(basic, issuer, at)
    if nonce is not None and not hmac.compare_digest(_read_nonce(body["response_extensions"]) or b"", nonce):
        raise _unknown("it does not repeat the nonce: an old answer may have been played again")
    single = _about(body["responses"], id_of(certificate, issuer))
    _check_times(single, at)
    status = single["cert_status"]
    if status.name == "revoked":
        raise refused(certificate, _revoked(status.chosen))
    if status.name != "good":
        raise _unknown("the responder does not know the certificate")


def _unknown(why: str) -> RevocationUnknown:
    return RevocationUnknown("the OCSP answer proves nothing: {why}", _NEXT, why=why)


def _basic(data: bytes) -> Any:
    """The BasicOCSPResponse, parsed through: later look-ups meet no broken DER."""
    if len(data) > MAX_BYTES:
        raise InvalidEncoding("it is longer than {limit} bytes", _NEXT, limit=MAX_BYTES)
    try:
        der.check(data)
        response = asn1.load(ocsp.OCSPResponse, data)
        status, inner = response["response_status"].native, response["response_bytes"]
        if status == "successful":
            body = inner["response"].contents if inner["response_type"].dotted == BASIC else b""
            der.check(body)
            basic = asn1.load(ocsp.BasicOCSPResponse, body)
            basic.native  # noqa: B018 - asn1crypto parses on access
            return basic
    except CryptoError:
        raise
    except asn1.MALFORMED as error:
        raise InvalidEncoding("not an OCSP response ({error})", _NEXT, error=error) from None
    raise RevocationUnknown("the OCSP responder answers '{status}'", _NEXT, status=status)


def _check_signer(basic: Any, issuer: Certificate, at: datetime) -> None:
    """Signed by the CA itself, or by a certificate of the CA for OCSP (RFC 6960 §4.2.2.2)."""
    if not asn1.is_sm2_signature(basic["signature_algorithm"], basic["signature"]):
        raise _unknown("it is not signed by SM2 with SM3")
    signature, body = basic["signature"].native, basic["tbs_response_data"].dump()
    for signer in (issuer, *_delegates(basic["certs"], issuer, at)):
        try:
            signer.public_key.verify(signature, body)
        except VerificationFailed:
            continue
        return
    raise _unknown("neither the CA nor its delegate signed it")


def _delegates(certs: Any, issuer: Certificate, at: datetime) -> list[Certificate]:
    found = []
    for one in certs or ():
        try:
            certificate = parse_certificate(one.dump())
            check_path(certificate, (), (issuer,), at, frozenset({"digital_signature"}))
        except CryptoError:
            continue
        if OCSP_SIGNING in (certificate.purposes or ()) and certificate.issuer == issuer.subject:
            found.append(certificate)
    return found


def _about(responses: Any, wanted: CertId) -> Any:
    fitting = [one for one in responses if _read_id(one["cert_id"]) == wanted]
    if len(fitting) != 1:
        raise _unknown("it is about another certificate")
    return fitting[0]


def _check_times(single: Any, at: datetime) -> None:
    start, end = single["this_update"].native, single["next_update"].native
    if start > at + SKEW or end is None or end + SKEW < at:
        raise _unknown("it is out of date")


def _revoked(info: Any) -> Revoked:
    reason = info["revocation_reason"].native
    known: Sequence[str] = [one.value for one in Reason]
    return Revoked(info["revocation_time"].native, Reason(reason) if reason in known else Reason.UNSPECIFIED)
