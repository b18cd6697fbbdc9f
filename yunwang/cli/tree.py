"""The tree of commands: name, module and one line of help for each; a module is imported when its command is called."""

from __future__ import annotations

import importlib
from typing import Any

from typer import _click as click  # typer < 0.30 carries its own click; the package of that name is another one
from typer import core
from typer._click import exceptions
from typer.exceptions import Abort

from records.errors import UsageError
from yunwang.cli.help import localise
from yunwang.language import translate

HELP = "Yunwang: links, cloud bills, security. Global: --data DIR, --config FILE, -o table|json|csv|ndjson"
INTERRUPTED = 130

GROUPS: dict[str, str] = {  # name -> help; module yunwang.cli.<name> has ``app``
    "inventory": "check, import and export what there is to watch",
    "link": "links: state, samples, 95th percentile, SLA",
    "collect": "collectors: run, one poll, discovery",
    "meter": "usage: import, collect, list",
    "bill": "bills: draft, issue, show, export",
    "catalogue": "price catalogue: check, diff, load",
    "soc": "events, rules, alerts, incidents",
    "crypto": "keys, signatures, certificates, SM2 SM3 SM4",
    "channel": "the trusted channel: receive and send files, probe, bench",
    "notify": "notices: channels, tests, delivery log",
    "config": "show and check the configuration",
    "secret": "passwords and communities in the keystore",
    "user": "accounts and roles",
    "token": "API tokens",
    "audit-log": "who did what: list, sign, verify",
    "job": "long work: progress, cancel, schedules",
    "ticket": "work for people, closed by a re-check",
    "lab": "the simulated province",
}
COMMANDS: dict[str, tuple[str, str]] = {  # name -> (module, help); the module has ``command``
    "up": ("up", "start everything; the demo province while no site is set up"),
    "down": ("down", "stop what `up --detach` started"),
    "status": ("status", "processes, counters, lag"),
    "doctor": ("doctor", "check this machine and this data folder"),
    "work": ("work", "the worker alone"),
    "serve": ("serve", "the console alone"),
    "verify": ("verify", "verify any signed artefact, offline"),
    "approve": ("approve", "agree to what another person asked for"),
    "login": ("login", "act as a user of the console"),
    "version": ("version", "print the version"),
}


class LazyGroup(core.TyperGroup):
    """A group whose members are imported on call; ``--help`` reads the table above only."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return [*COMMANDS, *GROUPS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in COMMANDS and cmd_name not in GROUPS:
            return None
        command: click.Command = localise(load(cmd_name))
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        with formatter.section(translate("Commands")):
            lines = {name: line for name, (_, line) in COMMANDS.items()} | GROUPS
            formatter.write_dl([(name, translate(line)) for name, line in lines.items()])


def load(name: str) -> Any:
    """One command or group with all its members, in English."""
    from typer.main import get_command  # noqa: PLC0415 - not for --help

    module = importlib.import_module(f"yunwang.cli.{COMMANDS[name][0] if name in COMMANDS else name.replace('-', '_')}")
    command: Any = get_command(module.app) if name in GROUPS else _single(module.command)
    command.name = name
    return command


def _single(function: Any) -> Any:
    from typer import Typer  # noqa: PLC0415 - not for --help
    from typer.main import get_command  # noqa: PLC0415

    app = Typer(rich_markup_mode=None, add_completion=False)
    app.command()(function)
    return get_command(app)


def run(arguments: list[str]) -> int:
    """Run the command; its return value, or the code it exits with, is the exit code."""
    group: Any = localise(LazyGroup(name="yw", help=HELP, rich_markup_mode=None, no_args_is_help=True))
    try:
        result = group.main(arguments, prog_name="yw", standalone_mode=False)
    except exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help() if error.ctx else "")
        return UsageError.exit_code
    except exceptions.UsageError as error:
        from yunwang.cli.usage import told  # noqa: PLC0415 - only for a wrong command line

        raise told(error, group, arguments) from error
    except Abort:
        return INTERRUPTED
    return result if isinstance(result, int) else 0
