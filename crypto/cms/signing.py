"""SignedData written: signed attributes, chain included, GM/T 0010 OIDs unless those of PKCS#7 are asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from asn1crypto import core, x509

from crypto import asn1
from crypto.cms import shapes
from crypto.cms.message import FAMILIES
from crypto.identity import SiteIdentity
from crypto.sm3 import sm3
from crypto.x509 import Certificate


def sign(
    data: bytes, signers: Sequence[SiteIdentity], at: datetime, *, detached: bool = False, pkcs7: bool = False
) -> bytes:
    """DER SignedData over ``data``, by each of ``signers``, the content inside unless ``detached``.

    Args:
        data: What is signed.
        signers: One signature each; a signer that has a source of time stamps adds a token.
        at: The signing time, cut to seconds.
        detached: Leave the content out.
        pkcs7: Write the OIDs of PKCS#7, for OpenSSL and Tongsuo.
    """
    signed_type = asn1.PKCS7_SIGNED if pkcs7 else asn1.GM_SIGNED
    values = {asn1.SIGNING_TIME: signing_time(at)}
    infos = [signer_info(one, FAMILIES[signed_type], sm3(data), values) for one in signers]
    chains = [one.chain for one in signers]
    return encode_signed(signed_type, FAMILIES[signed_type], None if detached else data, chains, infos, version=1)


def sign_detached(data: bytes, identity: SiteIdentity, at: datetime, *, pkcs7: bool = False) -> bytes:
    """DER SignedData over ``data``; ``at`` is the signing time, cut to seconds. ``pkcs7`` writes the OIDs of PKCS#7."""
    return sign(data, [identity], at, detached=True, pkcs7=pkcs7)


def sign_for_gmssl(data: bytes, signers: Sequence[SiteIdentity]) -> bytes:
    """The one form that GmSSL's ``cmsverify`` reads: content inside, no signed attributes, hence no time."""
    digest = gmssl_digest(data)
    infos = [_info(one.certificate, one.key.sign_digest(digest)) for one in signers]
    chains = [one.chain for one in signers]
    return encode_signed(asn1.GM_SIGNED, asn1.GM_DATA, data, chains, infos, version=1)


def gmssl_digest(data: bytes) -> bytes:
    """What GmSSL 3 signs: SM3 of the whole inner ContentInfo, without the Z value of GM/T 0009."""
    return sm3(shapes.EncapsulatedContent({"type": asn1.GM_DATA, "content": data}).dump())


def encode_signed(
    signed_type: str,
    data_type: str,
    content: bytes | None,
    chains: Sequence[Sequence[Certificate]],
    infos: Sequence[Mapping[str, Any]],
    *,
    version: int,
) -> bytes:
    """ContentInfo around SignedData; a certificate that several chains share stands once."""
    inner = {"type": data_type} if content is None else {"type": data_type, "content": content}
    signed = {
        "version": version,
        "digest_algorithms": [asn1.algorithm(asn1.SM3)],
        "content": inner,
        "certificates": certificates(chains),
        "signers": list(infos),
    }
    return bytes(shapes.SignedContent({"type": signed_type, "content": signed}).dump())


def certificates(chains: Sequence[Sequence[Certificate]]) -> list[Any]:
    """Every certificate of the chains once."""
    return [x509.Certificate.load(one) for one in dict.fromkeys(one.der for chain in chains for one in chain)]


def signer_info(
    identity: SiteIdentity, data_type: str, digest: bytes, more: Mapping[str, core.Asn1Value]
) -> dict[str, Any]:
    """One signature over content type, digest and ``more`` attributes, and a token if the signer has a source."""
    values = {
        asn1.CONTENT_TYPE: core.ObjectIdentifier(data_type),
        asn1.MESSAGE_DIGEST: core.OctetString(digest),
        **more,
    }
    attributes = _attributes(values)
    signature = identity.key.sign(attributes.dump())
    info = _info(identity.certificate, signature) | {"signed_attrs": attributes}
    if identity.stamp is not None:
        info["unsigned_attrs"] = _attributes(
            {asn1.TIMESTAMP_TOKEN: shapes.SignedContent.load(identity.stamp(signature))}
        )
    return info


def _info(certificate: Certificate, signature: bytes) -> dict[str, Any]:
    return {
        "version": 1,
        "sid": issuer_and_serial(certificate),
        "digest_algorithm": asn1.algorithm(asn1.SM3),
        "signature_algorithm": asn1.algorithm(asn1.SM2_WITH_SM3),
        "signature": signature,
    }


def issuer_and_serial(certificate: Certificate) -> dict[str, Any]:
    """How a signer or recipient is named."""
    return {"issuer": x509.Name.load(certificate.issuer), "serial": certificate.serial}


def _attributes(values: Mapping[str, Any]) -> Any:
    return asn1.Attributes([{"type": kind, "values": [core.Any(value)]} for kind, value in values.items()])


def signing_time(at: datetime) -> Any:
    """UTCTime until 2049, GeneralizedTime after (RFC 5652 §11.3), whole seconds."""
    moment = at.astimezone(UTC).replace(microsecond=0)
    return x509.Time({"utc_time" if moment.year < 2050 else "general_time": moment})  # noqa: PLR2004 - the RFC's year
