"""Every text that the CLI says: literal templates of errors, notes and tables, found in the source by their calls."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.running import ROOT

SPEAKERS = {"note": 1, "translate": 1, "Problem": 2}  # name -> how many leading arguments are templates
PLACEHOLDERS_ONLY = {"{reason}", "{command} --help", ""}


def error_classes(trees: dict[Path, ast.Module]) -> set[str]:
    """Names of UserError and of all that derive from it, found by walking down until nothing is added."""
    known = {"UserError"}
    while True:
        found = {
            node.name
            for tree in trees.values()
            for node in ast.walk(tree)
            if isinstance(node, ast.ClassDef) and any(_name(base) in known for base in node.bases)
        }
        if found <= known:
            return known
        known |= found


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def product_trees() -> dict[Path, ast.Module]:
    """Every module that is shipped."""
    files = (
        one
        for one in ROOT.glob("*/**/*.py")
        if one.relative_to(ROOT).parts[0] not in {"tests", "bench", ".venv", "var", "mutants"}
    )
    return {one: ast.parse(one.read_text("utf-8")) for one in files}


def templates() -> dict[str, str]:
    """Template to the first place that says it."""
    trees = product_trees()
    speakers = SPEAKERS | dict.fromkeys(error_classes(trees), 2)
    found: dict[str, str] = {}
    for path, tree in sorted(trees.items()):
        for text, line in _spoken(tree, speakers):
            found.setdefault(text, f"{path.relative_to(ROOT)}:{line}")
    return {text: place for text, place in found.items() if text not in PLACEHOLDERS_ONLY}


def _spoken(tree: ast.Module, speakers: dict[str, int]) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            count = speakers.get(_name(node.func), 0)
            if _is_super_init(node):
                count = 2
            named = [word.value for word in node.keywords if count and word.arg in {"what", "next_step"}]
            for argument in [*node.args[:count], *named]:
                yield from _literals(argument)


def _is_super_init(node: ast.Call) -> bool:
    function = node.func
    return (
        isinstance(function, ast.Attribute)
        and function.attr == "__init__"
        and isinstance(function.value, ast.Call)
        and _name(function.value.func) == "super"
        and len(node.args) >= 2
    )


def _literals(node: ast.expr) -> Iterator[tuple[str, int]]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value, node.lineno
    elif isinstance(node, ast.IfExp):
        yield from _literals(node.body)
        yield from _literals(node.orelse)
