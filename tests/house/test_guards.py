"""Rules that people forget: layers, names, project files, no index hosts, docs that name every command."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from yunwang.doctor import foreign_owners

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]


def test_no_foreign_distribution_owns_one_of_our_names() -> None:
    assert foreign_owners(importlib.metadata.packages_distributions()) == []


def test_a_foreign_owner_is_named() -> None:
    assert foreign_owners({"SOC": ["soc"], "requests": ["requests"]}) == [("SOC", "soc")]


def test_imports_point_downward_only() -> None:
    run = subprocess.run(
        [Path(sys.executable).with_name("lint-imports")], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_is_typed_and_explains_itself(package: str) -> None:
    assert (ROOT / package / "py.typed").exists()
    assert (ROOT / package / "__init__.py").read_text("utf-8").startswith('"""')


def test_every_top_level_package_is_shipped_and_linted() -> None:
    on_disk = {one.parent.name for one in ROOT.glob("*/__init__.py")}
    assert (
        on_disk
        == set(PACKAGES)
        == set(PROJECT["tool"]["importlinter"]["root_packages"])
        == set(PROJECT["tool"]["mypy"]["packages"])
    )


def test_tests_are_no_package() -> None:
    assert not list((ROOT / "tests").rglob("__init__.py"))


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "README.zh-CN.md",
        "LICENSE",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "docs/architecture.md",
        ".ci/run",
        "yw",
    ],
)
def test_the_project_has(name: str) -> None:
    assert (ROOT / name).stat().st_size > 0


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_locks_are_hashed_and_name_no_index(lock: str) -> None:
    text = (ROOT / lock).read_text()
    pins = re.findall(r"^[a-z0-9][^ =]*==", text, re.MULTILINE)

    assert len(pins) > 50
    assert not re.search(r"://|--(extra-)?index-url", text)
    assert all("--hash=sha256:" in block for block in re.split(r"\n(?=[a-z0-9])", text.strip()))


def test_no_module_has_two_subjects() -> None:
    long = [
        str(one.relative_to(ROOT))
        for name in PACKAGES
        for one in (ROOT / name).rglob("*.py")
        if "migrations" not in one.parts and len(one.read_text("utf-8").splitlines()) > 400  # a schema is one subject
    ]
    assert long == []


def test_no_module_is_named_after_nothing() -> None:
    vague = {"utils", "util", "common", "helpers", "manager", "misc"}
    assert [one for name in PACKAGES for one in (ROOT / name).rglob("*.py") if one.stem in vague] == []
