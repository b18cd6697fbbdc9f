"""``yw serve``: the console alone."""

from __future__ import annotations

from yunwang.children import die_with_supervisor
from yunwang.wiring import open_site


def command() -> None:
    """Serve console and API until SIGINT or SIGTERM."""
    die_with_supervisor()
    from yunwang.serving import serve  # noqa: PLC0415 - quick help

    site = open_site()
    site.prepare()
    serve(site)
