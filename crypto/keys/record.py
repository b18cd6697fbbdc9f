"""The record of a key (密钥台账): what may be told of it. It lies beside the key and holds no secret."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from crypto.errors import InvalidEncoding
from crypto.keys.lifecycle import State, check_transition
from crypto.sm2 import PublicKey
from records.instants import format_instant, parse_instant

VERSION = 1
ID_BYTES = 8


class Use(StrEnum):
    """What a key is for: dual certificates (双证书) keep the two apart."""

    SIGN = "sign"
    ENC = "enc"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRecord:
    """One key.

    Attributes:
        id: Stays with the key when its name passes to a successor.
        name: Under which it lies in the keystore.
        algorithm: ``sm2`` or ``sm4``.
        created, changed: Aware UTC; ``changed`` is when the state was reached. None for a key from before there were
            records.
        fingerprint: SM3 of the SubjectPublicKeyInfo, hex; None for ``sm4``.
        certificate: SM3 of the certificate, hex; None where there is none.
        previous: Id of the key that this one follows.
    """

    id: str
    name: str
    use: Use
    algorithm: str = "sm2"
    state: State = State.ACTIVE
    created: datetime | None = None
    changed: datetime | None = None
    fingerprint: str | None = None
    certificate: str | None = None
    previous: str | None = None

    def become(self, state: State, at: datetime) -> KeyRecord:
        """The record in another state; raises KeyStateRefused."""
        check_transition(self.name, self.state, state)
        return replace(self, state=state, changed=at)

    def as_json(self) -> dict[str, Any]:
        """The shape of ``yw crypto keys ls``."""
        found = {name: getattr(self, name) for name in self.__slots__}
        return {name: format_instant(one) if isinstance(one, datetime) else one for name, one in found.items()}


def new_record(name: str, public: PublicKey, use: Use, at: datetime, state: State) -> KeyRecord:
    """The record of a new SM2 key, with an id of its own."""
    identifier, fingerprint = secrets.token_hex(ID_BYTES), public.fingerprint
    return KeyRecord(id=identifier, name=name, use=use, state=state, created=at, changed=at, fingerprint=fingerprint)


def encode(record: KeyRecord) -> bytes:
    """As it lies in the keystore."""
    return json.dumps({"version": VERSION} | record.as_json(), indent=1, sort_keys=True).encode()


def decode(data: bytes, where: str) -> KeyRecord:
    """The record; raises InvalidEncoding, which names the file."""
    try:
        found = json.loads(data)
        found = {VERSION: found}[found.pop("version")]
        instants = {name: found[name] and parse_instant(found[name]) for name in ("created", "changed")}
        kinds = {"use": Use(found["use"]), "state": State(found["state"])}
        return KeyRecord(**found | instants | kinds)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InvalidEncoding(
            "the record of a key is damaged", "restore the keys folder from its backup", where=where
        ) from None
