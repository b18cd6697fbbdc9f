"""One platform a module: CONTRACT is checked through the real CLI, and a call costs half a second."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.contract.warm import Server, WarmPlatform
from tests.running import Platform

MakePlatform = Callable[[Path], Platform]

INVENTORY = """yunwang: 1
regions: [{code: "230000", name: 黑龙江省, level: province}]
organisations:
  - {id: fin, name: 省财政厅, region: "230000"}
  - {id: tax, name: 省税务局, region: "230000"}
devices:
  - {id: pe1, name: 省核心1, region: "230000", role: core, vendor: huawei, platform: huawei_vrp, address: 127.0.0.1,
     snmp: {version: "2c", community: "secret:env:HOME", port: 9}}
clouds: [{id: prov-cloud, name: 省级政务云, kind: openstack, url: "http://127.0.0.1:9/v3"}]
tenants:
  - {id: fin-core, cloud: prov-cloud, project: finance, organisation: fin, from: 2026-01-01}
  - {id: moved, cloud: prov-cloud, project: moved, organisation: fin, from: 2026-01-01, to: 2026-07-11}
  - {id: moved, cloud: prov-cloud, project: moved, organisation: tax, from: 2026-07-11}
  - {id: gone, cloud: prov-cloud, project: gone, organisation: tax, to: 2026-05-16}
hosts: [{id: web1, address: 127.0.2.1, os: linux, organisation: fin}]
"""


@pytest.fixture(scope="session")
def make_platform() -> Iterator[MakePlatform]:
    """Makes a platform of a data folder; its calls are forked from one process that has the imports behind it."""
    with Server() as server:
        yield lambda data: WarmPlatform(data, server=server)


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory, make_platform: MakePlatform) -> Path:
    """The folder of a platform with a small inventory: two organisations, a device that nobody answers for."""
    one = make_platform(tmp_path_factory.mktemp("prepared") / "data")
    one.configure()
    file = one.data.parent / "inventory.yaml"
    file.write_text(INVENTORY, "utf-8")
    one.json("inventory", "import", str(file))
    return one.data.parent


@pytest.fixture(scope="session")
def copy_site(prepared: Path) -> Callable[[Path], None]:
    """Makes a folder that of the prepared platform: a second is saved where the import itself is not looked at."""

    def copy(folder: Path) -> None:
        shutil.copytree(prepared, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("yunwang.toml"))

    return copy


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the files of a module; its platform's data are beside them."""
    return tmp_path_factory.mktemp("contract")


@pytest.fixture(scope="module")
def bare(folder: Path, make_platform: MakePlatform) -> Iterator[Platform]:
    """A platform whose data folder holds nothing but a configuration."""
    one = make_platform(folder / "data")
    one.configure("snmp_timeout_seconds = 0.2\n")
    yield one
    one.stop()


@pytest.fixture(scope="module")
def site(bare: Platform, folder: Path, copy_site: Callable[[Path], None]) -> Platform:
    """The same with the small inventory."""
    copy_site(folder)
    return bare
