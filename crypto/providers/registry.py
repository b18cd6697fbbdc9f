"""Which provider serves which capability: first in the configured order, self-tested, never a weaker stand-in."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from crypto.errors import ProviderUnavailable
from crypto.providers.base import Capability, Ciphers, Derivations, Digests, Macs, Provider, Signatures
from crypto.providers.known_answers import check


@dataclass(frozen=True, slots=True)
class _Source:
    """Where a provider is found and what it can offer at most."""

    module: str
    name: str
    offers: frozenset[Capability]


_SOURCES: Mapping[str, _Source] = {
    "hashlib": _Source("crypto.providers.stdlib", "StdlibProvider", frozenset({Capability.SM3, Capability.HMAC_SM3})),
    "pyca": _Source("crypto.providers.pyca", "PycaProvider", frozenset(Capability) - {Capability.SM2}),
    "openssl": _Source("crypto.providers.openssl", "OpensslProvider", frozenset({Capability.SM2})),
}
DEFAULT_ORDER = ("hashlib", "pyca", "openssl")  # by measured speed per call: bench/crypto_bulk.py


class Registry:
    """Providers in order. One that should serve but cannot be loaded is an error, not a reason to take the next."""

    def __init__(self, order: Sequence[str] = DEFAULT_ORDER) -> None:
        unknown = [name for name in order if name not in _SOURCES]
        if unknown or not order:
            raise ProviderUnavailable(
                "unknown crypto provider '{unknown}'",
                "name some of {known} under [crypto] providers",
                where="[crypto] providers",
                unknown=", ".join(unknown),
                known=", ".join(_SOURCES),
            )
        self.order = tuple(order)
        self._loaded: dict[str, Provider] = {}
        self._chosen: dict[Capability, Provider] = {}
        self._lock = threading.RLock()

    def provider(self, name: str) -> Provider:
        """The provider of that name, loaded once."""
        with self._lock:
            if name not in self._loaded:
                source = _SOURCES[name]
                self._loaded[name] = cast("Provider", getattr(importlib.import_module(source.module), source.name)())
            return self._loaded[name]

    def get(self, capability: Capability) -> Provider:
        """The provider of a capability, tested; raises ProviderUnavailable or SelfTestFailed."""
        with self._lock:
            if capability not in self._chosen:
                chosen = self._choose(capability)
                check(chosen, capability)
                self._chosen[capability] = chosen
            return self._chosen[capability]

    def _choose(self, capability: Capability) -> Provider:
        for name in self.order:
            if capability in _SOURCES[name].offers and capability in self.provider(name).about.capabilities:
                return self.provider(name)
        raise ProviderUnavailable(
            "no crypto provider among {order} offers {capability}",
            "add one under [crypto] providers, then run `yw crypto providers`",
            where="[crypto] providers",
            order=", ".join(self.order),
            capability=capability.value,
        )


_active = Registry()


def configure(order: Sequence[str]) -> None:
    """Set the order for this process (``[crypto] providers``), before first use; loaded keys keep their provider."""
    global _active  # noqa: PLW0603 - one process has one registry
    _active = Registry(order)


def active() -> Registry:
    """The registry of this process."""
    return _active


def digests() -> Digests:
    """Who computes SM3."""
    return cast("Digests", _active.get(Capability.SM3))


def macs() -> Macs:
    """Who computes HMAC-SM3."""
    return cast("Macs", _active.get(Capability.HMAC_SM3))


def derivations(capability: Capability = Capability.PBKDF2_SM3) -> Derivations:
    """Who derives keys."""
    return cast("Derivations", _active.get(capability))


def ciphers(capability: Capability = Capability.SM4_GCM) -> Ciphers:
    """Who computes SM4."""
    return cast("Ciphers", _active.get(capability))


def signatures() -> Signatures:
    """Who computes SM2."""
    return cast("Signatures", _active.get(Capability.SM2))
