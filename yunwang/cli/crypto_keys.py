"""``yw crypto keys``: the keys of the data folder without their secrets, and the steps of their life."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from crypto.keys.keystore import KeyStore
from crypto.keys.lifecycle import State, check_transition
from crypto.keys.record import KeyRecord, Use
from crypto.x509 import load_certificates
from records.errors import UsageError
from records.instants import now
from records.secret import Secret
from yunwang.cli.files import write_file
from yunwang.cli.key_files import Prf, PrfOption
from yunwang.cli.output import emit
from yunwang.secrets import secret_of_file
from yunwang.wiring import Site, open_site

keys = typer.Typer(rich_markup_mode=None, no_args_is_help=True, add_completion=False)

DryRun = Annotated[bool, typer.Option("--dry-run", help="tell what would come of it, change nothing")]
PRIVATE = 0o600
COLUMNS = ("name", "use", "algorithm", "state", "created", "changed", "fingerprint", "certificate", "not_after")


@keys.command("ls")
def ls() -> None:
    """List the keys with their states; secrets are never shown."""
    keystore = KeyStore(open_site().place.keys, Secret(""))
    emit([_told(one) | _certified(keystore, one) for one in keystore.records()], columns=COLUMNS)


def _certified(keystore: KeyStore, record: KeyRecord) -> dict[str, object]:
    """What the certificate beside a key says, if there is one."""
    pem = keystore.certificate_pem(record.name)
    if pem is None:
        return {"certificate": None, "not_after": None}
    found = load_certificates(pem)[0]
    return {"certificate": found.fingerprint, "fingerprint": found.public_key.fingerprint, "not_after": found.not_after}


def _told(record: KeyRecord) -> dict[str, object]:
    return dict(record.as_json())


@keys.command("generate")
def generate(
    name: str,
    use: Annotated[Use, typer.Option("--use", help="what it is for: sign or enc")] = Use.SIGN,
    dry_run: DryRun = False,
) -> None:
    """Make a key, which waits to be activated."""
    site, at = open_site(), now()
    if dry_run:
        site.keystore.check_free(name)
        emit({"name": name, "use": use, "state": State.PRE_ACTIVE, "applied": False})
        return
    from yunwang.custody import custody_of  # noqa: PLC0415 - the state database only for a change

    emit(_told(custody_of(site).generate(name, use, at)) | {"applied": True})


@keys.command("activate")
def activate(name: str, dry_run: DryRun = False) -> None:
    """Let a key that waits be used."""
    _change(name, State.ACTIVE, dry_run)


@keys.command("deactivate")
def deactivate(name: str, dry_run: DryRun = False) -> None:
    """End the use of a key: it still opens and checks what it made, and makes nothing new."""
    _change(name, State.DEACTIVATED, dry_run)


@keys.command("compromise")
def compromise(name: str, dry_run: DryRun = False) -> None:
    """Report a key as known to others: it is used for nothing from now on."""
    _change(name, State.COMPROMISED, dry_run)


def _change(name: str, state: State, dry_run: bool) -> None:
    site, at = open_site(), now()
    if dry_run:
        emit(_told(_would(site, name, state, at)) | {"applied": False})
        return
    from yunwang.custody import custody_of  # noqa: PLC0415 - the state database only for a change

    emit(_told(custody_of(site).change(name, state, at)) | {"applied": True})


def _would(site: Site, name: str, state: State, at: datetime) -> KeyRecord:
    """The record as it would be; raises as the change itself would."""
    return site.keystore.record(name).become(state, at)


@keys.command("destroy")
def destroy(name: str, dry_run: DryRun = False) -> None:
    """Overwrite and remove a deactivated key; takes two persons where there are two users. Its record stays."""
    site, at = open_site(), now()
    if dry_run:
        emit(_told(_would(site, name, State.DESTROYED, at)) | {"applied": False})
        return
    from yunwang.custody import custody_of  # noqa: PLC0415 - the state database only for a change

    record, agreed = custody_of(site).destroy(name, at)
    emit(_told(record) | {"approvals": agreed, "applied": True})


@keys.command("rotate")
def rotate(name: str, dry_run: DryRun = False) -> None:
    """A new key takes the name; the old one stays, deactivated. The site's CA certifies its new signing key."""
    from yunwang.custody import certify_of, custody_of  # noqa: PLC0415 - the state database only for a change

    site, at = open_site(), now()
    certify = certify_of(site, name)
    if dry_run:
        check_transition(name, site.keystore.record(name).state, State.DEACTIVATED)
        emit({"name": name, "applied": False})
        return
    fresh, old = custody_of(site).rotate(name, at, certify)
    emit(_told(fresh) | {"kept_as": old.name, "applied": True})


@keys.command("rotate-kek")
def rotate_kek(dry_run: DryRun = False) -> None:
    """Make a new key-encrypting key and wrap all data keys under it; the older ones are deactivated."""
    from crypto.keys.datakeys import DataKeys  # noqa: PLC0415 - only here
    from yunwang.custody import audit_of  # noqa: PLC0415 - the state database only for a change

    site = open_site()
    kept = DataKeys(keystore=site.keystore, audit=audit_of(site))
    if dry_run:
        emit({"rewrapped": len(kept.names()), "applied": False})
        return
    fresh, count = kept.rotate(now())
    emit(_told(fresh) | {"rewrapped": count, "applied": True})


@keys.command("export")
def export(
    name: str,
    out: Annotated[Path, typer.Option("--out", help="private key, PKCS#8 PBES2, PEM")],
    new_passphrase_file: Annotated[Path, typer.Option("--new-passphrase-file", help="what opens the exported key")],
    prf: PrfOption = Prf.GM,
    dry_run: DryRun = False,
) -> None:
    """Write a key under another passphrase; takes two persons where there are two users."""
    site, secret = open_site(), secret_of_file(new_passphrase_file)
    if not secret.reveal():
        raise UsageError(
            "a private key is not stored without a passphrase",
            "put one into the file",
            where="--new-passphrase-file",
        )
    told = {"name": name, "key": str(out), "fingerprint": site.keystore.record(name).fingerprint}
    if dry_run:
        emit(told | {"applied": False})
        return
    from yunwang.custody import custody_of  # noqa: PLC0415 - the state database only for a change

    data, agreed = custody_of(site).export(name, secret, prf=prf.oid)
    write_file(out, data, PRIVATE)
    emit(told | {"approvals": agreed, "applied": True})
