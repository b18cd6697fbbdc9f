"""Keys and points before a library sees them: the edges, and one DER form for each."""

from __future__ import annotations

import pytest
from asn1crypto import keys

from crypto import curve
from crypto.errors import InvalidKey, InvalidPoint
from tests.crypto.wording import told

BASE = curve.GENERATOR
SPKI = keys.PublicKeyInfo(
    {
        "algorithm": {"algorithm": "ec", "parameters": keys.ECDomainParameters("named", curve.CURVE_OID)},
        "public_key": BASE,
    }
).dump()
ROOT = pow(curve.B, (curve.P + 1) // 4, curve.P)  # (0, ROOT) is a point


NO_SCALAR = (
    "the SM2 private key is out of range (1 to n-2, 32 bytes)",
    "generate a new key: yw crypto keygen --out KEY.pem",
)
NO_POINT = (
    "the public key is no point of the SM2 curve",
    "ask its owner for the key again, as PEM or 04||x||y",
)
NO_KEY = ("not an SM2 public key", "give an SM2 key: id-ecPublicKey on curve 1.2.156.10197.1.301")


@pytest.mark.parametrize("scalar", [b"", bytes(32), (curve.N - 1).to_bytes(32), b"\0" + b"\1" * 32])
def test_a_scalar_is_refused_with_the_next_step(scalar: bytes) -> None:
    with pytest.raises(InvalidKey) as refused:
        curve.check_scalar(scalar)
    assert told(refused) == NO_SCALAR


@pytest.mark.parametrize("scalar", [1, curve.N - 2])
def test_a_scalar_at_the_edge_is_taken(scalar: int) -> None:
    curve.check_scalar(scalar.to_bytes(32))


def test_a_coordinate_has_one_form() -> None:
    curve.check_point(b"\4" + bytes(32) + ROOT.to_bytes(32))
    with pytest.raises(InvalidPoint) as refused:
        curve.check_point(b"\4" + curve.P.to_bytes(32) + ROOT.to_bytes(32))
    assert told(refused) == NO_POINT


def test_a_public_key_is_the_der_that_another_library_writes() -> None:
    assert curve.spki(BASE) == SPKI
    assert curve.point_of_spki(SPKI) == BASE


@pytest.mark.parametrize(
    ("der", "why"),
    [
        pytest.param(b"", NO_KEY, id="empty"),
        pytest.param(SPKI[:-1], NO_KEY, id="cut"),
        pytest.param(SPKI + b"\0", NO_KEY, id="a byte behind"),
        pytest.param(SPKI[:-65], NO_KEY, id="no point"),
        pytest.param(b"\x31" + SPKI[1:], NO_KEY, id="another shape"),
        pytest.param(SPKI[:-1] + bytes([SPKI[-1] ^ 1]), NO_POINT, id="off the curve"),
    ],
)
def test_another_public_key_is_refused(der: bytes, why: tuple[str, str]) -> None:
    with pytest.raises(InvalidKey) as refused:
        curve.point_of_spki(der)
    assert told(refused) == why


def test_a_private_key_is_the_der_that_another_library_reads() -> None:
    scalar = (7).to_bytes(32)
    found = keys.PrivateKeyInfo.load(curve.pkcs8(scalar, BASE), strict=True)
    inner = found["private_key"].parsed
    assert found["private_key_algorithm"]["parameters"].chosen.dotted == curve.CURVE_OID
    assert (inner["private_key"].contents, inner["public_key"].native) == (scalar, BASE)
