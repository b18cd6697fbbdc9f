"""A certification authority of our own (自建 CA) for labs and closed networks: root or intermediate, in one folder.

``keys/`` is its keystore, ``ca.pem`` its certificate and those above it, ``issued/SERIAL.pem`` what it issued,
``register.json`` what it revoked and the number of its newest list. Each file is written in one step under the
keystore's lock: a certificate is on the shelf before anybody gets it, and a number is never used twice.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from asn1crypto import x509

from crypto import sm2
from crypto.errors import CryptoError, InvalidEncoding
from crypto.keys import files
from crypto.keys.keystore import KeyStore
from crypto.pki import building, profiles
from crypto.pki.crl import Reason, RevocationList, Revoked, make_list
from crypto.pki.ocsp import Responder
from crypto.pki.profiles import Profile
from crypto.sm2 import PrivateKey, PublicKey
from crypto.x509 import Certificate, certificates_pem, load_certificates
from records.instants import format_instant, parse_instant
from records.secret import Secret

KEY, PUBLIC_FILE = "ca", 0o644
VERSION = 1
CA_DAYS, DAYS = 3650, 365
OCSP_DAYS = 30  # a responder's certificate cannot be revoked, so it is short-lived


@dataclass(frozen=True, slots=True)
class Register:
    """What the authority revoked, by serial number, and the number of its newest list."""

    revoked: Mapping[int, Revoked]
    crl_number: int


class Authority:
    """One folder. Opens nothing until first use; the passphrase is needed only to sign."""

    def __init__(self, folder: Path, passphrase: Secret) -> None:
        self.folder = folder
        self.keystore = KeyStore(folder / "keys", passphrase)

    @cached_property
    def chain(self) -> tuple[Certificate, ...]:
        """Its certificate first, the root last; CryptoError where there is no authority."""
        path = self.folder / "ca.pem"
        try:
            return load_certificates(path.read_bytes())
        except FileNotFoundError:
            raise CryptoError(
                "there is no CA in {folder}",
                "make one: yw crypto ca init --dir {folder} --subject CN=NAME",
                where=str(path),
                folder=str(self.folder),
            ) from None

    @property
    def certificate(self) -> Certificate:
        return self.chain[0]

    @cached_property
    def _key(self) -> PrivateKey:
        return self.keystore.key(KEY)

    @property
    def _issuer(self) -> tuple[PrivateKey, Certificate]:
        return self._key, self.certificate

    def create_root(self, subject: Any, now: datetime, *, days: int = CA_DAYS, path_length: int | None = 1) -> None:
        """A self-signed authority; CryptoError if there is one in the folder."""
        with self._empty():
            key = self._new_key()
            self._settle((profiles.root(key, subject, now, days, path_length),))

    def create_below(
        self, parent: Authority, subject: Any, now: datetime, *, days: int = CA_DAYS, path_length: int | None = 0
    ) -> None:
        """An authority whose certificate another one issues."""
        with self._empty():
            key = self._new_key()
            found = profiles.intermediate(key.public, subject, parent._issuer, now, days, path_length)
            parent._shelve(found)
            self._settle((found, *parent.chain))

    def _empty(self) -> Any:
        """The lock of a folder without a finished authority; one that was cut short is finished by the next try."""
        self.check_empty()
        return self.keystore.locked()

    def check_empty(self) -> None:
        """Return quietly if there is no authority in the folder, else raise CryptoError."""
        if (self.folder / "ca.pem").exists():
            raise CryptoError(
                "{folder} holds a CA already", "choose another --dir", where=str(self.folder), folder=str(self.folder)
            )

    def _new_key(self) -> PrivateKey:
        if not self.keystore.has_key(KEY):
            self.keystore.put_key(KEY, sm2.generate())
        return self.keystore.key(KEY)

    def _settle(self, chain: tuple[Certificate, ...]) -> None:
        files.write_atomic(self.folder / "ca.pem", certificates_pem(chain), mode=PUBLIC_FILE)

    def issue(
        self, profile: Profile, public: PublicKey, subject: bytes, names: Sequence[str], now: datetime, *, days: int
    ) -> tuple[Certificate, ...]:
        """A certificate with the chain above it; its end is never later than the authority's own."""
        days = min(days, (self.certificate.not_after - now) // timedelta(days=1))
        if days < 1:
            raise CryptoError("the CA's own certificate ends within a day", "make a new CA", where=str(self.folder))
        name = x509.Name.load(subject)
        with self.keystore.locked():
            found = profiles.end_entity(profile, public, name, self._issuer, now, days, names)
            self._shelve(found)
        return (found, *self.chain)

    def issue_pair(
        self, public: PublicKey, subject: bytes, now: datetime, *, days: int = DAYS
    ) -> tuple[Certificate, Certificate, PrivateKey]:
        """Dual certificates (双证书) of one subject: for the applicant's signing key, and for an encryption key.

        The latter is made here and travels as an SM2EnvelopedKey under the signing key: ``crypto.keys.enveloped_key``.
        """
        inner = sm2.generate()
        signing = self.issue(Profile.SIGN, public, subject, (), now, days=days)[0]
        encryption = self.issue(Profile.ENC, inner.public, subject, (), now, days=days)[0]
        return signing, encryption, inner

    def _shelve(self, certificate: Certificate) -> None:
        shelf = self.folder / "issued"
        shelf.mkdir(exist_ok=True)
        files.write_atomic(self._place(certificate.serial), certificates_pem([certificate]), mode=PUBLIC_FILE)

    def _place(self, serial: int) -> Path:
        return self.folder / "issued" / f"{serial:x}.pem"

    def issued(self) -> list[Certificate]:
        """Everything that it issued, by serial number."""
        shelf = self.folder / "issued"
        paths = sorted(shelf.glob("*.pem")) if shelf.exists() else []
        return [load_certificates(path.read_bytes())[0] for path in paths]

    def revoke(self, serial: int, at: datetime, reason: Reason) -> Revoked:
        """Revoke what it issued; a second time changes nothing and gives the first revocation."""
        self.check_issued(serial)
        with self.keystore.locked():
            register = self.register()
            if serial not in register.revoked:
                fresh = Revoked(building.whole(at), reason)
                self._write(Register({**register.revoked, serial: fresh}, register.crl_number))
            return self.register().revoked[serial]

    def check_issued(self, serial: int) -> None:
        """Return quietly if the authority issued it, else raise CryptoError."""
        if not self._place(serial).exists():
            raise CryptoError(
                "this CA issued no certificate with the serial number {serial}",
                "see them: yw crypto ca ls --dir {folder}",
                where=str(self.folder),
                serial=f"{serial:x}",
                folder=str(self.folder),
            )

    def publish(self, now: datetime, valid: timedelta) -> RevocationList:
        """The next revocation list."""
        with self.keystore.locked():
            register = self.register()
            number = register.crl_number + 1
            self._write(Register(register.revoked, number))  # first: a number that was lost is not used again
            return make_list(self._key, self.certificate, register.revoked, number, now, valid)

    def responder(self, now: datetime) -> Responder:
        """Who answers OCSP: a key of its own under a short-lived certificate, so that the CA's key stays closed."""
        key = sm2.generate()
        subject = building.name_of("CN=OCSP responder")
        found = profiles.end_entity(Profile.OCSP, key.public, subject, self._issuer, now, OCSP_DAYS)
        with self.keystore.locked():
            self._shelve(found)
        return Responder(key=key, certificate=found, issuer=self.certificate)

    def look(self, serial: int) -> Revoked | bool:
        """The revocation of a serial number, or whether it was issued here: what OCSP answers."""
        return self.register().revoked.get(serial) or self._place(serial).exists()

    def register(self) -> Register:
        """As it stands now."""
        path = self.folder / "register.json"
        return _decode(path.read_bytes(), path) if path.exists() else Register({}, 0)

    def _write(self, register: Register) -> None:
        revoked = {
            f"{serial:x}": {"at": format_instant(one.at), "reason": one.reason}
            for serial, one in register.revoked.items()
        }
        found = {"version": VERSION, "crl_number": register.crl_number, "revoked": revoked}
        files.write_atomic(self.folder / "register.json", json.dumps(found, indent=1).encode(), mode=PUBLIC_FILE)


def _decode(data: bytes, path: Path) -> Register:
    try:
        read = json.loads(data)
        found = {VERSION: read}[read["version"]]
        revoked = {
            int(serial, 16): Revoked(parse_instant(one["at"]), Reason(one["reason"]))
            for serial, one in found["revoked"].items()
        }
        return Register(revoked, int(found["crl_number"]))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InvalidEncoding(
            "the register of the CA is damaged", "restore it from a backup: it names what is revoked", where=str(path)
        ) from None
