"""Which certificates a site rests on, and what stands in them now: its keys', ``ca.pem``, those of the configuration.

The console's certificate may be of any algorithm: what is not SM2 is read for its names and dates only.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, cast

from collectors.certificates import Fault, Sighting
from crypto.errors import CryptoError
from crypto.keys.keystore import KeyStore
from crypto.keys.lifecycle import State
from crypto.pki.expiry import report
from crypto.pki.site import CA_NAME, SIGNER_NAME, TIMESTAMPER_NAME
from crypto.sm3 import sm3_hex
from crypto.x509 import Certificate, load_certificates, text_of
from records.secret import Secret

if TYPE_CHECKING:
    from cryptography import x509

    from yunwang.wiring import Site

LARGEST_FILE = 1 << 20
CONSOLE = "console.tls_certificate"
_IN_USE = frozenset({State.PRE_ACTIVE, State.ACTIVE})
_CERTIFIED = frozenset({CA_NAME, SIGNER_NAME, TIMESTAMPER_NAME})  # keys that are useless without their certificate
_SHORT = {"commonName": "common_name", "organizationName": "organization_name", "countryName": "country_name"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Dated:
    """A certificate of another algorithm: what ``crypto.pki.expiry`` asks of one."""

    subject_text: str
    issuer_text: str
    serial: int
    fingerprint: str
    not_before: datetime
    not_after: datetime


def look(site: Site, at: datetime) -> list[Sighting]:
    """Every certificate that the site rests on, each once, the one that ends first on top; faults before all."""
    known: set[str] = set()
    found = []
    for one in _all(site, at):
        if one.row is None or one.row.fingerprint not in known:
            known.update([one.row.fingerprint] if one.row else ())
            found.append(one)
    return sorted(found, key=lambda one: (one.row is not None, one.row.not_after if one.row else at, one.name))


def marks(site: Site) -> Hashable:
    """Changes when one of the files does."""
    folder = site.place.keys
    try:
        kept = [path for path in folder.iterdir() if path.name.endswith((".cert.pem", ".key.json", ".key.pem"))]
    except OSError:
        kept = []
    return tuple(_mark(path) for path in (folder, *sorted(kept), *(path for _, path in _files(site))))


def _mark(path: Path) -> tuple[str, int, int, int, int]:
    try:
        found = path.stat()
    except OSError:
        return str(path), 0, 0, 0, 0
    return str(path), found.st_mtime_ns, found.st_size, found.st_ino, found.st_mode


def _files(site: Site) -> list[tuple[str, Path]]:
    """Names and files beside the keystore."""
    settings = site.settings
    named = {"crypto.ca": settings.crypto.ca, CONSOLE: settings.console.tls_certificate}
    return [("ca.pem", site.place.ca), *((name, Path(path)) for name, path in named.items() if path)]


def _all(site: Site, at: datetime) -> Iterator[Sighting]:
    yield from _of_keys(site.place.keys, at)
    for name, path in _files(site):
        yield from _of_file(name, path, at)


def _of_keys(folder: Path, at: datetime) -> Iterator[Sighting]:
    """Those of keys in use; what a key that is used no more once signed is judged by its time, not by today."""
    keystore = KeyStore(folder, Secret(""))
    try:
        names = keystore.key_names()
    except (CryptoError, OSError) as error:
        yield Sighting(name="keys", file=str(folder), fault=Fault.UNREADABLE, why=str(error))
        return
    for name in names:
        yield from _of_key(keystore, name, at)


def _of_key(keystore: KeyStore, name: str, at: datetime) -> Iterator[Sighting]:
    file = str(keystore.folder / f"{name}.cert.pem")
    try:
        if keystore.record(name).state not in _IN_USE:
            return
        pem = keystore.certificate_pem(name)
        rows = report([(name, load_certificates(pem)[0])], at) if pem else []
    except (CryptoError, OSError) as error:
        yield Sighting(name=name, file=file, fault=Fault.UNREADABLE, why=str(error))
        return
    if not rows and name in _CERTIFIED:
        yield Sighting(name=name, file=file, fault=Fault.MISSING)
    yield from (Sighting(name=name, file=file, row=row) for row in rows)


def _of_file(name: str, path: Path, at: datetime) -> Iterator[Sighting]:
    """All certificates of a file; those after the first are named ``NAME#2`` and so on."""
    try:
        with path.open("rb") as file:
            read = (_read_any if name == CONSOLE else load_certificates)(file.read(LARGEST_FILE))
    except FileNotFoundError:
        yield Sighting(name=name, file=str(path), fault=Fault.MISSING)
    except (OSError, ValueError, CryptoError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        yield Sighting(name=name, file=str(path), fault=Fault.UNREADABLE, why=why)
    else:
        named = [(f"{name}#{number}" if number > 1 else name, one) for number, one in enumerate(read, 1)]
        rows = report(named, at)
        yield from (Sighting(name=row.name, file=str(path), row=row) for row in rows)


def _read_any(data: bytes) -> Sequence[Certificate]:
    """SM2 strictly, others by their names and dates; ValueError for what is no certificate."""
    from cryptography import x509  # noqa: PLC0415 - only where there is a file to read

    try:
        return load_certificates(data)
    except CryptoError:
        found = [x509.load_der_x509_certificate(data)] if data[:1] == b"\x30" else x509.load_pem_x509_certificates(data)
    return [cast("Certificate", _dated(one)) for one in found]  # the report reads no more than that


def _dated(one: x509.Certificate) -> _Dated:
    from cryptography.hazmat.primitives.serialization import Encoding  # noqa: PLC0415 - beside its only use

    return _Dated(
        subject_text=_text(one.subject),
        issuer_text=_text(one.issuer),
        serial=one.serial_number,
        fingerprint=sm3_hex(one.public_bytes(Encoding.DER)),
        not_before=one.not_valid_before_utc,
        not_after=one.not_valid_after_utc,
    )


def _text(name: x509.Name) -> str:
    """The same form as ours: ``CN=…, O=…``."""
    return text_of({_SHORT.get(part.oid._name, part.oid._name): part.value for part in name})  # noqa: SLF001 - it has no other name
