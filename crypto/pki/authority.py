"""A certification authority of our own (自建 CA) for labs and closed networks: root or intermediate, in one folder.

``keys/`` is its keystore, ``ca.pem`` its certificate and those above it, ``issued/SERIAL.pem`` what it issued,
``register.json`` what it revoked and the number of its newest list, ``crl.pem`` that list. Each file is written in one
step under the keystore's lock: a certificate is on the shelf before anybody gets it, and a number is never used twice.

The site's CA (``site=True``) is another: key and certificate are the data folder's own, see ``crypto.pki.site``, and
what it revoked lies in ``site-ca/``.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from asn1crypto import x509

from crypto import sm2
from crypto.errors import CryptoError
from crypto.keys import files
from crypto.keys.keystore import KeyStore
from crypto.keys.ports import Audit, KeyEvent, unaudited
from crypto.pki import building, profiles, register
from crypto.pki.crl import Reason, RevocationList, Revoked, list_pem, load_list, make_list
from crypto.pki.ocsp import Responder
from crypto.pki.profiles import Profile
from crypto.pki.register import Register, RegisterChanged
from crypto.pki.site import CA_NAME
from crypto.sm2 import PrivateKey, PublicKey
from crypto.x509 import Certificate, certificates_pem, load_certificates
from records.secret import Secret

KEY, PUBLIC_FILE = "ca", 0o644
SITE_FOLDER, LIST_FILE = "site-ca", "crl.pem"
CA_DAYS, DAYS = 3650, 365
LIST_DAYS = 7
OCSP_DAYS = 30  # a responder's certificate cannot be revoked, so it is short-lived


class Authority:
    """One folder. Opens nothing until first use; the passphrase is needed only to sign.

    Args:
        folder: The CA's, or with ``site`` the data folder.
        audit: Hears of every certificate, revocation and list.
    """

    def __init__(self, folder: Path, passphrase: Secret, *, audit: Audit = unaudited, site: bool = False) -> None:
        self.folder = folder
        self.keystore = KeyStore(folder / "keys", passphrase)
        self._books = folder / SITE_FOLDER if site else folder
        self._key_name = CA_NAME if site else KEY
        self._site, self._audit = site, audit

    @cached_property
    def chain(self) -> tuple[Certificate, ...]:
        """Its certificate first, the root last; CryptoError where there is no authority."""
        path = self.folder / "ca.pem"
        try:
            return load_certificates(path.read_bytes())
        except FileNotFoundError:
            raise CryptoError(
                "there is no CA in {folder}",
                "see which --dir holds one, or make one: yw crypto ca init --dir {folder} --subject CN=NAME",
                where=str(path),
                folder=str(self.folder),
            ) from None

    @property
    def certificate(self) -> Certificate:
        return self.chain[0]

    @cached_property
    def _key(self) -> PrivateKey:
        return self.keystore.key(self._key_name)

    @property
    def _issuer(self) -> tuple[PrivateKey, Certificate]:
        return self._key, self.certificate

    def create_root(self, subject: Any, now: datetime, *, days: int = CA_DAYS, path_length: int | None = 1) -> None:
        """A self-signed authority; CryptoError if there is one in the folder."""
        with self._empty():
            key = self._new_key()
            found = profiles.root(key, subject, now, days, path_length)
            with self._audit(self._event("ca.init", found)):
                self._write(Register(), key)
                self._settle((found,))

    def create_below(
        self, parent: Authority, subject: Any, now: datetime, *, days: int = CA_DAYS, path_length: int | None = 0
    ) -> None:
        """An authority whose certificate another one issues."""
        with self._empty():
            key = self._new_key()
            found = profiles.intermediate(key.public, subject, parent._issuer, now, days, path_length)
            with self._audit(self._event("ca.init", found)):
                parent._shelve(found)
                self._write(Register(), key)
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
            with self._audit(self._event("ca.issue", found)):
                self._shelve(found)
        return (found, *self.chain)

    def _event(self, action: str, one: Certificate) -> KeyEvent:
        told = {"serial": f"{one.serial:x}", "subject": one.subject_text, "fingerprint": one.fingerprint}
        return KeyEvent(action=action, name=str(self.folder), detail=told)

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
        (self._books / "issued").mkdir(parents=True, exist_ok=True)
        files.write_atomic(self._place(certificate.serial), certificates_pem([certificate]), mode=PUBLIC_FILE)

    def _place(self, serial: int) -> Path:
        return self._books / "issued" / f"{serial:x}.pem"

    def issued(self) -> list[Certificate]:
        """Everything that it issued, by serial number; of the site's CA also what lies beside the site's keys."""
        shelf = self._books / "issued"
        found = [load_certificates(path.read_bytes())[0] for path in shelf.glob("*.pem")] if shelf.exists() else []
        return sorted({one.serial: one for one in [*found, *self._beside_keys()]}.values(), key=lambda one: one.serial)

    def _beside_keys(self) -> list[Certificate]:
        pems = [self.keystore.certificate_pem(one.name) for one in self.keystore.records()] if self._site else []
        found = [load_certificates(one)[0] for one in pems if one is not None]
        return [
            one for one in found if one.issuer == self.certificate.subject and one.serial != self.certificate.serial
        ]

    def has_issued(self, serial: int) -> bool:
        """Whether the serial number is one of its own."""
        return self._place(serial).exists() or any(one.serial == serial for one in self._beside_keys())

    def revoke(self, serial: int, at: datetime, reason: Reason) -> Revoked:
        """Revoke what it issued, and sign the next list; a second time changes nothing and gives the first revocation.

        Needs the CA's key, also where nothing is left to do: AuthenticationFailed for a wrong passphrase.
        """
        self.check_issued(serial)
        with self.keystore.locked():
            found, newest = self._sound_register(), self._newest()
            if self._key and newest is not None and serial in newest.revoked:
                return found.revoked[serial]
            revoked = found.revoked.get(serial) or Revoked(building.whole(at), reason)
            told = {"serial": f"{serial:x}", "reason": revoked.reason.value}
            with self._audit(KeyEvent(action="ca.revoke", name=str(self.folder), detail=told)):
                self._publish(Register({**found.revoked, serial: revoked}, found.crl_number), at, LIST_DAYS)
        return revoked

    def check_issued(self, serial: int) -> None:
        """Return quietly if the authority issued it, else raise CryptoError."""
        if not self.has_issued(serial):
            raise CryptoError(
                "this CA issued no certificate with the serial number {serial}",
                "see them: yw crypto ca ls --dir {folder}",
                where=str(self.folder),
                serial=f"{serial:x}",
                folder="site" if self._site else str(self.folder),
            )

    def publish(self, now: datetime, valid: timedelta) -> RevocationList:
        """The next revocation list, which also takes the place of the newest in the folder."""
        with self.keystore.locked():
            found = self._sound_register()
            told = {"number": found.crl_number + 1, "revoked": len(found.revoked)}
            with self._audit(KeyEvent(action="ca.crl", name=str(self.folder), detail=told)):
                return self._publish(found, now, valid / timedelta(days=1))

    def _publish(self, found: Register, now: datetime, days: float) -> RevocationList:
        number = found.crl_number + 1
        self._write(Register(found.revoked, number), self._key)  # first: a number that was lost is not used again
        made = make_list(self._key, self.certificate, found.revoked, number, now, timedelta(days=days))
        files.write_atomic(self.list_file, list_pem(made), mode=PUBLIC_FILE)
        return made

    @property
    def list_file(self) -> Path:
        """Where the newest list lies."""
        return self._books / LIST_FILE

    def responder(self, now: datetime) -> Responder:
        """Who answers OCSP: a key of its own under a short-lived certificate, so that the CA's key stays closed."""
        key = sm2.generate()
        subject = building.name_of("CN=OCSP responder")
        found = profiles.end_entity(Profile.OCSP, key.public, subject, self._issuer, now, OCSP_DAYS)
        with self.keystore.locked(), self._audit(self._event("ca.issue", found)):
            self._shelve(found)
        return Responder(key=key, certificate=found, issuer=self.certificate)

    def look(self, serial: int) -> Revoked | bool:
        """The revocation of a serial number, or whether it was issued here: what OCSP answers."""
        return self.register().revoked.get(serial) or self.has_issued(serial)

    def register(self) -> Register:
        """As it stands now; raises RegisterChanged unless the authority signed it so. Needs no passphrase."""
        path = self._books / "register.json"
        if not path.exists():
            if self.list_file.exists() or not self._site:
                self.chain  # noqa: B018 - where there is no CA, that is what is told
                raise RegisterChanged(str(path))
            return Register()
        found, signature = register.parse(path.read_bytes(), str(path))
        register.check(found, signature, self.certificate.public_key, str(path))
        return found

    def _sound_register(self) -> Register:
        """The register, compared with the newest list before anything is built on it."""
        found, newest = self.register(), self._newest()
        if newest is not None and not found.covers(newest):
            raise RegisterChanged(str(self._books / "register.json"))
        return found

    def _newest(self) -> RevocationList | None:
        """The newest list, None before the first; raises InvalidEncoding."""
        return load_list(self.list_file.read_bytes()) if self.list_file.exists() else None

    def _write(self, found: Register, key: PrivateKey) -> None:
        self._books.mkdir(parents=True, exist_ok=True)
        files.write_atomic(self._books / "register.json", register.encode(found, key), mode=PUBLIC_FILE)
