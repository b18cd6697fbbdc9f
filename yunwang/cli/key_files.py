"""The keys that a user names: ``--key``, ``--pub``, ``--cert``."""

from __future__ import annotations

import re
import stat
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from crypto import asn1
from crypto.keys import keyfile
from crypto.sm2 import PrivateKey, PublicKey, device_key
from records.errors import Problem, RefusedError, UsageError
from yunwang.cli.anchors import read_certificates
from yunwang.cli.files import naming, read_file, read_passphrase
from yunwang.cli.output import show_warning

_DEVICE = re.compile(r"sdf:([0-9]{1,6})")


class Prf(StrEnum):
    """Whose OID of HMAC-SM3 a key file names."""

    GM = "gm"
    RFC = "rfc"

    @property
    def oid(self) -> str:
        """``gm`` as GmSSL and the GM standards write it, ``rfc`` the only one that OpenSSL 4 and Tongsuo read."""
        return asn1.HMAC_SM3 if self is Prf.GM else asn1.HMAC_SM3_OPENSSL


PrfOption = Annotated[
    Prf, typer.Option("--prf", help="OID of HMAC-SM3 in the file: gm, or rfc for OpenSSL 4 and Tongsuo")
]


def private_key(key: Path, passphrase_file: Path | None, *, encryption: bool = False) -> PrivateKey:
    """The private key of a PEM file, or ``sdf:NUMBER`` in the crypto device, for signing or else for decryption."""
    passphrase = read_passphrase(passphrase_file)
    if found := _DEVICE.fullmatch(str(key)):
        if passphrase is None:
            raise UsageError("no access code is given", "give --passphrase-file FILE", where="--passphrase-file")
        return device_key(int(found[1]), passphrase, encryption=encryption)
    data = read_file(key)
    with naming(key):
        loaded = keyfile.load_private_key(data, passphrase)
    _check_mode(key, encrypted=keyfile.is_encrypted(data))
    return loaded


def _check_mode(path: Path, *, encrypted: bool) -> None:
    """Refuse a plain key that others can read, and warn of an encrypted one: its passphrase is all that guards it."""
    if not path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        return
    if not encrypted:
        raise RefusedError(
            "others can read this key, and no passphrase guards it",
            "run `chmod 600 {path}`",
            where=str(path),
            path=path,
        )
    show_warning(Problem("others can read this key file", "run `chmod 600 {path}`", str(path), {"path": path}))


def public_key(pub: Path | None, certificate: Path | None, command: str) -> PublicKey:
    """The public key of one of both; ``command`` is named in the advice."""
    if (pub is None) == (certificate is None):
        raise UsageError("give one of --pub and --cert", "see `{command} --help`", where="--pub", command=command)
    if pub is not None:
        with naming(pub):
            return keyfile.load_public_key(read_file(pub))
    assert certificate is not None  # noqa: S101 - the line above; for mypy
    return read_certificates(certificate)[0].public_key
