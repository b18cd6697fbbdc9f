"""Months closed and bills issued: the ledger, the second person's word and the audit log in one step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from records.instants import now
from yunwang import __version__
from yunwang.agreement import agreed

if TYPE_CHECKING:
    from datetime import datetime

    import sqlalchemy as sa

    from access.approvals import Agreement
    from cloud_metering.books import Chosen, Closed
    from cloud_metering.draft import Draft
    from cloud_metering.invoice import Issued, Office
    from yunwang.wiring import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """A month to be closed.

    Attributes:
        waiver: Why missing usage is accepted; None if it is not.
        chosen: Prices to rate by; None for the loaded ones.
        reason: For the second person.
    """

    month: str
    waiver: str | None
    chosen: Chosen | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuing:
    """Bills to be issued: of one organisation, or of all (None)."""

    month: str
    organisation: str | None
    chosen: Chosen | None
    allow_demo: bool
    reason: str


def draft_of(site: Site, month: str, chosen: Chosen | None = None) -> Draft:
    """The month as it stands, or as it was closed."""
    from cloud_metering.books import bill_of  # noqa: PLC0415 - DuckDB on first use
    from cloud_metering.draft import memberships_of  # noqa: PLC0415
    from storage.state import reading  # noqa: PLC0415

    with reading(site.state) as connection:
        return bill_of(connection, month, chosen, memberships_of(site.inventory))


def close(site: Site, wanted: Closing) -> Closed:
    """Close a month for good; a closed one asks nobody and changes nothing.

    Raises:
        ApprovalNeededError: A second person must agree to what it comes to now.
    """
    from storage.state import writing  # noqa: PLC0415 - the state database on first use

    used = _agreed_to_close(site, wanted)
    with writing(site.state) as connection:
        return _close(connection, site, wanted, used, now())


def would_close(site: Site, wanted: Closing) -> Closed:
    """What closing now would keep; nothing is changed and nobody asked."""
    from storage.state import writing  # noqa: PLC0415 - the state database on first use

    with writing(site.state) as connection:
        nested = connection.begin_nested()
        found = _write(connection, site, wanted, now(), [])
        nested.rollback()
        return found


def _agreed_to_close(site: Site, wanted: Closing) -> Agreement | None:
    from access.approvals import Action  # noqa: PLC0415 - the state database on first use
    from access.roles import Capability  # noqa: PLC0415

    bill = draft_of(site, wanted.month, wanted.chosen)
    if bill.state != "open":
        return None
    shown = figures(bill) | {"waiver": wanted.waiver}
    return agreed(site, Capability.BILLS_WRITE, Action.BILL_CLOSE, wanted.month, shown, wanted.reason)


def figures(bill: Draft, organisation: str | None = None) -> dict[str, Any]:
    """What a second person agrees to: the sums, and the prices that they rest on."""
    from cloud_metering.catalogue import canonical  # noqa: PLC0415 - DuckDB on first use
    from cloud_metering.views import by_organisation  # noqa: PLC0415
    from crypto.sm3 import sm3_hex  # noqa: PLC0415

    shown = bill.for_organisation(organisation)
    return {
        "month": bill.month,
        "total": shown["total"],
        "complete": shown["complete"],
        "organisations": {one["organisation"]: one["amount"] for one in by_organisation(shown)},
        "catalogue_sm3": sm3_hex(canonical(bill.catalogue).encode()),
    }


def _close(connection: sa.Connection, site: Site, wanted: Closing, used: Agreement | None, at: datetime) -> Closed:
    from access import approvals  # noqa: PLC0415 - the state database on first use
    from access.audit import record  # noqa: PLC0415

    proofs = used.proofs if used else []
    found = _write(connection, site, wanted, at, proofs)
    if used:
        approvals.use(connection, used, at)
    detail = {"waiver": wanted.waiver, "approvals": proofs}
    record(connection, site.actor, "bill.close", wanted.month, "success", detail, at)
    return found


def _write(
    connection: sa.Connection, site: Site, wanted: Closing, at: datetime, proofs: Sequence[dict[str, str]]
) -> Closed:
    from cloud_metering.books import close as close_month  # noqa: PLC0415 - DuckDB on first use
    from cloud_metering.draft import memberships_of  # noqa: PLC0415

    return close_month(
        connection,
        wanted.month,
        chosen=wanted.chosen,
        memberships=memberships_of(site.inventory),
        at=at,
        actor=site.actor,
        waiver=wanted.waiver,
        approvals=proofs,
    )


def issue(site: Site, wanted: Issuing) -> list[Issued]:
    """Write the bundles that do not stand yet; a second time asks nobody and gives the same.

    A crash between two bundles leaves the approval unused, so that the rest is issued by doing it again.

    Raises:
        ApprovalNeededError: A second person must agree to these sums.
        RefusedError: The month is open, or prices are demo prices, and a demo bill is not asked for.
    """
    from cloud_metering.invoice import issue as issue_month  # noqa: PLC0415 - typst on first use

    used, at = _agreed_to_issue(site, wanted), now()
    found = issue_month(
        _office(site, used),
        wanted.month,
        at,
        organisation=wanted.organisation,
        chosen=wanted.chosen,
        allow_demo=wanted.allow_demo,
    )
    _record_issue(site, wanted.month, [one.number for one in found if one.at == at], used, at)
    return found


def _agreed_to_issue(site: Site, wanted: Issuing) -> Agreement | None:
    from access.approvals import Action  # noqa: PLC0415 - the state database on first use
    from access.roles import Capability  # noqa: PLC0415
    from cloud_metering.invoice import to_issue  # noqa: PLC0415 - typst on first use

    bill = draft_of(site, wanted.month, wanted.chosen)
    if not to_issue(site.state, bill, wanted.organisation, allow_demo=wanted.allow_demo):
        return None
    shown = figures(bill, wanted.organisation) | {"demo": wanted.allow_demo, "organisation": wanted.organisation}
    return agreed(site, Capability.BILLS_WRITE, Action.BILL_ISSUE, wanted.month, shown, wanted.reason)


def would_issue(site: Site, wanted: Issuing) -> list[dict[str, Any]]:
    """The totals that would be issued, without paths."""
    from cloud_metering.views import by_organisation  # noqa: PLC0415 - DuckDB on first use

    totals = by_organisation(draft_of(site, wanted.month, wanted.chosen).for_organisation(wanted.organisation))
    return [
        {"organisation": one["organisation"], "total": one["amount"], "path": None, "approvals": []} for one in totals
    ]


def _office(site: Site, used: Agreement | None) -> Office:
    from cloud_metering.invoice import Office  # noqa: PLC0415 - typst on first use

    return Office(
        state=site.state,
        folder=site.place.root,
        identity=site.identity,
        inventory=site.inventory,
        actor=site.actor,
        producer=f"yunwang {__version__}",
        approvals=used.proofs if used else [],
    )


def _record_issue(site: Site, month: str, numbers: Sequence[str], used: Agreement | None, at: datetime) -> None:
    from access import approvals  # noqa: PLC0415 - the state database on first use
    from access.audit import record  # noqa: PLC0415
    from storage.state import writing  # noqa: PLC0415

    if numbers and used:
        detail = {"numbers": list(numbers), "approvals": used.proofs}
        with writing(site.state) as connection:
            approvals.use(connection, used, at)
            record(connection, site.actor, "bill.issue", month, "success", detail, at)
