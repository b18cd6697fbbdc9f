"""The site's keys under custody: audited in the state database, and for two persons where two are there (§10)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from crypto.keys.custody import Custody
from crypto.keys.ports import Approve, Audit, KeyEvent
from crypto.pki.site import CA_NAME, SIGNER_NAME, issue_signer
from crypto.sm2 import PublicKey
from crypto.x509 import Certificate, load_certificates
from records.errors import RefusedError
from records.instants import now

if TYPE_CHECKING:
    from crypto.keys.custody import Certify
    from yunwang.wiring import Site


def custody_of(site: Site) -> Custody:
    """The keystore of a site with its audit log and its rule for two."""
    return Custody(keystore=site.keystore, audit=_audit_of(site), approve=_approve_of(site))


def _audit_of(site: Site) -> Audit:
    """The port ``crypto.keys.ports.Audit`` on the log of the state database."""
    from access.audit import Outcome, record  # noqa: PLC0415 - the state database on first use
    from storage.state import writing  # noqa: PLC0415

    actor = site.actor

    def write(event: KeyEvent, outcome: Outcome) -> None:
        with writing(site.state) as connection:
            record(connection, actor, event.action, event.name, outcome, event.detail, now())

    @contextmanager
    def audited(event: KeyEvent, /) -> Iterator[None]:
        try:
            with writing(site.state) as connection:
                record(connection, actor, event.action, event.name, "success", event.detail, now())
                yield
        except Exception:
            write(event, "failure")
            raise

    return audited


def _approve_of(site: Site) -> Approve:
    """The port ``crypto.keys.ports.Approve``: one person suffices while the data folder has one user."""
    from access.audit import record  # noqa: PLC0415 - the state database on first use
    from access.users import list_users  # noqa: PLC0415
    from storage.state import writing  # noqa: PLC0415

    actor = site.actor

    def approve(action: str, name: str, /) -> tuple[str, ...]:
        with writing(site.state) as connection:
            alone = len(list_users(connection)) <= 1
            if not alone:
                record(connection, actor, action, name, "refused", {}, now())
        if alone:
            return ()
        raise RefusedError(
            "{action} of '{name}' takes two persons, and this data folder has several users",
            "let a second person agree; see who is there: `yw user ls`",
            where=f"key:{name}",
            action=action,
            name=name,
        )

    return approve


def certify_of(site: Site, name: str) -> Certify | None:
    """Who certifies the successor of a key: the site's CA for its signing key, nobody for others.

    Raises RefusedError for the CA itself, which others trust by its certificate.
    """
    if name == CA_NAME:
        raise RefusedError(
            "the site's CA is not rotated: others trust its certificate",
            "move ca.pem and the keys folder away to start with a new CA, and hand out the new ca.pem",
            where=f"key:{name}",
        )
    if name != SIGNER_NAME:
        return None

    def certify(public: PublicKey) -> Certificate:
        ca = load_certificates(site.place.ca.read_bytes())[0]
        return issue_signer(public, site.keystore.key(CA_NAME), ca, site.organisation, now())

    return certify
