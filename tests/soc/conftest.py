"""Rules and events for the tests of soc; real material lies beside the checkout and is skipped aloud when it is absent."""

from __future__ import annotations

import lzma
import shutil
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from inventory.model import Inventory
from soc.sigma.load import load_rules, parse_rules
from soc.sigma.rule import RuleSet
from storage.migrate import migrate
from storage.state import open_state
from tests.provinces import two_routers

SHARED = Path(__file__).parents[3] / "shared" / "data"
MakeRules = Callable[[str], RuleSet]


@pytest.fixture(scope="session")
def make_rules() -> MakeRules:
    """Rules of a YAML text."""
    return lambda text: parse_rules([("test.yml", text.encode())])


@pytest.fixture(scope="session")
def empty_state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state database with all tables and no rows, to be copied."""
    path = tmp_path_factory.mktemp("state") / "state.db"
    found = open_state(f"sqlite:///{path}")
    migrate(found)
    found.dispose()  # the last connection that closes writes the WAL back
    return path


@pytest.fixture
def engine(tmp_path: Path, empty_state: Path) -> Iterator[sa.Engine]:
    """A state database of one's own."""
    shutil.copy(empty_state, tmp_path / "state.db")
    found = open_state(f"sqlite:///{tmp_path / 'state.db'}")
    yield found
    found.dispose()


@pytest.fixture(scope="session")
def inventory() -> Inventory:
    """One organisation with a host, a tenant, and a site behind two links."""
    return two_routers()


def _shared(name: str) -> Path:
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"{name} is not here; put the SigmaHQ and Security-Datasets archives into ../shared/data")
    return path


@pytest.fixture(scope="session")
def sigmahq() -> RuleSet:
    """All SigmaHQ rules."""
    return load_rules([_shared("sigma/sigmahq-rules.tar.xz")])


@pytest.fixture(scope="session")
def regression(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SigmaHQ's regression cases, unpacked."""
    folder = tmp_path_factory.mktemp("regression")
    with tarfile.open(_shared("sigma/sigmahq-regression-half.tar.xz")) as archive:
        archive.extraction_filter = getattr(tarfile, "data_filter", None)  # not yet in Python 3.11.2, Debian 12's
        archive.extractall(folder)  # noqa: S202 - a file that comes with the checkout's neighbours
    return folder


@pytest.fixture(scope="session")
def windows_lines() -> list[bytes]:
    """50 220 real Windows events, one JSON line each."""
    with lzma.open(_shared("events/windows-50k.jsonl.xz")) as file:
        return file.readlines()
