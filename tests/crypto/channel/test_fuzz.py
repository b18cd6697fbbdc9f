"""Hostile bytes at every parser of ours, and at the library through the engine: typed errors, nothing accepted."""

from __future__ import annotations

import contextlib
import json
import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.channel import ChannelConfig
from crypto.channel.engine import Endpoint, Engine
from crypto.channel.files.frames import Offer, ProtocolBroken, offer_of, offer_words
from crypto.channel.peer import Role
from crypto.errors import CryptoError
from tests.crypto.mutation import LONG, UNIT, Parser, attack, mutations

Configure = Callable[..., ChannelConfig]
OFFER = json.dumps(offer_words(Offer(name="账单.csv", size=17, sm3="0f" * 32)), ensure_ascii=False).encode()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def check_offer(body: bytes) -> None:
    """Nobody signs an offer: it is refused, or names one plain file."""
    with contextlib.suppress(ProtocolBroken):
        offer = offer_of(body)
        assert "/" not in offer.name
        assert offer.size >= 0


@given(st.builds(dict, name=JSON, size=JSON, sm3=JSON))
@settings(max_examples=300, deadline=None)
def test_offers_of_any_values(words: dict[str, object]) -> None:
    check_offer(json.dumps(words).encode())


@pytest.mark.parametrize("cases", [UNIT, pytest.param(LONG, marks=pytest.mark.long)])
def test_changed_offers(cases: int) -> None:
    attack(Parser(sample=OFFER, read=check_offer), cases)


def flights(configure: Configure) -> tuple[Engine, bytes, bytes]:
    """A client in the middle of its handshake, its first flight, the server's."""
    client, server = Endpoint(configure(), Role.CLIENT).engine("127.0.0.1"), Endpoint(configure(), Role.SERVER).engine()
    client.handshake()
    hello = client.take()
    server.feed(hello)
    server.handshake()
    return client, hello, server.take()


def refuses(engine: Engine, data: bytes) -> None:
    """Never established; an error is typed, and no plaintext comes."""
    engine.feed(data)
    try:
        assert not engine.handshake()
    finally:
        assert not engine.established


@pytest.mark.parametrize("cases", [UNIT, pytest.param(LONG, marks=pytest.mark.long)])
def test_a_server_under_changed_first_flights(configure: Configure, cases: int) -> None:
    endpoint = Endpoint(configure(), Role.SERVER)
    _, hello, _ = flights(configure)
    attack(Parser(sample=hello, read=lambda data: refuses(endpoint.engine(), data)), cases)


def meant(flight: bytes) -> list[bytes]:
    """The records of a flight without what RFC 8446 §5 has everybody ignore.

    That is the legacy version of a plaintext record, and a change_cipher_spec; headers of others are authenticated.
    """
    found = []
    while len(flight) >= 5:
        header, size = flight[:5], int.from_bytes(flight[3:5], "big")
        record, flight = flight[: 5 + size], flight[5 + size :]
        if record[0] != 0x14 or record[5:] != b"\x01":
            found.append(record[:1] + record[3:] if header[0] == 0x16 and header[1] == 3 else record)
    return [*found, flight]


@pytest.mark.parametrize("cases", [100, pytest.param(5000, marks=pytest.mark.long)])
def test_a_client_under_changed_answers(configure: Configure, cases: int) -> None:
    for seed in range(cases):
        client, _, answer = flights(configure)
        (changed,) = mutations(answer, 1, seed)
        if meant(changed)[: len(meant(answer)) - 1] != meant(answer)[:-1]:
            with contextlib.suppress(CryptoError):
                refuses(client, changed)


@pytest.mark.parametrize("cases", [300, pytest.param(20_000, marks=pytest.mark.long)])
def test_records_changed_on_the_way_give_no_plaintext(configure: Configure, cases: int) -> None:
    chance = random.Random(3)  # noqa: S311 - the same cases each time
    for _ in range(cases // 20):
        client, server = (
            Endpoint(configure(), Role.CLIENT).engine("127.0.0.1"),
            Endpoint(configure(), Role.SERVER).engine(),
        )
        for one, other in ((client, server), (server, client), (client, server)):
            one.handshake()
            other.feed(one.take())
        assert server.handshake()
        client.write(b"settle 100 yuan")
        changed = bytearray(client.take())
        changed[chance.randrange(5, len(changed))] ^= 1 << chance.randrange(8)
        server.feed(bytes(changed))
        with pytest.raises(CryptoError):
            server.read()
