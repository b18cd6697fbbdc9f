"""Custody of keys (密钥管理): make, activate, deactivate, report compromised, destroy, rotate, export.

Each step is audited; export and destruction take two persons. Every step leaves a keystore that works if it is cut
short, and may be done again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from crypto import asn1, sm2
from crypto.errors import KeyMismatch, KeyStateRefused
from crypto.keys import keyfile
from crypto.keys.keystore import KeyStore
from crypto.keys.lifecycle import State, check_transition
from crypto.keys.ports import Approve, Audit, KeyEvent
from crypto.keys.record import KeyRecord, Use, new_record
from crypto.sm2 import PrivateKey, PublicKey
from crypto.x509 import Certificate, certificates_pem, load_certificates
from records.secret import Secret

Approvals = list[Mapping[str, str]]
MARK_LETTERS = 8  # of the fingerprint, in the name of a key that was followed by another

Certify = Callable[[PublicKey], Certificate]


@dataclass(frozen=True, slots=True, kw_only=True)
class Custody:
    """The keys of one keystore in the hands of one actor."""

    keystore: KeyStore
    audit: Audit
    approve: Approve

    def generate(self, name: str, use: Use, at: datetime, *, state: State = State.PRE_ACTIVE) -> KeyRecord:
        """A new SM2 key, which waits to be activated."""
        return self.keep(name, sm2.generate(), use, at, state=state)

    def keep(self, name: str, key: PrivateKey, use: Use, at: datetime, *, state: State = State.PRE_ACTIVE) -> KeyRecord:
        """Take in a key that came from elsewhere, e.g. the encryption key that a CA made."""
        record = new_record(name, key.public, use, at, state)
        with self.audit(KeyEvent(action="key.generate", name=name, detail=_told(record))):
            self.keystore.put_key(name, key, record)
        return record

    def certify(self, name: str, chain: tuple[Certificate, ...]) -> KeyRecord:
        """Put the certificate beside its key; raises KeyMismatch if it is for another."""
        with self.keystore.locked():
            record, public = self.keystore.record(name), self.keystore.open_key(name).public
            if chain[0].public_key != public:
                raise KeyMismatch(
                    "the certificate is for another key than '{name}'",
                    "give the certificate that was issued for it",
                    where=f"key:{name}",
                    name=name,
                )
            record = replace(record, certificate=chain[0].fingerprint, fingerprint=public.fingerprint)
            with self.audit(KeyEvent(action="key.certify", name=name, detail={"certificate": record.certificate})):
                self.keystore.put_certificate_pem(name, certificates_pem(chain))
                self.keystore.put_record(record)
        return record

    def change(self, name: str, state: State, at: datetime) -> KeyRecord:
        """Activate, deactivate or report compromised; raises KeyStateRefused. Destroying has its own step."""
        if state is State.DESTROYED:
            raise ValueError("destroy() takes two persons")
        with self.keystore.locked():
            before = self.keystore.record(name)
            after = before.become(state, at)
            with self.audit(_change(before, after)):
                self.keystore.put_record(after)
        return after

    def destroy(self, name: str, at: datetime) -> tuple[KeyRecord, Approvals]:
        """Overwrite and unlink; returns the record, which stays, and who agreed. RefusedError, KeyStateRefused."""
        with self.keystore.locked():
            before = self.keystore.record(name)
            after = before.become(State.DESTROYED, at)
            agreed = list(self.approve("key.destroy", name))
            with self.audit(KeyEvent(action="key.destroy", name=name, detail=_told(after) | {"approvals": agreed})):
                self.keystore.destroy_key(name)
                self.keystore.put_record(after)
        return after, agreed

    def export(self, name: str, passphrase: Secret, *, prf: str = asn1.HMAC_SM3) -> tuple[bytes, Approvals]:
        """The key as PKCS#8 under another passphrase, and who agreed; raises RefusedError, KeyStateRefused."""
        record = self.keystore.record(name)
        if record.state in {State.COMPROMISED, State.DESTROYED}:
            raise KeyStateRefused(
                "key '{name}' is {state} and must not be exported",
                "export an active or deactivated key: `yw crypto keys ls` shows the states",
                where=f"key:{name}",
                name=name,
                state=record.state.value,
            )
        agreed = list(self.approve("key.export", name))
        with self.audit(KeyEvent(action="key.export", name=name, detail=_told(record) | {"approvals": agreed})):
            key = self.keystore.open_key(name)
            return keyfile.private_key_pem(key, passphrase, rounds=keyfile.ROUNDS, prf=prf), agreed

    def rotate(self, name: str, at: datetime, certify: Certify | None = None) -> tuple[KeyRecord, KeyRecord]:
        """A successor takes the name; the old key stays, deactivated, under its name and the start of its fingerprint.

        A run cut short leaves the old key at work, or the new one without certificate; ``certify`` may then be done
        again. Returns (the new record, the old one).
        """
        with self.keystore.locked():
            before = self._known(name)
            check_transition(name, before.state, State.DEACTIVATED)
            key = sm2.generate()
            fresh = replace(new_record(name, key.public, before.use, at, State.ACTIVE), previous=before.id)
            chain = (certify(key.public),) if certify else ()
            old = replace(before.become(State.DEACTIVATED, at), name=f"{name}.{str(before.fingerprint)[:MARK_LETTERS]}")
            with self.audit(KeyEvent(action="key.rotate", name=name, detail=_told(fresh) | {"kept_as": old.name})):
                self._succeed(fresh, old, key, chain)
        return self.keystore.record(name), old

    def _succeed(self, fresh: KeyRecord, old: KeyRecord, key: PrivateKey, chain: tuple[Certificate, ...]) -> None:
        self.keystore.put_record(old)  # before its key: a copy never counts as active
        self.keystore.copy_key(fresh.name, old.name)
        self.keystore.remove_certificate(fresh.name)
        self.keystore.replace_key(fresh.name, key)
        if chain:
            self.keystore.put_certificate_pem(fresh.name, certificates_pem(chain))
            fresh = replace(fresh, certificate=chain[0].fingerprint)
        self.keystore.put_record(fresh)

    def _known(self, name: str) -> KeyRecord:
        """The record with its fingerprint, also of a key from before there were records."""
        record = self.keystore.record(name)
        public = self.keystore.open_key(name).public
        pem = self.keystore.certificate_pem(name)
        certificate = load_certificates(pem)[0].fingerprint if pem else None
        return replace(record, fingerprint=public.fingerprint, certificate=certificate)


def _told(record: KeyRecord) -> dict[str, str | None]:
    return {"id": record.id, "state": record.state, "fingerprint": record.fingerprint}


def _change(before: KeyRecord, after: KeyRecord) -> KeyEvent:
    verb = {State.ACTIVE: "activate", State.DEACTIVATED: "deactivate", State.COMPROMISED: "compromise"}[after.state]
    return KeyEvent(action=f"key.{verb}", name=after.name, detail=_told(after) | {"before": before.state})
