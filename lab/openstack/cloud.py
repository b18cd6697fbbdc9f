"""Start and stop the real cloud: PostgreSQL, RabbitMQ, keystone, placement, nova with a fake host; 1.3 GB of memory.

``python -m lab.openstack.cloud FOLDER`` keeps it up until SIGINT or SIGTERM. PostgreSQL, not SQLite: a burst of servers
locks SQLite for good, and some servers then stay in BUILD.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

from lab.openstack.install import install
from lab.openstack.processes import Processes, free_ports, listening

_HERE = Path(__file__).parent
_DATABASES = ("keystone", "placement", "nova_api", "nova", "nova_cell0")
PASSWORD = "lab-only"  # noqa: S105 - a throw-away cloud on loopback


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Loopback ports of one cloud."""

    database: int
    rabbit: int
    rabbit_peers: int
    epmd: int
    identity: int
    placement: int
    compute: int
    image: int
    network: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RealCloud:
    """A cloud that runs.

    Attributes:
        folder: Where its data and logs are.
        identity: URL of keystone, with ``/v3``.
    """

    folder: Path
    identity: str

    def credentials(self, project: str = "admin") -> dict[str, str]:
        """What the collector's credentials secret holds, for the administrator in a project."""
        return {
            "username": "admin", "password": PASSWORD, "project_name": project,
            "user_domain_name": "Default", "project_domain_name": "Default", "region_name": "RegionOne",
        }  # fmt: skip

    def connect(self, project: str = "admin") -> Any:
        """An openstacksdk connection of the administrator in a project."""
        import openstack  # noqa: PLC0415 - 0.5 s that only callers pay

        options: dict[str, Any] = self.credentials(project)
        return openstack.connect(auth_url=self.identity, compute_api_version="2.90", **options)


@contextmanager
def real_cloud(folder: Path) -> Iterator[RealCloud]:
    """A running cloud with its administrator and no project; raises RuntimeError with the log of what fails."""
    home = install()
    ports = Ports(**dict(zip(Ports.__slots__, free_ports(len(Ports.__slots__)), strict=True)))
    processes = Processes(folder)
    try:
        _lay_out(folder, ports)
        shutil.copy(home / "etc/nova/api-paste.ini", folder / "etc/nova")
        yield _Starter(folder, home / "bin", ports, processes).start()
    finally:
        processes.stop()


def _lay_out(folder: Path, ports: Ports) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)  # PostgreSQL's own user walks through
    for name in ("log", "state/instances", "lock", "fernet", "credential", "rabbit", "etc/nova", "etc/placement"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    values = {
        "work": str(folder),
        "password": PASSWORD,
        "rabbit": ports.rabbit,
        "image": ports.image,
        "network": ports.network,
        "database": f"postgresql+psycopg2://lab@127.0.0.1:{ports.database}",
        "identity": f"http://127.0.0.1:{ports.identity}/v3",
    }
    for name, target in (("keystone", "keystone"), ("placement", "placement/placement"), ("nova", "nova/nova")):
        text = Template((_HERE / f"etc/{name}.conf").read_text()).substitute(values)
        (folder / f"etc/{target}.conf").write_text(text)


class _Starter:
    """The order of starting; database schemas are made two at a time."""

    def __init__(self, folder: Path, bin_folder: Path, ports: Ports, processes: Processes) -> None:
        self._folder, self._bin, self._ports, self._processes = folder, bin_folder, ports, processes

    def start(self) -> RealCloud:
        self._start_database()
        self._start_rabbit()
        cloud = RealCloud(folder=self._folder, identity=f"http://127.0.0.1:{self._ports.identity}/v3")
        with ThreadPoolExecutor(2) as pool:
            identity, compute = pool.submit(self._start_identity, cloud), pool.submit(self._make_compute_schema)
            identity.result()
            compute.result()
        self._start_compute(cloud)
        return cloud

    def _start_database(self) -> None:
        binaries = postgresql_binaries()
        if binaries is None:
            raise RuntimeError("PostgreSQL is not here: apt-get install postgresql")
        user = "postgres" if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root
        data = self._folder / "database"
        data.mkdir()
        if user:
            shutil.chown(data, user, user)
        self._processes.run(
            "initdb", f"{binaries}/initdb", "-D", str(data), "-A", "trust", "-U", "lab", "-E", "UTF8", "-N", user=user
        )
        settings = (
            "fsync=off",
            "max_connections=300",
            "listen_addresses=127.0.0.1",
            f"port={self._ports.database}",
            f"unix_socket_directories={data}",
        )
        options = [word for one in settings for word in ("-c", one)]
        self._processes.start("postgresql", f"{binaries}/postgres", "-D", str(data), *options, user=user)
        self._processes.wait("PostgreSQL", lambda: listening(self._ports.database))
        for name in _DATABASES:
            self._processes.run(
                "createdb",
                f"{binaries}/createdb",
                "-h",
                "127.0.0.1",
                "-p",
                str(self._ports.database),
                "-U",
                "lab",
                name,
            )

    def _start_rabbit(self) -> None:
        home = self._folder / "rabbit"
        epmd = {"ERL_EPMD_PORT": str(self._ports.epmd), "ERL_EPMD_ADDRESS": "127.0.0.1"}
        self._processes.start("epmd", "epmd", env=epmd)  # our own, so that none is left behind
        self._processes.wait("epmd", lambda: listening(self._ports.epmd))
        env = epmd | {
            "HOME": str(home), "RABBITMQ_NODENAME": "lab@localhost", "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self._ports.rabbit), "RABBITMQ_DIST_PORT": str(self._ports.rabbit_peers),
            "RABBITMQ_MNESIA_BASE": f"{home}/mnesia", "RABBITMQ_LOG_BASE": f"{home}/log",
            "RABBITMQ_PID_FILE": f"{home}/pid",
            "RABBITMQ_CONFIG_FILE": f"{home}/none", "RABBITMQ_ADVANCED_CONFIG_FILE": f"{home}/none.config",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{home}/plugins", "RABBITMQ_CONF_ENV_FILE": f"{home}/environment",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 -kernel inet_dist_use_interface {127,0,0,1}",
        }  # fmt: skip
        self._processes.start("rabbitmq", "/usr/lib/rabbitmq/bin/rabbitmq-server", env=env)

    def _start_identity(self, cloud: RealCloud) -> None:
        config = str(self._folder / "etc/keystone.conf")
        owner = ("--keystone-user", str(os.geteuid()), "--keystone-group", str(os.getegid()))
        urls = [
            word for kind in ("public", "internal", "admin") for word in (f"--bootstrap-{kind}-url", cloud.identity)
        ]
        bootstrap = ("bootstrap", "--bootstrap-password", PASSWORD, *urls, "--bootstrap-region-id", "RegionOne")
        for step in (("db_sync",), ("fernet_setup", *owner), ("credential_setup", *owner), bootstrap):
            self._processes.run("keystone-manage", str(self._bin / "keystone-manage"), "--config-file", config, *step)
        self._serve("keystone", "keystone.wsgi.api", self._ports.identity, OS_KEYSTONE_CONFIG_FILES=config)
        folder = str(self._folder / "etc/placement")
        self._processes.run(
            "placement-manage", str(self._bin / "placement-manage"), "--config-dir", folder, "db", "sync"
        )
        self._serve("placement", "placement.wsgi.api", self._ports.placement, OS_PLACEMENT_CONFIG_DIR=folder)
        self._processes.wait("keystone", lambda: listening(self._ports.identity))
        self._make_service_users(cloud)

    def _make_service_users(self, cloud: RealCloud) -> None:
        identity = cloud.connect().identity
        service = identity.create_project(name="service", domain_id="default")
        roles = [role for role in identity.roles() if role.name in {"admin", "service"}]
        for name in ("nova", "placement"):
            user = identity.create_user(
                name=name, password=PASSWORD, domain_id="default", default_project_id=service.id
            )
            for role in roles:
                identity.assign_project_role_to_user(service, user, role)
        for kind, port, path in (("placement", self._ports.placement, ""), ("compute", self._ports.compute, "/v2.1"),
                                 ("image", self._ports.image, ""), ("network", self._ports.network, "")):  # fmt: skip
            made = identity.create_service(type=kind, name=kind)
            url = f"http://127.0.0.1:{port}{path}"
            for interface in ("public", "internal", "admin"):
                identity.create_endpoint(service_id=made.id, interface=interface, url=url, region_id="RegionOne")

    def _make_compute_schema(self) -> None:
        config = str(self._folder / "etc/nova/nova.conf")
        cell0 = f"postgresql+psycopg2://lab@127.0.0.1:{self._ports.database}/nova_cell0"
        for step in (("api_db", "sync"), ("cell_v2", "map_cell0", "--database_connection", cell0), ("db", "sync"),
                     ("cell_v2", "create_cell", "--name", "cell1")):  # fmt: skip
            self._processes.run("nova-manage", str(self._bin / "nova-manage"), "--config-file", config, *step)

    def _start_compute(self, cloud: RealCloud) -> None:
        stand_in = (str(_HERE / "stand_in.py"), str(self._ports.image), str(self._ports.network))
        self._processes.start("stand-in", sys.executable, *stand_in)
        self._processes.wait("RabbitMQ", lambda: listening(self._ports.rabbit))
        self._serve(
            "nova-api",
            "nova.wsgi.osapi_compute",
            self._ports.compute,
            OS_NOVA_CONFIG_DIR=str(self._folder / "etc/nova"),
        )
        for name in ("conductor", "compute", "scheduler"):
            self._processes.start(
                f"nova-{name}",
                str(self._bin / f"nova-{name}"),
                "--config-file",
                str(self._folder / "etc/nova/nova.conf"),
            )
        self._processes.wait("nova-api", lambda: listening(self._ports.compute))
        compute = cloud.connect().compute
        self._processes.wait("a compute host", lambda: bool(compute.get("/os-hypervisors").json().get("hypervisors")))

    def _serve(self, name: str, module: str, port: int, **env: str) -> None:
        self._processes.start(name, str(self._bin / "python"), str(_HERE / "serve_wsgi.py"), module, str(port), env=env)


def postgresql_binaries() -> Path | None:
    """The folder of Debian's PostgreSQL server programs, newest version; None if there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None


def end_on_sigterm() -> None:
    """Let SIGTERM unwind the stack, so that the servers are stopped."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def main() -> None:
    """Keep a cloud up until SIGINT or SIGTERM."""
    end_on_sigterm()
    with real_cloud(Path(sys.argv[1]).absolute()) as cloud:
        sys.stdout.write(f"{cloud.identity} admin {PASSWORD}\n")
        sys.stdout.flush()
        threading.Event().wait()


if __name__ == "__main__":
    main()
