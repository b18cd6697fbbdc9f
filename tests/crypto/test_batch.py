"""Batch signing: each record has its proof, and no other record, place or node passes for it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto import merkle, sm2
from crypto.batch import Proof, check_signed_root, path_length, sign_batch
from crypto.errors import VerificationFailed

KEY = sm2.generate()
RECORDS = [b"record %d" % number for number in range(11)]
BATCH = sign_batch(RECORDS, KEY)


@given(st.lists(st.binary(max_size=5), min_size=1, max_size=40))
@settings(max_examples=40, deadline=None)
def test_every_record_has_its_proof_as_in_the_plain_tree(records: list[bytes]) -> None:
    batch = sign_batch(records, KEY)
    assert batch.root == merkle.root(records)
    check_signed_root(len(records), batch.root, batch.signature, KEY.public)
    for index, proof in enumerate(batch.proofs()):
        assert proof == Proof.decode(proof.encode())
        assert list(proof.path) == merkle.inclusion_proof(records, index)
        assert len(proof.path) == path_length(index, len(records))
        assert merkle.fold(records[index], index, len(records), proof.path) == batch.root


def test_a_proof_holds_for_its_record_key_and_id() -> None:
    BATCH.proof(5).verify(RECORDS[5], KEY.public)
    sign_batch(RECORDS, KEY, b"meter").proof(5).verify(RECORDS[5], KEY.public, b"meter")
    for record, key, identifier in [
        (RECORDS[4], KEY.public, sm2.DEFAULT_ID),
        (RECORDS[5] + b"!", KEY.public, sm2.DEFAULT_ID),
        (RECORDS[5], sm2.generate().public, sm2.DEFAULT_ID),
        (RECORDS[5], KEY.public, b"meter"),
    ]:
        with pytest.raises(VerificationFailed):
            BATCH.proof(5).verify(record, key, identifier)


@pytest.mark.parametrize("index", range(11))
def test_the_proof_of_another_index_is_refused(index: int) -> None:
    for other in range(11):
        if other != index:
            with pytest.raises(VerificationFailed):
                replace(BATCH.proof(index), index=other).verify(RECORDS[index], KEY.public)
            with pytest.raises(VerificationFailed):
                BATCH.proof(other).verify(RECORDS[index], KEY.public)


@pytest.mark.parametrize("index", [0, 7, 10])
def test_a_proof_cut_short_or_made_longer_is_refused(index: int) -> None:
    proof = BATCH.proof(index)
    for path in (proof.path[:-1], proof.path[1:], (), (*proof.path, bytes(32)), proof.path[::-1]):
        with pytest.raises(VerificationFailed):
            replace(proof, path=path).verify(RECORDS[index], KEY.public)


def test_an_inner_node_given_as_a_leaf_is_refused() -> None:
    """Its two children as a record, with the rest of the path, would lead to the root if leaves had no prefix."""
    left, right = merkle.leaf_hash(RECORDS[0]), merkle.leaf_hash(RECORDS[1])
    proof = BATCH.proof(0)
    for record in (left + right, merkle.NODE + left + right):
        for size in (11, 6):
            with pytest.raises(VerificationFailed):
                replace(proof, path=proof.path[1:], size=size).verify(record, KEY.public)
            with pytest.raises(VerificationFailed):
                replace(proof, size=size).verify(record, KEY.public)


@pytest.mark.parametrize("size", [0, 1, 5, 10, 12, 22, 1 << 41])
def test_another_size_is_refused(size: int) -> None:
    with pytest.raises(VerificationFailed):
        replace(BATCH.proof(3), size=size).verify(RECORDS[3], KEY.public)


def test_a_signature_over_a_root_alone_is_no_signature_of_a_batch() -> None:
    bare = KEY.sign(BATCH.root)
    with pytest.raises(VerificationFailed):
        replace(BATCH.proof(3), signature=bare).verify(RECORDS[3], KEY.public)
    with pytest.raises(VerificationFailed):
        check_signed_root(11, BATCH.root[:-1], BATCH.signature, KEY.public)


def test_there_is_no_empty_batch_and_no_proof_outside() -> None:
    with pytest.raises(ValueError, match="at least one"):
        sign_batch([], KEY)
    for index in (-1, 11):
        with pytest.raises(IndexError):
            BATCH.proof(index)
