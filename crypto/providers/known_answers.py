"""Known answers (自检) that a provider must give before it is trusted; some milliseconds in all.

Values: GB/T 32905-2016 A.1, GM/T 0042-2015 D.3, draft-ribose-cfrg-sm4, RFC 8998 A.1, GB/T 32918.5-2017 A.2 to A.4;
derivations on SM3 as in the vector file of the tests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

from crypto.errors import AuthenticationFailed, SelfTestFailed
from crypto.providers.base import (
    Capability,
    Ciphers,
    Decryptor,
    Derivations,
    Device,
    Digests,
    Encryptor,
    Exchanger,
    Macs,
    Points,
    Provider,
    Signer,
    Verifier,
)

_hex = bytes.fromhex
_KEY = _hex("0123456789abcdeffedcba9876543210")
_IV = bytes(range(16))
_NONCE = _hex("00001234567800000000abcd")
_AAD = _hex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
_GCM_TEXT = b"".join(bytes((byte,)) * 8 for byte in _hex("aabbccddeeffeeaa"))
_GCM_SEALED = _hex(
    "17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd3756489069157b282bb200735d82710ca5c22f0ccfa7cbf93d496ac15a56834cbcf98c397b4024a2691233b8d"
    "83de3541e4c2b58177e065a9bf7b62ec"
)
_CBC_TEXT = b"".join(bytes((byte,)) * 4 for byte in _hex("aabbccddeeffaabb"))
_CBC_SEALED = _hex("78ebb11cc40b0a48312aaeb2040244cb4cb7016951909226979b0d15dc6a8f6d")
_SCALAR = _hex("3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8")
_POINT = _hex(
    "0409f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13"
)
_SIGNATURE = _hex(
    "3046022100f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3"
    "022100b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa"
)
_DIGEST = _hex("f0b43e94ba45accaace692ed534382eb17e6ab5a19ce7b31f4486fdfc0d28640")
_TEXT = b"encryption standard"
_SEALED = _hex(
    "307c022004ebfc718e8d1798620432268e77feb6415e2ede0e073c0f4f640ecd2e149a73"
    "022100e858f9d81e5430a57b36daab8f950a3c64e6ee6a63094d99283aff767e124df0"
    "042059983c18f809e262923c53aec295d30383b54e39d609d160afcb1908d0bd8766041321886ca989ca9c7d58087307ca93092d651efa"
)

_OWN = (
    "785129917d45a9ea5437a59356b82338eaadda6ceb199088f14ae10defa229b5",
    "7e07124814b309489125eaed101113164ebf0f3458c5bd88335c1f9d596243d6",
)
_OWN_BAR = 0xFDC2802CDB14CCCCDB0A90471F9BD707
_PEER = (
    "04160e12897df4edb61dd812feb96748fbd3ccf4ffe26aa6f6db9540af49c942324a7dad08bb9a459531694beb20aa489d6649975e1bfcf8c4741b78b4b223007f",
    "0464ced1bdbc99d590049b434d0fd73428cf608a5db8fe5ce07f15026940bae40e376629c7ab21e7db260922499ddb118f07ce8eaae3e7720afef6a5cc062070c0",
)
_PEER_BAR = 0xCF608A5DB8FE5CE07F15026940BAE40E
_SHARED = (
    "04c558b44bee5301d9f52b44d939bb59584d75b9034dd6a9fc826872109a65739f"
    "3252b35b191d8ae01cd122c025204334c5eacf68a0cb4854c6a7d367ecad4de7"
)


def check(provider: Provider, capability: Capability) -> None:
    """Return quietly if the provider answers right, else raise SelfTestFailed."""
    if not _CHECKS[capability](provider):
        raise SelfTestFailed(
            "provider {name} ({library} {version}, {file}) fails the self-test of {capability}",
            "do not use this library; install another build and run `yw crypto selftest`",
            where=provider.about.file,
            name=provider.about.name,
            library=provider.about.library,
            version=provider.about.version,
            file=provider.about.file,
            capability=capability.value,
        )


def _sm3(provider: Provider) -> bool:
    hasher = cast("Digests", provider).sm3(b"a")
    hasher.update(b"bc")
    return hasher.digest() == _hex("66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0")


def _hmac(provider: Provider) -> bool:
    tag = cast("Macs", provider).hmac_sm3(bytes(range(1, 0x21)) + _hex("2122232425"), b"\xcd" * 50)
    return tag == _hex("220bf579ded555393f0159f66c99877822a3ecf610d1552154b41d44b94db3ae")


def _pbkdf2(provider: Provider) -> bool:
    key = cast("Derivations", provider).pbkdf2_sm3(b"passwd", b"salt", 1, 16)
    return key == _hex("30530b86537c85ea33fbe26ee0adea8d")


def _hkdf(provider: Provider) -> bool:
    key = cast("Derivations", provider).hkdf_sm3(b"\x0b" * 22, bytes(range(13)), bytes(range(0xF0, 0xFA)), 42)
    return key == _hex("c69fe91b7aaee2dd5718d72dcaee0cce93f1b8e41f792da51261b6a517e68b36ed2c595572b01dfa359b")


def _gcm(provider: Provider) -> bool:
    ciphers = cast("Ciphers", provider)
    if (
        ciphers.gcm_seal(_KEY, _NONCE, _GCM_TEXT, _AAD) != _GCM_SEALED
        or ciphers.gcm_open(_KEY, _NONCE, _GCM_SEALED, _AAD) != _GCM_TEXT
    ):
        return False
    try:
        ciphers.gcm_open(_KEY, _NONCE, _GCM_SEALED[:-1] + b"\0", _AAD)
    except AuthenticationFailed:
        return True
    return False


def _cbc(provider: Provider) -> bool:
    ciphers = cast("Ciphers", provider)
    return (
        ciphers.cbc_encrypt(_KEY, _IV, _CBC_TEXT) == _CBC_SEALED
        and ciphers.cbc_decrypt(_KEY, _IV, _CBC_SEALED) == _CBC_TEXT
    )


def _point(provider: Provider) -> bool:
    return cast("Points", provider).point_of(_SCALAR) == _POINT


def _sign(provider: Provider) -> bool:
    """A signature is random, so the provider's own ``verify``, which has its known answer, judges it."""
    signer, judge = cast("Signer", provider), cast("Verifier", provider)
    signature = signer.sign(signer.load_private(_SCALAR, _POINT), _DIGEST)
    return judge.verify(judge.load_public(_POINT), _DIGEST, signature)


def _verify(provider: Provider) -> bool:
    judge = cast("Verifier", provider)
    key = judge.load_public(_POINT)
    return judge.verify(key, _DIGEST, _SIGNATURE) and not judge.verify(key, _DIGEST[::-1], _SIGNATURE)


def _encrypt(provider: Provider) -> bool:
    """Random too: judged by the provider's own decryption, or libcrypto's where it has none (a device)."""
    encryptor = cast("Encryptor", provider)
    sealed = encryptor.encrypt(encryptor.load_public(_POINT), _TEXT)
    return _opened(provider, sealed) == _TEXT


def _decrypt(provider: Provider) -> bool:
    changed = _SEALED[:-1] + bytes((_SEALED[-1] ^ 1,))
    return _opened(provider, _SEALED) == _TEXT and _opened(provider, changed) is None


def _opened(provider: Provider, sealed: bytes) -> bytes | None:
    decryptor = cast("Decryptor", provider)
    if Capability.SM2_DECRYPT not in provider.about.capabilities:
        from crypto.providers.openssl import OpensslProvider  # noqa: PLC0415 - for a device alone

        decryptor = OpensslProvider()
    try:
        return decryptor.decrypt(decryptor.load_private(_SCALAR, _POINT), sealed)
    except AuthenticationFailed:
        return None


def _exchange(provider: Provider) -> bool:
    """The example of GB/T 32918.5-2017 A.3, as the responder computes it."""
    own = (_hex(_OWN[0]), _hex(_OWN[1]), _OWN_BAR)
    peer = (_hex(_PEER[0]), _hex(_PEER[1]), _PEER_BAR)
    return cast("Exchanger", provider).shared_point(own, peer) == _hex(_SHARED)


def _device(provider: Provider) -> bool:
    """Its keys are its own secret: a session opens, and each key passes its pairwise test when it is first used."""
    return cast("Device", provider).answers()


_CHECKS: Mapping[Capability, Callable[[Provider], bool]] = {
    Capability.SM3: _sm3,
    Capability.HMAC_SM3: _hmac,
    Capability.PBKDF2_SM3: _pbkdf2,
    Capability.HKDF_SM3: _hkdf,
    Capability.SM4_GCM: _gcm,
    Capability.SM4_CBC: _cbc,
    Capability.SM2_POINT: _point,
    Capability.SM2_SIGN: _sign,
    Capability.SM2_VERIFY: _verify,
    Capability.SM2_ENCRYPT: _encrypt,
    Capability.SM2_DECRYPT: _decrypt,
    Capability.SM2_EXCHANGE: _exchange,
    Capability.SM2_DEVICE: _device,
}
