"""What one call of the CLI is about: global options, taken before or after the verb (CONTRACT §1)."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

from records.errors import UsageError
from yunwang.place import Place, data_folder, is_site

Format = Literal["table", "json", "csv", "ndjson"]
_VALUED = {"--data": "data", "--config": "config", "-o": "output", "--output": "output"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Global options of this call.

    Attributes:
        data: ``--data DIR``.
        config: ``--config FILE``.
        output: ``-o``; table on a terminal, json otherwise.
    """

    data: Path | None = None
    config: Path | None = None
    output: Format = "json"

    def place(self, *, demo: bool | None = None, tell: bool = True) -> Place:
        """The folder to act on; while no site is set up that is the demo, said on stderr unless ``tell`` is false."""
        folder = data_folder(self.data)
        told = {"1": True, "0": False}.get(os.environ.get("YW_DEMO", "")) if demo is None else demo
        chosen = not is_site(folder) if told is None else told
        if tell and chosen and told is None:
            _tell_demo(folder)
        return Place(folder, chosen)


def _tell_demo(folder: Path) -> None:
    from yunwang.language import translate  # noqa: PLC0415 - gettext only where something is said

    sys.stderr.write(translate("note: no site in {folder}, acting on the demo").format(folder=folder) + "\n")


_current = Call()


def current() -> Call:
    """The call that is being served."""
    return _current


def begin(call: Call) -> None:
    """Set the call; done once by ``main``."""
    global _current  # noqa: PLW0603 - one process serves one call
    _current = call


def split_global(arguments: list[str], *, terminal: bool) -> tuple[Call, list[str]]:
    """Take the global options out of the arguments, wherever they stand up to ``--``; raises UsageError."""
    found: dict[str, str] = {}
    rest: list[str] = []
    waiting = iter(arguments)
    for word in waiting:
        name, equals, value = word.partition("=")
        if word == "--":
            rest += [word, *waiting]
        elif name not in _VALUED:
            rest.append(word)
        else:
            found[_VALUED[name]] = value if equals else _next(waiting, name)
    return _call(found, terminal=terminal), rest


def _next(waiting: object, name: str) -> str:
    value = next(waiting, None)  # type: ignore[call-overload]  # an iterator of str
    if value is None:
        raise UsageError("option {option} needs a value", "give it one: {option} VALUE", where=name, option=name)
    return cast("str", value)


def _call(found: dict[str, str], *, terminal: bool) -> Call:
    output = found.get("output", "table" if terminal else "json")
    if output not in get_args(Format):
        raise UsageError(
            "unknown output format '{format}'", "use one of table, json, csv, ndjson", where="-o", format=output
        )
    return Call(
        data=Path(found["data"]) if "data" in found else None,
        config=Path(found["config"]) if "config" in found else None,
        output=cast("Format", output),
    )
