"""Image and network services as far as nova needs them without networks: ``stand_in.py IMAGE_PORT NETWORK_PORT``."""

from __future__ import annotations

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

IMAGE_ID = "11111111-1111-1111-1111-111111111111"
_IMAGE = {
    "id": IMAGE_ID,
    "name": "cirros",
    "status": "active",
    "visibility": "public",
    "size": 1024,
    "min_disk": 0,
    "min_ram": 0,
    "disk_format": "raw",
    "container_format": "bare",
    "created_at": "2026-01-01T00:00:00Z",
    "updated_at": "2026-01-01T00:00:00Z",
    "tags": [],
    "checksum": "0" * 32,
    "owner": "lab",
    "protected": False,
    "os_hidden": False,
    "schema": "/v2/schemas/image",
    "file": f"/v2/images/{IMAGE_ID}/file",
}


def image_answer(path: str, host: str) -> tuple[int, dict[str, Any]]:
    """Glance v2: versions, one image, its schema."""
    if path in {"/", "/versions"}:
        link = {"rel": "self", "href": f"http://{host}/v2/"}
        return 300, {"versions": [{"id": "v2.15", "status": "CURRENT", "links": [link]}]}
    if path.startswith("/v2/images/"):
        return 200, _IMAGE
    if path == "/v2/images":
        return 200, {"images": [_IMAGE], "schema": "/v2/schemas/images"}
    if path.startswith("/v2/schemas/image"):
        return 200, {
            "name": "image",
            "properties": {key: {} for key in _IMAGE},
            "additionalProperties": {"type": "string"},
        }
    return 404, {}


def network_answer(path: str, host: str) -> tuple[int, dict[str, Any]]:
    """Neutron v2.0: versions, and an empty list of whatever is asked for."""
    if path == "/":
        link = {"rel": "self", "href": f"http://{host}/v2.0/"}
        return 200, {"versions": [{"id": "v2.0", "status": "CURRENT", "links": [link]}]}
    asked = path.rstrip("/").rsplit("/", 1)[-1].removesuffix(".json")
    return 200, {asked.replace("-", "_"): []}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        host = self.headers.get("Host", "")
        answer = image_answer if host.endswith(sys.argv[1]) else network_answer
        code, body = answer(self.path.split("?")[0], host)
        payload = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)


if __name__ == "__main__":
    image, network = (ThreadingHTTPServer(("127.0.0.1", int(port)), _Handler) for port in sys.argv[1:3])
    threading.Thread(target=image.serve_forever, daemon=True).start()
    network.serve_forever()
