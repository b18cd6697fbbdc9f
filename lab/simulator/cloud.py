"""The simulated cloud on HTTP (模拟政务云): keystone v3 and nova 2.1 as far as metering asks, with faults.

``/v3`` is keystone, ``/compute/v2.1`` nova. Bodies and headers come from the recording; lists are paged and cut as nova
does it; server and flavor lists always have the shape of microversion 2.61.
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol
from urllib.parse import parse_qs, urlencode, urlsplit

import pyarrow as pa

from inventory.model import Inventory
from lab.simulator.cloud_answers import Json, SimulatedCloud, body_of, recorded, tenant_usages
from lab.simulator.cloud_servers import usage_truth
from lab.story import Burst
from records.schemas import USAGE

__all__ = ["CloudFaults", "CloudServer", "SimulatedCloud", "history_rows", "serve", "usage_truth"]

_MOST = 1000  # nova's [api] max_limit
_SECONDS_TO_END = 5


@dataclass(slots=True)
class CloudFaults:
    """What the cloud does wrong; may be changed while it runs.

    Attributes:
        where: Only requests whose path and query contain this text are spoiled.
        status: Answered instead, with a text that is no JSON.
        html: Answers are a web page, status 200.
        delay_seconds: From request to answer.
        cut: Bodies end in the middle, with a Content-Length that fits.
        newest: Nova's newest microversion; a later one is refused with 406.
    """

    where: str = ""
    status: int | None = None
    html: bool = False
    delay_seconds: float = 0.0
    cut: bool = False
    newest: tuple[int, int] = (2, 104)


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer."""

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request, taken apart."""

    method: str
    path: str
    query: Mapping[str, str]
    token: str
    version: tuple[int, int]
    body: Any


class CloudServer:
    """The cloud's HTTP server on loopback, in threads of its own.

    Args:
        cloud: What it tells.
        password: The one that the account ``username`` logs in with.
        port: 0 takes a free one; ``url`` tells it.
    """

    def __init__(
        self, cloud: SimulatedCloud, *, password: str, username: str = "yunwang", host: str = "127.0.0.1", port: int = 0
    ) -> None:
        self.faults = CloudFaults()
        self._cloud, self._username, self._password = cloud, username, password
        self._tokens: set[str] = set()
        self._server = _Server((host, port), self)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def base(self) -> str:
        """``http://host:port``."""
        return f"http://{self._server.server_address[0]!s}:{self._server.server_port}"

    @property
    def url(self) -> str:
        """What stands in the inventory: keystone's URL."""
        return f"{self.base}/v3"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Close the port; a connection that is still open is closed at its next request."""
        self._server.stopped = True
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(_SECONDS_TO_END)

    def expire_tokens(self) -> None:
        """All tokens given so far are refused from now on."""
        self._tokens.clear()

    def date(self) -> str:
        """The Date header, by the cloud's clock."""
        return format_datetime(self._cloud.now().astimezone(UTC), usegmt=True)

    def answer(self, request: Request) -> Answer:
        """What keystone or nova would say."""
        if request.path == "/v3/auth/tokens" and request.method == "POST":
            return self._log_in(request.body)
        open_to_all = {
            "/": "identity versions",
            "/v3": "identity version",
            "/compute": "compute versions",
            "/compute/v2.1": "compute version",
        }
        if request.path in open_to_all:
            return _replay(open_to_all[request.path])
        compute = request.path.startswith("/compute/")
        if request.token not in self._tokens:
            return _replay("dead token, compute" if compute else "dead token, identity")
        if compute and request.version > self.faults.newest:
            return Answer(
                406,
                {"computeFault": {"code": 406, "message": f"Version {request.version} is not supported by the API."}},
            )
        return self._read(request)

    def _log_in(self, body: Any) -> Answer:
        user = body["auth"]["identity"]["password"]["user"]
        if (user["name"], user["password"]) != (self._username, self._password):
            return _replay("wrong password")
        token = secrets.token_urlsafe(24)
        self._tokens.add(token)
        told = body_of("token")
        told["token"]["catalog"] = [one for one in told["token"]["catalog"] if one["type"] in {"identity", "compute"}]
        told["token"]["user"]["name"] = self._username
        now = self._cloud.now()
        told["token"] |= {
            "issued_at": _zulu(now),
            "expires_at": _zulu(now.replace(year=now.year + 1, day=min(now.day, 28))),
        }
        return Answer(201, told, {"X-Subject-Token": token})

    def _read(self, request: Request) -> Answer:
        readers: Mapping[str, Callable[[Request], Answer]] = {
            "/v3/projects": lambda _: Answer(200, body_of("projects") | {"projects": self._cloud.projects()}),
            "/compute/v2.1/flavors": self._flavors,
            "/compute/v2.1/flavors/detail": self._flavors,
            "/compute/v2.1/servers/detail": self._servers,
            "/compute/v2.1/os-simple-tenant-usage": self._usages,
        }
        reader = self._actions if request.path.endswith("/os-instance-actions") else readers.get(request.path)
        if reader is None:
            return _replay("no such server" if request.path.startswith("/compute") else "no such project")
        return reader(request)

    def _actions(self, request: Request) -> Answer:
        found = self._cloud.actions(request.path.split("/")[-2])
        return Answer(200, {"instanceActions": found}, _versioned(request)) if found else _replay("no such server")

    def _flavors(self, request: Request) -> Answer:
        return self._page(request, "flavors", self._cloud.flavors())

    def _servers(self, request: Request) -> Answer:
        return self._page(request, "servers", self._cloud.servers() if request.query.get("all_tenants") else [])

    def _page(self, request: Request, name: str, found: Sequence[Json]) -> Answer:
        page, following = _cut(found, "id", request.query)
        if page is None:
            return _replay("bad marker")
        links = {f"{name}_links": self._next(request, following)} if following else {}
        return Answer(200, {name: page, **links}, _versioned(request))

    def _usages(self, request: Request) -> Answer:
        try:
            start, end = (_instant(request.query.get(name), self._cloud.now()) for name in ("start", "end"))
        except ValueError as error:
            return Answer(400, {"badRequest": {"code": 400, "message": f"Invalid datetime string: {error}"}})
        if start >= end:
            message = "Invalid start time. The start time cannot occur after the end time."
            return Answer(400, {"badRequest": {"code": 400, "message": message}})
        paged = request.version >= (2, 40)
        found = self._cloud.usages(start, end)
        page, following = _cut(found, "instance_id", request.query if paged else {})
        if page is None:
            return _replay("bad marker")
        detailed = request.query.get("detailed") == "1"
        told: Json = {"tenant_usages": tenant_usages(page, start, min(end, self._cloud.now()), detailed=detailed)}
        if paged and following:
            told["tenant_usages_links"] = self._next(request, following)
        return Answer(200, told, _versioned(request))

    def _next(self, request: Request, marker: str) -> list[Json]:
        query = urlencode({**request.query, "marker": marker})
        return [{"rel": "next", "href": f"http://compute.lab{request.path.removeprefix('/compute')}?{query}"}]


def _cut(found: Sequence[Json], key: str, query: Mapping[str, str]) -> tuple[Sequence[Json] | None, str | None]:
    """The page after the marker, and the next marker if the page is full; (None, None) if the marker is unknown."""
    limit = min(int(query.get("limit", _MOST)), _MOST)
    begin = 0
    if "marker" in query:
        places = [nth for nth, one in enumerate(found) if one[key] == query["marker"]]
        if not places:
            return None, None
        begin = places[0] + 1
    page = found[begin : begin + limit]
    full = "limit" in query and len(page) == limit and limit > 0
    return page, page[-1][key] if full else None


def _replay(name: str) -> Answer:
    kept = recorded()[name]
    return Answer(
        kept["status"], body_of(name), {key: value for key, value in kept["headers"].items() if key != "Content-Type"}
    )


def _versioned(request: Request) -> Mapping[str, str]:
    number = ".".join(map(str, request.version))
    return {
        "OpenStack-API-Version": f"compute {number}",
        "X-OpenStack-Nova-API-Version": number,
        "Vary": "OpenStack-API-Version",
    }


def _instant(text: str | None, now: datetime) -> datetime:
    return now if not text else datetime.fromisoformat(text).replace(tzinfo=UTC)


def _zulu(at: datetime) -> str:
    return at.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    stopped = False

    def __init__(self, address: tuple[str, int], cloud: CloudServer) -> None:
        super().__init__(address, _Handler)
        self.cloud = cloud

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has gone is no event; any other error is shown."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each small answer waits for an acknowledgement
    server: _Server

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else b""
        if self.server.stopped:
            self.close_connection = True
            return
        faults = self.server.cloud.faults
        if faults.where in self.path:
            self._spoil(faults, body)
        else:
            self._answer(body, cut=False)

    do_POST = do_GET  # noqa: N815 - http.server's name

    def date_time_string(self, timestamp: float | None = None) -> str:
        return self.server.cloud.date() if timestamp is None else super().date_time_string(timestamp)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Say nothing: standard error belongs to the process's own log."""

    def _spoil(self, faults: CloudFaults, body: bytes) -> None:
        time.sleep(faults.delay_seconds)
        if faults.status is not None:
            self._send(faults.status, b"Internal Server Error", "text/plain", {})
        elif faults.html:
            self._send(200, b"<html><body>Welcome to the gateway</body></html>", "text/html", {})
        else:
            self._answer(body, cut=faults.cut)

    def _answer(self, body: bytes, *, cut: bool) -> None:
        try:
            found = self.server.cloud.answer(_request(self, body))
        except (ValueError, KeyError, TypeError):
            found = Answer(400, {"error": {"code": 400, "message": "malformed request", "title": "Bad Request"}})
        base = self.server.cloud.base
        text = json.dumps(found.body, ensure_ascii=False)
        text = text.replace("http://identity.lab", base).replace("http://compute.lab", f"{base}/compute")
        headers = {key: value.replace("http://identity.lab", base) for key, value in found.headers.items()}
        payload = text.encode()
        self._send(found.status, payload[: len(payload) // 2] if cut else payload, "application/json", headers)

    def _send(self, status: int, payload: bytes, kind: str, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Type": kind, "Content-Length": str(len(payload))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(payload)


def _request(handler: BaseHTTPRequestHandler, body: bytes) -> Request:
    parts = urlsplit(handler.path)
    asked = re.fullmatch(r"compute (\d+)\.(\d+)", handler.headers.get("OpenStack-API-Version", "compute 2.1"))
    return Request(
        method=handler.command,
        path=parts.path.rstrip("/") or "/",
        query={key: values[-1] for key, values in parse_qs(parts.query).items()},
        token=handler.headers.get("X-Auth-Token", ""),
        version=(int(asked[1]), int(asked[2])) if asked else (2, 1),
        body=json.loads(body) if body else None,
    )


async def serve(
    cloud: SimulatedCloud, *, password: str, username: str = "yunwang", host: str = "127.0.0.1", port: int = 5000
) -> None:
    """Serve until cancelled; OSError if the port is taken."""
    server = CloudServer(cloud, password=password, username=username, host=host, port=port)
    server.start()
    try:
        await asyncio.Event().wait()
    finally:
        await asyncio.shield(asyncio.to_thread(server.stop))


class Metered(Protocol):
    """What the collector gives back."""

    @property
    def rows(self) -> pa.Table: ...


class Meter(Protocol):
    """``collectors.openstack.collect``; plugged by the composition root, for siblings do not import each other."""

    def __call__(
        self, api: SimulatedCloud, cloud: str, inventory: Inventory, start: datetime, end: datetime, *, now: datetime
    ) -> Metered: ...


def history_rows(
    inventory: Inventory, start: datetime, end: datetime, *, collect: Meter, bursts: Sequence[Burst] = ()
) -> pa.Table:
    """Usage of all OpenStack clouds in the whole hours of [start, end), metered by the live collector's own code.

    Rows are those that a collector which had run all the time would have given, ids included: collecting the span again
    adds nothing.
    """
    tables = [USAGE.schema.empty_table()]
    for one in inventory.clouds:
        if one.kind == "openstack":
            cloud = SimulatedCloud(inventory, one.id, bursts=bursts, clock=lambda: end)
            tables.append(collect(cloud, one.id, inventory, start, end, now=end).rows)
    return pa.concat_tables(tables)
