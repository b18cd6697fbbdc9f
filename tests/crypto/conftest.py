"""Vectors, and two sites with their own CA; keys are made once, passphrases cost one round instead of 210 000."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from crypto.identity import SiteIdentity
from crypto.keys import keyfile
from crypto.keys.keystore import KeyStore
from crypto.pki.site import issue_signer, issue_timestamper, make_ca
from crypto.sm2 import PrivateKey, generate
from crypto.timestamp import Authority, Serials
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
    return make_identities(organisation, at)[0]


def make_identities(organisation: str, at: datetime = AT) -> tuple[SiteIdentity, SiteIdentity]:
    """A signer and a time-stamp authority under one CA."""
    ca_key, key, clock_key = generate(), generate(), generate()
    ca = make_ca(ca_key, organisation, at)
    signer = SiteIdentity(key=key, chain=(issue_signer(key.public, ca_key, ca, organisation, at), ca))
    stamper = issue_timestamper(clock_key.public, ca_key, ca, organisation, at)
    return signer, SiteIdentity(key=clock_key, chain=(stamper, ca))


@pytest.fixture(scope="session")
def identities() -> tuple[SiteIdentity, SiteIdentity]:
    return make_identities("省数据局")


@pytest.fixture(scope="session")
def identity(identities: tuple[SiteIdentity, SiteIdentity]) -> SiteIdentity:
    return identities[0]


@pytest.fixture(scope="session")
def authority(identities: tuple[SiteIdentity, SiteIdentity], tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A time-stamp authority of the same CA; its clock stands at ``AT``."""
    serials = Serials(tmp_path_factory.mktemp("tsa") / "own" / "serial.json")
    return Authority(identity=identities[1], serials=serials, clock=lambda: AT)


@pytest.fixture(scope="session")
def stamped(identity: SiteIdentity, authority: Authority) -> Callable[[datetime], SiteIdentity]:
    """The identity, its signatures time-stamped at an instant."""
    return lambda at: replace(identity, stamp=replace(authority, clock=lambda: at).stamp)


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
