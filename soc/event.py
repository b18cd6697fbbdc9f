"""An event on its way through: flat ECS fields, what rules see of it, and where it comes from."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from soc.sigma.route import Source

Fields = dict[str, Any]


@dataclass(slots=True)
class Event:
    """One parsed event.

    Attributes:
        fields: ECS 8 names, dotted, flat; ``event.original`` is kept.
        at: ``@timestamp``, aware UTC.
        source: Log source, by which rules are routed.
        aliases: Other names under which rules know values of this kind of log, e.g. ``CommandLine`` or ``cs-method``.
        standalone: Whether rules see the aliases only: Windows rules use the record's own names.
        parser: Name and version, ``syslog/1``.
        id: ``event.id``; set when the event enters the pipeline.
    """

    fields: Fields
    at: datetime
    source: Source
    parser: str
    aliases: Fields = field(default_factory=dict)
    standalone: bool = False
    id: str = ""

    @property
    def failed(self) -> bool:
        """Whether it could not be parsed."""
        return bool(self.fields.get("event.kind") == "pipeline_error")

    def view(self) -> Fields:
        """What rules see."""
        if not self.aliases:
            return self.fields
        if not self.standalone:
            return {**self.fields, **self.aliases}
        own = {name: value for name, value in self.fields.items() if name.startswith("yw.")}
        return {**self.aliases, **own} if own else self.aliases

    def value(self, name: str) -> Any:
        """A field by the name that rules use, else by its ECS name; None if absent."""
        found = self.aliases.get(name)
        return self.fields.get(name) if found is None else found
