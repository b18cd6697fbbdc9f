"""``yw serve``: the console and, on a loopback port of its own, its metrics (DESIGN §6)."""

from __future__ import annotations

import asyncio
import ipaddress
import shutil
import socket
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from records.errors import RefusedError
from records.instants import now
from yunwang import __version__, sockets
from yunwang.acting import password_policy
from yunwang.language import translate_into
from yunwang.settings import Access, Console
from yunwang.wiring import Site

if TYPE_CHECKING:
    from access.sessions import Limits
    from console.deps import ConsoleDeps
    from console.ports import KeyViews
    from crypto.verification import Verification

GRACE_SECONDS = 3
_LEAST_FREE_BYTES = 64 * 2**20


def console_deps(site: Site) -> ConsoleDeps:
    """What the console needs of a site."""
    from console.deps import ConsoleDeps  # noqa: PLC0415 - the web stack only for the console
    from console.domain import Domain, change_versions  # noqa: PLC0415
    from yunwang.status import status  # noqa: PLC0415

    settings = site.settings
    domain = Domain(
        engine=site.state,
        store=lambda: site.store,
        inventory=lambda: site.inventory,
        interval_seconds=settings.collect.snmp_interval_seconds,
        bin_seconds=settings.link_health.bin_seconds,
        clock=now,
    )
    return ConsoleDeps(
        engine=site.state,
        inventory=lambda: site.inventory,
        views=domain.views(),
        keyring=keyring_of(site),
        status=lambda: status(site),
        versions=lambda: change_versions(site.state),
        ready=lambda: checks(site),
        messages=translate_into,
        demo=site.place.demo,
        secure=bool(settings.console.tls_certificate) or settings.console.behind_proxy,
        behind_proxy=settings.console.behind_proxy,
        ca=site.place.ca,
        limits=_limits(settings.access),
        passwords=password_policy(settings.access),
        version=__version__,
    )


def _limits(settings: Access) -> Limits:
    """How long sessions live."""
    from access.sessions import Limits  # noqa: PLC0415 - the web stack only for the console

    return Limits(
        idle=timedelta(minutes=settings.idle_minutes),
        absolute=timedelta(hours=settings.session_hours),
        concurrent=settings.sessions,
    )


def keyring_of(site: Site) -> KeyViews:
    """The site's keys and certificates as they lie on disk; needs no passphrase."""
    from console.keyring import SelfTest, certificate_rows, fallback_uses, key_rows  # noqa: PLC0415 - crypto on first use
    from console.ports import KeyViews  # noqa: PLC0415
    from crypto.bundle import verify_artefact  # noqa: PLC0415
    from crypto.keys.keystore import KeyStore  # noqa: PLC0415
    from crypto.x509 import load_certificates  # noqa: PLC0415
    from records.secret import Secret  # noqa: PLC0415
    from yunwang.certificates import look  # noqa: PLC0415
    from yunwang.cli.revocations import own_revocations  # noqa: PLC0415
    from yunwang.verification import RULES  # noqa: PLC0415

    keystore, ca = KeyStore(site.place.keys, Secret("")), site.place.ca

    def verify(path: Path) -> Verification:
        roots = load_certificates(ca.read_bytes()) if ca.exists() else ()
        return verify_artefact(path, roots, RULES, own_revocations(site.place.root))

    return KeyViews(
        keys=lambda: key_rows(keystore),
        certificates=lambda: certificate_rows(look(site, now())),
        providers=SelfTest().rows,
        fallbacks=fallback_uses,
        verify=verify,
    )


def checks(site: Site) -> Mapping[str, bool]:
    """What the console cannot do without: state database, record store, room on the disk."""
    return {
        "state": _answers(site.inventory_revision),
        "records": _answers(lambda: site.store),
        "disk": shutil.disk_usage(site.place.root).free >= _LEAST_FREE_BYTES,
    }


def _answers(ask: Any) -> bool:
    try:
        ask()
    except Exception:  # noqa: BLE001 - whatever keeps it from answering, the answer is no
        return False
    return True


def refuse_open_door(settings: Console, host: str) -> None:
    """Off loopback passwords would travel in the clear: TLS here, or a proxy in front that has it.

    Raises:
        RefusedError: Neither is configured.
    """
    if is_loopback(host) or settings.behind_proxy or (settings.tls_certificate and settings.tls_key):
        return
    raise RefusedError(
        "the console would listen on {host} without TLS",
        "set [console] tls_certificate and tls_key, or behind_proxy = true, or listen on 127.0.0.1",
        where="console.listen",
        host=host,
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def serve(site: Site) -> None:
    """Serve until SIGINT or SIGTERM.

    Raises:
        RefusedError: It would listen off loopback without TLS.
        UserError: The port is taken.
    """
    settings = site.settings.console
    opened = sockets.inherited("console") or sockets.listen("tcp", settings.listen, "console.listen")
    refuse_open_door(settings, opened.getsockname()[0])
    asyncio.run(_serve(site, opened, sockets.listen("tcp", settings.metrics, "console.metrics")))


async def _serve(site: Site, console: socket.socket, metrics: socket.socket) -> None:
    import uvicorn  # noqa: PLC0415 - the web stack only for the console

    from console.app import create_app  # noqa: PLC0415

    app = create_app(console_deps(site))
    settings = site.settings.console
    tls: dict[str, Any] = {"ssl_certfile": settings.tls_certificate or None, "ssl_keyfile": settings.tls_key or None}
    common: dict[str, Any] = {
        "log_level": "warning",
        "timeout_graceful_shutdown": GRACE_SECONDS,
        "server_header": False,
    }
    main = uvicorn.Server(uvicorn.Config(app, lifespan="off", proxy_headers=False, **tls, **common))
    beside = uvicorn.Server(uvicorn.Config(app.state.metrics.app(), lifespan="off", **common))
    _write_metrics_address(site, metrics)
    side = asyncio.create_task(_beside(beside, metrics))
    await main.serve(sockets=[console])
    beside.should_exit = True
    await side


async def _beside(server: Any, opened: socket.socket) -> None:
    """The metrics server ends with the console; it takes no signals of its own."""
    from contextlib import nullcontext  # noqa: PLC0415 - beside its only use

    server.capture_signals = nullcontext
    await server.serve(sockets=[opened])


def _write_metrics_address(site: Site, opened: socket.socket) -> None:
    """Where Prometheus finds the metrics, for `yw doctor` and for people."""
    host, port = opened.getsockname()[:2]
    (site.place.run / "metrics.address").write_text(f"{host}:{port}\n")
