"""The reader's language: zh-CN or English by ``LANG`` (CONTRACT §1). ``yunwang/locale`` holds the Chinese."""

from __future__ import annotations

import gettext
import os
from functools import cache, partial
from pathlib import Path

from records.errors import filled

LOCALES = Path(__file__).parent / "locale"
CHINESE, ENGLISH = "zh_CN", "en"


def wanted() -> str:
    """``zh_CN`` or ``en`` by LC_ALL, LC_MESSAGES, LANG."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        value = os.environ.get(name)
        if value:
            return CHINESE if value.lower().startswith("zh") else ENGLISH
    return ENGLISH


@cache
def _catalogue(language: str) -> gettext.NullTranslations:
    return gettext.translation("yunwang", LOCALES, languages=[language], fallback=True)


def translate(template: str) -> str:
    """The template in the reader's language; English where no translation is needed."""
    return translate_into(wanted(), template)


def translate_into(language: str, template: str) -> str:
    """The template in one language; a sentence of a library or of the system is recognised too.

    Args:
        language: ``zh``, ``zh_CN``, ``zh-CN``; anything else is English, which stays as it stands.
        template: A template of ours, or a whole sentence of theirs.
    """
    if not template or not language.startswith("zh"):
        return template
    told: str = _catalogue(CHINESE).gettext(template)
    if told == template:
        from yunwang.foreign import recognise  # noqa: PLC0415 - few sentences are not ours

        found = recognise(template)
        if found:
            return filled(found[0], found[1], partial(translate_into, language))
    return told
