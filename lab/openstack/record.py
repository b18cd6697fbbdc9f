"""Record what the real cloud answers, for the simulator: ``python -m lab.openstack.record FOLDER``.

Tokens and the throw-away password are blanked, tracebacks of failed servers left out, and the loopback addresses become
``identity.lab``, ``compute.lab`` and so on; else nothing is changed.
"""

from __future__ import annotations

import json
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from lab.openstack.cloud import PASSWORD, RealCloud, end_on_sigterm, real_cloud
from lab.openstack.install import RELEASES
from lab.openstack.scenario import play

RECORDED = Path(__file__).parents[1] / "simulator/recorded"
_KEPT_HEADERS = (
    "Content-Type",
    "Vary",
    "OpenStack-API-Version",
    "X-OpenStack-Nova-API-Version",
    "X-Subject-Token",
    "WWW-Authenticate",
    "Location",
)


class Recorder:
    """Asks one cloud and keeps each exchange under a name."""

    def __init__(self, cloud: RealCloud) -> None:
        self._cloud = cloud
        self._token = ""
        self._names = {cloud.identity.removesuffix("/v3"): "http://identity.lab"}
        self.compute = ""
        self.exchanges: dict[str, dict[str, Any]] = {}

    def log_in(self) -> None:
        """POST /auth/tokens, kept too; sets token and compute endpoint for what follows."""
        found = self.ask("token", "POST", f"{self._cloud.identity}/auth/tokens", body=self._login(PASSWORD))
        urls = {one["type"]: one["endpoints"][0]["url"] for one in found["body"]["token"]["catalog"]}
        self._names |= {
            url.removesuffix("/v2.1"): f"http://{kind}.lab" for kind, url in urls.items() if kind != "identity"
        }
        self.compute = urls["compute"]
        self._token = found["headers"]["X-Subject-Token"]

    def refuse(self) -> None:
        """A wrong password, a dead token, and what is not there."""
        self.ask("wrong password", "POST", f"{self._cloud.identity}/auth/tokens", body=self._login("wrong"))
        self.ask("dead token, identity", "GET", f"{self._cloud.identity}/projects", headers={"X-Auth-Token": "dead"})
        self.ask("dead token, compute", "GET", f"{self.compute}/servers/detail", headers={"X-Auth-Token": "dead"})
        self.get("no such server", f"{self.compute}/servers/00000000-0000-0000-0000-000000000000")
        self.get("no such project", f"{self._cloud.identity}/projects/00000000000000000000000000000000")
        self.get("bad marker", f"{self.compute}/os-simple-tenant-usage?marker=nobody", microversion="2.40")

    def get(self, name: str, url: str, microversion: str | None = None) -> dict[str, Any]:
        """GET with the token."""
        version = {"OpenStack-API-Version": f"compute {microversion}"} if microversion else {}
        return self.ask(name, "GET", url, headers={"X-Auth-Token": self._token, **version})

    def ask(
        self, name: str, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: Any = None
    ) -> dict[str, Any]:
        """One request; its answer, kept under ``name``."""
        sent = {
            "Accept": "application/json",
            **(headers or {}),
            **({"Content-Type": "application/json"} if body else {}),
        }
        data = json.dumps(body).encode() if body else None
        request = urllib.request.Request(url, method=method, headers=sent, data=data)  # noqa: S310 - loopback, http
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - likewise
                status, got, text = answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            status, got, text = error.code, error.headers, error.read()
        asked = {
            "method": method,
            "url": url,
            "headers": {key: value for key, value in sent.items() if key != "X-Auth-Token"},
            "body": body,
        }
        kept = {key: got[key] for key in _KEPT_HEADERS if key in got}
        self.exchanges[name] = {"request": asked, "status": status, "headers": kept, "body": json.loads(text)}
        return self.exchanges[name]

    def _login(self, password: str) -> dict[str, Any]:
        domain = {"name": "Default"}
        user = {"name": "admin", "domain": domain, "password": password}
        return {
            "auth": {
                "identity": {"methods": ["password"], "password": {"user": user}},
                "scope": {"project": {"name": "admin", "domain": domain}},
            }
        }

    def clean(self) -> dict[str, dict[str, Any]]:
        """The exchanges without secrets, ports and tracebacks."""
        for exchange in self.exchanges.values():
            for server in exchange["body"].get("servers", []):
                server.get("fault", {}).pop("details", None)
        text = json.dumps(self.exchanges, ensure_ascii=False)
        for found, written in {self._token: "TOKEN", PASSWORD: "PASSWORD", **self._names}.items():
            text = text.replace(found, written)
        return dict(json.loads(text))


def record(cloud: RealCloud) -> dict[str, dict[str, Any]]:
    """Everything that the collector may ask for, by name."""
    recorder = Recorder(cloud)
    recorder.ask("identity versions", "GET", cloud.identity.removesuffix("v3"))
    recorder.ask("identity version", "GET", cloud.identity)
    recorder.log_in()
    _record_lists(recorder, cloud)
    _record_usage(recorder)
    recorder.refuse()
    return recorder.clean()


def _record_lists(recorder: Recorder, cloud: RealCloud) -> None:
    compute = recorder.compute
    projects = recorder.get("projects", f"{cloud.identity}/projects")["body"]["projects"]
    recorder.get("compute versions", compute.removesuffix("v2.1"))
    recorder.get("compute version", compute + "/")
    recorder.get("flavors", f"{compute}/flavors/detail?is_public=None", microversion="2.61")
    recorder.get("servers", f"{compute}/servers/detail?all_tenants=1", microversion="2.61")
    page = recorder.get("servers, page 1", f"{compute}/servers/detail?all_tenants=1&limit=7", microversion="2.61")
    recorder.get(
        "servers, page 2",
        f"{compute}/servers/detail?all_tenants=1&limit=7&marker={page['body']['servers'][-1]['id']}",
        microversion="2.61",
    )
    recorder.get("servers deleted", f"{compute}/servers/detail?all_tenants=1&deleted=true", microversion="2.61")
    resized = next(one for one in recorder.exchanges["servers"]["body"]["servers"] if one["name"] == "bureau-01-s0")
    recorder.get(
        "actions of a resized server", f"{compute}/servers/{resized['id']}/os-instance-actions", microversion="2.61"
    )
    bureau = next(one for one in projects if one["name"] == "bureau-01")
    recorder.get("quota", f"{compute}/os-quota-sets/{bureau['id']}/detail", microversion="2.61")


def _record_usage(recorder: Recorder) -> None:
    now = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    span = f"start={(now - timedelta(days=1)).isoformat()}&end={(now + timedelta(hours=1)).isoformat()}"
    url = f"{recorder.compute}/os-simple-tenant-usage"
    whole = recorder.get("usage", f"{url}?detailed=1&{span}")["body"]["tenant_usages"]
    recorder.get("usage without detail", f"{url}?{span}")
    recorder.get("usage of one project", f"{url}/{whole[0]['tenant_id']}?{span}")
    marker, number = "", 1
    while True:
        page = recorder.get(f"usage, page {number}", f"{url}?detailed=1&{span}&limit=7{marker}", microversion="2.40")[
            "body"
        ]
        if not page["tenant_usages"]:
            return
        marker, number = f"&marker={page['tenant_usages'][-1]['server_usages'][-1]['instance_id']}", number + 1


def main() -> None:
    """Start a cloud in FOLDER, play the scenario, write ``recorded/openstack.json``."""
    end_on_sigterm()
    with real_cloud(Path(sys.argv[1]).absolute()) as cloud:
        play(cloud)
        write(record(cloud))


def write(exchanges: Mapping[str, Any]) -> None:
    """The file with its header."""
    header = {
        "software": [*RELEASES, "compute driver fake.FakeDriverWithoutFakeNodes", "PostgreSQL", "RabbitMQ"],
        "command": "python -m lab.openstack.record FOLDER",
        "at": datetime.now(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z"),
        "blanked": "tokens, password, tracebacks; addresses are identity.lab, compute.lab ...",
    }
    text = json.dumps({"recorded": header, "exchanges": exchanges}, ensure_ascii=False, indent=1)
    (RECORDED / "openstack.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
