"""Key exchange: the standard's example with every value between, a second opinion, and no key without confirmation."""

from __future__ import annotations

import gmalg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto import curve, exchange
from crypto.errors import CryptoError, InvalidKey, InvalidPoint, VerificationFailed
from crypto.exchange import Initiator, Parties, Responder
from crypto.sm2 import PrivateKey, generate, za
from tests.crypto.test_vectors import kind

_hex = bytes.fromhex
ALICE, BOB = generate(), generate()


def sides(**more) -> tuple[Initiator, Responder]:
    return (
        Initiator(Parties(key=ALICE, peer=BOB.public, id=b"alice", peer_id=b"bob", **more)),
        Responder(Parties(key=BOB, peer=ALICE.public, id=b"bob", peer_id=b"alice", **more)),
    )


@kind("sm2-kx")
def test_the_example_of_the_standard(vector) -> None:
    a, b = (PrivateKey.from_scalar(_hex(vector[one])) for one in ("dA", "dB"))
    assert (a.public.point, b.public.point) == (_hex(vector["PA"]), _hex(vector["PB"]))
    ids = {"id": _hex(vector["idA"]), "peer_id": _hex(vector["idB"])}
    initiator = Initiator(Parties(key=a, peer=b.public, **ids), _ephemeral=_hex(vector["rA"]))
    responder = Responder(Parties(key=b, peer=a.public, **ids), _ephemeral=_hex(vector["rB"]))
    assert (initiator.point, responder.point) == (_hex(vector["RA"]), _hex(vector["RB"]))
    confirmation = responder.respond(initiator.point)
    key, answer = initiator.confirm(responder.point, confirmation)
    assert (confirmation.hex(), answer.hex()) == (vector["S1_SB"], vector["SA_S2"])
    assert key == responder.confirm(answer) == _hex(vector["key"])


@given(st.binary(min_size=1, max_size=30), st.binary(min_size=1, max_size=30), st.integers(1, 100))
@settings(max_examples=3, deadline=None)
def test_an_independent_library_agrees(id_a: bytes, id_b: bytes, length: int) -> None:
    """It knows no confirmation, so the key is looked at from within."""
    peer = gmalg.SM2(sk=ALICE.scalar(), uid=id_a, pk=ALICE.public.point)
    point, secret = peer.begin_key_exchange()
    ours = Responder(Parties(key=BOB, peer=ALICE.public, id=id_b, peer_id=id_a, key_bytes=length))
    ours.respond(point)
    theirs = peer.end_key_exchange(length, secret, ours.point, id_b, BOB.public.point, gmalg.KEYXCHG_MODE.INITIATOR)
    assert ours._agreed.key == theirs


@given(st.integers(1, 100))
@settings(max_examples=10, deadline=None)
def test_both_sides_agree_and_differ_each_time(length: int) -> None:
    keys = []
    for _ in range(2):
        initiator, responder = sides(key_bytes=length)
        key, answer = initiator.confirm(responder.point, responder.respond(initiator.point))
        assert key == responder.confirm(answer)
        assert len(key) == length
        keys.append(key)
    assert keys[0] != keys[1] or length < 8


def test_a_wrong_confirmation_gives_no_key() -> None:
    initiator, responder = sides()
    confirmation = responder.respond(initiator.point)
    with pytest.raises(VerificationFailed, match="does not confirm"):
        initiator.confirm(responder.point, bytes(32))
    with pytest.raises(VerificationFailed):
        responder.confirm(confirmation)  # a mirrored SB is no SA
    with pytest.raises(CryptoError, match="no key exchange to confirm"):
        responder.confirm(bytes(32))


def test_another_identity_or_key_is_noticed() -> None:
    for parties in (
        Parties(key=ALICE, peer=BOB.public, id=b"mallory", peer_id=b"bob"),
        Parties(key=ALICE, peer=generate().public, id=b"alice", peer_id=b"bob"),
        Parties(key=generate(), peer=BOB.public, id=b"alice", peer_id=b"bob"),
    ):
        initiator, (_, responder) = Initiator(parties), sides()
        with pytest.raises(VerificationFailed):
            initiator.confirm(responder.point, responder.respond(initiator.point))


def test_each_side_serves_once() -> None:
    initiator, responder = sides()
    responder.respond(initiator.point)
    with pytest.raises(CryptoError, match="already answered"):
        responder.respond(initiator.point)


def test_a_point_off_the_curve_is_refused_before_the_key_is_used() -> None:
    for point in (curve.GENERATOR[:-1] + b"\0", b"\4" + bytes(64), b"\0", b""):
        with pytest.raises(InvalidPoint):
            sides()[1].respond(point)


def test_the_point_at_infinity_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """P + [x̄]R = infinity needs an R that depends on its own x̄; with x̄ = 1 in its place, R = -P does it."""
    monkeypatch.setattr(exchange, "_bar", lambda _: 1)
    x, y = ALICE.public.point[1:33], int.from_bytes(ALICE.public.point[33:])
    with pytest.raises(InvalidPoint, match="infinity"):
        sides()[1].respond(b"\4" + x + (curve.P - y).to_bytes(32))


@pytest.mark.parametrize("length", [0, -1, 1025])
def test_the_length_of_a_key_has_limits(length: int) -> None:
    with pytest.raises(InvalidKey):
        sides(key_bytes=length)


def test_the_agreed_key_is_in_no_text() -> None:
    initiator, responder = sides()
    responder.respond(initiator.point)
    key = responder._agreed.key
    assert key.hex() not in f"{responder._agreed!r} {responder!r} {responder._parties!r}"
    assert za(ALICE.public.point, b"a") != za(ALICE.public.point, b"b")
