"""The self-test (自检): each capability answers its known questions; below 50 ms, refused on a wrong answer."""

from __future__ import annotations

import time
from dataclasses import dataclass

from crypto.providers import known_answers
from crypto.providers.base import Capability
from crypto.providers.registry import Registry, active


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One capability that passed.

    Attributes:
        name: The capability.
        provider: Who serves it.
        library, version, file: What computes, and where it was loaded from.
        milliseconds: How long its known answers took.
    """

    name: str
    provider: str
    library: str
    version: str
    file: str
    milliseconds: float


def run(registry: Registry | None = None) -> list[Row]:
    """Test every capability again; raises SelfTestFailed, or ProviderUnavailable where nobody serves one."""
    chosen = registry or active()
    return [_test(chosen, capability) for capability in Capability]


def _test(registry: Registry, capability: Capability) -> Row:
    provider = registry.get(capability)
    start = time.perf_counter()
    known_answers.check(provider, capability)
    about = provider.about
    return Row(
        name=capability.value,
        provider=about.name,
        library=about.library,
        version=about.version,
        file=about.file,
        milliseconds=round((time.perf_counter() - start) * 1000, 3),
    )
