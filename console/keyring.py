"""Keys, certificates and crypto providers of a site as rows (密钥、证书、密码模块); no private key is opened here."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from collectors.certificates import Sighting
from crypto.errors import CryptoError
from crypto.keys.keystore import KeyStore
from crypto.keys.lifecycle import State
from crypto.keys.record import KeyRecord
from crypto.pki.expiry import WARNING
from crypto.pki.site import CA_NAME
from crypto.providers import gmssl_reference, known_answers
from crypto.providers.base import Capability
from crypto.providers.registry import Registry, active
from crypto.x509 import Certificate, load_certificates

Row = Mapping[str, Any]
KEPT_SECONDS = 60.0


def key_rows(keystore: KeyStore) -> list[Row]:
    """All keys, destroyed ones included; raises CryptoError where the keystore is not safe to read."""
    return [_key_row(record, _certificate(keystore, record.name)) for record in keystore.records()]


def _certificate(keystore: KeyStore, name: str) -> Certificate | None:
    """The certificate beside a key; one that cannot be read is told among the certificates."""
    try:
        pem = keystore.certificate_pem(name)
        return load_certificates(pem)[0] if pem else None
    except CryptoError:
        return None


def _key_row(record: KeyRecord, certificate: Certificate | None) -> Row:
    return {
        "name": record.name,
        "use": record.use.value,
        "algorithm": record.algorithm,
        "state": record.state.value,
        "created": record.created,
        "changed": record.changed,
        "rotate_by": _rotate_by(record, certificate),
        "not_after": certificate.not_after if certificate else None,
        "id": record.id,
        "fingerprint": certificate.public_key.fingerprint if certificate else record.fingerprint,
        "certificate": certificate.fingerprint if certificate else record.certificate,
        "previous": record.previous,
    }


def _rotate_by(record: KeyRecord, certificate: Certificate | None) -> datetime | None:
    """When its certificate enters its last 30 days. The CA is not rotated: others trust its certificate."""
    if record.state is not State.ACTIVE or certificate is None or record.name == CA_NAME:
        return None
    return certificate.not_after - WARNING


def certificate_rows(sightings: Iterable[Sighting]) -> list[Row]:
    """A row for each certificate in use, and one for each that should be there and cannot be read."""
    return [_certificate_row(one) for one in sightings]


def _certificate_row(one: Sighting) -> Row:
    row = one.row
    return {
        "name": one.name,
        "level": one.level,
        "days_left": row.days_left if row else None,
        "not_after": row.not_after if row else None,
        "subject": row.subject if row else one.why or None,
        "issuer": row.issuer if row else None,
        "serial": row.serial if row else None,
        "fingerprint": row.fingerprint if row else None,
        "file": one.file,
    }


def fallback_uses() -> Mapping[str, int]:
    """How often this process fell back to the slow reference, by operation."""
    return dict(gmssl_reference.uses)


class SelfTest:
    """The providers' self-test (自检), done again when it is older than a minute: it costs some milliseconds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._done: tuple[float, Sequence[Row]] | None = None

    def rows(self) -> Sequence[Row]:
        """A row for each configured provider in the order in which they are asked; a failure is a row, not an error."""
        with self._lock:
            if self._done is None or time.monotonic() - self._done[0] > KEPT_SECONDS:
                registry = active()
                rows = [provider_row(registry, number, name) for number, name in enumerate(registry.order, 1)]
                self._done = (time.monotonic(), rows)
            return self._done[1]


def provider_row(registry: Registry, number: int, name: str) -> Row:
    """One provider, its known answers asked now."""
    empty = {"order": number, "name": name, "library": None, "version": None, "file": None}
    start = time.perf_counter()
    try:
        about = registry.provider(name).about
        offers = sorted(about.capabilities)
        for capability in offers:
            known_answers.check(registry.provider(name), capability)
    except (CryptoError, OSError) as error:
        return {**empty, "state": "failed", "serves": (), "behind": (), "milliseconds": None, "why": str(error)}
    serves = [one for one in offers if _serves(registry, name, one)]
    return {
        **empty,
        "library": about.library,
        "version": about.version,
        "file": about.file,
        "state": "passed",
        "serves": [one.value for one in serves],
        "behind": [one.value for one in offers if one not in serves],
        "milliseconds": round((time.perf_counter() - start) * 1000, 1),
        "why": None,
    }


def _serves(registry: Registry, name: str, capability: Capability) -> bool:
    try:
        return registry.choose(capability).about.name == name
    except CryptoError:
        return False
