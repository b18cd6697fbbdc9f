"""A small PKI for channels, made with asn1crypto alone: what the product's own authority would never issue, too."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from asn1crypto import crl as asn1_crl
from asn1crypto import keys, x509

from crypto import asn1
from crypto.channel import ChannelConfig, Limits
from crypto.pki.crl import RevocationList, parse_list
from crypto.sm2 import PrivateKey, generate
from crypto.sm3 import sm3
from crypto.x509 import Certificate, parse_certificate

NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
QUICK = Limits(handshake_seconds=5, idle_seconds=10, stall_seconds=5, close_seconds=3)
KEYS = [generate() for _ in range(6)]


def name_of(common: str) -> Any:
    return x509.Name.build({"country_name": "CN", "organization_name": "省数据局", "common_name": common})


def extension(name: str, value: Any, *, critical: bool = False) -> dict[str, Any]:
    return {"extn_id": name, "critical": critical, "extn_value": value}


def key_id(key: PrivateKey) -> bytes:
    return sm3(key.public.point)[:20]


def stamp(at: datetime) -> Any:
    return x509.Time({"utc_time": at})


def issue(
    common: str,
    key: PrivateKey,
    issuer: tuple[str, PrivateKey],
    extensions: Sequence[dict[str, Any]],
    *,
    start: datetime = NOW - HOUR,
    end: datetime = NOW + 30 * DAY,
    serial: int | None = None,
) -> Certificate:
    tbs = x509.TbsCertificate(
        {
            "version": "v3",
            "serial_number": serial or secrets.randbits(100) | 1 << 100,
            "signature": asn1.algorithm(asn1.SM2_WITH_SM3),
            "issuer": name_of(issuer[0]),
            "validity": {"not_before": stamp(start), "not_after": stamp(end)},
            "subject": name_of(common),
            "subject_public_key_info": keys.PublicKeyInfo.load(key.public.spki),
            "extensions": [
                *extensions,
                extension("key_identifier", key_id(key)),
                extension("authority_key_identifier", {"key_identifier": key_id(issuer[1])}),
            ],
        }
    )
    whole = {
        "tbs_certificate": tbs,
        "signature_algorithm": asn1.algorithm(asn1.SM2_WITH_SM3),
        "signature_value": issuer[1].sign(tbs.dump()),
    }
    return parse_certificate(x509.Certificate(whole).dump())


CA_EXTENSIONS = [
    extension("basic_constraints", {"ca": True}, critical=True),
    extension("key_usage", {"key_cert_sign", "crl_sign"}, critical=True),
]


@dataclass(frozen=True)
class Authority:
    """A root, and what it issues."""

    name: str
    key: PrivateKey
    certificate: Certificate

    @classmethod
    def root(cls, name: str = "根CA") -> Authority:
        key = generate()
        return cls(name, key, issue(name, key, (name, key), CA_EXTENSIONS))

    def below(self, name: str = "中间CA") -> Authority:
        key = generate()
        return Authority(name, key, issue(name, key, (self.name, self.key), CA_EXTENSIONS))

    def leaf(  # noqa: PLR0913 - what may be wrong with a certificate
        self,
        common: str = "节点",
        *,
        key: PrivateKey | None = None,
        dns: Sequence[str] = (),
        ips: Sequence[str] = ("127.0.0.1",),
        usage: set[str] | None = None,
        purposes: Sequence[str] = (),
        start: datetime = NOW - HOUR,
        end: datetime = NOW + 30 * DAY,
        serial: int | None = None,
    ) -> Certificate:
        names = [x509.GeneralName("dns_name", one) for one in dns]
        names += [x509.GeneralName("ip_address", one) for one in ips]
        found = [extension("key_usage", usage or {"digital_signature"}, critical=True)]
        found += [extension("subject_alt_name", names)] if names else []
        found += [extension("extended_key_usage", list(purposes))] if purposes else []
        issuer = (self.name, self.key)
        return issue(common, key or KEYS[0], issuer, found, start=start, end=end, serial=serial)

    def crl(
        self, revoked: Sequence[int] = (), *, end: datetime = NOW + DAY, key: PrivateKey | None = None
    ) -> RevocationList:
        tbs = asn1_crl.TbsCertList(
            {
                "version": "v2",
                "signature": asn1.algorithm(asn1.SM2_WITH_SM3),
                "issuer": name_of(self.name),
                "this_update": stamp(NOW - HOUR),
                "next_update": stamp(end),
                "crl_extensions": [
                    extension("crl_number", 1),
                    extension("authority_key_identifier", {"key_identifier": key_id(self.key)}),
                ],
            }
        )
        if revoked:
            tbs["revoked_certificates"] = [
                {"user_certificate": one, "revocation_date": stamp(NOW - HOUR)} for one in revoked
            ]
        whole = {
            "tbs_cert_list": tbs,
            "signature_algorithm": asn1.algorithm(asn1.SM2_WITH_SM3),
            "signature": (key or self.key).sign(tbs.dump()),
        }
        return parse_list(asn1_crl.CertificateList(whole).dump())


Configure = Callable[..., ChannelConfig]


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority.root()


@pytest.fixture(scope="session")
def stranger() -> Authority:
    """Another root of the very same name."""
    return Authority.root()


@pytest.fixture(scope="session")
def configure(authority: Authority) -> Configure:
    """A sound end, but for what is given."""
    sound = ChannelConfig(key=KEYS[0], chain=(authority.leaf(),), anchors=(authority.certificate,), limits=QUICK)

    def make(**changes: Any) -> ChannelConfig:
        return dataclasses.replace(sound, **changes)

    return make
