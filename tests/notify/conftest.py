"""A state database as it is migrated, copied for each test."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from storage.migrate import migrate
from storage.state import open_state
from tests.notify.story import MEMORY


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of an empty state database."""
    file = tmp_path_factory.mktemp("state") / "state.db"
    engine = open_state(f"sqlite:///{file}")
    migrate(engine)
    engine.dispose()
    return file


@pytest.fixture
def state(migrated: Path) -> Iterator[sa.Engine]:
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        engine = open_state(f"sqlite:///{shutil.copy(migrated, folder)}")
        yield engine
        engine.dispose()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    key, cert = folder / "key.pem", folder / "cert.pem"
    subject = ["-subj", "/CN=hook.example", "-addext", "subjectAltName=DNS:hook.example"]
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    subprocess.run(
        ["openssl", "req", "-x509", *curve, "-nodes", "-keyout", key, "-out", cert, "-days", "2", *subject],
        check=True,
        capture_output=True,
    )
    return key, cert
