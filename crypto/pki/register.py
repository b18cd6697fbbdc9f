"""What an authority revoked (撤销登记), signed by the authority: a register that somebody changed is refused.

The signature is the CA's, over the canonical JSON behind a prefix that begins no certificate and no list. An older
register that was put back is told by the newest list beside it, which has a higher number.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from crypto.canonical import canonical_json
from crypto.errors import InvalidEncoding, VerificationFailed
from crypto.pki.crl import Reason, RevocationList, Revoked
from crypto.sm2 import PrivateKey, PublicKey
from records.instants import format_instant, parse_instant

VERSION = 2
PREFIX = b"yunwang ca register\n"


class RegisterChanged(InvalidEncoding):
    """The register is not as the authority wrote it."""

    def __init__(self, where: str) -> None:
        super().__init__(
            "the register of the CA is damaged, was changed, or is an older one",
            "restore the CA's whole folder from a backup: the register names what is revoked",
            where=where,
        )


@dataclass(frozen=True, slots=True)
class Register:
    """What the authority revoked, by serial number, and the number of its newest list."""

    revoked: Mapping[int, Revoked] = field(default_factory=dict)
    crl_number: int = 0

    def covers(self, newest: RevocationList) -> bool:
        """Whether it is not older than a list that was made from it."""
        return self.crl_number >= (newest.number or 0) and newest.revoked.keys() <= self.revoked.keys()


def encode(register: Register, key: PrivateKey) -> bytes:
    """As it lies in the folder."""
    body = _body(register)
    return _text(body, key.sign(PREFIX + canonical_json(body)))


def _body(register: Register) -> dict[str, object]:
    revoked = {
        f"{serial:x}": {"at": format_instant(one.at), "reason": one.reason.value}
        for serial, one in register.revoked.items()
    }
    return {"version": VERSION, "crl_number": register.crl_number, "revoked": revoked}


def _text(body: Mapping[str, object], signature: bytes) -> bytes:
    return json.dumps({**body, "signature": signature.hex()}, indent=1, sort_keys=True).encode()


def parse(data: bytes, where: str) -> tuple[Register, bytes]:
    """The register with its signature, which ``check`` must see; RegisterChanged unless every byte is understood."""
    try:
        read = json.loads(data)
        revoked = {
            int(serial, 16): Revoked(parse_instant(one["at"]), Reason(one["reason"]))
            for serial, one in read["revoked"].items()
        }
        found, signature = Register(revoked, int(read["crl_number"])), bytes.fromhex(read["signature"])
        sound = _text(_body(found), signature) == data
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        sound = False
    if not sound:
        raise RegisterChanged(where)
    return found, signature


def check(register: Register, signature: bytes, public: PublicKey, where: str) -> None:
    """Return quietly if the authority signed it, else raise RegisterChanged."""
    try:
        public.verify(signature, PREFIX + canonical_json(_body(register)))
    except (VerificationFailed, InvalidEncoding):
        raise RegisterChanged(where) from None
