"""Rules and events for the tests of soc; real material lies beside the checkout and is skipped aloud when it is absent."""

from __future__ import annotations

import lzma
import shutil
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from inventory.model import (
    Device,
    End,
    Group,
    GroupMode,
    Host,
    Inventory,
    Link,
    Organisation,
    Region,
    RegionLevel,
    Role,
    Site,
    Tenant,
    Tier,
)
from soc.sigma.load import load_rules, parse_rules
from soc.sigma.rule import RuleSet
from storage.migrate import migrate
from storage.state import open_state

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
    return Inventory(
        regions=(Region(code="230000", name="黑龙江省", level=RegionLevel.PROVINCE),),
        organisations=(Organisation(id="hlj-finance", name="省财政厅", region="230000"),),
        devices=tuple(
            Device(
                id=name,
                name=name,
                region="230000",
                role=Role.CORE,
                vendor="huawei",
                platform="huawei_vrp",
                address=address,
            )
            for name, address in (("pe1", "127.0.1.1"), ("pe2", "127.0.1.2"))
        ),
        groups=(Group(id="g1", name="g1", mode=GroupMode.LOAD_BALANCE),),
        links=(
            Link(
                id="l1",
                tier=Tier.METRO,
                contract_bps=10**9,
                group="g1",
                a=End(device="pe1", interface="x1"),
                b=End(device="pe2", interface="x1"),
            ),
            Link(id="l2", tier=Tier.METRO, contract_bps=10**9, group="g1", a=End(device="pe1", interface="x2")),
        ),
        tenants=(Tenant(id="fin-core", cloud="c", project="p", organisation="hlj-finance"),),
        hosts=(Host(id="fin-db1", address="127.0.2.1", os="linux", organisation="hlj-finance"),),
        sites=(Site(id="s1", organisation="hlj-finance", region="230000", group="g1"),),
    )


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
        archive.extractall(folder, filter="data")
    return folder


@pytest.fixture(scope="session")
def windows_lines() -> list[bytes]:
    """50 220 real Windows events, one JSON line each."""
    with lzma.open(_shared("events/windows-50k.jsonl.xz")) as file:
        return file.readlines()
