"""``yw verify``: any signed artefact of ours, offline, with no data folder (CONTRACT §7)."""

from __future__ import annotations

from pathlib import Path

import typer

from crypto.bundle import Verification, verify_artefact
from records.errors import UserError
from yunwang.cli.anchors import find_anchors
from yunwang.cli.call import current
from yunwang.cli.output import emit, show_error
from yunwang.cli.revocations import find_revocations
from yunwang.language import translate
from yunwang.verification import RULES
from yunwang.wiring import order_providers, settings_of


def command(
    path: Path,
    ca: Path | None = typer.Option(None, "--ca", help="the CA that you trust, PEM"),
    crl: list[Path] = typer.Option([], "--crl", help="revocation list, PEM or DER; one of each CA"),
) -> None:
    """Verify a bundle (folder or zip), a file beside its .p7s, or a .p7s. Exit 0 only if valid and trusted."""
    order_providers(settings_of(current(), current().place(tell=False)))
    anchors = find_anchors(ca)
    found = verify_artefact(path, anchors, RULES, find_revocations(crl))
    emit(found.as_json(translate))
    if found.accepted:
        return
    if found.valid:
        show_error(_untrusted(found, str(path), known=bool(anchors)))
    raise typer.Exit(1)


def _untrusted(found: Verification, path: str, *, known: bool) -> UserError:
    if not known:
        return UserError("valid, but there is no CA to trust it by", "pass --ca FILE", where=path)
    return UserError(
        "valid, but signed by {signer} under {root}, which is not trusted here",
        "pass --ca FILE with the signer's CA, if you trust it",
        where=path,
        signer=found.signer,
        root=found.root,
    )
