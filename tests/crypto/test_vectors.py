"""Every applicable vector through the public functions, and through each provider that has the capability."""

from __future__ import annotations

import pytest

from crypto import sm3, sm4
from crypto.errors import AuthenticationFailed, InvalidKey, VerificationFailed
from crypto.providers.openssl import OpensslProvider
from crypto.providers.pyca import PycaProvider
from crypto.providers.stdlib import StdlibProvider
from crypto.sm2 import PrivateKey, PublicKey

_hex = bytes.fromhex


def kind(name):
    def mark(function):
        function.vector_kind = name
        return function

    return mark


@kind("sm3")
@pytest.mark.parametrize("provider", [StdlibProvider(), PycaProvider()], ids=lambda one: one.name)
def test_sm3(vector, provider) -> None:
    message = _hex(vector["msg"])
    hasher = provider.sm3(message[:1])
    hasher.update(message[1:])
    assert sm3.sm3_hex(message) == hasher.digest().hex() == provider.sm3(message).digest().hex() == vector["digest"]


@kind("hmac-sm3")
@pytest.mark.parametrize("provider", [StdlibProvider(), PycaProvider()], ids=lambda one: one.name)
def test_hmac(vector, provider) -> None:
    tag = provider.hmac_sm3(_hex(vector["key"]), _hex(vector["msg"])).hex()
    assert tag[: len(vector["tag"])] == vector["tag"]
    assert sm3.hmac_sm3(_hex(vector["key"]), _hex(vector["msg"])).hex() == tag


@kind("pbkdf2-hmac-sm3")
def test_pbkdf2(vector) -> None:
    key = sm3.pbkdf2_sm3(_hex(vector["password"]), _hex(vector["salt"]), vector["iterations"], len(_hex(vector["dk"])))
    assert key.hex() == vector["dk"]


@kind("hkdf-sm3")
def test_hkdf(vector) -> None:
    found = sm3.hkdf_sm3(
        _hex(vector["ikm"]), salt=_hex(vector["salt"]), info=_hex(vector["info"]), length=len(_hex(vector["okm"]))
    )
    assert found.hex() == vector["okm"]


@kind("sm4-cbc")
def test_sm4_cbc(vector) -> None:
    key, iv, text, sealed = (_hex(vector[name]) for name in ("key", "iv", "pt", "ct"))
    assert PycaProvider().cbc_encrypt(key, iv, text) == sealed
    assert PycaProvider().cbc_decrypt(key, iv, sealed) == text


@kind("sm4-gcm")
def test_sm4_gcm(vector) -> None:
    key, nonce, text, aad = (_hex(vector[name]) for name in ("key", "nonce", "pt", "aad"))
    sealed = _hex(vector["ct"]) + _hex(vector["tag"])
    if len(nonce) != sm4.NONCE_BYTES:
        with pytest.raises(InvalidKey, match="nonce of 12"):
            sm4.open_sealed(key, nonce, sealed, aad)
    elif vector["result"] == "valid":
        assert (sm4.seal(key, nonce, text, aad), sm4.open_sealed(key, nonce, sealed, aad)) == (sealed, text)
    else:
        with pytest.raises(AuthenticationFailed):
            sm4.open_sealed(key, nonce, sealed, aad)


@kind("sm2-sign")
def test_sm2_signature_of_the_standard(vector) -> None:
    private = PrivateKey.from_scalar(_hex(vector["d"]), _hex(vector["pub"]))
    private.public.verify(_hex(vector["sig_der_gmt0009"]), _hex(vector["msg"]), _hex(vector["id"]))
    assert OpensslProvider().point_of(_hex(vector["d"])).hex() == vector["pub"]


@kind("sm2-verify-reject")
def test_sm2_signature_that_must_be_rejected(vector) -> None:
    public = PublicKey.from_point(_hex(vector["pub"]))
    with pytest.raises(VerificationFailed):
        public.verify(_hex(vector["sig_der"]), _hex(vector["msg"]), _hex(vector["id"]))
