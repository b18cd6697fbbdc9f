"""Figures about the console itself for Prometheus; served on a loopback port of its own, never by the console."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, make_asgi_app
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from console.ports import KeyViews

_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0)


class Metrics:
    """The console's own counters, in a registry of this app."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        labels = ("method", "route", "status")
        self.seconds = Histogram(
            "yunwang_http_seconds", "Time to the answer", labels, buckets=_BUCKETS, registry=self.registry
        )
        self.logins = Counter("yunwang_logins", "Logins by outcome", ("outcome",), registry=self.registry)
        self.streams = Gauge("yunwang_event_streams", "Open event streams", registry=self.registry)

    def app(self) -> Any:
        """The ASGI app that answers ``/metrics``."""
        return make_asgi_app(self.registry)


class StatusCollector:
    """The pipeline's counters of ``yw status``, read when Prometheus asks."""

    def __init__(self, status: Callable[[], Mapping[str, Any]]) -> None:
        self._status = status

    def collect(self) -> Iterable[Metric]:
        status = self._status()
        counters = dict(status.get("counters") or {})
        dropped = CounterMetricFamily("yunwang_dropped", "Entries dropped, by reason", labels=["why"])
        for why, count in (counters.pop("dropped", None) or {}).items():
            dropped.add_metric([why], count)
        yield dropped
        for name, count in counters.items():
            yield CounterMetricFamily(f"yunwang_{name}", f"Entries {name}", value=count)
        for name in ("lag_seconds", "disk_free_bytes"):
            if status.get(name) is not None:
                yield GaugeMetricFamily(f"yunwang_{name}", name.replace("_", " "), value=status[name])
        yield _processes(status.get("processes") or ())


def _processes(processes: Iterable[Mapping[str, Any]]) -> Metric:
    running = GaugeMetricFamily("yunwang_process_running", "1 while the process runs", labels=["name"])
    for one in processes:
        running.add_metric([one["name"]], 1.0 if one["state"] == "running" else 0.0)
    return running


class KeyCollector:
    """How long certificates still hold, and whether a slow stand-in computes."""

    def __init__(self, keyring: KeyViews) -> None:
        self._keyring = keyring

    def collect(self) -> Iterable[Metric]:
        days = GaugeMetricFamily(
            "yunwang_certificate_days_left", "Whole days to the end of a certificate", labels=["name"]
        )
        ends = GaugeMetricFamily(
            "yunwang_certificate_not_after_timestamp_seconds", "When a certificate ends, Unix time", labels=["name"]
        )
        readable = GaugeMetricFamily(
            "yunwang_certificate_readable", "0 where it is missing or cannot be read", labels=["name"]
        )
        for one in self._keyring.certificates():
            known = one["not_after"] is not None
            readable.add_metric([one["name"]], float(known))
            if known:
                days.add_metric([one["name"]], one["days_left"])
                ends.add_metric([one["name"]], one["not_after"].timestamp())
        uses = self._keyring.fallbacks()
        fallback = CounterMetricFamily(
            "yunwang_crypto_fallback", "Operations done by the slow reference, in this process", labels=["operation"]
        )
        for operation in sorted({*uses, "all"}):
            fallback.add_metric([operation], sum(uses.values()) if operation == "all" else uses[operation])
        yield from (days, ends, readable, fallback)


class Timing:
    """Times every answer up to its first byte, by route template, so that ids make no new series."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()

        async def send_timed(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", "other")
                seconds = time.perf_counter() - started
                self.metrics.seconds.labels(scope["method"], route, str(message["status"])).observe(seconds)
            await send(message)

        await self.app(scope, receive, send_timed)
