"""``yw crypto``: self-test, digests, SM2 keys and signatures; what else there is stands in modules of its own."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

import typer

from crypto import der, sm2, sm3
from crypto.errors import CryptoError, InvalidEncoding, VerificationFailed
from crypto.keys import keyfile
from crypto.providers.registry import active
from records.errors import UsageError
from yunwang.cli.call import current
from yunwang.cli.crypto_certificates import cert
from yunwang.cli.crypto_cms import cms
from yunwang.cli.crypto_encryption import decrypt, encrypt
from yunwang.cli.crypto_keys import keys
from yunwang.cli.crypto_pki import ca, csr
from yunwang.cli.crypto_tsa import tsa
from yunwang.cli.files import naming, read_file, read_passphrase, unreadable, write_file
from yunwang.cli.key_files import Prf, PrfOption, private_key, public_key
from yunwang.cli.output import emit, show_error
from yunwang.wiring import order_providers, settings_of

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True, add_completion=False)
app.add_typer(cert, name="cert", help="show and verify certificates")
app.add_typer(keys, name="keys", help="the keys of the data folder and their life")
app.add_typer(ca, name="ca", help="a certification authority of your own")
app.add_typer(cms, name="cms", help="signed and encrypted messages (GM/T 0010)")
app.add_typer(tsa, name="tsa", help="time stamps (RFC 3161): serve, ask, verify")

app.command()(encrypt)
app.command()(decrypt)
app.command()(csr)

PASSPHRASE = typer.Option(
    None, "--passphrase-file", help="file whose text opens the key; else YW_PASSPHRASE_FILE or a prompt"
)
IDENTIFIER = typer.Option(sm2.DEFAULT_ID.decode(), "--id", help="SM2 user id")
RAW = typer.Option(False, "--raw", help="r||s, 64 bytes, instead of DER")
PUBLIC = 0o644


@app.callback()
def configured() -> None:
    """Keys, signatures, certificates, SM2 SM3 SM4."""
    order_providers(settings_of(current(), current().place(tell=False)))


@app.command()
def selftest() -> None:
    """Ask every configured provider its known questions; fails if a library answers wrong."""
    from crypto.selftest import run  # noqa: PLC0415 - loads libcrypto

    emit(
        [asdict(row) for row in run()],
        columns=("name", "provider", "serves", "library", "version", "file", "milliseconds"),
    )


@app.command()
def providers() -> None:
    """List the providers in the order in which they are asked."""
    registry = active()
    abouts = [registry.provider(name).about for name in registry.order]
    rows = [asdict(one) | {"capabilities": sorted(one.capabilities)} for one in abouts]
    emit(rows, columns=("name", "library", "version", "file", "capabilities"))


@app.command("hash")
def hash_(file: Path, alg: str = typer.Option("sm3", "--alg", help="sm3")) -> None:
    """Print the digest of a file; - reads stdin."""
    if alg != "sm3":
        raise UsageError("unknown digest '{algorithm}'", "use --alg sm3", where="--alg", algorithm=alg)
    digest = sm3.sm3_hex(sys.stdin.buffer.read()) if str(file) == "-" else _sm3_file(file)
    emit({"algorithm": "sm3", "digest": digest, "file": str(file)})


def _sm3_file(file: Path) -> str:
    try:
        return sm3.sm3_file(file).hex()
    except OSError as error:
        raise unreadable(file, error) from error


@app.command()
def hmac(
    file: Path, key_file: Path = typer.Option(..., "--key-file", help="its bytes, all of them, are the key")
) -> None:
    """Print the HMAC-SM3 of a file."""
    digest = sm3.hmac_sm3(read_file(key_file), read_file(file)).hex()
    emit({"algorithm": "hmac-sm3", "digest": digest, "file": str(file)})


@app.command()
def keygen(
    out: Path = typer.Option(..., "--out", help="private key, PKCS#8 PBES2, PEM"),
    pub: Path | None = typer.Option(None, "--pub", help="public key, SubjectPublicKeyInfo, PEM"),
    prf: PrfOption = Prf.GM,
    passphrase_file: Path | None = PASSPHRASE,
) -> None:
    """Make an SM2 key; the file is encrypted and readable by its owner alone."""
    passphrase = read_passphrase(passphrase_file)
    if passphrase is None:
        raise UsageError(
            "a private key is not stored without a passphrase", "give --passphrase-file FILE", where="--passphrase-file"
        )
    if out.exists():
        raise CryptoError(
            "{path} is there already", "a key is never overwritten: choose another name", where=str(out), path=str(out)
        )
    key = sm2.generate()
    write_file(out, keyfile.private_key_pem(key, passphrase, prf=prf.oid), 0o600)
    if pub is not None:
        write_file(pub, keyfile.public_key_pem(key.public))
    emit({"key": str(out), "pub": None if pub is None else str(pub), "fingerprint": key.public.fingerprint})


@app.command()
def sign(
    file: Path,
    key: Path = typer.Option(..., "--key", help="private key, PEM, or sdf:NUMBER in the crypto device"),
    out: Path = typer.Option(..., "--out", help="where the signature goes"),
    id: str = IDENTIFIER,  # noqa: A002 - the contract's option
    raw: bool = RAW,
    passphrase_file: Path | None = PASSPHRASE,
) -> None:
    """Sign a file with SM2 and SM3."""
    private = private_key(key, passphrase_file)
    signature = private.sign(read_file(file), id.encode())
    write_file(out, der.signature_to_raw(signature) if raw else signature)
    emit({"signature": str(out), "format": "raw" if raw else "der", "fingerprint": private.public.fingerprint})


@app.command()
def verify(
    file: Path,
    sig: Path = typer.Option(..., "--sig", help="the signature"),
    pub: Path | None = typer.Option(None, "--pub", help="public key, PEM"),
    cert_file: Path | None = typer.Option(None, "--cert", help="certificate that holds the public key"),
    id: str = IDENTIFIER,  # noqa: A002 - the contract's option
    raw: bool = RAW,
) -> None:
    """Verify an SM2 signature; exit 1 if it does not hold. --cert only gives the key: see `cert verify`."""
    key, signature, data = public_key(pub, cert_file, "yw crypto verify"), read_file(sig), read_file(file)
    try:
        with naming(sig):
            key.verify(der.signature_from_raw(signature) if raw else signature, data, id.encode())
    except (VerificationFailed, InvalidEncoding) as error:
        emit({"valid": False})
        show_error(error)
        raise typer.Exit(1) from None
    emit({"valid": True})
