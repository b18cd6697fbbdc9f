"""The self-test (自检): each configured provider answers the known questions of all it offers; below 50 ms natively."""

from __future__ import annotations

import time
from dataclasses import dataclass

from crypto.providers import known_answers
from crypto.providers.base import REQUIRED, Capability, Provider
from crypto.providers.registry import Registry, active


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One capability of one provider that passed.

    Attributes:
        name: The capability.
        provider: Who was asked.
        serves: Whether it is the one that serves this capability; the others stand behind it.
        library, version, file: What computes, and where it was loaded from.
        milliseconds: How long its known answers took.
    """

    name: str
    provider: str
    serves: bool
    library: str
    version: str
    file: str
    milliseconds: float


def run(registry: Registry | None = None) -> list[Row]:
    """Test every provider again; raises SelfTestFailed, or ProviderUnavailable where nobody serves a capability."""
    chosen = registry or active()
    serving = {capability: chosen.choose(capability).about.name for capability in REQUIRED}
    return [
        _test(provider, capability, serves=serving.get(capability, name) == name)
        for name, provider in ((name, chosen.provider(name)) for name in chosen.order)
        for capability in sorted(provider.about.capabilities)
    ]


def _test(provider: Provider, capability: Capability, *, serves: bool) -> Row:
    start = time.perf_counter()
    known_answers.check(provider, capability)
    about = provider.about
    return Row(
        name=capability.value,
        provider=about.name,
        serves=serves,
        library=about.library,
        version=about.version,
        file=about.file,
        milliseconds=round((time.perf_counter() - start) * 1000, 3),
    )
