"""All 88 vectors: through the public functions, and through each provider that has the capability.

What the API does not offer (ECB, CTR, OFB, CFB and CCM by itself, the PRF of TLCP) is computed here from what it does
offer, so that these vectors judge the same library.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from crypto import der, sm3, sm4
from crypto.errors import AuthenticationFailed, InvalidKey, VerificationFailed
from crypto.providers.openssl import OpensslProvider
from crypto.providers.pyca import PycaProvider
from crypto.providers.stdlib import StdlibProvider
from crypto.sm2 import DEFAULT_ID, PrivateKey, PublicKey, za
from tests.crypto.conftest import VECTORS

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


@kind("sm2-sign")
def test_sm2_digest_of_the_standard(vector) -> None:
    public = PublicKey.from_point(_hex(vector["pub"]))
    assert za(public.point, _hex(vector["id"])).hex() == vector["za"]
    assert public.digest(_hex(vector["msg"]), _hex(vector["id"])).hex() == vector["e"]
    assert (_hex(vector["id"]), der.signature_from_raw(_hex(vector["sig_raw"])).hex()) == (
        DEFAULT_ID,
        vector["sig_der_gmt0009"],
    )


def block(key: bytes, data: bytes) -> bytes:
    """SM4 of one block: CBC from zero."""
    return PycaProvider().cbc_encrypt(key, bytes(16), data)


def stream(key: bytes, counter: int, size: int) -> bytes:
    blocks = range(counter, counter + -(-size // 16))
    return b"".join(block(key, (number % 2**128).to_bytes(16)) for number in blocks)[:size]


def xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


@kind("sm4-ecb")
def test_sm4_block(vector) -> None:
    key, text = _hex(vector["key"]), _hex(vector["pt"])
    found = b"".join(block(key, text[at : at + 16]) for at in range(0, len(text), 16))
    assert found.hex() == vector["ct"]


@kind("sm4-ecb-iterated")
def test_sm4_a_million_times(vector) -> None:
    """CBC over blocks of zeros is the cipher applied again and again to the IV."""
    found = PycaProvider().cbc_encrypt(_hex(vector["key"]), _hex(vector["pt"]), bytes(16 * vector["iterations"]))
    assert found[-16:].hex() == vector["ct"]


@kind("sm4-ctr")
def test_sm4_ctr(vector) -> None:
    text = _hex(vector["pt"])
    assert xor(text, stream(_hex(vector["key"]), int(vector["iv"], 16), len(text))).hex() == vector["ct"]


@kind("sm4-ofb")
def test_sm4_ofb(vector) -> None:
    text = _hex(vector["pt"])
    keys = PycaProvider().cbc_encrypt(_hex(vector["key"]), _hex(vector["iv"]), bytes(-(-len(text) // 16) * 16))
    assert xor(text, keys[: len(text)]).hex() == vector["ct"]


@kind("sm4-cfb")
def test_sm4_cfb(vector) -> None:
    text, before, found = _hex(vector["pt"]), _hex(vector["iv"]), b""
    for at in range(0, len(text), 16):
        piece = text[at : at + 16]
        before = xor(piece, block(_hex(vector["key"]), before)[: len(piece)])
        found += before
    assert found.hex() == vector["ct"]


def ccm_tag(key: bytes, nonce: bytes, text: bytes, aad: bytes, size: int) -> bytes:
    """RFC 3610 §2.2 on the block above."""
    length = 15 - len(nonce)
    flags = 64 * bool(aad) + 8 * ((size - 2) // 2) + length - 1
    data = bytes((flags,)) + nonce + len(text).to_bytes(length)
    if aad:
        data += len(aad).to_bytes(2) + aad
        data += bytes(-len(data) % 16)
    data += text + bytes(-len(text) % 16)
    mac = PycaProvider().cbc_encrypt(key, bytes(16), data)[-16:]
    return xor(mac[:size], stream(key, ccm_counter(nonce), size))


def ccm_counter(nonce: bytes) -> int:
    return int.from_bytes(bytes((14 - len(nonce),)) + nonce + bytes(15 - len(nonce)))


@kind("sm4-ccm")
def test_sm4_ccm(vector) -> None:
    key, nonce, sealed, aad, tag = (_hex(vector[name]) for name in ("key", "nonce", "ct", "aad", "tag"))
    sound = 7 <= len(nonce) <= 13 and len(tag) in {4, 6, 8, 10, 12, 14, 16}
    if sound:
        text = xor(sealed, stream(key, ccm_counter(nonce) + 1, len(sealed)))
        sound = ccm_tag(key, nonce, text, aad, len(tag)) == tag
    assert sound == (vector["result"] == "valid")
    if sound:
        assert text.hex() == vector["pt"]


@kind("tlcp-prf-sm3")
def test_tlcp_prf(vector) -> None:
    """P_SM3 of GB/T 38636-2020 §5.3 on our HMAC."""
    secret, seed = _hex(vector["secret"]), vector["label"].encode() + _hex(vector["seed"])
    found, a = b"", seed
    while len(found) < len(_hex(vector["out"])):
        a = sm3.hmac_sm3(secret, a)
        found += sm3.hmac_sm3(secret, a + seed)
    assert found[: len(_hex(vector["out"]))].hex() == vector["out"]


def test_no_vector_is_left_out() -> None:
    """Each kind is named by a test of this folder."""
    tests = "".join(file.read_text("utf-8") for file in Path(__file__).parent.glob("test_*.py"))
    assert len(VECTORS) == 88
    assert [one["kind"] for one in VECTORS if f'@kind("{one["kind"]}")' not in tests] == []
