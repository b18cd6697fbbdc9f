"""The one error of storage that time or a person heals: nothing was changed, the same call may be tried again."""

from __future__ import annotations

from records.errors import UserError


class UnavailableError(UserError):
    """Storage cannot take or give anything now: disk full, read-only, gone. Never the fault of the data."""
