"""Vectors, and two sites with their own CA; keys are made once, passphrases cost one round instead of 210 000."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from crypto.identity import SiteIdentity
from crypto.keys import keyfile
from crypto.keys.keystore import KeyStore
from crypto.pki.site import issue_signer, make_ca
from crypto.sm2 import PrivateKey, generate
from records.secret import Secret

PASSPHRASE = "correct horse"
AT = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
VECTORS = json.loads((Path(__file__).parent / "vectors" / "sm_vectors.json").read_text("utf-8"))["vectors"]


def of_kind(kind: str) -> list[Any]:
    return [pytest.param(one, id=one["name"]) for one in VECTORS if one["kind"] == kind]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes ``vector`` is run for each of the kind that its ``vector_kind`` names."""
    if "vector" in metafunc.fixturenames:
        metafunc.parametrize("vector", of_kind(metafunc.function.vector_kind))


def make_identity(organisation: str, at: datetime = AT) -> SiteIdentity:
    ca_key, key = generate(), generate()
    ca = make_ca(ca_key, organisation, at)
    return SiteIdentity(key=key, chain=(issue_signer(key.public, ca_key, ca, organisation, at), ca))


@pytest.fixture(scope="session")
def identity() -> SiteIdentity:
    return make_identity("省数据局")


@pytest.fixture(scope="session")
def stranger() -> SiteIdentity:
    """Another CA of the very same name."""
    return make_identity("省数据局")


@pytest.fixture(scope="session")
def key() -> PrivateKey:
    return generate()


@pytest.fixture
def open_keystore(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., KeyStore]:
    monkeypatch.setattr(keyfile, "ROUNDS", 1)

    def open_it(passphrase: str = PASSPHRASE) -> KeyStore:
        return KeyStore(tmp_path / "keys", Secret(passphrase))

    return open_it
