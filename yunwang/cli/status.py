"""``yw status``: processes, counters, lag (CONTRACT §8)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from yunwang.cli.output import emit
from yunwang.wiring import open_site

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def command() -> None:
    """Show how the platform is."""
    from yunwang.status import status  # noqa: PLC0415 - beside its only use

    emit(status(open_site()), rows=_rows)


def _rows(found: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    for one in found["processes"]:
        yield {"what": one["name"], "value": one["state"], "since": one["since"]}
    for name, value in found["counters"].items():
        yield {"what": name, "value": value}
    for name in ("lag_seconds", "disk_free_bytes"):
        yield {"what": name, "value": found[name]}
    for warning in found["warnings"]:
        yield {"what": "warning", "value": warning["what"]}
