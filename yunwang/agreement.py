"""Actions for two (CONTRACT §10): may this person ask, does another one agree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from records.instants import now

if TYPE_CHECKING:
    from access.approvals import Action, Agreement
    from access.roles import Capability
    from yunwang.wiring import Site


def agreed(
    site: Site,
    capability: Capability | None,
    action: Action,
    object: str,  # noqa: A002 - the audit log's own word for it
    particulars: Mapping[str, Any],
    reason: str,
) -> Agreement:
    """What the action may go on with; ``access.approvals.use`` it in the action's own transaction.

    Raises:
        RefusedError: The acting user may not do it.
        ApprovalNeededError: A second person must agree first; the request waits.
    """
    from access.approvals import Ask  # noqa: PLC0415 - the state database on first use
    from access.approvals import agreed as ask  # noqa: PLC0415
    from storage.state import reading  # noqa: PLC0415
    from yunwang.acting import check_permitted  # noqa: PLC0415

    actor = site.actor
    if capability is not None:
        with reading(site.state) as connection:
            check_permitted(connection, actor, capability)
    return ask(
        site.state, Ask(actor=actor, action=action, object=object, particulars=particulars, reason=reason), now()
    )
