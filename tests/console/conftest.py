"""A console over made-up data of the demo province."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from fastapi.testclient import TestClient

from access import passwords, users
from access.passwords import hash_password
from access.roles import Role
from access.tables import user_account
from console.app import create_app
from console.deps import ConsoleDeps
from console.ports import KeyViews, Views
from crypto.identity import SiteIdentity
from inventory.loading import load
from inventory.model import Inventory
from records.instants import format_instant
from storage.state import metadata, open_state, writing
from tests.console.keyrings import fake_keyring, made_site
from tests.console.made_up import AT, fake_views

PASSWORD = "Frost-River-2026"
PROVINCE = Path(__file__).parents[2] / "lab" / "province" / "province.yaml"


@pytest.fixture(scope="session")
def inventory() -> Inventory:
    return load(PROVINCE)


@pytest.fixture(scope="session")
def views(inventory: Inventory) -> Views:
    return fake_views(inventory)


@pytest.fixture(autouse=True)
def quick_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    """Argon2id with the least cost: the tests log in hundreds of times."""
    monkeypatch.setattr(passwords, "_hasher", passwords.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    passwords.dummy_hash.cache_clear()


@pytest.fixture(scope="session")
def signer() -> SiteIdentity:
    """Who signs in the console's tests; its CA is the site's trust anchor."""
    return made_site(AT)


@pytest.fixture(scope="session")
def keyring(signer: SiteIdentity) -> KeyViews:
    return fake_keyring(signer, AT)


STATUS = {
    "ready": True,
    "processes": [
        {"name": name, "pid": 4000 + index, "state": "running", "since": format_instant(AT - timedelta(hours=5))}
        for index, name in enumerate(("supervisor", "collect", "work", "serve"))
    ],
    "counters": {
        "received": 1_204_551,
        "parsed": 1_204_031,
        "unparsed": 520,
        "stored": 1_204_551,
        "dropped": {"queue": 0},
        "late": 3,
        "alerts": 130,
    },
    "lag_seconds": 0.4,
    "store": {"kind": "embedded", "state": "ok"},
    "disk_free_bytes": 81_604_378_624,
}


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    opened = open_state(f"sqlite:///{tmp_path}/state.db")
    metadata.create_all(opened)
    yield opened
    opened.dispose()


class Clock:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.at = AT

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def deps(
    engine: sa.Engine, inventory: Inventory, views: Views, keyring: KeyViews, clock: Clock, tmp_path: Path
) -> ConsoleDeps:
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    return ConsoleDeps(
        engine=engine,
        inventory=lambda: inventory,
        views=views,
        keyring=keyring,
        status=lambda: STATUS,
        versions=lambda: {"links": "1"},
        ready=lambda: {"state": True, "records": True},
        demo=True,
        ca=tmp_path / "ca.pem",
        clock=clock,
        version="0.1.0",
    )


@pytest.fixture
def app(deps: ConsoleDeps) -> FastAPI:
    return create_app(deps)


@pytest.fixture
def add_user(engine: sa.Engine) -> Callable[..., None]:
    """Make an account with roles."""

    def add(name: str, roles: Mapping[Role, Sequence[str] | None], *, must_change: bool = False) -> None:
        with writing(engine) as connection:
            values = {"name": name, "display_name": name, "must_change": must_change, "locked": False, "created_at": AT}
            connection.execute(
                sa.insert(user_account).values(**values, password_hash=hash_password(PASSWORD), password_at=AT)
            )
            for role, organisations in roles.items():
                users.grant(connection, "test", name, role, AT, organisations=organisations)

    return add


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, base_url="http://127.0.0.1", follow_redirects=False, client=("127.0.0.1", 50000)) as opened:
        yield opened


def login_token(page: str) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found is not None
    return found[1]


@pytest.fixture
def log_in(client: TestClient) -> Callable[..., Any]:
    def enter(name: str, password: str = PASSWORD, **fields: str) -> Any:
        token = login_token(client.get("/login").text)
        return client.post("/login", data={"name": name, "password": password, "csrf": token, **fields})

    return enter


@pytest.fixture
def admin(add_user: Callable[..., None], log_in: Callable[..., Any], client: TestClient) -> TestClient:
    """A client logged in as somebody who may read everything."""
    add_user("admin", {Role.SYSADMIN: None, Role.AUDITOR: None})
    assert log_in("admin").status_code == 303
    return client
