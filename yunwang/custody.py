"""The site's keys under custody: audited in the state database, and for two persons where two are there (§10)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from crypto.keys.custody import Custody
from crypto.keys.ports import Approve, Audit, KeyEvent, unaudited
from crypto.pki.site import CA_NAME, SIGNER_NAME, issue_signer
from crypto.sm2 import PublicKey
from crypto.x509 import Certificate, load_certificates
from records.errors import RefusedError, UserError
from records.instants import now
from yunwang.agreement import agreed
from yunwang.cli.call import current
from yunwang.wiring import Site, settings_of

if TYPE_CHECKING:
    from crypto.keys.custody import Certify


def custody_of(site: Site) -> Custody:
    """The keystore of a site with its audit log and its rule for two."""
    return Custody(keystore=site.keystore, audit=audit_of(site), approve=_approve_of(site))


def audit_of_call() -> Audit:
    """The log of the call's data folder, if that has a state database; else nobody hears."""
    call = current()
    place = call.place(tell=False)
    settings = settings_of(call, place)
    if not place.state.exists() and not settings.state.url:
        return unaudited
    return audit_of(Site(place, settings))


def audit_of(site: Site) -> Audit:
    """The port ``crypto.keys.ports.Audit`` on the log of the state database.

    The beginning is committed before anything is done: a process that is killed leaves a change whose beginning is in
    the log, or none.
    """
    from access.audit import Outcome, record  # noqa: PLC0415 - the state database on first use
    from storage.state import writing  # noqa: PLC0415

    def write(event: KeyEvent, outcome: Outcome) -> None:
        actor = site.actor
        with writing(site.state) as connection:
            record(connection, actor, event.action, event.name, outcome, event.detail, now())

    @contextmanager
    def audited(event: KeyEvent, /) -> Iterator[None]:
        write(event, "begun")
        try:
            yield
        except Exception:
            write(event, "failure")
            raise
        with _telling_what_is_done(event):
            write(event, "success")

    return audited


@contextmanager
def _telling_what_is_done(event: KeyEvent) -> Iterator[None]:
    """Within, a log that cannot be written does not say that nothing was changed."""
    try:
        yield
    except UserError as error:
        raise UserError(
            "{action} of '{name}' is done, but the audit log has only its beginning: {reason}",
            "do not repeat it; make the state database writable again: `yw doctor`",
            where="audit_log",
            action=event.action,
            name=event.name,
            reason=error.problems[0].text(),
        ) from error


def _approve_of(site: Site) -> Approve:
    """The port ``crypto.keys.ports.Approve``: a request waits until another person agrees; then it is used up.

    It is used before the change begins: a process that is killed between the two asks again, and nothing was changed.
    """
    from access import approvals  # noqa: PLC0415 - the state database on first use
    from storage.state import writing  # noqa: PLC0415

    def approve(action: str, name: str, /) -> list[dict[str, str]]:
        shown = {"id": site.keystore.record(name).id}
        used = agreed(site, None, approvals.Action(action), name, shown, "")
        with writing(site.state) as connection:
            approvals.use(connection, used, now())
        return used.proofs

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
