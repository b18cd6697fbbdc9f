"""The peer of a test, our own certificates, and the results that the matrix is written from."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from crypto.identity import SiteIdentity
from crypto.pki import building, profiles
from crypto.sm2 import generate
from crypto.x509 import certificates_pem
from tests.crypto.interop.cells import Cell, cell_of
from tests.peers.base import Chain, MissingError, Peer
from tests.running import missing_peer

PASSED = pytest.StashKey[dict[Cell, bool]]()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The matrix is written last, whatever order the others take."""
    items.sort(key=lambda one: one.path.name == "test_matrix.py")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[Any]:
    report = yield
    cell = cell_of(item)
    if cell is not None and (report.when == "call" or not report.passed):
        known = item.config.stash.setdefault(PASSED, {})
        known[cell] = report.passed and known.get(cell, True)
    return report


@pytest.fixture
def peer(request: pytest.FixtureRequest, tmp_path: Path) -> Peer:
    kind: type[Peer] = request.param
    try:
        kind.find()
    except MissingError as error:
        missing_peer(str(error))
    work = tmp_path / "peer"
    work.mkdir()
    return kind(work)


@pytest.fixture(scope="session")
def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


@pytest.fixture(scope="session")
def pki(now: datetime) -> SimpleNamespace:
    """Root, intermediate, and below it one identity for each profile, in our own make."""
    root_key, middle_key = generate(), generate()
    root = profiles.root(root_key, building.name_of("C=CN,O=省数据局,CN=根"), now, 90, 1)
    name = building.name_of("C=CN,O=省数据局,CN=中间")
    middle = profiles.intermediate(middle_key.public, name, (root_key, root), now, 60, 0)

    def identity(profile: profiles.Profile) -> SiteIdentity:
        key = generate()
        subject = building.name_of("C=CN,O=省数据局,CN=localhost")
        issuer = (middle_key, middle)
        leaf = profiles.end_entity(profile, key.public, subject, issuer, now, 30, ["localhost"])
        return SiteIdentity(key=key, chain=(leaf, middle, root))

    found = SimpleNamespace(**{one.value: identity(one) for one in profiles.Profile})
    found.root, found.root_key, found.middle = root, root_key, middle
    found.below_root = (root_key, root)
    found.stranger = profiles.root(generate(), building.name_of("C=CN,O=省数据局,CN=根"), now, 90, 1)
    return found


def pem_chain(identity: SiteIdentity) -> Chain:
    leaf, *between, anchor = (certificates_pem([one]) for one in identity.chain)
    return Chain(anchor, tuple(between), leaf)
