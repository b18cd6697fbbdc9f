"""The API as an app of its own: OpenAPI 3.1 about itself, problems as ``application/problem+json``."""

from __future__ import annotations

from fastapi import FastAPI

from console import problem
from console.api import routes


def create_api(parent: FastAPI) -> FastAPI:
    """The API, sharing the console's dependencies."""
    api = FastAPI(
        title="Yunwang API",
        version="1",
        description="Reads for programs. Cursor pages: `limit` up to 200, `next` is the cursor of the next page.",
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        root_path_in_servers=True,
    )
    api.state.deps, api.state.metrics = parent.state.deps, parent.state.metrics
    problem.install(api)
    api.include_router(routes.router)
    return api
