"""Errors that a reader can put right: what is wrong, where, and the next step.

``what`` and ``next_step`` are English templates in ``str.format`` syntax. They are literals in the call, so that Babel
finds them, and are translated before their values are filled in. Exit codes are those of CONTRACT §1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

Translate = Callable[[str], str]


def untranslated(template: str) -> str:
    """Leave a template as it stands: English."""
    return template


class _Values(dict[str, object]):
    """What a template is filled with; a name without a value stays as it is: telling an error must not fail."""

    def __missing__(self, name: str) -> str:
        return f"{{{name}}}"


def filled(template: str, values: Mapping[str, object], translate: Translate = untranslated) -> str:
    """A template in the reader's language with its values.

    A value that is a sentence, such as the reason that the system gave, is translated too; names and paths are data.
    """
    return translate(template).format_map(_Values({name: _told(value, translate) for name, value in values.items()}))


def _told(value: object, translate: Translate) -> object:
    if isinstance(value, UserError):
        return value.problems[0].text(translate)
    text = str(value) if isinstance(value, Exception) else value
    return translate(text) if isinstance(text, str) and " " in text else value


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with an input.

    Attributes:
        what: Template of the fault, e.g. ``"unknown tenant '{tenant}'"``.
        next_step: Template of what the reader does next.
        where: ``FILE:LINE``, device or field; empty if the input has no place.
        values: What the templates are filled with.
    """

    what: str
    next_step: str
    where: str = ""
    values: Mapping[str, object] = field(default_factory=dict)

    def text(self, translate: Translate = untranslated) -> str:
        """The fault in the reader's language."""
        return filled(self.what, self.values, translate)

    def advice(self, translate: Translate = untranslated) -> str:
        """The next step in the reader's language."""
        return filled(self.next_step, self.values, translate)

    def as_json(self, translate: Translate = untranslated) -> dict[str, str]:
        """The shape of CONTRACT §8: ``{"where", "what", "next"}``."""
        return {"where": self.where, "what": self.text(translate), "next": self.advice(translate)}

    def kept(self) -> dict[str, object]:
        """JSON with the templates: who reads it may have another language than who wrote it."""
        values = {name: str(value) for name, value in self.values.items()}
        return {"what": self.what, "next": self.next_step, "where": self.where, "values": values}

    @classmethod
    def restored(cls, kept: Mapping[str, Any]) -> Problem:
        """From what ``kept`` gave."""
        return cls(kept["what"], kept["next"], kept["where"], kept["values"])


class UserError(Exception):
    """Something the reader can put right; carries one or more problems. Exit 3: configuration or input."""

    exit_code: ClassVar[int] = 3
    result: Mapping[str, object] | None = None
    """What a program wants to know beside the text, such as the id of a request; None if there is nothing."""

    def __init__(self, what: str, next_step: str, *, where: str = "", **values: object) -> None:
        self.problems: tuple[Problem, ...] = (Problem(what, next_step, where, values),)
        super().__init__(self.problems[0].text())

    @classmethod
    def of(cls, problems: Iterable[Problem]) -> UserError:
        """One error for all problems of a batch input; raises ValueError if there are none."""
        found = tuple(problems)
        if not found:
            raise ValueError("an error needs at least one problem")
        error = cls(found[0].what, found[0].next_step, where=found[0].where, **found[0].values)
        error.problems = found
        return error


class UsageError(UserError):
    """The command line is wrong. Exit 2."""

    exit_code: ClassVar[int] = 2


class UnknownError(UserError):
    """What was named is not there. Exit 3."""


class UnreachableError(UserError):
    """A peer does not answer. Exit 4."""

    exit_code: ClassVar[int] = 4


class RefusedError(UserError):
    """Policy forbids it, or a second person must approve. Exit 5."""

    exit_code: ClassVar[int] = 5
