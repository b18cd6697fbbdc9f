"""The console's languages: ids are Chinese in pages, English in errors; ``locale/`` holds the other of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from babel.messages.pofile import read_po

Language = Literal["zh", "en"]
LOCALES = Path(__file__).parent / "locale"
LANGUAGES: Mapping[Language, str] = {"zh": "zh-CN", "en": "en"}


@cache
def catalogue(language: Language) -> Mapping[str, str]:
    """Message id to its text, for those whose text differs from the id."""
    with (LOCALES / f"{language}.po").open("rb") as file:
        return {str(one.id): str(one.string) for one in read_po(file) if one.id and one.string}


@dataclass(frozen=True, slots=True)
class Translator:
    """Message ids into one language; values are filled in after translation."""

    language: Language

    def __call__(self, message: str, **values: object) -> str:
        text = catalogue(self.language).get(message, message)
        return text.format_map(values) if values else text


def preferred(cookie: str, accept: str) -> Language:
    """By the reader's own choice, else by ``Accept-Language``, else Chinese."""
    if cookie in LANGUAGES:
        return "en" if cookie == "en" else "zh"
    for part in accept.lower().split(","):
        tag = part.split(";")[0].strip()
        if tag[:2] in LANGUAGES:
            return "en" if tag.startswith("en") else "zh"
    return "zh"
