"""``yw crypto cert``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import typer

from crypto.errors import CertificateRefused, VerificationFailed
from crypto.keys.keystore import KeyStore
from crypto.pki.chain import Policy, read_path, responder_of
from crypto.pki.expiry import report
from crypto.pki.profiles import Profile
from crypto.x509 import Certificate, load_certificates
from crypto.x509 import Path as Chain
from records.errors import UsageError
from records.instants import now, parse_instant
from records.secret import Secret
from yunwang.cli.anchors import find_anchors, read_certificates
from yunwang.cli.call import current
from yunwang.cli.files import naming
from yunwang.cli.output import emit, show_error
from yunwang.cli.revocations import read_lists

cert = typer.Typer(rich_markup_mode=None, no_args_is_help=True, add_completion=False)

CA = typer.Option(None, "--ca", help="the CA that you trust, PEM; else YW_CA or the data folder's")


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
    file: Path,
    ca: Path | None = CA,
    at: str = typer.Option("", "--at", help="RFC 3339 instant; now"),
    crl: list[Path] = typer.Option([], "--crl", help="revocation list, PEM or DER; may be given several times"),
    ocsp: str = typer.Option("", "--ocsp", help="http://HOST:PORT/ of the CA's responder; for CAs, that they name"),
    use: Profile | None = typer.Option(None, "--use", help="what it is used for; any use if not given"),
    host: str = typer.Option("", "--host", help="DNS name or IP address that it must be for"),
) -> None:
    """Verify the chain from the first certificate of a file to a trusted CA, its use, name and revocation."""
    leaf, *others = read_certificates(file)
    anchors, moment = find_anchors(ca), _instant(at)
    policy = Policy(profile=use, host=host or None, lists=read_lists(crl))
    try:
        with naming(file):
            path = read_path(leaf, others, anchors, moment, policy)
            asked = _ask_responders(path, ocsp)
    except VerificationFailed as error:
        emit({"valid": False, "trusted": False, "chain": [], "why": type(error).__name__, "ocsp": []})
        show_error(error)
        raise typer.Exit(1) from None
    chain = [one.subject_text for one in path.certificates]
    emit({"valid": True, "trusted": path.trusted, "chain": chain, "why": None, "ocsp": asked})
    if not path.trusted:
        show_error(_untrusted(path, str(file), known=bool(anchors)))
        raise typer.Exit(1)


def _untrusted(path: Chain, where: str, *, known: bool) -> CertificateRefused:
    if not known:
        return CertificateRefused("valid, but there is no CA to trust it by", "pass --ca FILE", where=where)
    return CertificateRefused(
        "the chain of certificate {name} ends in '{root}', which is not trusted here",
        "pass --ca FILE with its CA if you trust it",
        where=where,
        name=path.certificates[0].subject_text,
        root=path.certificates[-1].subject_text,
    )


def _ask_responders(path: Chain, url: str) -> list[dict[str, Any]]:
    """Each certificate below the anchor, and who was asked about it; None where nobody could be.

    The first is asked at ``url``, another at the address that it names, but only under a trusted anchor: else a
    certificate could send us anywhere.
    """
    if not url:
        return []
    rows: list[dict[str, Any]] = []
    for below, issuer in pairwise(path.certificates):
        address = (responder_of(below) if path.trusted else None) if rows else url
        if address:
            _ask_responder(below, issuer, address)
        rows.append({"certificate": below.subject_text, "asked": address})
    return rows


def _ask_responder(one: Certificate, issuer: Certificate, url: str) -> None:
    """Return quietly if the responder says that the certificate is good."""
    from crypto.pki.ocsp import check_response, make_request, new_nonce  # noqa: PLC0415 - only where it is asked
    from crypto.pki.ocsp_http import ask  # noqa: PLC0415

    nonce = new_nonce()
    check_response(ask(url, make_request(one, issuer, nonce)), one, issuer, nonce, now())


@cert.command("ls")
def cert_ls(
    files: list[Path] = typer.Argument(None, help="certificates, PEM or DER; else those of the data folder"),
    days: int | None = typer.Option(None, "--days", min=0, help="only those that end within so many days"),
) -> None:
    """List certificates with the days they have left, the one that ends first on top."""
    rows = [asdict(one) for one in report(_named(files or []), now())]
    shown = [row for row in rows if days is None or row["days_left"] <= days]
    emit(shown, columns=("level", "days_left", "not_after", "name", "subject", "serial"))


def _named(files: list[Path]) -> Iterator[tuple[str, Certificate]]:
    if files:
        yield from ((str(path), one) for path in files for one in read_certificates(path))
        return
    keystore = KeyStore(current().place(tell=False).keys, Secret(""))
    for record in keystore.records():
        pem = keystore.certificate_pem(record.name)
        if pem is not None:
            yield record.name, load_certificates(pem)[0]


def _instant(text: str) -> datetime:
    try:
        return parse_instant(text) if text else now()
    except ValueError:
        raise UsageError(
            "'{text}' is no RFC 3339 instant", "write it as 2026-12-01T00:00:00Z", where="--at", text=text
        ) from None
