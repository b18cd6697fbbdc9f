"""Every text has its other language: pages are written in Chinese, errors in English."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir, extract_from_file
from babel.messages.pofile import read_po

import console.lists
from console import words
from console.language import LOCALES
from console.navigation import SECTIONS
from console.problem import _TITLES
from console.table import Table
from console.words import Word

ROOT = Path(console.__file__).parent
CHINESE = re.compile(r"[\u3400-\u9fff]")
ERRORS = {
    "UserError": (1, 2),
    "Problem": (1, 2),
    "RefusedError": (1, 2),
    "UnknownError": (1, 2),
    "LoginError": (1, 2),
    "HTTPException": (2,),
    "__init__": (1, 2),
}


def tables() -> Iterator[Table]:
    for found in pkgutil.iter_modules(console.lists.__path__):
        module = importlib.import_module(f"console.lists.{found.name}")
        yield from (value for value in vars(module).values() if isinstance(value, Table))


def of_tables() -> Iterator[str]:
    for table in tables():
        yield from (table.title, table.empty)
        for column in table.columns:
            yield column.title
            yield from (title for _, title in column.choices)


def of_words() -> Iterator[str]:
    for value in vars(words).values():
        if isinstance(value, Mapping) and value is not words.OTHER_LANGUAGE:
            yield from (
                one.title if isinstance(one, Word) else one for one in value.values() if isinstance(one, (Word, str))
            )
    yield from words.TRANSLATED


def of_templates() -> Iterator[str]:
    for path in (ROOT / "templates").glob("*.html"):
        yield from (str(one[1]) for one in extract_from_file("jinja2.ext:babel_extract", path, keywords={"_": None}))


def of_code() -> Iterator[str]:
    yield from (
        str(one[2])
        for one in extract_from_dir(
            ROOT, [("**.py", "python")], keywords={"translate": None, "translator_of(request)": None}
        )
    )
    for path in ROOT.rglob("*.py"):
        yield from (one for one in re.findall(r'translator_of\(request\)\("([^"]+)"', path.read_text("utf-8")))


def chinese_ids() -> set[str]:
    pages = {*of_tables(), *of_words(), *of_templates(), *of_code(), *_TITLES.values()}
    titles = {one.title for one in SECTIONS} | {entry.title for one in SECTIONS for entry in one.entries}
    return {one for one in pages | titles if CHINESE.search(one)}


def english_ids() -> set[str]:
    found: set[str] = set()
    for package in ("access", "console"):
        for path in (ROOT.parent / package).rglob("*.py"):
            for _, message, _, _ in extract_from_file("python", path, keywords=ERRORS):
                found |= {message} if isinstance(message, str) else {one for one in message if one}
    return {one for one in found if re.search("[A-Za-z]", one) and not CHINESE.search(one)}


def entries(language: str) -> dict[str, str]:
    with (LOCALES / f"{language}.po").open("rb") as file:
        return {str(one.id): str(one.string) for one in read_po(file) if one.id}


@pytest.mark.parametrize(("language", "wanted"), [("en", chinese_ids()), ("zh", english_ids())], ids=["en", "zh"])
def test_catalogue_has_exactly_the_messages_in_use(language: str, wanted: set[str]) -> None:
    known = {message for message, text in entries(language).items() if text}
    assert (sorted(wanted - known), sorted(known - wanted)) == ([], [])


@pytest.mark.parametrize("language", ["en", "zh"])
def test_translations_keep_the_placeholders(language: str) -> None:
    fields = re.compile(r"\{\w*\}")
    differing = {
        one: text
        for one, text in entries(language).items()
        if sorted(fields.findall(one)) != sorted(fields.findall(text))
    }
    assert differing == {}


def test_english_has_no_chinese_left() -> None:
    assert {one: text for one, text in entries("en").items() if CHINESE.search(text)} == {}


@pytest.mark.parametrize("path", sorted((ROOT / "templates").glob("*.html")), ids=lambda path: path.name)
def test_template_has_no_chinese_outside_messages(path: Path) -> None:
    text = re.sub(r"\{#.*?#\}", "", path.read_text("utf-8"), flags=re.DOTALL)
    text = re.sub(r"""_\(\s*(?:"[^"]*"|'[^']*')""", "", text)
    assert CHINESE.findall(text) == []
