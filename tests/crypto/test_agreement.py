"""All providers of SM2 agree, on what is right and on what is not; each is asked behind the same front."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import gmalg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto import ciphertext, curve, der, sm2, sm4
from crypto.errors import AuthenticationFailed, InvalidEncoding, InvalidPoint, ProviderUnavailable
from crypto.providers import libcrypto
from crypto.providers.base import Capability
from crypto.providers.known_answers import check
from crypto.providers.registry import Options, Registry
from tests.crypto.mutation import mutations
from tests.running import ROOT, missing_peer

NAMES = ("openssl", "gmssl_pyx", "gmssl")
REGISTRY = Registry(NAMES, Options(allow_slow_reference=True))
KEY = sm2.generate()
SCALARS = st.integers(1, curve.N - 2).map(lambda number: number.to_bytes(32))


@pytest.mark.parametrize("name", NAMES)
def test_each_passes_its_known_answers(name: str) -> None:
    provider = REGISTRY.provider(name)
    for capability in provider.about.capabilities:
        check(provider, capability)


@given(SCALARS, st.binary(min_size=32, max_size=32), st.binary(min_size=1, max_size=255))
@settings(max_examples=3, deadline=None)
def test_what_one_makes_all_accept(scalar: bytes, digest: bytes, text: bytes) -> None:
    point = REGISTRY.provider("openssl").point_of(scalar)
    assert REGISTRY.provider("gmssl").point_of(scalar) == point
    engines = [REGISTRY.provider(name) for name in NAMES]
    keys = {one.name: (one.load_private(scalar, point), one.load_public(point)) for one in engines}
    for maker in engines:
        signature = maker.sign(keys[maker.name][0], digest)
        sealed = maker.encrypt(keys[maker.name][1], text)
        for judge in engines:
            private, public = keys[judge.name]
            assert judge.verify(public, digest, signature)
            assert not judge.verify(public, digest[::-1] + b"", signature) or digest == digest[::-1]
            if ciphertext.parse(sealed).text != text:
                assert judge.decrypt(private, sealed) == text


def test_what_the_front_lets_through_all_refuse_alike() -> None:
    """Changed signatures that are strict DER in range all the same reach the libraries, and none accepts one."""
    native = [REGISTRY.provider(name) for name in ("openssl", "gmssl_pyx")]
    digest = KEY.public.digest(b"mutated")
    signature = KEY.sign_digest(digest)
    seen = 0
    for data in mutations(signature, 1500):
        with contextlib.suppress(InvalidEncoding):
            der.parse_signature(data)
            seen += 1
            assert [one.verify(one.load_public(KEY.public.point), digest, data) for one in native] == [False, False]
    assert seen > 50


def test_changed_ciphertexts_are_refused_alike() -> None:
    native = [REGISTRY.provider(name) for name in ("openssl", "gmssl_pyx")]
    handles = [one.load_private(KEY.scalar(), KEY.public.point) for one in native]
    seen = 0
    for data in mutations(KEY.public.encrypt(b"pay 100 yuan"), 1500):
        with contextlib.suppress(InvalidEncoding, InvalidPoint):
            ciphertext.parse(data)
            seen += 1
            for engine, handle in zip(native, handles, strict=True):
                with pytest.raises(AuthenticationFailed):
                    engine.decrypt(handle, data)
    assert seen > 50


@pytest.mark.parametrize("prefix", [0x04, 0x40, 0x00], ids=hex)
def test_keys_whose_x_begins_oddly_work_everywhere(prefix: int) -> None:
    engine = REGISTRY.provider("openssl")
    number, point = 1, b""
    while not point or point[1] != prefix:
        number += 1
        point = engine.point_of(number.to_bytes(32))
    key = sm2.PrivateKey.from_scalar(number.to_bytes(32), point)
    signature, sealed = key.sign(b"data"), key.public.encrypt(b"key")
    digest = key.public.digest(b"data")
    for name in NAMES:
        one = REGISTRY.provider(name)
        assert one.verify(one.load_public(point), digest, signature)
        assert one.decrypt(one.load_private(key.scalar(), point), sealed) == b"key"
    raw = der.signature_to_raw(signature)
    assert gmalg.SM2(uid=sm2.DEFAULT_ID, pk=point).verify(b"data", raw[:32], raw[32:])


GUARDED = """
import sys
from crypto.curve import N
from crypto.errors import InvalidKey
from crypto.keys.keyfile import load_private_key
from crypto.sm2 import PrivateKey
from crypto import curve, pem
scalar = {scalar}.to_bytes(32)
for make in (lambda: PrivateKey.from_scalar(scalar).sign(b"x"),
             lambda: load_private_key(pem.encode("PRIVATE KEY", curve.pkcs8(scalar, curve.GENERATOR)), None).sign(b"x")):
    try:
        make()
    except InvalidKey:
        continue
    sys.exit("accepted")
"""


@pytest.mark.parametrize("scalar", ["(0)", "(N - 1)", "N", "(N + 1)"])
def test_scalars_with_which_libraries_hang_are_refused_in_time(scalar: str) -> None:
    """In a process of its own: OpenSSL 3.0 never comes back from signing with n-1, and no thread could stop it."""
    subprocess.run([sys.executable, "-c", GUARDED.format(scalar=scalar)], cwd=ROOT, check=True, timeout=60)


HIDDEN = """
from crypto.providers import libcrypto
libcrypto.SONAMES = ()
from crypto.selftest import run
from crypto.sm2 import generate
from crypto.exchange import Initiator, Parties, Responder
key, other = generate(), generate()
key.public.verify(key.sign(b"x"), b"x")
assert key.decrypt(key.public.encrypt(b"x")) == b"x"
a, b = Initiator(Parties(key=key, peer=other.public)), Responder(Parties(key=other, peer=key.public))
shared, answer = a.confirm(b.point, b.respond(a.point))
assert b.confirm(answer) == shared
print({row.file for row in run() if row.name.startswith("sm2")})
"""


@pytest.mark.peer
def test_without_the_system_s_libcrypto_the_wheel_s_serves_all_of_sm2() -> None:
    if not any("psycopg_binary" in name for name in libcrypto.candidates()):
        missing_peer("psycopg-binary is not here; install it: pip install psycopg-binary")
    environment = {name: value for name, value in os.environ.items() if name != "YW_LIBCRYPTO"}
    command = [sys.executable, "-c", HIDDEN]
    found = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert "psycopg_binary.libs" in found.stdout
    assert found.stdout.count("'") == 2, "one library for everything"


@pytest.fixture(scope="module")
def accelerator(require_peer, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Built once; without Go it is skipped aloud."""
    require_peer("Go", "go", "https://go.dev/dl")
    built = tmp_path_factory.mktemp("native") / "libyunwangsm.so"
    command = [str(ROOT / "native" / "accelerator" / "build.sh"), str(built)]
    subprocess.run(command, check=True, capture_output=True, timeout=900)
    return str(built)


@pytest.mark.peer
def test_the_accelerator_agrees(accelerator: str) -> None:
    options = Options(accelerator_library=accelerator)
    fast = Registry(["accelerator"], options).provider("accelerator")
    slow = REGISTRY.provider("openssl")
    pyca = Registry(["pyca"]).provider("pyca")
    for capability in fast.about.capabilities:
        check(fast, capability)
    private, public = (fast.load_private(KEY.scalar(), KEY.public.point), fast.load_public(KEY.public.point))
    judge = slow.load_public(KEY.public.point)
    for number in range(300):
        digest = KEY.public.digest(b"%d" % number)
        signature = fast.sign(private, digest)
        der.parse_signature(signature)
        assert slow.verify(judge, digest, signature)
        assert fast.verify(public, digest, KEY.sign_digest(digest))
        assert not fast.verify(public, digest[::-1], signature)
    for size in (0, 1, 15, 16, 17, 4096, 100_001):
        key, nonce, text, aad = sm4.new_key(), sm4.new_nonce(), os.urandom(size), os.urandom(size % 40)
        sealed = fast.gcm_seal(key, nonce, text, aad)
        assert sealed == pyca.gcm_seal(key, nonce, text, aad)
        assert fast.gcm_open(key, nonce, sealed, aad) == text
        for bad, more in [(sealed[:-1] + bytes((sealed[-1] ^ 1,)), aad), (sealed, aad + b"x")]:
            with pytest.raises(AuthenticationFailed):
                fast.gcm_open(key, nonce, bad, more)


@pytest.mark.peer
def test_the_accelerator_does_not_pretend_after_a_fork(accelerator: str) -> None:
    code = f"""
import os, sys
from crypto import sm2
from crypto.errors import ProviderUnavailable
from crypto.providers import registry
registry.configure(["accelerator", *registry.DEFAULT_ORDER], registry.Options(accelerator_library={accelerator!r}))
key = sm2.generate()
pid = os.fork()
if not pid:
    try:
        key.sign(b"x")
    except ProviderUnavailable as error:
        os._exit(0 if "fork" in str(error) else 1)
    os._exit(2)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)


def test_a_missing_library_of_the_accelerator_is_told(tmp_path: Path) -> None:
    for path in ("", "libyunwangsm.so", str(tmp_path / "none.so"), "/lib/x86_64-linux-gnu/libm.so.6"):
        with pytest.raises(ProviderUnavailable):
            Registry(["accelerator"], Options(accelerator_library=path)).get(Capability.SM2_SIGN)
