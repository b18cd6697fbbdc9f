"""Syslog framing: however the bytes arrive, the same messages come out."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.framing import LARGEST_MESSAGE, Framer

starts = st.sampled_from([b"<13>", b"<189>1 ", b""])
bodies = st.binary(max_size=60).map(lambda body: body.replace(b"\n", b"."))
messages = st.builds(lambda start, body: start + body, starts, bodies)


def framed(message: bytes, *, counted: bool) -> bytes:
    """As a sender would: octet counting only before a ``<``, since that is what tells it from a line."""
    if counted and message.startswith(b"<"):
        return b"%d %b" % (len(message), message)
    return message + b"\n"


def lines_only(message: bytes) -> bool:
    """Whether a line cannot be taken for an octet count."""
    return bool(message) and not message[:1].isdigit()


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(messages.filter(lines_only), st.booleans()), max_size=12), st.integers(0, 2**32))
def test_any_cut_of_the_stream_gives_the_same_messages(sent, seed: int) -> None:
    stream = b"".join(framed(message, counted=counted) for message, counted in sent)
    framer, found, cutter, at = Framer(), [], random.Random(seed), 0  # noqa: S311 - cuts
    while at < len(stream):
        step = cutter.randint(1, 20)
        found += framer.feed(stream[at : at + step])
        at += step
    assert found == [message for message, _ in sent]
    assert framer.finish() == b""


def test_octet_counting_carries_newlines_and_nuls() -> None:
    message = b"<13>1 - - - - - - two\nlines\x00\xff"
    assert Framer().feed(framed(message, counted=True) + b"<14>next\n") == [message, b"<14>next"]


def test_a_line_of_digits_is_a_line() -> None:
    assert Framer().feed(b"12 apples\n5\n<13>x\n") == [b"12 apples", b"5", b"<13>x"]


def test_what_ends_unfinished_is_given_back_without_its_count() -> None:
    framer = Framer()
    assert framer.feed(b"20 <13>half") == []
    assert framer.finish() == b"<13>half"
    framer = Framer()
    framer.feed(b"<13>no newl")
    assert framer.finish() == b"<13>no newl"


@pytest.mark.parametrize("counted", [True, False])
def test_a_message_of_ten_megabytes_is_counted_and_not_kept(*, counted: bool) -> None:
    size = 10 * 2**20
    huge = b"<13>" + b"x" * (size - 4)
    stream = framed(huge, counted=counted) + b"<14>next\n"
    framer, found, most = Framer(), [], 0
    for at in range(0, len(stream), 65_536):
        found += framer.feed(stream[at : at + 65_536])
        most = max(most, len(framer._rest))
    assert found == [b"<14>next"]
    assert (framer.oversize, framer.oversize_bytes) == (1, size)
    assert most <= LARGEST_MESSAGE


@pytest.mark.parametrize("size", [LARGEST_MESSAGE, LARGEST_MESSAGE + 1])
@pytest.mark.parametrize("counted", [True, False])
@pytest.mark.parametrize("step", [1000, 10**6])
def test_the_limit_is_exact(size: int, step: int, *, counted: bool) -> None:
    message = b"<" + b"y" * (size - 1)
    stream = framed(message, counted=counted)
    framer, found = Framer(), []
    for at in range(0, len(stream), step):
        found += framer.feed(stream[at : at + step])
    assert [len(one) for one in found] == ([size] if size == LARGEST_MESSAGE else [])
    assert framer.oversize == (size > LARGEST_MESSAGE)
    assert framer.oversize_bytes == (size if size > LARGEST_MESSAGE else 0)
