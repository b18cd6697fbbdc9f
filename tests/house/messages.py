"""Every text that the CLI says: literal templates of errors, notes and tables, found in the source by their calls."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.running import ROOT
from yunwang.cli import tree

SPEAKERS = {
    "note": (0,),
    "say": (0,),
    "translate": (0,),
    "Problem": (0, 1),
    "BundleProblem": (1,),
    "Why": (0,),
    "parsing": (0,),
    "require": (1,),
    "_refuse": (2, 3),
    "_row": (1,),
    "_finding": (2, 3),
}
"""Name of a call to the places of its arguments that are templates."""
PLACEHOLDERS_ONLY = re.compile(r"(\{\w+\}\s?)*")


def error_classes(trees: dict[Path, ast.Module]) -> set[str]:
    """Names of UserError and of all that derive from it, found by walking down until nothing is added."""
    known = {"UserError"}
    while True:
        found = {
            node.name
            for module in trees.values()
            for node in ast.walk(module)
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
    speakers = SPEAKERS | dict.fromkeys(error_classes(trees), (0, 1))
    found: dict[str, str] = dict.fromkeys(of_help(), "--help")
    for path, module in sorted(trees.items()):
        for text, line in (*_spoken(module, speakers), *_listed(module)):
            found.setdefault(text, f"{path.relative_to(ROOT)}:{line}")
    return {text: place for text, place in found.items() if not PLACEHOLDERS_ONLY.fullmatch(text)}


def _spoken(module: ast.Module, speakers: dict[str, tuple[int, ...]]) -> Iterator[tuple[str, int]]:
    constants = _constants(module)
    for node in ast.walk(module):
        if isinstance(node, ast.Call):
            places = (0, 1) if _is_super_init(node) else speakers.get(_name(node.func), ())
            arguments = [argument for place, argument in enumerate(node.args) if place in places]
            arguments += [word.value for word in node.keywords if places and word.arg in {"what", "next_step"}]
            for argument in arguments:
                yield from _literals(argument, constants)


def of_help() -> Iterator[str]:
    """What ``--help`` says of commands, options and arguments."""
    yield from (tree.HELP, *(line for _, line in tree.COMMANDS.values()), *tree.GROUPS.values())
    for name in (*tree.COMMANDS, *tree.GROUPS):
        yield from _of_command(tree.load(name))


def _of_command(command: Any) -> Iterator[str]:
    yield command.help or ""
    yield from (getattr(one, "help", None) or "" for one in command.params)
    for member in getattr(command, "commands", {}).values():
        yield from _of_command(member)


def _listed(module: ast.Module) -> Iterator[tuple[str, int]]:
    """Templates that stand in a table: a constant of the module whose name ends in TEMPLATES."""
    for node in module.body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        if any(_name(one).endswith("TEMPLATES") for one in targets):
            value = node.value
            texts = value.values if isinstance(value, ast.Dict) else value.elts if isinstance(value, ast.Tuple) else []
            yield from ((one.value, one.lineno) for one in texts if isinstance(one, ast.Constant))


def _constants(module: ast.Module) -> dict[str, list[ast.expr]]:
    """Names that the module gives literals to, such as a next step that several errors share."""
    found: dict[str, list[ast.expr]] = {}
    for node in ast.walk(module):
        if isinstance(node, ast.Assign) and isinstance(node.value, (ast.Constant, ast.IfExp, ast.Tuple)):
            for target in node.targets:
                for name, value in _pairs(target, node.value):
                    found.setdefault(name, []).append(value)
    return found


def _pairs(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(value, ast.IfExp) and isinstance(target, ast.Tuple):
        yield from _pairs(target, value.body)
        yield from _pairs(target, value.orelse)
    elif isinstance(target, ast.Name):
        yield target.id, value
    elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        for one, other in zip(target.elts, value.elts, strict=False):
            yield from _pairs(one, other)


def _is_super_init(node: ast.Call) -> bool:
    function = node.func
    return (
        isinstance(function, ast.Attribute)
        and function.attr == "__init__"
        and isinstance(function.value, ast.Call)
        and _name(function.value.func) == "super"
        and len(node.args) >= 2
    )


def _literals(node: ast.expr, constants: dict[str, list[ast.expr]]) -> Iterator[tuple[str, int]]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value, node.lineno
    elif isinstance(node, ast.IfExp):
        yield from _literals(node.body, constants)
        yield from _literals(node.orelse, constants)
    elif isinstance(node, ast.Name):
        for value in constants.get(node.id, ()):
            yield from _literals(value, {})
    elif isinstance(node, ast.Starred) and isinstance(node.value, ast.Name):
        for value in constants.get(node.value.id, ()):
            for one in value.elts if isinstance(value, ast.Tuple) else ():
                yield from _literals(one, {})
