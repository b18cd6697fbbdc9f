"""An event on its way through: flat ECS fields, what rules see of it, and where it comes from."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from soc.sigma.route import Source

Fields = dict[str, Any]
_ADDED = ("yw.org", "yw.system", "yw.asset", "yw.region", "yw.tenant")  # what the inventory knows, for rules that ask


class Event:
    """One parsed event.

    Attributes:
        at: ``@timestamp``, aware UTC.
        source: Log source, by which rules are routed.
        parser: Name and version, ``syslog/1``.
        aliases: Other names under which rules know values of this kind of log, e.g. ``CommandLine`` or ``cs-method``.
        standalone: Whether rules see the aliases only: Windows rules use the record's own names.
        failed: Whether it could not be parsed.
        id: ``event.id``; set when the event enters the pipeline.
    """

    __slots__ = ("_fields", "_make", "aliases", "at", "failed", "id", "parser", "source", "standalone")

    def __init__(
        self,
        fields: Fields | Callable[[], Fields],
        at: datetime,
        source: Source,
        parser: str,
        aliases: Fields | None = None,
        *,
        standalone: bool = False,
        failed: bool = False,
    ) -> None:
        self._make = None if isinstance(fields, dict) else fields
        self._fields = fields if isinstance(fields, dict) else {}
        self.at = at
        self.source = source
        self.parser = parser
        self.aliases = aliases or {}
        self.standalone = standalone
        self.failed = failed
        self.id = ""

    @property
    def fields(self) -> Fields:
        """ECS 8 names, dotted, flat, ``event.original`` among them; made when first asked for."""
        if self._make is not None:
            self._fields, self._make = self._make(), None
        return self._fields

    def view(self) -> Fields:
        """What rules see."""
        if not self.aliases:
            return self.fields
        if not self.standalone:
            return {**self.fields, **self.aliases}
        own = {name: self._fields[name] for name in _ADDED if name in self._fields}
        return {**self.aliases, **own} if own else self.aliases
