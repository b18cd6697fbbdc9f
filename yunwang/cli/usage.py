"""A wrong command line in our words: what typer raises becomes three lines in the reader's language (CONTRACT §1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from typer._click import exceptions

from records.errors import Problem, UsageError, UserError
from records.validation import problem_of

Words = Sequence[str]
_SEE = "see `{command} --help`"


def told(error: exceptions.UsageError, group: Any, words: Words) -> UserError:
    """The same error as ours; its exit code is 2.

    Args:
        error: What typer raised.
        group: The whole tree, to find the command where the error does not name it.
        words: The command line.
    """
    known = error.ctx.command_path if error.ctx else _command_in(group, words)
    return UsageError.of([_problem(error, known)])


def _command_in(group: Any, words: Words) -> str:
    """The longest beginning of the words that is a command; options and arguments follow it."""
    path, here = "yw", group
    for word in words:
        here = here.get_command(None, word) if hasattr(here, "get_command") else None
        if here is None:
            break
        path += f" {word}"
    return path


def _problem(error: exceptions.UsageError, command: str) -> Problem:
    for kind, tell in _TELLERS.items():
        if isinstance(error, kind):
            return tell(error, command)
    return _plain(error, command)


def _missing(error: Any, command: str) -> Problem:
    name = _shown(error)
    if error.param.param_type_name == "argument":
        return Problem("the argument '{name}' is missing", _SEE, command, {"name": name, "command": command})
    return Problem("the option {name} is missing", _SEE, command, {"name": name, "command": command})


def _shown(error: Any) -> str:
    """``--month`` for an option, ``path`` for an argument, as the help writes it."""
    return str(error.param.opts[0])


def _invalid(error: Any, command: str) -> Problem:
    cause, values = error.__cause__, {"command": command}
    name = _shown(error) if error.param else ""
    choices = getattr(getattr(error.param, "type_descriptor", None), "choices", None)
    if choices and hasattr(cause, "errors"):
        known = ", ".join(str(getattr(one, "value", one)) for one in choices)
        given = cause.errors()[0].get("input")
        what = "{name} must be one of {known}, not '{value}'"
        return Problem(what, _SEE, command, values | {"name": name, "known": known, "value": given})
    if hasattr(cause, "errors"):
        return problem_of(cause.errors()[0], command, key=name, next_step=_SEE, command=command)
    return Problem("{name}: {reason}", _SEE, command, values | {"name": name, "reason": error.message})


def _no_option(error: Any, command: str) -> Problem:
    values = {"name": error.option_name, "command": command, "like": ", ".join(sorted(error.possibilities or ()))}
    if values["like"]:
        return Problem("there is no option {name}", "did you mean {like}? See `{command} --help`", command, values)
    return Problem("there is no option {name}", _SEE, command, values)


def _misused(error: Any, command: str) -> Problem:
    values = {"name": error.option_name, "command": command}
    if "does not take a value" in error.message:
        return Problem("the option {name} takes no value", "write {name} alone", command, values)
    return Problem("the option {name} needs a value", _SEE, command, values)


def _plain(error: exceptions.UsageError, command: str) -> Problem:
    """An unknown command, or words too many: typer tells these apart by its sentence only."""
    words = error.message
    group: Any = error.ctx.command if error.ctx else None
    unexpected = words.partition("unexpected extra argument")[2]
    if words.startswith("No such command") and error.ctx:
        return _no_command(words.split("'")[1], group.list_commands(error.ctx), command)
    if unexpected:
        extra = unexpected[unexpected.find("(", 4) + 1 : -1]
        return Problem("too many words: {extra}", _SEE, command, {"extra": extra, "command": command})
    if words.startswith("Missing command"):
        return Problem("the command is incomplete", _SEE, command, {"command": command})
    return Problem("{reason}", _SEE, command, {"reason": words, "command": command})


def _no_command(name: str, known: Words, command: str) -> Problem:
    values: Mapping[str, object] = {"name": f"{command} {name}", "command": command}
    like = get_close_matches(name, known, 1)
    if like:
        advice = "did you mean `{command} {like}`? `{command} --help` lists all"
        return Problem("there is no command `{name}`", advice, command, {**values, "like": like[0]})
    return Problem("there is no command `{name}`", "`{command} --help` lists the commands", command, values)


_TELLERS: Mapping[type[exceptions.UsageError], Callable[[Any, str], Problem]] = {
    exceptions.MissingParameter: _missing,  # before its parent
    exceptions.BadParameter: _invalid,
    exceptions.NoSuchOption: _no_option,
    exceptions.BadOptionUsage: _misused,
}
