"""Papers as PDF through typst: a template of ours, data as JSON, fonts of ours; data never become markup."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import typst

HERE = Path(__file__).parent
TEMPLATES = HERE / "templates"
FONTS = HERE / "fonts"


@cache
def _fonts() -> typst.Fonts:
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(FONTS)])


def render(template: str, data: Mapping[str, Any], created: datetime) -> bytes:
    """One PDF.

    Args:
        template: File name in ``documents/templates`` without ``.typ``.
        data: Whatever the template asks for; texts, integers, booleans, lists and mappings.
        created: Stamped into the file, so that the same data give the same bytes.
    """
    found: bytes = typst.compile(
        str(TEMPLATES / f"{template}.typ"),
        root=str(TEMPLATES),
        font_paths=_fonts(),
        ignore_system_fonts=True,
        sys_inputs={"data": json.dumps(data, ensure_ascii=False)},
        format="pdf",
        timestamp=created,
    )
    return found
