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

Configure = Callable[..., ChannelConfig]
OFFER = json.dumps(offer_words(Offer(name="账单.csv", size=17, sm3="0f" * 32)), ensure_ascii=False).encode()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def seeded(number: int) -> random.Random:
    return random.Random(number)  # noqa: S311 - the same cases each time


def mutated(data: bytes, chance: random.Random) -> bytes:
    """One to three of: a byte changed, cut, doubled, dropped, bytes put in."""
    found = bytearray(data)
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(found) + 1)
        kind = chance.randrange(5)
        if kind == 0 and at < len(found):
            found[at] = chance.randrange(256)
        elif kind == 1:
            del found[at:]
        elif kind == 2:
            found[at:at] = found[max(0, at - 8) : at]
        elif kind == 3:
            del found[at : at + chance.randint(1, 8)]
        else:
            found[at:at] = chance.randbytes(chance.randint(1, 8))
    return bytes(found)


def check_offer(body: bytes) -> None:
    try:
        offer = offer_of(body)
    except ProtocolBroken:
        return
    assert "/" not in offer.name
    assert offer.size >= 0


@given(st.builds(dict, name=JSON, size=JSON, sm3=JSON))
@settings(max_examples=300, deadline=None)
def test_offers_of_any_values(words: dict[str, object]) -> None:
    check_offer(json.dumps(words).encode())


@pytest.mark.parametrize("cases", [20_000, pytest.param(200_000, marks=pytest.mark.long)])
def test_mutated_offers(cases: int) -> None:
    chance = seeded(8998)
    for _ in range(cases):
        check_offer(mutated(OFFER, chance))


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
    with contextlib.suppress(CryptoError):
        assert not engine.handshake()
    assert not engine.established


@pytest.mark.parametrize("cases", [1000, pytest.param(50_000, marks=pytest.mark.long)])
def test_a_server_under_mutated_first_flights(configure: Configure, cases: int) -> None:
    chance, endpoint = seeded(1), Endpoint(configure(), Role.SERVER)
    _, hello, _ = flights(configure)
    for _ in range(cases):
        refuses(endpoint.engine(), mutated(hello, chance))


@pytest.mark.parametrize("cases", [100, pytest.param(5000, marks=pytest.mark.long)])
def test_a_client_under_mutated_answers(configure: Configure, cases: int) -> None:
    chance = seeded(2)
    for _ in range(cases):
        client, _, answer = flights(configure)
        changed = mutated(answer, chance)
        if not changed.startswith(answer):
            refuses(client, changed)


@pytest.mark.parametrize("cases", [300, pytest.param(20_000, marks=pytest.mark.long)])
def test_records_changed_on_the_way_give_no_plaintext(configure: Configure, cases: int) -> None:
    chance = seeded(3)
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
