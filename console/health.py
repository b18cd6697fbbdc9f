"""``/livez``: the process answers. ``/readyz``: what it needs is there (CONTRACT §9)."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from console.visit import deps_of

router = APIRouter(include_in_schema=False)


@router.get("/livez")
def livez() -> JSONResponse:
    """Always 200 while the process lives."""
    return JSONResponse({"live": True})


@router.get("/readyz")
def readyz(request: Request) -> JSONResponse:
    """200 once every check holds, else 503 with the checks."""
    checks = dict(deps_of(request).ready())
    ready = all(checks.values())
    return JSONResponse({"ready": ready, "checks": checks}, status_code=200 if ready else 503)
