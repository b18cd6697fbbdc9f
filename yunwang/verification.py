"""Which function recomputes which kind of bundle (CONTRACT §7); a module is imported when its kind is verified."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping

from crypto.bundle import Rule

_SOURCES: Mapping[str, tuple[str, str]] = {
    "bill": ("cloud_metering.verify", "verify_bill"),
    "audit-log": ("access.anchors", "verify_records"),
    "log-segment": ("storage.sealing", "verify_segment"),
}


class _Rules(Mapping[str, Rule]):
    """Kind to rule; a kind whose package is not installed here is simply not among them."""

    def __getitem__(self, kind: str) -> Rule:
        module, name = _SOURCES[kind]
        try:
            rule: Rule = getattr(importlib.import_module(module), name)
        except ModuleNotFoundError as error:
            if error.name and (module == error.name or module.startswith(f"{error.name}.")):
                raise KeyError(kind) from None
            raise
        return rule

    def __iter__(self) -> Iterator[str]:
        return (kind for kind in _SOURCES if kind in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)


RULES: Mapping[str, Rule] = _Rules()
