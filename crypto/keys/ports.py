"""What key management asks of the house: to keep an audit log, and to say whether a second person agreed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyEvent:
    """One thing done to a key, for the audit log.

    Attributes:
        action: ``key.verb``, e.g. ``key.destroy``.
        name: Of the key.
        detail: JSON object without secrets.
    """

    action: str
    name: str
    detail: Mapping[str, Any] = field(default_factory=dict)


class Audit(Protocol):
    """Port: the change is made inside; that it begins is durably in the log before, how it ended after.

    So no change stands without a record, whenever the process is killed. An exception inside is recorded as a failure,
    and goes on.
    """

    def __call__(self, event: KeyEvent, /) -> AbstractContextManager[None]: ...


class Approve(Protocol):
    """Port: who agreed to an action that takes two (CONTRACT §10); raises RefusedError while somebody must still."""

    def __call__(self, action: str, name: str, /) -> Sequence[Mapping[str, str]]: ...


@contextmanager
def unaudited(event: KeyEvent, /) -> Iterator[None]:  # noqa: ARG001 - the port's signature
    """For a keystore outside a data folder: there is no log to write to."""
    yield
