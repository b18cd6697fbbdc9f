"""The crypto device, played by a C library that the test builds: keys inside, sessions, and what happens when it fails."""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from crypto import curve, selftest, sm2
from crypto.errors import AuthenticationFailed, InvalidKey, ProviderUnavailable, VerificationFailed
from crypto.providers import libcrypto, registry
from crypto.providers.registry import Options, Registry
from crypto.providers.sdf import BASE, SdfProvider
from records.secret import Secret

pytestmark = pytest.mark.peer
CODE = Secret("12345678")
COMMFAIL, HARDFAIL = BASE + 3, BASE + 4
ORDER = ("hashlib", "pyca", "sdf", "openssl")


@pytest.fixture(scope="module")
def library(require_peer, tmp_path_factory: pytest.TempPathFactory) -> str:
    compiler = require_peer("a C compiler", "cc", "apt-get install gcc")
    built = tmp_path_factory.mktemp("sdf") / "libsdf_mock.so"
    source = Path(__file__).with_name("sdf_mock.c")
    file = libcrypto.file_of(libcrypto.load())
    command = [compiler, "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", str(built), str(source), file]
    subprocess.run(command, check=True)
    return str(built)


@pytest.fixture
def mock(library: str) -> Iterator[ctypes.CDLL]:
    """The device with two pairs of keys, and a registry that asks it first."""
    pairs = [sm2.generate(), sm2.generate()]
    loaded = ctypes.CDLL(library)
    private = b"".join(curve.pkcs8(one.scalar(), one.public.point) for one in pairs)
    loaded.mock_keys(private, b"".join(one.public.spki for one in pairs))
    loaded.mock_fail(0, 0)
    registry.configure(ORDER, Options(sdf_library=library, sdf_decrypt="algorithm"))
    yield loaded
    loaded.mock_fail(0, 0)
    registry.device().close()
    assert (loaded.mock_devices(), loaded.mock_sessions()) == (0, 0)
    registry.configure(registry.DEFAULT_ORDER)


def test_the_self_test_covers_the_device(mock, library: str) -> None:
    del mock
    rows = {row.name: row for row in selftest.run() if row.provider == "sdf"}
    assert set(rows) == {"sm2.device", "sm2.encrypt", "sm2.verify"}
    assert rows["sm2.device"].file == library
    assert all(row.serves for row in rows.values())


@pytest.mark.usefixtures("mock")
def test_a_key_in_the_device_signs_and_everybody_verifies() -> None:
    key = sm2.device_key(1, CODE)
    for number in range(20):
        signature = key.sign(b"bill %d" % number)
        key.public.verify(signature, b"bill %d" % number)
        outside = sm2.PublicKey.from_point(key.public.point)
        outside._loaded[registry.Capability.SM2_VERIFY] = _openssl(key.public.point)
        outside.verify(signature, b"bill %d" % number)
        with pytest.raises(VerificationFailed):
            key.public.verify(signature, b"bill")


def _openssl(point: bytes) -> tuple[object, object]:
    engine = Registry().provider("openssl")
    return engine, engine.load_public(point)


@pytest.mark.parametrize("size", [1, 16, 127, 128, 255])
@pytest.mark.usefixtures("mock")
def test_the_encryption_pair_decrypts(size: int) -> None:
    key = sm2.device_key(1, CODE, encryption=True)
    sealed = key.public.encrypt(b"k" * size)
    assert key.decrypt(sealed) == b"k" * size
    with pytest.raises(AuthenticationFailed):
        key.decrypt(sealed[:-1] + bytes((sealed[-1] ^ 1,)))


@pytest.mark.usefixtures("mock")
def test_each_pair_has_its_one_purpose() -> None:
    signing, encryption = sm2.device_key(1, CODE), sm2.device_key(1, CODE, encryption=True)
    assert signing.public != encryption.public
    with pytest.raises(InvalidKey, match="does not decrypt"):
        signing.decrypt(signing.public.encrypt(b"key"))
    with pytest.raises(InvalidKey, match="for encryption"):
        encryption.sign(b"data")


@pytest.mark.usefixtures("mock")
def test_the_key_does_not_leave() -> None:
    key = sm2.device_key(1, CODE)
    with pytest.raises(InvalidKey, match="does not leave its device"):
        key.scalar()
    assert CODE.reveal() not in f"{key!r}{key._loaded!r}"


@pytest.mark.usefixtures("mock")
def test_a_wrong_access_code_and_an_absent_key() -> None:
    with pytest.raises(AuthenticationFailed):
        sm2.device_key(1, Secret("87654321"))
    with pytest.raises(InvalidKey, match="no key of this number"):
        sm2.device_key(2, CODE)


def test_a_key_in_a_file_goes_to_the_next_provider(mock) -> None:
    """The device serves what it can; keys in files need no device, and that is no downgrade."""
    del mock
    key = sm2.generate()
    key.public.verify(key.sign(b"x"), b"x")
    assert key.decrypt(key.public.encrypt(b"x")) == b"x"
    assert registry.active().get(registry.Capability.SM2_SIGN).about.name == "openssl"
    assert registry.active().get(registry.Capability.SM2_VERIFY).about.name == "sdf"


@pytest.mark.parametrize("code", [COMMFAIL, HARDFAIL])
def test_after_an_error_of_the_line_the_device_is_opened_again(mock, code: int) -> None:
    key = sm2.device_key(1, CODE)
    before = mock.mock_opened()
    mock.mock_fail(code, 1)
    key.public.verify(key.sign(b"x"), b"x")
    assert mock.mock_opened() == before + 1
    assert mock.mock_devices() == 1


def test_a_device_that_stays_away_is_told_and_comes_back(mock) -> None:
    key = sm2.device_key(1, CODE)
    signature = key.sign(b"x")
    mock.mock_fail(COMMFAIL, 1000)
    with pytest.raises(ProviderUnavailable, match="0x01000003"):
        key.sign(b"x")
    with pytest.raises(ProviderUnavailable):  # never "the signature does not hold"
        key.public.verify(signature, b"x")
    with pytest.raises(ProviderUnavailable):
        sm2.PublicKey.from_point(key.public.point).encrypt(b"x")
    mock.mock_fail(0, 0)
    key.public.verify(key.sign(b"x"), b"x")


def test_threads_get_sessions_of_their_own_and_leave_none_behind(mock) -> None:
    key = sm2.device_key(1, CODE)

    def work(number: int) -> None:
        if number % 25 == 24:
            mock.mock_fail(COMMFAIL, 1)
        key.public.verify(key.sign(b"%d" % number), b"%d" % number)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(150)))
    provider = registry.device()
    assert isinstance(provider, SdfProvider)
    assert 1 <= len(provider._free) <= 6
    assert mock.mock_devices() == 1


def test_without_a_library_it_is_told(tmp_path: Path) -> None:
    (tmp_path / "no.so").write_text("no library")
    for path, why in [
        ("", "no library is named"),
        ("libsdf.so", "no library is named"),
        (str(tmp_path / "no.so"), "cannot be used"),
    ]:
        with pytest.raises(ProviderUnavailable, match=why):
            Registry(["sdf"], Options(sdf_library=path)).provider("sdf").about  # noqa: B018
    with pytest.raises(ProviderUnavailable, match="SDF_OpenDevice"):
        Registry(["sdf"], Options(sdf_library="/lib/x86_64-linux-gnu/libm.so.6")).provider("sdf").about  # noqa: B018
