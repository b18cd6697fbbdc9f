"""A made-up keystore's rows in every state, beside a real trust anchor for what is verified by upload."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from collectors.certificates import Fault, Sighting
from console.keyring import SelfTest, certificate_rows
from console.ports import KeyViews
from crypto.bundle import BundleProblem, BundleReader, verify_artefact
from crypto.identity import SiteIdentity
from crypto.pki.expiry import Expiry, Level
from crypto.pki.site import issue_signer, make_ca
from crypto.sm2 import generate
from crypto.sm3 import sm3_hex

DAY = timedelta(days=1)
Row = Mapping[str, Any]


def made_site(at: datetime, organisation: str = "Yunwang") -> SiteIdentity:
    """A signer under a CA of its own."""
    ca_key, key = generate(), generate()
    ca = make_ca(ca_key, organisation, at - DAY)
    return SiteIdentity(key=key, chain=(issue_signer(key.public, ca_key, ca, organisation, at - DAY), ca))


def total_is_one(reader: BundleReader) -> list[BundleProblem]:
    """A rule of a made-up kind."""
    return (
        []
        if reader.read("total") == b"1"
        else [BundleProblem(path="total", what="{total} is not 1", values={"total": "2"})]
    )


def fake_keys(at: datetime) -> list[Row]:
    """A key in each state."""
    states = (
        ("site-ca", "sign", "active", 7000),
        ("site-signing", "sign", "active", 27),
        ("site-tsa", "sign", "active", 1800),
        ("edge-hrb", "enc", "pre-active", None),
        ("site-signing.2026-05-01", "sign", "deactivated", None),
        ("partner", "enc", "compromised", None),
        ("kek-1f0e", "enc", "destroyed", None),
    )
    rows = []
    for number, (name, use, state, days) in enumerate(states):
        ends = None if days is None else at + days * DAY
        row = {"name": name, "use": use, "algorithm": "sm4" if name.startswith("kek") else "sm2", "state": state}
        row |= {"created": at - (400 - number) * DAY, "changed": at - (400 - number) * DAY, "not_after": ends}
        row |= {"rotate_by": ends - 30 * DAY if ends and name != "site-ca" else None, "id": f"{number:016x}"}
        row |= {"fingerprint": sm3_hex(name.encode()), "previous": None}
        rows.append(row | {"certificate": None if ends is None else sm3_hex(b"c" + name.encode())})
    return rows


def fake_sightings(at: datetime) -> list[Sighting]:
    """A certificate on each level, faults first."""
    wanted = (
        ("console.tls_certificate", Level.EXPIRED, -2),
        ("crypto.ca", Level.CRITICAL, 3),
        ("site-signing", Level.WARNING, 27),
        ("site-tsa", Level.OK, 1800),
        ("edge", Level.NOT_YET, 3000),
        ("site-ca", Level.OK, 7000),
    )
    found = [
        Sighting(name="ca.pem", file="/srv/yunwang/ca.pem", fault=Fault.MISSING),
        Sighting(
            name="old", file="/srv/yunwang/keys/old.cert.pem", fault=Fault.UNREADABLE, why="not an X.509 certificate"
        ),
    ]
    for name, level, days in wanted:
        row = Expiry(
            name=name,
            subject=f"CN=Yunwang {name}, O=黑龙江省政务信息中心, C=CN",
            issuer="CN=Yunwang CA, O=黑龙江省政务信息中心, C=CN",
            serial="3f2a",
            fingerprint=sm3_hex(name.encode()),
            not_after=at + days * DAY,
            days_left=days,
            level=level,
        )
        found.append(Sighting(name=name, file=f"/srv/yunwang/keys/{name}.cert.pem", row=row))
    return found


def fake_keyring(signer: SiteIdentity, at: datetime) -> KeyViews:
    """Rows of every kind; the self-test and the verifier are the real ones."""

    def verify(path: Path) -> Any:
        return verify_artefact(path, [signer.anchor], {"report": total_is_one})

    return KeyViews(
        keys=lambda: fake_keys(at),
        certificates=lambda: certificate_rows(fake_sightings(at)),
        providers=SelfTest().rows,
        fallbacks=dict,
        verify=verify,
    )
