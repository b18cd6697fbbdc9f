"""The console as one ASGI app (应用装配): middleware, pages, API."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.middleware.gzip import GZipMiddleware

from console import api, health, live, pages, problem
from console.assets import STATIC
from console.deps import ConsoleDeps
from console.live import Hub
from console.metrics import KeyCollector, Metrics, StatusCollector, Timing
from console.security import SecurityHeaders
from console.uploads import Desk

_GZIP_FROM_BYTES = 1024
_BODY_BYTES = 65_536  # forms only; the one upload asks for more


def create_app(deps: ConsoleDeps) -> FastAPI:
    """The app; opens nothing by itself. ``app.state.metrics.app()`` is the one for the metrics port."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, max_body_size=_BODY_BYTES)
    metrics = Metrics()
    metrics.registry.register(StatusCollector(deps.status))
    metrics.registry.register(KeyCollector(deps.keyring))
    app.state.deps, app.state.metrics, app.state.hub = deps, metrics, Hub(deps.versions)
    app.state.desk = Desk(deps.keyring.verify)
    metrics.streams.set_function(lambda: sum(app.state.hub.streams.values()))
    app.add_middleware(GZipMiddleware, minimum_size=_GZIP_FROM_BYTES)
    app.add_middleware(SecurityHeaders, secure=deps.secure)
    app.add_middleware(Timing, metrics=metrics)
    problem.install(app)
    for router in (health.router, live.router, *pages.ROUTERS):
        app.include_router(router)
    app.mount("/api/v1", api.create_api(app))
    app.mount("/static", StaticFiles(directory=STATIC))
    return app
