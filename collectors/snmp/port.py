"""Port to one SNMP agent: values or a failure with a reason; the library behind it stays behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Protocol

Value = int | float | str | bytes | None


class Reason(StrEnum):
    """Why an agent gave no values.

    A wrong community looks like ``timeout``, because an agent does not answer it (RFC 3584 §5.2.1);
    so do wrong SNMPv3 keys here.
    """

    TIMEOUT = "timeout"
    REFUSED = "refused"  # the host says that nothing listens on the port
    UNREACHABLE = "unreachable"  # no route, or the address has no meaning
    AUTHENTICATION = "authentication"
    MALFORMED = "malformed"  # the reply is no SNMP, or cut
    EMPTY = "empty"  # a reply without any value although the request is as small as it gets
    SECRET = "secret"  # noqa: S105 - the community or key cannot be resolved


class SnmpFailure(Exception):  # noqa: N818 - a value of the poll, caught where it is read
    """No values, and why.

    Attributes:
        reason: Which kind of failure.
        detail: What the library said, for the status page.
    """

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else str(reason))
        self.reason = reason
        self.detail = detail

    @property
    def silent(self) -> bool:
        """Whether nothing answered: the row's status is ``timeout`` then, else ``error``."""
        return self.reason in {Reason.TIMEOUT, Reason.REFUSED, Reason.UNREACHABLE}


class Agent(Protocol):
    """One SNMP agent. One request at a time; every method raises SnmpFailure and nothing else."""

    async def get(self, oids: Sequence[str], within: float) -> Mapping[str, Value]:
        """Values by OID after one try of at most ``within`` seconds; instances that do not exist are left out.

        An empty mapping means that the reply did not fit into a datagram (tooBig): ask for less.
        """
        ...

    async def walk(self, column: str, within: float) -> Mapping[int, Value]:
        """A table column by its last sub-identifier, the whole walk in at most ``within`` seconds."""
        ...

    def renew(self) -> None:
        """Forget the session: the next request begins a new one."""
        ...
