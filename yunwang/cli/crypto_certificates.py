"""``yw crypto cert`` and ``yw crypto cms``."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import typer

from crypto.cms import Signer, read_signer, sign_detached
from crypto.errors import VerificationFailed
from crypto.identity import SiteIdentity
from crypto.x509 import Certificate, check_path
from records.errors import UsageError, UserError
from records.instants import now, parse_instant
from yunwang.cli.anchors import find_anchors, read_certificates
from yunwang.cli.files import naming, read_file, read_passphrase, write_file
from yunwang.cli.output import emit, show_error

cert = typer.Typer(rich_markup_mode=None, no_args_is_help=True, add_completion=False)
cms = typer.Typer(rich_markup_mode=None, no_args_is_help=True, add_completion=False)

CA = typer.Option(None, "--ca", help="the CA that you trust, PEM; else YW_CA or the data folder's")
DETACHED = typer.Option(True, "--detached", help="the only kind there is: the content stays in its file")


@cert.command("show")
def cert_show(file: Path) -> None:
    """Print what stands in the certificates of a file."""
    columns = ("subject", "issuer", "serial", "not_before", "not_after", "is_ca", "key_usage", "fingerprint")
    emit([_row(one) for one in read_certificates(file)], columns=columns)


def _row(one: Certificate) -> dict[str, Any]:
    return {
        "subject": one.subject_text,
        "issuer": one.issuer_text,
        "serial": f"{one.serial:x}",
        "not_before": one.not_before,
        "not_after": one.not_after,
        "is_ca": one.is_ca,
        "key_usage": None if one.key_usage is None else sorted(one.key_usage),
        "fingerprint": one.fingerprint,
    }


@cert.command("verify")
def cert_verify(
    file: Path, ca: Path | None = CA, at: str = typer.Option("", "--at", help="RFC 3339 instant; now")
) -> None:
    """Verify the chain from the first certificate of a file to a trusted CA."""
    leaf, *others = read_certificates(file)
    anchors, moment = find_anchors(ca), _instant(at)
    uses = frozenset({"digital_signature", "non_repudiation", "key_cert_sign"})
    try:
        with naming(file):
            path = check_path(leaf, others, anchors, moment, uses)
    except VerificationFailed as error:
        emit({"valid": False, "trusted": False, "chain": []})
        show_error(error)
        raise typer.Exit(1) from None
    emit({"valid": True, "trusted": path.trusted, "chain": [one.subject_text for one in path.certificates]})
    if not path.trusted:
        raise typer.Exit(1)


def _instant(text: str) -> datetime:
    try:
        return parse_instant(text) if text else now()
    except ValueError:
        raise UsageError(
            "'{text}' is no RFC 3339 instant", "write it as 2026-12-01T00:00:00Z", where="--at", text=text
        ) from None


@cms.command("sign")
def cms_sign(
    file: Path,
    key: str = typer.Option(..., "--key", help="private key, PEM, or `site` for the data folder's"),
    out: Path = typer.Option(..., "--out", help="where the signature goes"),
    cert_file: Path | None = typer.Option(None, "--cert", help="the key's certificate and its CA, PEM"),
    oids: str = typer.Option("gm", "--oids", help="gm or pkcs7"),
    detached: bool = DETACHED,  # noqa: ARG001 - named by the contract; there is no other kind yet
    passphrase_file: Path | None = typer.Option(None, "--passphrase-file", help="file whose text opens the key"),
) -> None:
    """Write a detached CMS signature, signer chain included."""
    if oids not in {"gm", "pkcs7"}:
        raise UsageError("unknown family of OIDs '{oids}'", "use gm or pkcs7", where="--oids", oids=oids)
    identity = _identity(key, cert_file, passphrase_file)
    at = now()
    write_file(out, sign_detached(read_file(file), identity, at, pkcs7=oids == "pkcs7"))
    emit({"signature": str(out), "signer": identity.certificate.subject_text, "signed_at": at.replace(microsecond=0)})


def _identity(key: str, certificate: Path | None, passphrase_file: Path | None) -> SiteIdentity:
    from crypto.keys.keyfile import load_private_key  # noqa: PLC0415 - only for signing
    from yunwang.wiring import open_site  # noqa: PLC0415 - only for signing

    if key == "site":
        return open_site().identity
    if certificate is None:
        raise UsageError(
            "a key file needs its certificate", "give --cert FILE with the certificate and its CA", where="--cert"
        )
    passphrase = read_passphrase(passphrase_file)
    with naming(Path(key)):
        private = load_private_key(read_file(Path(key)), passphrase)
    chain = read_certificates(certificate)
    if private.public != chain[0].public_key:
        raise UserError(
            "the certificate is for another key", "give the certificate that was issued for it", where=str(certificate)
        )
    return SiteIdentity(key=private, chain=chain)


@cms.command("verify")
def cms_verify(
    file: Path,
    sig: Path | None = typer.Option(None, "--sig", help="the signature; FILE.p7s"),
    ca: Path | None = CA,
    detached: bool = DETACHED,  # noqa: ARG001 - named by the contract; there is no other kind yet
) -> None:
    """Verify a detached CMS signature; exit 0 only if valid and trusted."""
    beside = sig or file.with_name(file.name + ".p7s")
    signature, data, anchors = read_file(beside), read_file(file), find_anchors(ca)
    try:
        with naming(beside):
            signer = read_signer(data, signature, anchors)
    except VerificationFailed as error:
        emit({"valid": False, "trusted": False, "signer": None, "signed_at": None})
        show_error(error)
        raise typer.Exit(1) from None
    emit(_verdict(signer))
    if not signer.trusted:
        show_error(UserError("valid, but its CA is not trusted here", "pass --ca FILE", where=str(file)))
        raise typer.Exit(1)


def _verdict(signer: Signer) -> dict[str, Any]:
    return {"valid": True, "trusted": signer.trusted, "signer": signer.name, "signed_at": signer.signed_at}
