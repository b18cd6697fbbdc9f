"""``yw crypto ca`` and ``yw crypto csr``: an authority of one's own, and requests to any."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from crypto.keys.enveloped_key import seal_key
from crypto.pki import building
from crypto.pki.authority import CA_DAYS, DAYS, Authority
from crypto.pki.crl import Reason, list_pem
from crypto.pki.csr import Request, make_request, read_request
from crypto.pki.profiles import Profile
from crypto.x509 import Certificate, certificates_pem
from records.errors import UsageError
from records.instants import now
from records.secret import Secret
from yunwang.cli.anchors import read_certificates
from yunwang.cli.call import current
from yunwang.cli.files import naming, read_file, read_passphrase, write_file
from yunwang.cli.key_files import private_key
from yunwang.cli.output import emit, note
from yunwang.sockets import split_address

ca = typer.Typer(rich_markup_mode=None, no_args_is_help=True, add_completion=False)
ocsp = typer.Typer(rich_markup_mode=None, no_args_is_help=True, add_completion=False)
ca.add_typer(ocsp, name="ocsp", help="answer whether certificates are revoked")

Dir = Annotated[Path | None, typer.Option("--dir", help="folder of the CA, or `site`; ca in the data folder")]
PassphraseFile = Annotated[
    Path | None,
    typer.Option("--passphrase-file", help="file whose text opens the key; else YW_PASSPHRASE_FILE or a prompt"),
]
Days = Annotated[int, typer.Option("--days", min=1, max=36500, help="validity in days")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="tell what would come of it, change nothing")]
SITE = "site"
Subject = Annotated[str, typer.Option("--subject", help="CN=NAME,O=ORGANISATION,C=CN")]
Names = Annotated[list[str], typer.Option("--name", help="DNS name or IP address; may be given several times")]


def _authority(option: Path | None, passphrase_file: Path | None) -> Authority:
    passphrase = read_passphrase(passphrase_file)
    if passphrase is None:
        raise UsageError("the CA's key needs its passphrase", "give --passphrase-file FILE", where="--passphrase-file")
    return _opened(option, passphrase)


def _opened(option: Path | None, passphrase: Secret) -> Authority:
    """The CA in ``--dir``, the site's own, or the one in the folder ``ca`` of the data folder.

    Where the data folder has a state database, its audit log hears of what the CA does, wherever the CA lies.
    """
    from yunwang.custody import audit_of_call  # noqa: PLC0415 - the state database only where there is one

    place, audit = current().place(tell=False), audit_of_call()
    if str(option) == SITE:
        return Authority(place.root, passphrase, audit=audit, site=True)
    return Authority(option or place.root / "ca", passphrase, audit=audit)


def _certificate(one: Certificate) -> dict[str, object]:
    return {
        "subject": one.subject_text,
        "issuer": one.issuer_text,
        "serial": f"{one.serial:x}",
        "not_before": one.not_before,
        "not_after": one.not_after,
        "fingerprint": one.fingerprint,
    }


@ca.command("init")
def init(
    subject: Subject,
    folder: Dir = None,
    parent: Annotated[Path | None, typer.Option("--parent", help="folder of the CA above; none makes a root")] = None,
    days: Days = CA_DAYS,
    path_length: Annotated[
        int | None, typer.Option("--path-length", min=0, max=6, help="how many CAs may follow below")
    ] = None,
    passphrase_file: PassphraseFile = None,
    dry_run: DryRun = False,
) -> None:
    """Make a CA: a root, or one below --parent, which has the same passphrase."""
    if str(folder) == SITE or str(parent) == SITE:
        raise UsageError(
            "the site's CA comes with the site", "set the site up: yw inventory import PATH", where="--dir"
        )
    name, length = building.name_of(subject), path_length if path_length is not None else int(parent is None)
    found = _authority(folder, passphrase_file)
    if dry_run:
        found.check_empty()
        emit({"ca": str(found.folder / "ca.pem"), "applied": False})
        return
    if parent is None:
        found.create_root(name, now(), days=days, path_length=length)
    else:
        above = _authority(parent, passphrase_file)
        found.create_below(above, name, now(), days=days, path_length=length)
    emit(_certificate(found.certificate) | {"ca": str(found.folder / "ca.pem"), "applied": True})


@ca.command("ls")
def ls(folder: Dir = None) -> None:
    """List what a CA issued, with what is revoked."""
    found = _opened(folder, Secret(""))
    revoked = found.register().revoked
    rows = [
        _certificate(one)
        | {
            "revoked_at": revoked[one.serial].at if one.serial in revoked else None,
            "reason": revoked[one.serial].reason if one.serial in revoked else None,
        }
        for one in found.issued()
    ]
    emit(rows, columns=("serial", "subject", "not_after", "revoked_at", "reason"))


@ca.command("issue")
def issue(
    request: Annotated[Path, typer.Argument(help="certification request, PEM or DER")],
    out: Annotated[Path, typer.Option("--out", help="certificate and its chain, PEM")],
    profile: Annotated[Profile, typer.Option("--profile", help="what it is for")],
    folder: Dir = None,
    days: Days = DAYS,
    name: Names = [],  # noqa: B006 - Typer's way; never changed
    passphrase_file: PassphraseFile = None,
    dry_run: DryRun = False,
) -> None:
    """Issue a certificate for a request; --name replaces the names that it asks for."""
    asked = _read_request(request)
    names = tuple(name) or asked.names
    building.alternative_names(names)
    shown: dict[str, object] = {"profile": profile, "names": list(names), "certificate": str(out)}
    if dry_run:
        emit({"subject": asked.subject_text} | shown | {"applied": False})
        return
    found = _authority(folder, passphrase_file)
    chain = found.issue(profile, asked.public_key, asked.subject, names, now(), days=days)
    write_file(out, certificates_pem(chain))
    emit(_certificate(chain[0]) | shown | {"applied": True})


@ca.command("issue-pair")
def issue_pair(
    request: Annotated[Path, typer.Argument(help="request of the signing key")],
    out: Annotated[Path, typer.Option("--out", help="signing certificate and its chain, PEM")],
    enc_out: Annotated[Path, typer.Option("--enc-out", help="encryption certificate and its chain, PEM")],
    enc_key: Annotated[Path, typer.Option("--enc-key", help="encryption key as SM2EnvelopedKey, DER")],
    folder: Dir = None,
    days: Days = DAYS,
    passphrase_file: PassphraseFile = None,
    dry_run: DryRun = False,
) -> None:
    """Issue dual certificates; the encryption key is made here and enveloped for the signing key."""
    asked = _read_request(request)
    if dry_run:
        emit({"subject": asked.subject_text, "applied": False})
        return
    found = _authority(folder, passphrase_file)
    signing, encryption, key = found.issue_pair(asked.public_key, asked.subject, now(), days=days)
    write_file(out, certificates_pem((signing, *found.chain)))
    write_file(enc_out, certificates_pem((encryption, *found.chain)))
    write_file(enc_key, seal_key(key, asked.public_key))
    shown = {"sign": _certificate(signing), "enc": _certificate(encryption), "enc_key": str(enc_key)}
    emit({"subject": asked.subject_text} | shown | {"applied": True})


def _read_request(path: Path) -> Request:
    data = read_file(path)
    with naming(path):
        return read_request(data)


@ca.command("revoke")
def revoke(
    folder: Dir = None,
    serial: Annotated[str | None, typer.Option("--serial", help="serial number, hex")] = None,
    cert: Annotated[Path | None, typer.Option("--cert", help="the certificate instead")] = None,
    reason: Annotated[Reason, typer.Option("--reason", help="why")] = Reason.UNSPECIFIED,
    passphrase_file: PassphraseFile = None,
    dry_run: DryRun = False,
) -> None:
    """Revoke a certificate that this CA issued; the CA's key signs the next list, `crl.pem` in its folder."""
    number, at = _serial(serial, cert), now().replace(microsecond=0)
    if dry_run:
        _opened(folder, Secret("")).check_issued(number)
        emit({"serial": f"{number:x}", "revoked_at": at, "reason": reason, "crl": None, "applied": False})
        return
    found = _authority(folder, passphrase_file)
    revoked = found.revoke(number, at, reason)
    shown = {"revoked_at": revoked.at, "reason": revoked.reason, "crl": str(found.list_file)}
    emit({"serial": f"{number:x}"} | shown | {"applied": True})


def _serial(text: str | None, certificate: Path | None) -> int:
    if (text is None) == (certificate is None):
        raise UsageError("give one of --serial and --cert", "see `yw crypto ca revoke --help`", where="--serial")
    if certificate is not None:
        return read_certificates(certificate)[0].serial
    try:
        return int(str(text), 16)
    except ValueError:
        raise UsageError(
            "'{text}' is no serial number",
            "write it in hex, as `yw crypto cert show` does",
            where="--serial",
            text=text,
        ) from None


@ca.command("crl")
def crl(
    out: Annotated[Path, typer.Option("--out", help="revocation list, PEM")],
    folder: Dir = None,
    days: Annotated[int, typer.Option("--days", min=1, max=366, help="days until the next list is due")] = 7,
    passphrase_file: PassphraseFile = None,
    dry_run: DryRun = False,
) -> None:
    """Write the next revocation list."""
    found = _authority(folder, passphrase_file)
    if dry_run:
        register = found.register()
        emit({"crl": str(out), "number": register.crl_number + 1, "revoked": len(register.revoked), "applied": False})
        return
    made = found.publish(now(), timedelta(days=days))
    write_file(out, list_pem(made))
    shown = {"number": made.number, "revoked": len(made.revoked), "next_update": made.next_update}
    emit({"crl": str(out)} | shown | {"applied": True})


@ocsp.command("serve")
def serve(
    folder: Dir = None,
    listen: Annotated[str, typer.Option("--listen", help="HOST:PORT")] = "127.0.0.1:2560",
    passphrase_file: PassphraseFile = None,
) -> None:
    """Answer OCSP requests until SIGINT or SIGTERM, with a key that this CA certifies for a month."""
    import signal  # noqa: PLC0415 - only for serving

    from crypto.pki.ocsp_http import make_server  # noqa: PLC0415

    found = _authority(folder, passphrase_file)
    responder = found.responder(now())
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    address = split_address(listen, "--listen")
    with make_server(address, lambda data: responder.answer(data, found.look, now())) as server:
        note("ocsp: http://{host}:{port}/", host=address[0], port=server.server_address[1])
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return


def csr(
    key: Annotated[Path, typer.Option("--key", help="private key, PEM")],
    subject: Subject,
    out: Annotated[Path, typer.Option("--out", help="certification request, PEM")],
    name: Names = [],  # noqa: B006 - Typer's way; never changed
    passphrase_file: PassphraseFile = None,
) -> None:
    """Make a certification request (PKCS#10) for a key."""
    building.name_of(subject)
    made = make_request(private_key(key, passphrase_file), subject, name)
    write_file(out, made)
    asked = read_request(made)
    shown = {"subject": asked.subject_text, "names": list(asked.names), "fingerprint": asked.public_key.fingerprint}
    emit({"csr": str(out)} | shown)
