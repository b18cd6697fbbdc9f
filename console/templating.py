"""Jinja set up once: escaping everywhere, an unknown name is an error, no inline script or style."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from console import assets, figures, words
from console.language import LANGUAGES, Translator

TEMPLATES = Path(__file__).parent / "templates"


@cache
def environment() -> Environment:
    """The one environment of this process."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.globals |= {"static": assets.url, "bps": figures.bps, "percent": figures.percent, "number": figures.number}
    made.globals |= {
        "instant": figures.instant,
        "moment": figures.moment,
        "whole_percent": figures.whole_percent,
        "day": figures.day,
        "parts_of": figures.parts_of,
        "price": figures.price,
        "unit": figures.unit,
        "words": words,
        "languages": LANGUAGES,
    }
    made.filters["segment"] = lambda text: quote(str(text), safe="")
    return made


def render(name: str, translator: Translator, context: Mapping[str, Any]) -> str:
    """A template in the reader's language."""
    money = figures.Money(translator.language)
    shared = {"_": translator, "language": translator.language, "yuan": money.yuan, "yuan_short": money.short}
    return environment().get_template(name).render({**shared, **context})
