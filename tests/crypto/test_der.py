"""Strict DER: what comes out goes in again, and nothing else does."""

from __future__ import annotations

import gmssl_pyx
import pytest
from asn1crypto import core
from asn1crypto import parser as peer
from hypothesis import example, given, settings
from hypothesis import strategies as st

from crypto import der
from crypto.curve import N
from crypto.errors import InvalidEncoding, VerificationFailed
from crypto.sm2 import generate
from tests.crypto.wording import told

SCALARS = st.integers(1, N - 1)
KEY = generate()
MESSAGE = b"mutated"
SIGNATURE = KEY.sign(MESSAGE)


@given(SCALARS, SCALARS)
@example(1, 1)
@example(0x80, 0x7F)
@example(N - 1, N - 2)
def test_a_signature_comes_back_from_der_and_raw(r: int, s: int) -> None:
    if r + s == N:
        return
    encoded = der.encode_signature(r, s)
    assert der.parse_signature(encoded) == (r, s)
    assert der.signature_from_raw(der.signature_to_raw(encoded)) == encoded
    der.check(encoded)


@given(st.binary(max_size=80))
@settings(max_examples=500)
def test_bytes_that_parse_are_the_one_encoding(data: bytes) -> None:
    try:
        r, s = der.parse_signature(data)
    except InvalidEncoding:
        return
    assert der.encode_signature(r, s) == data


@st.composite
def mutations(draw: st.DrawFn) -> bytes:
    data = bytearray(SIGNATURE)
    for _ in range(draw(st.integers(1, 2))):
        at = draw(st.integers(0, len(data) - 1))
        edit = draw(st.sampled_from(["set", "insert", "delete", "cut", "append"]))
        byte = draw(st.integers(0, 255))
        if edit == "set":
            data[at] = byte
        elif edit == "insert":
            data.insert(at, byte)
        elif edit == "delete" and len(data) > 1:
            del data[at]
        elif edit == "cut" and at:
            del data[at:]
        elif edit == "append":
            data.append(byte)
    return bytes(data)


@given(mutations())
@settings(max_examples=400, deadline=None)
def test_a_changed_signature_is_refused_here_as_by_gmssl(data: bytes) -> None:
    same = data == SIGNATURE
    assert ours(data) == same
    assert gmssl(data) == same


def ours(signature: bytes) -> bool:
    try:
        KEY.public.verify(signature, MESSAGE)
    except VerificationFailed:
        return False
    return True


def gmssl(signature: bytes) -> bool:
    try:
        return bool(gmssl_pyx.sm2_verify(KEY.public.point[1:], MESSAGE, signature))
    except (ValueError, gmssl_pyx.GmSSLException):
        return False


@pytest.mark.parametrize(
    "data",
    [
        pytest.param("", id="empty"),
        pytest.param("30", id="tag alone"),
        pytest.param("3080020101", id="indefinite length"),
        pytest.param("308103020101", id="long form for a short length"),
        pytest.param("3082000302010100", id="leading zero in the length"),
        pytest.param("30820080" + "0500" * 64, id="leading zero in a long length"),
        pytest.param("308500000000030201", id="five length bytes"),
        pytest.param("300302010100", id="trailing byte"),
        pytest.param("30040201", id="cut"),
        pytest.param("3003020201", id="inner element longer than outer"),
        pytest.param("1f810100", id="long tag"),
    ],
)
def test_check_refuses(data: str) -> None:
    with pytest.raises(InvalidEncoding):
        der.check(bytes.fromhex(data))


def reason(refused: pytest.ExceptionInfo[InvalidEncoding]) -> str:
    """What is wrong; that a next step is told is checked on the way."""
    why, advice = told(refused)
    assert advice == "get it again from its sender; it was changed or made by a faulty program"
    return why


@pytest.mark.parametrize(
    ("data", "why"),
    [
        pytest.param("", "cut or unknown DER element at byte 0", id="empty"),
        pytest.param("0500" + "0000", "2 bytes after the DER element", id="two bytes behind"),
        pytest.param("30030201011f", "1 bytes after the DER element", id="a tag behind"),
        pytest.param("30031f0101", "cut or unknown DER element at byte 2", id="long tag inside"),
        pytest.param("3080020101", "DER length at byte 0 is not minimal", id="indefinite length"),
        pytest.param("3080" + "00" * 128, "DER length at byte 0 is not minimal", id="indefinite length of 128"),
        pytest.param("3003048100", "DER length at byte 2 is not minimal", id="long form of nothing"),
        pytest.param("04850100000000", "DER length at byte 0 is not minimal", id="five length bytes, none of them 0"),
        pytest.param("0484ffffffff", "DER element at byte 0 is cut", id="four length bytes are looked at"),
        pytest.param("04820100", "DER element at byte 0 is cut", id="cut behind the length"),
        pytest.param("30020401", "DER element at byte 2 is cut", id="cut by its parent"),
        pytest.param("300630020402aabb", "DER element at byte 4 is cut", id="cut by its parent, though bytes follow"),
        pytest.param("0200", "the number at byte 2 is not minimal", id="INTEGER of nothing"),
        pytest.param("02020001", "the number at byte 2 is not minimal", id="leading zero"),
        pytest.param("02020000", "the number at byte 2 is not minimal", id="zero twice"),
        pytest.param("0202007f", "the number at byte 2 is not minimal", id="leading zero before 127"),
        pytest.param("0202ff80", "the number at byte 2 is not minimal", id="leading ones before -128"),
        pytest.param("0202ffff", "the number at byte 2 is not minimal", id="-1 twice"),
        pytest.param("30040a020000", "the number at byte 4 is not minimal", id="ENUMERATED inside"),
        pytest.param("300502000201ff", "the number at byte 4 is not minimal", id="INTEGER of nothing before another"),
    ],
)
def test_a_refusal_tells_what_and_where(data: str, why: str) -> None:
    with pytest.raises(InvalidEncoding) as refused:
        der.check(bytes.fromhex(data))
    assert reason(refused) == why


@pytest.mark.parametrize("size", [0, 1, 127, 128, 255, 256, 511, 2**16 - 1, 2**16, 2**24 - 1, 2**24])
def test_each_length_has_its_one_form(size: int) -> None:
    data = core.OctetString(b"\xff" * size).dump()
    assert der.encode(4, b"\xff" * size) == data
    der.check(data)
    assert der.read(data) == (4, len(data) - size, len(data))
    assert der.read(b"\5\0" + data, 2) == (4, len(data) + 2 - size, len(data) + 2)


@pytest.mark.parametrize(
    "data",
    [
        "0500",
        "0401ff",
        "30020500",
        "3009040130a0040402ff1f",
        "a000",
        "04020000",
        "020100",
        "0201ff",
        "020180",
        "02020080",
        "020200ff",
        "0202ff7f",
        "0202ff00",
        "0a020080",
        "30060201000201ff",
        "30060201ff020100",
    ],
)
def test_check_accepts(data: str) -> None:
    der.check(bytes.fromhex(data))


def tower(levels: int) -> bytes:
    data = b""
    for _ in range(levels):
        data = core.Sequence(contents=data).dump()
    return data


def test_check_refuses_a_tower_of_sequences() -> None:
    der.check(tower(32))
    with pytest.raises(InvalidEncoding) as refused:
        der.check(tower(33))
    assert reason(refused) == "DER is nested more than 32 deep"


NO_SEQUENCE = "the signature is no DER SEQUENCE of two INTEGERs"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        pytest.param("3106020101020101", NO_SEQUENCE, id="SET"),
        pytest.param("300602010102010100", NO_SEQUENCE, id="a byte behind"),
        pytest.param("3009020101020101020101", "the signature has bytes after s", id="three integers"),
        pytest.param("3006040101020101", "INTEGER at byte 2", id="r is no INTEGER"),
        pytest.param("3006020101040101", "INTEGER at byte 5", id="s is no INTEGER"),
        pytest.param("30050200020101", "INTEGER at byte 2", id="r is empty"),
        pytest.param("3006020180020101", "INTEGER at byte 2", id="r is negative"),
        pytest.param("300702020001020101", "INTEGER at byte 2", id="r has a leading zero"),
        pytest.param("30070201010202007f", "INTEGER at byte 5", id="s has a leading zero"),
        pytest.param("3006020100020101", "the signature's r or s is out of range", id="r is 0"),
    ],
)
def test_a_signature_is_refused_with_the_reason(data: str, why: str) -> None:
    with pytest.raises(InvalidEncoding) as refused:
        der.parse_signature(bytes.fromhex(data))
    minimal = "no minimal positive "
    assert reason(refused) == (minimal + why if why.startswith("INTEGER") else why)


@given(st.binary(max_size=60))
@settings(max_examples=500)
def test_what_check_accepts_asn1crypto_reads_whole(data: bytes) -> None:
    try:
        der.check(data)
    except InvalidEncoding:
        return
    peer.parse(data, strict=True)


@pytest.mark.parametrize(("r", "s"), [(0, 1), (1, 0), (N, 1), (1, N), (1, N - 1), (2**256, 1)])
def test_r_and_s_out_of_range_are_refused(r: int, s: int) -> None:
    with pytest.raises(InvalidEncoding, match="out of range"):
        der.parse_signature(der.encode_signature(r, s))
    with pytest.raises(InvalidEncoding, match=r"out of range|64 bytes"):
        der.signature_from_raw(r.to_bytes(33).removeprefix(b"\0") + s.to_bytes(32))


@pytest.mark.parametrize("size", [63, 65])
def test_a_raw_signature_has_64_bytes(size: int) -> None:
    with pytest.raises(InvalidEncoding) as refused:
        der.signature_from_raw(b"\1" * size)
    assert reason(refused) == f"a raw signature has 64 bytes, this one {size}"
