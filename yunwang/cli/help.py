"""``--help`` in the reader's language: our texts by the catalogue, the headings of typer and click likewise."""

from __future__ import annotations

import gettext
from typing import Any

from typer import _click as click

from yunwang.language import CHINESE, LOCALES, translate, wanted


class _Formatter(click.HelpFormatter):
    """Translates the headings that click itself holds."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        super().write_usage(prog, args, prefix or translate("Usage: "))


class _Context(click.Context):
    formatter_class = _Formatter


def localise(command: Any) -> Any:
    """The command with its members, options and arguments told in the reader's language; English is left alone."""
    if wanted() == CHINESE:
        gettext.bindtextdomain("yunwang", str(LOCALES))
        gettext.textdomain("yunwang")
        _localise(command)
    return command


def _localise(command: Any) -> None:
    command.context_class = _Context
    command.help = translate(command.help or "")
    for parameter in command.params:
        parameter.help = translate(getattr(parameter, "help", None) or "")
    option = command.get_help_option(_Context(command))
    if option is not None:
        option.help = translate(option.help)
    for member in getattr(command, "commands", {}).values():
        _localise(member)
