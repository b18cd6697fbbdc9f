"""The registry: order, refusal of what fails its self-test, no silent downgrade."""

from __future__ import annotations

import subprocess
import sys

import pytest

from crypto import selftest
from crypto.errors import ProviderUnavailable, SelfTestFailed
from crypto.providers import libcrypto
from crypto.providers.base import REQUIRED, Capability
from crypto.providers.known_answers import check
from crypto.providers.openssl import OpensslProvider
from crypto.providers.pyca import PycaProvider
from crypto.providers.registry import Registry
from tests.running import missing_peer


def test_every_capability_is_served_and_says_by_what() -> None:
    rows = selftest.run()
    assert {row.name for row in rows if row.serves} == {one.value for one in REQUIRED}
    assert all(row.file.startswith("/") and row.version for row in rows)


def test_the_order_decides() -> None:
    assert Registry(["hashlib", "pyca"]).get(Capability.SM3).about.name == "hashlib"
    assert Registry(["pyca", "hashlib"]).get(Capability.SM3).about.name == "pyca"


def test_an_unknown_provider_is_named_with_the_known_ones() -> None:
    with pytest.raises(ProviderUnavailable, match="hsm"):
        Registry(["hsm", "pyca"])


def test_a_capability_that_nobody_has_is_refused() -> None:
    with pytest.raises(ProviderUnavailable, match=r"sm2\.sign"):
        Registry(["hashlib", "pyca"]).get(Capability.SM2_SIGN)


class Lying(PycaProvider):
    """Says yes to every tag."""

    def gcm_open(self, key: bytes, nonce: bytes, sealed: bytes, aad: bytes) -> bytes:
        del key, nonce, sealed, aad
        return b"".join(bytes([byte]) * 8 for byte in bytes.fromhex("aabbccddeeffeeaa"))

    def sm3(self, data: bytes = b"", /):
        return super().sm3(data + b"!")


class Agreeing(OpensslProvider):
    """Accepts every signature."""

    def verify(self, handle: object, digest: bytes, signature: bytes) -> bool:
        super().verify(handle, digest, signature)
        return True


@pytest.mark.parametrize(
    ("provider", "capability"),
    [(Lying(), Capability.SM3), (Lying(), Capability.SM4_GCM), (Agreeing(), Capability.SM2_VERIFY)],
)
def test_a_wrong_answer_is_found(provider, capability) -> None:
    with pytest.raises(SelfTestFailed, match=capability.value):
        check(provider, capability)


def test_a_provider_that_fails_is_refused_not_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = Registry(["pyca", "hashlib"])
    monkeypatch.setitem(registry._loaded, "pyca", Lying())
    with pytest.raises(SelfTestFailed):
        registry.get(Capability.SM3)


def test_a_named_library_that_is_none_is_not_replaced_by_the_system_s(monkeypatch, tmp_path) -> None:
    (tmp_path / "libcrypto.so").write_text("no library")
    monkeypatch.setenv("YW_LIBCRYPTO", str(tmp_path / "libcrypto.so"))
    with pytest.raises(ProviderUnavailable, match="no usable libcrypto"):
        libcrypto.load()


def test_a_library_without_the_functions_is_passed_over(monkeypatch) -> None:
    monkeypatch.setattr(libcrypto, "SONAMES", ("libm.so.6", *libcrypto.SONAMES))
    assert "libcrypto" in libcrypto.file_of(libcrypto.load())


@pytest.mark.peer
def test_the_library_inside_the_psycopg_wheel_serves() -> None:
    wheel = [name for name in libcrypto.candidates() if "psycopg_binary" in name]
    if not wheel:
        missing_peer("psycopg-binary is not here; install it: pip install psycopg-binary")
    code = "from crypto.selftest import run; print([r.file for r in run() if r.name == 'sm2.sign'][0])"
    found = subprocess.run(
        [sys.executable, "-c", code], env={"YW_LIBCRYPTO": wheel[0]}, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == wheel[0]


def test_importing_loads_no_library() -> None:
    code = (
        "import sys, crypto.sm2, crypto.sm3, crypto.sm4, crypto.chain; "
        "print([m for m in sys.modules if m.startswith(('cryptography', 'crypto.providers.openssl', 'asn1crypto'))])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
