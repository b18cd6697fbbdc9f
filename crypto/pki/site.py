"""The site's own CA (站点根证书) and its signing certificate, made on first run; ``ca.pem`` is what others trust."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from asn1crypto import x509

from crypto.errors import CryptoError
from crypto.identity import SiteIdentity
from crypto.keys.files import write_atomic
from crypto.keys.keystore import KeyStore
from crypto.keys.lifecycle import State
from crypto.keys.record import Use, new_record
from crypto.pki import profiles
from crypto.sm2 import PrivateKey, PublicKey, generate
from crypto.x509 import Certificate, certificates_pem, load_certificates

CA_DAYS, SIGNER_DAYS = 365 * 20, 365 * 5
CA_NAME, SIGNER_NAME, TIMESTAMPER_NAME = "site-ca", "site-signing", "site-tsa"

__all__ = [
    "SiteIdentity",
    "ensure_site_identity",
    "ensure_site_timestamper",
    "issue_signer",
    "issue_timestamper",
    "make_ca",
]


def ensure_site_identity(keystore: KeyStore, ca_out: Path, subject_organisation: str, now: datetime) -> SiteIdentity:
    """The site's identity; what is missing of it is made, what exists is kept: a run cut short is finished by the next.

    Raises CryptoError if ``ca_out`` is there but the keystore has lost its CA.
    """
    with keystore.locked():
        if not keystore.has_key(CA_NAME) and ca_out.exists():
            raise CryptoError(
                "the keystore has no CA key, but {path} is there",
                "restore the keys folder from its backup, or move the file away to start with a new CA",
                where=str(ca_out),
                path=str(ca_out),
            )
        ca = _certificate(keystore, CA_NAME) or _keep(
            keystore, CA_NAME, make_ca(_key(keystore, CA_NAME, now), subject_organisation, now)
        )
        key = _key(keystore, SIGNER_NAME, now)
        signer = _certificate(keystore, SIGNER_NAME)
        if signer is None or signer.public_key != key.public:  # a rotation was cut short between the two
            signed = issue_signer(key.public, keystore.key(CA_NAME), ca, subject_organisation, now)
            signer = _keep(keystore, SIGNER_NAME, signed)
        _export(ca, ca_out)
    return SiteIdentity(key=key, chain=(signer, ca))


def ensure_site_timestamper(keystore: KeyStore, subject_organisation: str, now: datetime) -> SiteIdentity:
    """The identity of the site's own time-stamp authority, made on first use; the site's CA must be there."""
    with keystore.locked():
        ca = _certificate(keystore, CA_NAME)
        if ca is None:
            raise CryptoError("the site has no CA yet", "set the site up: yw inventory import PATH")
        key = _key(keystore, TIMESTAMPER_NAME, now)
        leaf = _certificate(keystore, TIMESTAMPER_NAME) or _keep(
            keystore,
            TIMESTAMPER_NAME,
            issue_timestamper(key.public, keystore.key(CA_NAME), ca, subject_organisation, now),
        )
    return SiteIdentity(key=key, chain=(leaf, ca))


def _key(keystore: KeyStore, name: str, now: datetime) -> PrivateKey:
    """The key of that name, made if there is none. The CA's is opened only to issue: that costs a third of a second."""
    if not keystore.has_key(name):
        key = generate()
        keystore.put_key(name, key, new_record(name, key.public, Use.SIGN, now, State.ACTIVE))
    return keystore.key(name)


def _certificate(keystore: KeyStore, name: str) -> Certificate | None:
    data = keystore.certificate_pem(name)
    return None if data is None else load_certificates(data)[0]


def _keep(keystore: KeyStore, name: str, certificate: Certificate) -> Certificate:
    keystore.put_certificate_pem(name, certificates_pem([certificate]))
    return certificate


def _export(ca: Certificate, ca_out: Path) -> None:
    """Write ``ca.pem`` unless it is there as it should be."""
    data = certificates_pem([ca])
    if not ca_out.exists() or ca_out.read_bytes() != data:
        ca_out.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(ca_out, data, mode=0o644)


def make_ca(key: PrivateKey, organisation: str, now: datetime) -> Certificate:
    """A self-signed CA that issues end certificates only (pathLenConstraint 0)."""
    return profiles.root(key, _name(organisation, "CA"), now, CA_DAYS, path_length=0)


def issue_signer(
    public: PublicKey, ca_key: PrivateKey, ca: Certificate, organisation: str, now: datetime
) -> Certificate:
    """A certificate for signing documents."""
    subject = _name(organisation, "signing")
    return profiles.end_entity(profiles.Profile.SIGN, public, subject, (ca_key, ca), now, SIGNER_DAYS)


def issue_timestamper(
    public: PublicKey, ca_key: PrivateKey, ca: Certificate, organisation: str, now: datetime
) -> Certificate:
    """A certificate whose only purpose is time stamping, critical (RFC 3161 §2.3)."""
    subject = _name(organisation, "time stamps")
    return profiles.end_entity(profiles.Profile.TSA, public, subject, (ca_key, ca), now, SIGNER_DAYS)


def _name(organisation: str, role: str) -> Any:
    return x509.Name.build(
        {"country_name": "CN", "organization_name": organisation, "common_name": f"{organisation} {role}"}
    )
