"""``yw crypto cms``: messages signed and encrypted, for people and programs that are not ours (CONTRACT §8)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import typer

from crypto import pem
from crypto.cms import (
    Recipient,
    Signed,
    Signer,
    decrypt,
    decrypt_signed,
    encrypt,
    read_signed,
    sign,
    sign_and_encrypt,
    sign_for_gmssl,
)
from crypto.cms.enveloped import is_signed
from crypto.cms.message import MAX_MESSAGE_BYTES
from crypto.errors import CertificateRefused, InvalidEncoding, VerificationFailed
from crypto.identity import SiteIdentity
from crypto.keys.files import PRIVATE_FILE
from records.errors import UsageError, UserError
from records.instants import now
from yunwang.cli.anchors import find_anchors, read_certificates
from yunwang.cli.files import naming, read_file, write_file
from yunwang.cli.key_files import private_key
from yunwang.cli.output import emit, show_error
from yunwang.cli.revocations import find_revocations

cms = typer.Typer(rich_markup_mode=None, no_args_is_help=True, add_completion=False)

CA = typer.Option(None, "--ca", help="the CA that you trust, PEM; else YW_CA or the data folder's")
CRL = typer.Option([], "--crl", help="revocation list, PEM or DER; one of each CA")
KEY = typer.Option(..., "--key", help="private key, PEM, or `site` for the data folder's")
CERT = typer.Option(None, "--cert", help="the key's certificate and its CA, PEM")
PASSPHRASE = typer.Option(
    None, "--passphrase-file", help="file whose text opens the key; else YW_PASSPHRASE_FILE or a prompt"
)
OIDS = typer.Option("gm", "--oids", help="gm or pkcs7")
FOR = typer.Option("", "--for", help="gmssl: the form that only GmSSL reads, without a signing time")
PEM = typer.Option(False, "--pem", help="write PEM instead of DER")
SIGNATURE_SUFFIX = ".p7s"
LABELS = {"CMS", "PKCS7"}


@cms.command("sign")
def cms_sign(
    file: Path,
    key: str = KEY,
    out: Path = typer.Option(..., "--out", help="where the message goes"),
    cert_file: Path | None = CERT,
    oids: str = OIDS,
    detached: bool = typer.Option(False, "--detached", help="leave the content in its file"),
    tsa: str = typer.Option("", "--tsa", help="who time-stamps the signature: `site` or a URL; else [crypto] tsa"),
    reader: str = FOR,
    as_pem: bool = PEM,
    passphrase_file: Path | None = PASSPHRASE,
) -> None:
    """Sign a file; the signer's chain comes along, and the content unless --detached."""
    pkcs7, gmssl = _form(oids, reader)
    if gmssl and (detached or pkcs7 or tsa):
        raise UsageError("GmSSL reads only one form", "leave out --detached, --oids and --tsa", where="--for")
    identity = _stamping(signing_identity(key, cert_file, passphrase_file), tsa)
    data, at = read_file(file), now()
    signed = sign_for_gmssl(data, [identity]) if gmssl else sign(data, [identity], at, detached=detached, pkcs7=pkcs7)
    _write(out, signed, as_pem=as_pem)
    stamped = identity.stamp is not None and not gmssl
    told = {"signature": str(out), "signer": identity.certificate.subject_text, "timestamped": stamped}
    emit(told | {"signed_at": None if gmssl else at.replace(microsecond=0)})


def _form(oids: str, reader: str) -> tuple[bool, bool]:
    """Whether the OIDs of PKCS#7 are wanted, and whether GmSSL is to read it."""
    if oids not in {"gm", "pkcs7"}:
        raise UsageError("unknown family of OIDs '{oids}'", "use gm or pkcs7", where="--oids", oids=oids)
    if reader not in {"", "gmssl"}:
        raise UsageError("unknown reader '{reader}'", "use gmssl, or leave it out", where="--for", reader=reader)
    return oids == "pkcs7", reader == "gmssl"


def signing_identity(key: str, certificate: Path | None, passphrase_file: Path | None) -> SiteIdentity:
    """Who signs: the site, or the key of a file with its certificates."""
    from yunwang.wiring import open_site  # noqa: PLC0415 - only for signing

    if key == "site":
        return open_site().identity
    if certificate is None:
        raise UsageError(
            "a key file needs its certificate", "give --cert FILE with the certificate and its CA", where="--cert"
        )
    private = private_key(Path(key), passphrase_file)
    chain = read_certificates(certificate)
    if private.public != chain[0].public_key:
        raise UserError(
            "the certificate is for another key", "give the certificate that was issued for it", where=str(certificate)
        )
    return SiteIdentity(key=private, chain=chain)


def _stamping(identity: SiteIdentity, tsa: str) -> SiteIdentity:
    if not tsa:
        return identity
    if tsa == "site":
        from yunwang.wiring import open_site  # noqa: PLC0415 - only for the site's own authority

        return replace(identity, stamp=open_site().time_stamps(tsa))
    from crypto.timestamp.client import source  # noqa: PLC0415 - http only here

    return replace(identity, stamp=source(tsa))


@cms.command("verify")
def cms_verify(
    file: Path,
    sig: Path | None = typer.Option(None, "--sig", help="the signature of FILE; else FILE.p7s, else FILE is signed"),
    ca: Path | None = CA,
    crl: list[Path] = CRL,
    out: Path | None = typer.Option(None, "--out", help="where the content of a valid and trusted message goes"),
    detached: bool = typer.Option(False, "--detached", help="FILE.p7s must be there, or --sig"),
) -> None:
    """Verify a signed message; exit 0 only if every signature is valid and trusted."""
    message, beside = _parts(file, sig, detached=detached)
    anchors, known = find_anchors(ca), find_revocations(crl)
    data = None if beside is None else read_file(beside)
    with naming(message):
        body = _message(read_file(message))
    found = _checked(message, lambda: read_signed(body, anchors, at=now(), data=data, known=known))
    _tell(found.signers, message, known=bool(anchors))
    if out is not None:
        write_file(out, found.content)


def _parts(file: Path, sig: Path | None, *, detached: bool) -> tuple[Path, Path | None]:
    """The message, and the file of its content where that is another one."""
    if sig is not None:
        return sig, file
    beside = file.with_name(file.name + SIGNATURE_SUFFIX)
    if beside.exists() or detached:
        return beside, file
    content = file.with_suffix("")
    return file, content if file.suffix == SIGNATURE_SUFFIX and content.exists() else None


def _checked(message: Path, read: Callable[[], Signed]) -> Signed:
    """What reading gives; a refusal is told and ends with 1."""
    try:
        with naming(message):
            return read()
    except VerificationFailed as error:
        nobody: dict[str, Any] = {
            "trusted": False,
            "signer": None,
            "signed_at": None,
            "timestamped": False,
            "signers": [],
        }
        emit({"valid": False, **nobody, "why": type(error).__name__})
        show_error(error)
        raise typer.Exit(1) from None


def _tell(signers: tuple[Signer, ...], message: Path, *, known: bool, **more: Any) -> None:
    """The verdict on a message whose signatures hold; ends with 1 unless all signers are trusted."""
    rows = [_row(one) for one in signers]
    trusted = all(one.trusted for one in signers)
    emit({"valid": True, **rows[0], "trusted": trusted, "signers": rows, "why": None, **more})
    if trusted:
        return
    stranger = next(one for one in signers if not one.trusted)
    show_error(_untrusted(stranger, message) if known else _no_anchor(message))
    raise typer.Exit(1)


def _row(signer: Signer) -> dict[str, Any]:
    return {
        "trusted": signer.trusted,
        "signer": signer.name,
        "signed_at": signer.signed_at,
        "timestamped": signer.timestamped,
    }


def _no_anchor(message: Path) -> CertificateRefused:
    return CertificateRefused("valid, but there is no CA to trust it by", "pass --ca FILE", where=str(message))


def _untrusted(signer: Signer, message: Path) -> CertificateRefused:
    return CertificateRefused(
        "valid, but signed by {signer} under {root}, which is not trusted here",
        "pass --ca FILE with the signer's CA, if you trust it",
        where=str(message),
        signer=signer.name,
        root=signer.root,
    )


@cms.command("encrypt")
def cms_encrypt(
    file: Path,
    cert_files: list[Path] = typer.Option(..., "--cert", help="a recipient's certificate; several may be named"),
    out: Path = typer.Option(..., "--out", help="where the message goes"),
    oids: str = OIDS,
    reader: str = typer.Option("", "--for", help="gmssl: name SM2 encryption as GmSSL does"),
    sign_key: str = typer.Option("", "--sign-key", help="sign as well: private key, PEM, or `site`"),
    sign_cert: Path | None = typer.Option(None, "--sign-cert", help="the signing key's certificate and its CA, PEM"),
    as_pem: bool = PEM,
    passphrase_file: Path | None = PASSPHRASE,
) -> None:
    """Encrypt a file for the holders of certificates (SM2, SM4-CBC); with --sign-key sign it as well."""
    pkcs7, gmssl = _form(oids, reader)
    recipients = [read_certificates(one)[0] for one in cert_files]
    data = read_file(file)
    if sign_key:
        signer = signing_identity(sign_key, sign_cert, passphrase_file)
        message = sign_and_encrypt(data, [signer], recipients, now(), pkcs7=pkcs7)
    else:
        message = encrypt(data, recipients, pkcs7=pkcs7, for_gmssl=gmssl)
    _write(out, message, as_pem=as_pem)
    emit({"message": str(out), "recipients": [one.subject_text for one in recipients], "signed": bool(sign_key)})


@cms.command("decrypt")
def cms_decrypt(
    file: Path,
    key: Path = typer.Option(..., "--key", help="private key, PEM"),
    cert_file: Path = typer.Option(..., "--cert", help="the certificate that the message was encrypted for"),
    out: Path = typer.Option(..., "--out", help="where the content goes"),
    ca: Path | None = CA,
    crl: list[Path] = CRL,
    passphrase_file: Path | None = PASSPHRASE,
) -> None:
    """Decrypt a message; nothing is written unless all of it holds, and a signer is trusted."""
    recipient = Recipient(key=private_key(key, passphrase_file), certificate=read_certificates(cert_file)[0])
    with naming(file):
        message = _message(read_file(file))
        signed = is_signed(message)
        plain = None if signed else decrypt(message, recipient)
    if plain is not None:
        write_file(out, plain, PRIVATE_FILE)
        emit({"out": str(out), "signers": []})
        return
    anchors, known = find_anchors(ca), find_revocations(crl)
    found = _checked(file, lambda: decrypt_signed(message, recipient, anchors, at=now(), known=known))
    _tell(found.signers, file, known=bool(anchors), out=str(out) if found.trusted else None)
    write_file(out, found.content, PRIVATE_FILE)


def _message(data: bytes) -> bytes:
    """DER as it is, or the one block of a PEM file; raises InvalidEncoding."""
    if not data.startswith(b"-----BEGIN"):
        return data
    if len(data) > 2 * MAX_MESSAGE_BYTES:
        raise InvalidEncoding("it is longer than {limit} bytes", "split it", limit=2 * MAX_MESSAGE_BYTES)
    label, body = pem.blocks(data)[0]
    if label not in LABELS:
        raise InvalidEncoding("PEM block {label} is no message", "give one of CMS or PKCS7", label=label)
    return body


def _write(out: Path, message: bytes, *, as_pem: bool) -> None:
    write_file(out, pem.encode("CMS", message) if as_pem else message)
