"""Which provider serves which capability: first in the configured order, self-tested, never a weaker stand-in."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from crypto.errors import ProviderUnavailable
from crypto.providers.base import (
    SM2,
    Capability,
    Ciphers,
    Derivations,
    Device,
    Digests,
    Exchanger,
    Macs,
    Points,
    PrivateLoader,
    Provider,
    PublicLoader,
)
from crypto.providers.known_answers import check


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What ``[crypto]`` says about providers beside their order.

    Attributes:
        allow_slow_reference: Whether ``gmssl``, pure Python and 20 to 1000 times slower, may serve.
        sdf_library: The vendor's library of a crypto device (GM/T 0018).
        sdf_decrypt: ``algorithm`` or ``plain``: whether its SDF_InternalDecrypt_ECC takes an algorithm; empty for none.
        accelerator_library: ``libyunwangsm.so``, built from ``native/accelerator``.
    """

    allow_slow_reference: bool = False
    sdf_library: str = ""
    sdf_decrypt: str = ""
    accelerator_library: str = ""


@dataclass(frozen=True, slots=True)
class _Source:
    """Where a provider is found, what it can offer at most, and which options its constructor takes."""

    module: str
    name: str
    offers: frozenset[Capability]
    takes: tuple[str, ...] = ()


_SIGNATURES = frozenset({Capability.SM2_SIGN, Capability.SM2_VERIFY})
_ENCRYPTION = frozenset({Capability.SM2_ENCRYPT, Capability.SM2_DECRYPT})
_REFERENCE = frozenset({Capability.SM2_POINT, Capability.SM3, Capability.HMAC_SM3, Capability.SM4_CBC})
_PYX = _SIGNATURES | _ENCRYPTION | {Capability.HMAC_SM3, Capability.SM4_GCM}

_SOURCES: Mapping[str, _Source] = {
    "hashlib": _Source("crypto.providers.stdlib", "StdlibProvider", frozenset({Capability.SM3, Capability.HMAC_SM3})),
    "pyca": _Source("crypto.providers.pyca", "PycaProvider", frozenset(Capability) - SM2 - {Capability.SM2_DEVICE}),
    "openssl": _Source("crypto.providers.openssl", "OpensslProvider", SM2),
    "gmssl": _Source("crypto.providers.gmssl_reference", "GmsslProvider", _REFERENCE | _SIGNATURES | _ENCRYPTION),
    "gmssl_pyx": _Source("crypto.providers.gmssl_pyx", "GmsslPyxProvider", _PYX),
    "sdf": _Source(
        "crypto.providers.sdf",
        "SdfProvider",
        frozenset({Capability.SM2_DEVICE, Capability.SM2_VERIFY, Capability.SM2_ENCRYPT}),
        ("sdf_library", "sdf_decrypt"),
    ),
    "accelerator": _Source(
        "crypto.providers.accelerator",
        "AcceleratorProvider",
        _SIGNATURES | {Capability.SM4_GCM},
        ("accelerator_library",),
    ),
}
DEFAULT_ORDER = ("hashlib", "pyca", "openssl")  # by measured speed per call: bench/crypto.py
SLOW = "gmssl"


class Registry:
    """Providers in order. One that should serve but cannot be loaded is an error, not a reason to take the next."""

    def __init__(self, order: Sequence[str] = DEFAULT_ORDER, options: Options | None = None) -> None:
        unknown = [name for name in order if name not in _SOURCES]
        if unknown or not order:
            raise ProviderUnavailable(
                "unknown crypto provider '{unknown}'",
                "name some of {known} under [crypto] providers",
                where="[crypto] providers",
                unknown=", ".join(unknown),
                known=", ".join(_SOURCES),
            )
        self.options = options or Options()
        if SLOW in order and not self.options.allow_slow_reference:
            raise ProviderUnavailable(
                "the provider gmssl is pure Python, slow and not constant in time",
                "take it out of [crypto] providers, or set allow_slow_reference = true there",
                where="[crypto] providers",
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
                kind = getattr(importlib.import_module(source.module), source.name)
                self._loaded[name] = cast("Provider", kind(*(getattr(self.options, one) for one in source.takes)))
            return self._loaded[name]

    def get(self, capability: Capability) -> Provider:
        """The provider of a capability, tested; raises ProviderUnavailable or SelfTestFailed."""
        with self._lock:
            if capability not in self._chosen:
                chosen = self.choose(capability)
                check(chosen, capability)
                self._chosen[capability] = chosen
            return self._chosen[capability]

    def choose(self, capability: Capability) -> Provider:
        """Who would serve a capability, not tested yet; raises ProviderUnavailable."""
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


def configure(order: Sequence[str], options: Options | None = None) -> None:
    """Set the order for this process (``[crypto] providers``), before first use; loaded keys keep their provider."""
    global _active  # noqa: PLW0603 - one process has one registry
    _active = Registry(order, options)


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


def points() -> Points:
    """Who computes public halves."""
    return cast("Points", _active.get(Capability.SM2_POINT))


def public_loader(capability: Capability) -> PublicLoader:
    """Who verifies or encrypts."""
    return cast("PublicLoader", _active.get(capability))


def private_loader(capability: Capability) -> PrivateLoader:
    """Who signs or decrypts."""
    return cast("PrivateLoader", _active.get(capability))


def exchanger() -> Exchanger:
    """Who computes the secret of a key exchange."""
    return cast("Exchanger", _active.get(Capability.SM2_EXCHANGE))


def device() -> Device:
    """The crypto device (密码机)."""
    return cast("Device", _active.get(Capability.SM2_DEVICE))
