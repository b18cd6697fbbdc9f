"""Chains and trees against their definitions."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto import chain, merkle
from crypto.errors import DigestMismatch
from crypto.sm3 import sm3

ENTRIES = st.lists(st.binary(max_size=8), max_size=40)


def tree_by_definition(entries: list[bytes]) -> bytes:
    """MTH of RFC 6962 §2.1, word for word."""
    if not entries:
        return sm3(b"")
    if len(entries) == 1:
        return sm3(b"\0" + entries[0])
    k = 1
    while k * 2 < len(entries):
        k *= 2
    return sm3(b"\1" + tree_by_definition(entries[:k]) + tree_by_definition(entries[k:]))


def path_by_definition(index: int, entries: list[bytes]) -> list[bytes]:
    """PATH of RFC 6962 §2.1.1, word for word."""
    if len(entries) == 1:
        return []
    k = 1
    while k * 2 < len(entries):
        k *= 2
    if index < k:
        return [*path_by_definition(index, entries[:k]), tree_by_definition(entries[k:])]
    return [*path_by_definition(index - k, entries[k:]), tree_by_definition(entries[:k])]


@given(ENTRIES)
def test_root_is_that_of_the_rfc(entries: list[bytes]) -> None:
    assert merkle.root(iter(entries)) == tree_by_definition(entries)


@given(ENTRIES.filter(bool), st.data())
@settings(deadline=None)
def test_proofs_hold_for_their_entry_only(entries: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(entries) - 1))
    proof, root = merkle.inclusion_proof(entries, index), merkle.root(entries)
    assert proof == path_by_definition(index, entries)
    merkle.check_inclusion(entries[index], index, len(entries), proof, root)
    wrong = [
        (entries[index] + b"!", index, len(entries), proof, root),
        (entries[index], index, len(entries), [*proof, bytes(32)], root),
        (entries[index], index, len(entries), proof, bytes(32)),
        (entries[index], len(entries), len(entries), proof, root),
        (entries[index], -1, len(entries), proof, root),
        *([(entries[index], index, len(entries), proof[:-1], root)] if proof else []),
    ]
    for case in wrong:
        with pytest.raises(DigestMismatch):
            merkle.check_inclusion(*case)


def test_no_entry_no_proof() -> None:
    for entries, index in [([], 0), ([b"a"], 1), ([b"a"], -1)]:
        with pytest.raises(IndexError):
            merkle.inclusion_proof(entries, index)


def test_the_chain_is_that_of_the_contract() -> None:
    first = sm3(bytes(32) + sm3(b"one"))
    second = sm3(first + sm3(b"two"))
    assert chain.link(chain.GENESIS, b"one") == chain.link_digest(chain.GENESIS, sm3(b"one")) == first
    assert list(chain.hashes([b"one", b"two"])) == [first, second]
    assert chain.head([b"two"], first) == chain.head([b"one", b"two"]) == second
    assert chain.head([]) == bytes(32)


@given(st.lists(st.binary(max_size=5), min_size=1, max_size=8), st.data())
def test_a_changed_swapped_or_missing_payload_breaks_the_chain(payloads: list[bytes], data: st.DataObject) -> None:
    head = chain.head(payloads)
    chain.check_head(payloads, head)
    at = data.draw(st.integers(0, len(payloads) - 1))
    for changed in (payloads[:at] + payloads[at + 1 :], [*payloads[:at], payloads[at] + b"!", *payloads[at + 1 :]]):
        with pytest.raises(DigestMismatch):
            chain.check_head(changed, head)
