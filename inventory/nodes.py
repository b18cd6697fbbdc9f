"""YAML with its line numbers: composed nodes, so that every error can say ``FILE:LINE``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from records.errors import Problem, UserError

SUFFIXES = (".yaml", ".yml", ".json")
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MAX_BYTES = 256 * 2**20


@dataclass(frozen=True, slots=True)
class Item:
    """One YAML node and the file that it stands in."""

    file: str
    node: yaml.Node

    @property
    def where(self) -> str:
        """``FILE:LINE``, lines counted from 1."""
        return f"{self.file}:{self.node.start_mark.line + 1}"

    @property
    def is_null(self) -> bool:
        return self.node.tag == "tag:yaml.org,2002:null"

    def text(self) -> str | None:
        """The scalar as it is written, whatever YAML would make of it; None for a list or mapping."""
        return self.node.value if isinstance(self.node, yaml.ScalarNode) else None

    def items(self) -> Iterator[Item] | None:
        """The members of a list; None for anything else."""
        if not isinstance(self.node, yaml.SequenceNode):
            return None
        return (Item(self.file, member) for member in self.node.value)

    def pairs(self) -> Iterator[tuple[Item, Item]] | None:
        """Keys and values of a mapping, repetitions included; None for anything else."""
        if not isinstance(self.node, yaml.MappingNode):
            return None
        return ((Item(self.file, key), Item(self.file, value)) for key, value in self.node.value)


def read_files(path: Path) -> tuple[list[Item], list[Problem]]:
    """Compose one file, or every YAML file of a folder in name order; raises UserError if the path cannot be read."""
    if not path.exists():
        raise UserError("there is no file or folder '{path}'", "check the path", where=str(path), path=path)
    files = (
        sorted(one for one in path.rglob("*") if one.suffix in SUFFIXES and one.is_file()) if path.is_dir() else [path]
    )
    if not files:
        raise UserError("the folder holds no .yaml file", "put the inventory's files into it", where=str(path))
    roots: list[Item] = []
    problems: list[Problem] = []
    for file in files:
        root = compose(_read_text(file), str(file))
        (problems if isinstance(root, Problem) else roots).append(root)  # type: ignore[arg-type]  # told apart one line above
    return roots, problems


def _read_text(file: Path) -> str:
    try:
        if file.stat().st_size > _MAX_BYTES:
            raise UserError("the file is larger than 256 MiB", "split it", where=str(file))
        return file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(
            "the file is not UTF-8 (byte {byte})", "save it as UTF-8", where=str(file), byte=error.start
        ) from error
    except OSError as error:
        raise UserError(
            "cannot read the file: {reason}", "check its permissions", where=str(file), reason=error.strerror or error
        ) from error


def compose(text: str, file: str) -> Item | Problem:
    """The root node of one document, or what is wrong with its syntax."""
    try:
        node = yaml.compose(text, Loader=_LOADER)
    except RecursionError:
        return Problem("the file nests too deeply", "write it flat, as the documentation shows", file)
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        reason = getattr(error, "problem", None) or str(error).splitlines()[0]
        return Problem("not valid YAML: {reason}", "mend the syntax at this line", f"{file}:{line}", {"reason": reason})
    if node is None:
        return Problem("the file is empty", "begin it with `yunwang: 1`", f"{file}:1")
    return Item(file, node)
