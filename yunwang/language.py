"""The reader's language: zh-CN or English by ``LANG`` (CONTRACT §1). ``yunwang/locale`` holds the Chinese."""

from __future__ import annotations

import gettext
import os
from functools import cache
from pathlib import Path

LOCALES = Path(__file__).parent / "locale"


def wanted() -> str:
    """``zh_CN`` or ``en`` by LC_ALL, LC_MESSAGES, LANG."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        value = os.environ.get(name)
        if value:
            return "zh_CN" if value.lower().startswith("zh") else "en"
    return "en"


@cache
def _catalogue(language: str) -> gettext.NullTranslations:
    return gettext.translation("yunwang", LOCALES, languages=[language], fallback=True)


def translate(template: str) -> str:
    """The template in the reader's language; English where no translation is needed."""
    return _catalogue(wanted()).gettext(template) if template else ""
