"""``yw crypto encrypt`` and ``decrypt``: SM2 itself for 1 to 255 bytes, the SM4-GCM envelope for everything else."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import typer

from crypto import ciphertext, envelope
from crypto.ciphertext import Mode
from crypto.errors import AuthenticationFailed, InvalidEncoding, InvalidPoint
from crypto.keys.files import PRIVATE_FILE
from crypto.sm2 import MAX_TEXT_BYTES, PrivateKey, PublicKey
from records.errors import UsageError
from yunwang.cli.files import naming, read_file, replacing, unreadable, write_file
from yunwang.cli.key_files import private_key, public_key
from yunwang.cli.output import emit

MAX_SEALED_BYTES = 1 << 10  # more than any ciphertext of 255 bytes has
MODE = typer.Option("", "--mode", help="of up to 255 bytes: der, c1c3c2, or c1c2c3 for old partners; der")
IN = typer.Option(..., "--in", help="what is read")
OUT = typer.Option(..., "--out", help="what is written")


def encrypt(
    source: Path = IN,
    out: Path = OUT,
    pub: Path | None = typer.Option(None, "--pub", help="the receiver's public key, PEM"),
    cert_file: Path | None = typer.Option(None, "--cert", help="the receiver's certificate"),
    mode: str = MODE,
) -> None:
    """Encrypt a file for the holder of a key; more than 255 bytes go into an SM4-GCM envelope."""
    key, form = public_key(pub, cert_file, "yw crypto encrypt"), _mode(mode)
    written = _seal(source, out, key, form)
    emit({"out": str(out), "format": written, "fingerprint": key.fingerprint})


def decrypt(
    source: Path = IN,
    out: Path = OUT,
    key: Path = typer.Option(..., "--key", help="private key, PEM, or sdf:NUMBER in the crypto device"),
    mode: str = MODE,
    passphrase_file: Path | None = typer.Option(
        None, "--passphrase-file", help="file whose text opens the key; else YW_PASSPHRASE_FILE or a prompt"
    ),
) -> None:
    """Decrypt what `encrypt` wrote; nothing is written unless all of it is authentic."""
    private, form = private_key(key, passphrase_file, encryption=True), _mode(mode)
    with naming(source):
        written = _unseal(source, out, private, form)
    emit({"out": str(out), "format": written})


def _mode(text: str) -> Mode | None:
    if text and text not in tuple(Mode):
        raise UsageError("unknown form '{mode}'", "use der, c1c3c2 or c1c2c3", where="--mode", mode=text)
    return Mode(text) if text else None


def _refuse_mode(form: Mode | None) -> None:
    if form is not None:
        raise UsageError("an envelope has no --mode", "leave --mode out: it is for 1 to 255 bytes", where="--mode")


def _size(source: Path) -> int:
    try:
        return source.stat().st_size
    except OSError as error:
        raise unreadable(source, error) from error


def _open(source: Path) -> BinaryIO:
    try:
        return source.open("rb")
    except OSError as error:
        raise unreadable(source, error) from error


def _seal(source: Path, out: Path, key: PublicKey, form: Mode | None) -> str:
    """Choose by size; what was written."""
    if 1 <= _size(source) <= MAX_TEXT_BYTES:
        chosen = form or Mode.DER
        write_file(out, ciphertext.parse(key.encrypt(read_file(source))).encode(chosen))
        return chosen.value
    _refuse_mode(form)
    with _open(source) as file, replacing(out) as target:
        envelope.encrypt_stream(file, target, key)
    return "envelope"


def _unseal(source: Path, out: Path, key: PrivateKey, form: Mode | None) -> str:
    """Choose by how the file begins: no form of an SM2 ciphertext begins like an envelope."""
    with _open(source) as file, replacing(out, PRIVATE_FILE) as target:
        if not _begins_like_an_envelope(file):
            chosen = form or Mode.DER
            target.write(_opened(file.read(MAX_SEALED_BYTES), key, chosen))
            return chosen.value
        _refuse_mode(form)
        target.writelines(envelope.decrypt_stream(file, key))
        return "envelope"


def _begins_like_an_envelope(file: BinaryIO) -> bool:
    found = file.read(len(envelope.MAGIC)) == envelope.MAGIC
    file.seek(0)
    return found


def _opened(sealed: bytes, key: PrivateKey, form: Mode) -> bytes:
    try:
        return key.decrypt(ciphertext.parse(sealed, form).encode())
    except (InvalidEncoding, InvalidPoint):
        raise AuthenticationFailed from None
