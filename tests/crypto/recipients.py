"""Who can be encrypted for."""

from __future__ import annotations

from datetime import datetime

from asn1crypto import x509

from crypto.cms import Recipient
from crypto.pki import profiles
from crypto.pki.site import make_ca
from crypto.sm2 import generate
from tests.crypto.conftest import AT


def make_recipient(organisation: str, at: datetime = AT) -> Recipient:
    ca_key, key = generate(), generate()
    issuer = (ca_key, make_ca(ca_key, organisation, at))
    subject = x509.Name.build({"common_name": organisation})
    certificate = profiles.end_entity(profiles.Profile.ENC, key.public, subject, issuer, at, 365)
    return Recipient(key=key, certificate=certificate)
