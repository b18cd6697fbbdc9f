"""What a text tells the reader to run exists: every ``yw WORD …`` in code, messages, pages and docs."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.house.messages import product_trees
from tests.house.test_language import catalogue
from tests.running import ROOT
from yunwang.cli import tree

GLOBAL = {"--data", "--config", "-o", "--output", "--help"}
OF_THE_DOOR = {"test"}  # ./yw itself
MENTION = re.compile(r"(?<![\w./-])(?:\./)?yw ([a-z][\w-]*)((?: [^\s`|&]+)*)")
WORD = re.compile(r"[a-z][a-z0-9-]*")
OPTION = re.compile(r"(?<![\w-])--?[a-z][\w-]*")


@cache
def command(name: str) -> Any:
    return tree.load(name)


def fault(first: str, rest: str, *, options: bool) -> str | None:
    """What is wrong with one mention; ``rest`` are the words behind, options are looked at where the text is code."""
    if first in OF_THE_DOOR:
        return None
    if first not in tree.COMMANDS and first not in tree.GROUPS:
        return f"no command `yw {first}`"
    path, here = f"yw {first}", command(first)
    for word in rest.split():
        members = getattr(here, "commands", None)
        plain = word.rstrip(".,;:)")
        if members is None or not WORD.fullmatch(plain):
            break
        if plain not in members:
            return f"no command `{path} {plain}`"
        path, here = f"{path} {plain}", members[plain]
    known = {name for one in here.params for name in (*one.opts, *one.secondary_opts)} | GLOBAL
    unknown = (
        [one for one in OPTION.findall(rest) if one not in known] if options and not hasattr(here, "commands") else []
    )
    return f"`{path}` has no {', '.join(unknown)}" if unknown else None


def in_code(text: str) -> Iterator[tuple[str, str]]:
    """Mentions in backticks."""
    for span in re.findall(r"`+([^`]+)`+", text):
        for mention in MENTION.finditer(span):
            yield mention[1], mention[2]


def in_blocks(page: str) -> Iterator[tuple[str, str]]:
    """Command lines of a page's code blocks."""
    for block in re.findall(r"^```\w*\n(.*?)^```", page, re.DOTALL | re.MULTILINE):
        for line in block.replace("\\\n", " ").splitlines():
            for mention in MENTION.finditer(line.partition(" #")[0]):
                yield mention[1], mention[2]


def texts_of_the_product() -> Iterator[tuple[str, str]]:
    for path, module in product_trees().items():
        for node in ast.walk(module):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and "yw " in node.value:
                yield f"{path.relative_to(ROOT)}:{node.lineno}", node.value
    for path in (*ROOT.glob("console/templates/*.html"), *ROOT.glob("console/locale/*.po")):
        yield str(path.relative_to(ROOT)), path.read_text("utf-8")
    for message in catalogue():
        if message.id:
            yield f"Chinese of {message.id!r}", str(message.string)


def pages() -> list[Path]:
    return [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("*/README*.md")]


def test_commands_that_the_product_names_exist() -> None:
    wrong = []
    for place, text in texts_of_the_product():
        found = [fault(*one, options=True) for one in in_code(text)]
        found += [fault(one[1], one[2], options=False) for one in MENTION.finditer(re.sub("`+[^`]+`+", "", text))]
        wrong += [f"{place}: {one}" for one in found if one]
    assert wrong == []


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_that_a_page_names_exist(page: Path) -> None:
    text = page.read_text("utf-8")
    wrong = [fault(*one, options=True) for one in (*in_code(re.sub("```", "", text)), *in_blocks(text))]
    assert [one for one in wrong if one] == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("`yw restore`", "no command `yw restore`", id="command"),
        pytest.param("`yw soc rebuild`", "no command `yw soc rebuild`", id="member"),
        pytest.param("`yw bill draft --moth 2026-07`", "`yw bill draft` has no --moth", id="option"),
        pytest.param("`yw bill draft --month 2026-07 -o json`", None, id="right"),
    ],
)
def test_a_wrong_mention_is_seen(text: str, expected: str | None) -> None:
    assert [fault(*one, options=True) for one in in_code(text)] == [expected]
