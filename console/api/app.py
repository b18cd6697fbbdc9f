"""The API as an app of its own: OpenAPI 3.1 about itself, problems as ``application/problem+json``."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from console import problem
from console.api import approvals, routes

_ABOUT = "Lists and decisions for programs. Cursor pages: `limit` up to 200, `next` is the cursor of the next page."


class Api(FastAPI):
    """Describes also what FastAPI cannot know: the bearer tokens and the problems."""

    def openapi(self) -> dict[str, Any]:
        described = super().openapi()
        components = described.setdefault("components", {})
        components["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
        components.setdefault("schemas", {})["ProblemDetails"] = routes.ProblemDetails.model_json_schema()
        return described


def create_api(parent: FastAPI) -> FastAPI:
    """The API, sharing the console's dependencies."""
    api = Api(
        title="Yunwang API",
        version="1",
        description=_ABOUT,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        root_path_in_servers=True,
    )
    api.state.deps, api.state.metrics = parent.state.deps, parent.state.metrics
    problem.install(api)
    api.include_router(routes.router)
    api.include_router(approvals.router)
    return api
