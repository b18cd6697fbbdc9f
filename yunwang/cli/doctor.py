"""``yw doctor``: check this machine and this data folder (CONTRACT §8)."""

from __future__ import annotations

import typer

from yunwang.cli.call import current
from yunwang.cli.output import emit


def command() -> None:
    """List what is in order and what is not; exit 1 if something fails."""
    from yunwang.doctor import examine  # noqa: PLC0415 - beside its only use

    findings = examine(current().place())
    emit(findings, columns=("check", "state", "what", "next"))
    if any(one["state"] == "fail" for one in findings):
        raise typer.Exit(1)
